"""Calls that most tests of the front door make."""

from typing import Any

from collab.access.roles import Role
from tests.deployment import token

DOCUMENTS = "/api/v1/documents"


def bearer(grants: dict[str, Role] | None = None) -> dict[str, str]:
    """The header of somebody who may edit everything, or what ``grants`` say."""
    return {"Authorization": f"Bearer {token('ada', grants)}"}


OWNER = bearer({"**": Role.OWNER})


def problem(answer: Any, status: int, word: str | None = None) -> str:
    """The sentence of a problem, which has this status and type. Its form is the same whatever it is about."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body.keys() == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert body["type"] == (f"urn:collab:problem:{word}" if word else "about:blank")
    assert body["title"]
    assert body["detail"]
    return str(body["detail"])
