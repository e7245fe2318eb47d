"""The names of claims in the tokens of other issuers, which were there before us and stay as they are.

An operator writes them as ``ours=theirs``, separated by commas::

    user=user_id,name=username,document=room_name,role=editor

``user``, ``name`` and ``document`` each name a claim. A token with a document claim is for that document alone, and its
``grants`` are not read. ``role`` goes with ``document``: one of our role words, for all these tokens, or else the claim
that holds the word.

A token that has none of the claims named here is read as one of ours, so that ``collab token`` goes on working.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collab.access.roles import Role
from collab.errors import InvalidRequest

EXAMPLE = "user=user_id,name=username,document=room_name,role=editor"
PARTS = ("user", "name", "document", "role")


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """The claims of a token that say who its user is and what the user may do.

    ``document`` None: the claim ``grants`` says it. ``role``: the role on ``document``, or the claim that holds it.
    """

    user: str = "sub"
    name: str = "name"
    document: str | None = None
    role: Role | str = Role.VIEWER

    def are_in(self, claims: Mapping[str, Any]) -> bool:
        """Return True if a token with these claims is one of the other issuer, whatever they hold."""
        return any(name in claims for name in self._foreign())

    def _foreign(self) -> set[str]:
        named = {self.user, self.name, self.document, self.role if isinstance(self.role, str) else None}
        return {name for name in named if name is not None} - {OURS.user, OURS.name}


OURS = ClaimNames()
"""The claims of our own tokens."""


def parse_claim_names(text: str) -> ClaimNames:
    """Return the names that an operator wrote. Empty text: ours. Raises InvalidRequest with the next step."""
    if not text.strip():
        return OURS
    given: dict[str, str] = {}
    for item in text.split(","):
        part, _, claim = (each.strip() for each in item.partition("="))
        if part not in PARTS or not claim:
            raise InvalidRequest(f"{item.strip()!r} does not map a claim. An example is {EXAMPLE!r}.")
        if part in given:
            raise InvalidRequest(f"{part!r} is given twice.")
        given[part] = claim
    if ("document" in given) != ("role" in given):
        raise InvalidRequest(f"'document' and 'role' go together. An example is {EXAMPLE!r}.")
    role = given.pop("role", OURS.role)
    return ClaimNames(**given, role=role if isinstance(role, Role) else _fixed_or_claim(role))


def _fixed_or_claim(text: str) -> Role | str:
    try:
        return Role.parse(text)
    except InvalidRequest:
        return text
