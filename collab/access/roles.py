"""The order of roles, and what each of them may do to one document.

Every stronger role may do all that a weaker one may, so the strongest of several grants is the one that
counts and ``max`` finds it.
"""

from enum import IntEnum

from collab.errors import InvalidRequest


class Role(IntEnum):
    """What somebody is to a document. ``VIEWER < COMMENTER < EDITOR < OWNER``."""

    VIEWER = 1
    COMMENTER = 2
    EDITOR = 3
    OWNER = 4

    @classmethod
    def parse(cls, word: str) -> "Role":
        """The role of this name as tokens and people write it: ``viewer`` … ``owner``.

        Raises InvalidRequest with the words there are.
        """
        try:
            return _ROLES[word]
        except KeyError:
            raise InvalidRequest(f"A role is one of {', '.join(_ROLES)}.") from None

    @property
    def word(self) -> str:
        """The name that ``parse`` reads back."""
        return self.name.lower()

    @property
    def can_read(self) -> bool:
        """See the document, who is in it, and its history."""
        return self >= Role.VIEWER

    @property
    def can_comment(self) -> bool:
        """Say something beside the text."""
        return self >= Role.COMMENTER

    @property
    def can_write(self) -> bool:
        """Change the document; bring it into being by writing."""
        return self >= Role.EDITOR

    @property
    def can_manage(self) -> bool:
        """Delete, restore and share."""
        return self >= Role.OWNER


_ROLES = {role.word: role for role in Role}
