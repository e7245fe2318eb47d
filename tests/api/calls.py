"""Requests that most tests of the API make."""

from typing import Any

from collab.access.roles import Role
from tests.deployment import token

DOCUMENTS = "/api/v1/documents"


def bearer(grants: dict[str, Role] | None = None, *, user: str = "ada") -> dict[str, str]:
    """Return the header of a user with ``grants``, or one who may edit everything."""
    return {"Authorization": f"Bearer {token(user, grants)}"}


OWNER = bearer({"**": Role.OWNER}, user="owner")


def problem(answer: Any, status: int, word: str | None = None) -> str:
    """Check that the answer is a problem with this status and type, and return its sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body.keys() == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert body["type"] == (f"urn:collab:problem:{word}" if word else "about:blank")
    assert body["title"]
    assert body["detail"]
    return str(body["detail"])
