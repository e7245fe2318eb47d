"""The permission of one principal on one document, as it was decided at one moment."""

from dataclasses import dataclass

from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.ids import DocumentName


@dataclass(frozen=True, slots=True)
class Permit:
    """A role, and what it was decided by.

    ``version``: that of the document's sharing. None where the token alone allows as much as a session can use, so that
    no change of the sharing matters until the token ends.
    """

    principal: Principal
    document: DocumentName
    role: Role
    version: int | None = None

    @property
    def can_write(self) -> bool:
        """True if the principal may change the document."""
        return self.role.can_write
