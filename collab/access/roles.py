"""The roles on one document, and what each allows.

A stronger role allows all that a weaker one does, so of several grants the strongest counts.
"""

from enum import IntEnum

from collab.errors import InvalidRequest


class Role(IntEnum):
    """A role on one document: ``VIEWER < COMMENTER < EDITOR < OWNER``."""

    VIEWER = 1
    COMMENTER = 2
    EDITOR = 3
    OWNER = 4

    @classmethod
    def parse(cls, word: str) -> "Role":
        """Return the role with this name, as tokens and people write it: ``viewer`` … ``owner``.

        Raises InvalidRequest, with the names of all roles.
        """
        try:
            return _ROLES[word]
        except KeyError:
            raise InvalidRequest(f"A role is one of {', '.join(_ROLES)}.") from None

    @property
    def word(self) -> str:
        """The name that ``parse`` reads."""
        return self.name.lower()

    @property
    def can_read(self) -> bool:
        """True if the role may see the document, the people in it, and its history."""
        return self >= Role.VIEWER

    @property
    def can_comment(self) -> bool:
        """True if the role may comment on the text."""
        return self >= Role.COMMENTER

    @property
    def can_write(self) -> bool:
        """True if the role may change the document, or create it by writing to it."""
        return self >= Role.EDITOR

    @property
    def can_manage(self) -> bool:
        """True if the role may delete, restore and share the document."""
        return self >= Role.OWNER


_ROLES = {role.word: role for role in Role}
