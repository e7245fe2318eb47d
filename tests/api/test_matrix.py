"""Access over REST: every route, caller and state of the document, as a table made from the app's routes.

Each cell is a request about a document of its own. What was denied must have changed nothing: neither the content nor
how the document is shared. A route that is not in ``ROUTES`` fails the test.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import product
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from collab.access import links
from collab.access.roles import Role
from collab.access.sharing import Link
from collab.crdt.stored import load_document
from collab.errors import CollabError
from collab.ids import DocumentName, Epoch, LinkId, UserId, WriterId
from collab.protocol.rows import Entry, Row, encode_entries
from collab.store.memory import MemoryStore
from tests.api.calls import DOCUMENTS
from tests.deployment import token
from tests.room.build import YjsClient

State: TypeAlias = Literal["live", "published", "deleted", "absent"]
STATES: tuple[State, ...] = ("live", "published", "deleted", "absent")

OWNER = YjsClient(1)
CONTENT = OWNER.type(0, "theirs")
INSERT = YjsClient(2).type(0, "mine")
FIRST, TARGET = UserId("first"), UserId("target")
CALLER = "caller"


@dataclass(frozen=True)
class Route:
    """What a route needs, the status of its success, and a body for it."""

    needs: Role
    success: int
    json: Any = None
    content: bytes | None = None


ROUTES = {
    "listDocuments": Route(Role.VIEWER, 200),
    "createDocument": Route(Role.EDITOR, 201),
    "getDocument": Route(Role.VIEWER, 200),
    "changeDocument": Route(Role.EDITOR, 200, {"title": "Mine"}),
    "deleteDocument": Route(Role.OWNER, 204),
    "restoreDocument": Route(Role.OWNER, 200),
    "getContent": Route(Role.VIEWER, 200),
    "postUpdate": Route(Role.EDITOR, 200, content=INSERT),
    "listMembers": Route(Role.OWNER, 200),
    "putMember": Route(Role.OWNER, 200, {"role": "editor"}),
    "removeMember": Route(Role.OWNER, 204),
    "listLinks": Route(Role.OWNER, 200),
    "createLink": Route(Role.OWNER, 201, {"role": "editor"}),
    "revokeLink": Route(Role.OWNER, 204),
    "getAccess": Route(Role.VIEWER, 200),
    "requestAccess": Route(Role.VIEWER, 202, {"message": "Please"}),
    "listAccessRequests": Route(Role.OWNER, 200),
    "publishDocument": Route(Role.OWNER, 204),
    "unpublishDocument": Route(Role.OWNER, 204),
}

ROLES: tuple[Role | None, ...] = (None, *Role)


@dataclass(frozen=True)
class Caller:
    """A user with a grant, a membership or neither, or somebody without a token."""

    granted: Role | None = None
    member: Role | None = None
    via: Literal["token", "link", "revoked link", "expired link", "link elsewhere", "cookie", "query", "nothing"] = (
        "token"
    )
    link: Role = Role.VIEWER

    def role(self, state: State) -> Role | None:
        """Return the strongest role of the caller on the document."""
        if self.via == "link":
            return self.link
        listed = None if state == "absent" else self.member
        return max((each for each in (self.granted, listed) if each is not None), default=None)

    def is_known(self, state: State) -> bool:
        """Return True if what the caller shows is accepted."""
        return self.via in ("token", "link elsewhere") or (self.via == "link" and state != "absent")


CALLERS = [
    *(Caller(granted, member) for granted, member in product(ROLES, ROLES)),
    *(Caller(via="link", link=role) for role in (Role.VIEWER, Role.COMMENTER, Role.EDITOR)),
    Caller(via="revoked link", link=Role.EDITOR),
    Caller(via="expired link", link=Role.EDITOR),
    Caller(via="link elsewhere", link=Role.EDITOR),
    # What a browser sends by itself to another site, or a page may put into an address, is no sign-in.
    *(Caller(Role.OWNER, via=via) for via in ("cookie", "query", "nothing")),
]


@dataclass(frozen=True)
class Cell:
    """One combination."""

    operation: str
    caller: Caller
    state: State

    def expected(self) -> int:
        """Return the status of the answer."""
        route, role = ROUTES[self.operation], self.caller.role(self.state)
        if self.operation == "getContent" and self.state == "published":
            return 401 if "link" in self.caller.via and not self.caller.is_known(self.state) else 200
        if not self.caller.is_known(self.state):
            return 401
        if self.operation == "listDocuments":
            return 200
        if self.operation == "requestAccess":
            return 403 if "link" in self.caller.via else 202 if role is None else 409
        if role is None or role < route.needs:
            return 403
        return self._allowed(route)

    def _allowed(self, route: Route) -> int:
        match self.operation, self.state:
            case "restoreDocument", "deleted":
                return route.success
            case _, "deleted":
                return 410
            case "createDocument" | "postUpdate", "absent":
                return route.success
            case "createDocument", _:
                return 409
            case _, "absent":
                return 404
        return route.success


CELLS = [Cell(*each) for each in product(ROUTES, CALLERS, STATES)]


class World:
    """The documents of all cells, in one store behind one server."""

    def __init__(self, client: TestClient, store: MemoryStore) -> None:
        self._client = client
        self._store = store
        self._tokens = {role: token(CALLER, {"**" if role else "none": role or Role.OWNER}) for role in ROLES}
        app: Any = client.app
        self.routes: dict[str, tuple[str, str]] = {
            operation["operationId"]: (method, path)
            for path, operations in app.openapi()["paths"].items()
            for method, operation in operations.items()
            if path.startswith(DOCUMENTS)
        }

    async def ask(self, number: int, cell: Cell) -> list[str]:
        """Make the request of a cell. Return what is wrong with its outcome."""
        name = DocumentName(f"matrix/{number}")
        secret = await self._prepare(name, cell)
        before = await self._state(name)
        answer = self._request(name, cell, secret)
        faults = []
        if answer.status_code != cell.expected():
            faults.append(f"{answer.status_code} instead of {cell.expected()}")
        if answer.status_code >= 400 and await self._state(name) != before:
            faults.append("denied, and changed something")
        if answer.status_code >= 400 and "theirs" in answer.text:
            faults.append("denied, and told something")
        return faults

    async def _prepare(self, name: DocumentName, cell: Cell) -> str:
        caller, secret = cell.caller, f"cl_{name}"
        elsewhere = DocumentName(f"{name}/elsewhere")
        if cell.state != "absent":
            payload = encode_entries([Entry(FIRST, CONTENT)])
            await self._store.append([Row(name, Epoch(0), WriterId(9), 1, payload, FIRST)])
            await self._store.put_member(name, TARGET, Role.VIEWER)
            await self._store.add_link(_link("target", name, Role.VIEWER), name.encode())
            if caller.member is not None:
                await self._store.put_member(name, UserId(CALLER), caller.member)
            if caller.via in ("link", "expired link"):
                expires_at = datetime.now(UTC) - timedelta(seconds=1) if "expired" in caller.via else None
                await self._store.add_link(_link("mine", name, caller.link, expires_at), links.digest(secret))
        if caller.via == "link elsewhere":
            await self._store.create(elsewhere, "", FIRST)
            await self._store.add_link(_link("mine", elsewhere, caller.link), links.digest(secret))
        await self._store.set_published(name, cell.state == "published") if cell.state != "absent" else None
        if cell.state == "deleted":
            await self._store.delete(name)
        return secret

    def _request(self, name: DocumentName, cell: Cell, secret: str) -> Any:
        method, path = self.routes[cell.operation]
        link = LinkId(f"target {name}")
        path = path.format(name=quote(name, safe=""), user=TARGET, link=quote(link, safe=""))
        shown = secret if "link" in cell.caller.via else self._tokens[cell.caller.granted]
        headers, query = {}, ""
        match cell.caller.via:
            case "cookie":
                headers = {"Cookie": f"token={shown}; access_token={shown}; session={shown}"}
            case "query":
                query = f"?token={shown}&access_token={shown}"
            case "nothing":
                pass
            case _:
                headers = {"Authorization": f"Bearer {shown}"}
        what = ROUTES[cell.operation]
        json = {"name": name} if cell.operation == "createDocument" else what.json
        return self._client.request(method, path + query, headers=headers, json=json, content=what.content)

    async def _state(self, name: DocumentName) -> Any:
        """Return the content's hash and everything else that a request could change."""
        stored = await self._store.load(name)
        content = sha256(load_document(None, stored.tail).encode()).hexdigest()
        try:
            shared = [
                await self._store.find(name),
                await self._store.list_members(name),
                await self._store.list_links(name),
                await self._store.list_requests(name),
            ]
        except CollabError as error:
            shared = [error.slug]
        return content, stored.deleted, str(shared), await self._store.sharing(name, (), ())


def _link(id_: str, document: DocumentName, role: Role, expires_at: datetime | None = None) -> Link:
    return Link(LinkId(f"{id_} {document}"), document, role, FIRST, datetime.now(UTC), expires_at, None)


@pytest.fixture
def world(client: TestClient, store: MemoryStore) -> World:
    return World(client, store)


def test_access_over_rest_is_exactly_what_the_table_says(world: World) -> None:
    async def ask_all() -> dict[Cell, list[str]]:
        return {cell: wrong for number, cell in enumerate(CELLS) if (wrong := await world.ask(number, cell))}

    wrong = asyncio.run(ask_all())

    assert wrong == {}


def test_table_has_a_row_for_every_route_about_documents(world: World) -> None:
    assert world.routes.keys() == ROUTES.keys()
    assert len(CELLS) == len(ROUTES) * len(CALLERS) * len(STATES) >= 2000
