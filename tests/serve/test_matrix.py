"""Access control: every role, message and state of the token, on both dialects, as a table.

Each cell is a client of its own on a document of its own, through the app's routes. What was denied must also have
changed nothing: the log of each such document is read back after the server has stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from jwt import PyJWS

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, sign
from collab.crdt.stored import load_document
from collab.ids import DocumentName, Epoch, UserId, WriterId
from collab.limits import ServerLimits
from collab.protocol.rows import Entry, Row, encode_entries
from collab.serve.server import Server
from collab.store.memory import MemoryStore
from tests.deployment import SECRET
from tests.frames import DialectName
from tests.room.build import YjsClient
from tests.serve.parts import WallClock, make_server
from tests.serve.sockets import AsgiClient, app_around

TTL_S = 60.0
KEY = SharedSecret(SECRET.encode())
STRANGER = SharedSecret(b"the secret of another server, not of this one")

OWNER = YjsClient(1)
CONTENT = OWNER.type(0, "theirs")
INSERT = YjsClient(2, CONTENT).type(0, "mine, ")
DELETE = YjsClient(3, CONTENT).delete(0, 3)

ROLES: dict[str, Role | None] = {"nobody": None, **{role.word: role for role in Role}}

SAYS: dict[str, Callable[[AsgiClient], None]] = {
    "step1": lambda client: client.step1(),
    "step2 with nothing new": lambda client: client.step2(CONTENT),
    "step2 with a new insert": lambda client: client.step2(INSERT),
    "step2 with a new delete": lambda client: client.step2(DELETE),
    "update": lambda client: client.update(INSERT),
    "awareness": lambda client: client.presence(5),
    "query": lambda client: client.query(),
    "stateless": lambda client: client.stateless(),
}
SELF_WRITER = {"step2 with a new insert", "step2 with a new delete", "update"}

TOKENS = {
    # State of the token → the reason that a client is told; None if the token is good, at least for a while.
    "missing": "token-missing",
    "garbage": "token-malformed",
    "expired": "token-expired",
    "wrong audience": "token-audience",
    "wrong signature": "token-forged",
    "unsigned": "token-forged",
    "expires while live": None,
    "good": None,
}


@dataclass(frozen=True)
class Cell:
    """One combination."""

    dialect: DialectName
    role: str
    says: str
    token: str

    @property
    def document(self) -> DocumentName:
        return DocumentName(f"{self.dialect}/{self.role}/{self.says}/{self.token}")

    @property
    def may_write(self) -> bool:
        """True if the message may change the document."""
        return self.token == "good" and self.role in ("editor", "owner") and self.says in SELF_WRITER

    def expected(self) -> list[str]:
        """Return what the client is sent, in words and in order."""
        refusal = TOKENS[self.token] or ("permission-denied" if self.role == "nobody" else None)
        if refusal is not None:
            return [f"denied {refusal}", *self._closed(4403 if refusal == "permission-denied" else 4401)]
        end = self._end() if self.token == "expires while live" else self._answer()
        return [*self._scope(), *self._synced(), *end]

    def _closed(self, code: int) -> list[str]:
        """Return the close of the socket. On Hocuspocus it stays open for the other documents."""
        return [f"closed {code}"] if self.dialect == "y-websocket" else []

    def _scope(self) -> list[str]:
        if self.dialect == "y-websocket":
            return []
        return ["read-write" if self.role in ("editor", "owner") else "readonly"]

    def _synced(self) -> list[str]:
        """Return the answers to the SyncStep1 that a client sends before any SyncStep2."""
        return ["step1", "step2"] if self.says.startswith("step2") else []

    def _end(self) -> list[str]:
        return ["denied token-expired"] if self.dialect == "hocuspocus" else ["closed 4501"]

    def _answer(self) -> list[str]:
        """Return the answer to a good token. y-websocket says "saved" with an echo, and has no word for "refused"."""
        saved, refused = (["update"], []) if self.dialect == "y-websocket" else (["saved"], ["refused"])
        match self.says:
            case "step1":
                return ["step1", "step2"]
            case "step2 with nothing new":
                return saved
            case "step2 with a new insert" | "step2 with a new delete" | "update":
                return saved if self.may_write else refused
            case "awareness" | "query":
                return ["presence"]
        return []


CELLS = {
    dialect: [Cell(dialect, role, says, token) for role, says, token in product(ROLES, SAYS, TOKENS)]
    for dialect in ("y-websocket", "hocuspocus")
}


class Matrix:
    """A server for all cells, with a clock that stands still until a cell moves it."""

    def __init__(self, server: Server, app: FastAPI, clock: WallClock) -> None:
        self._server = server
        self._app = app
        self._clock = clock

    async def hear(self, cell: Cell) -> list[str]:
        """Return what a client of this cell is sent, in words."""
        token = self._token(cell)
        async with AsgiClient(self._app, cell.dialect, cell.document, token) as client:
            if cell.dialect == "hocuspocus":
                client.show(token)
            if TOKENS[cell.token] is not None or cell.role == "nobody":
                SAYS[cell.says](client)
                await client.hear(cell.expected()[0])
            else:
                await self._converse(cell, client)
            if any(word.startswith("closed") for word in cell.expected()):
                await client.hear_close()
            return [*client.heard, *([f"closed {client.closed}"] if client.closed else [])]

    async def _converse(self, cell: Cell, client: AsgiClient) -> None:
        if cell.says.startswith("step2"):
            client.step1()
            await client.hear("step2")
        else:
            await self._settle(client)
        if cell.token == "expires while live":
            self._clock.now_s += TTL_S
            self._server.timers.run_due()
            if cell.dialect == "hocuspocus":
                await client.hear("denied token-expired")
        SAYS[cell.says](client)
        if cell.token == "good":
            if (answer := cell.expected()[-1:]) in (["saved"], ["update"], ["presence"]):
                await client.hear(*answer)
            await self._settle(client)

    async def _settle(self, client: AsgiClient) -> None:
        """Wait until nothing more comes: ask one more question, and take its answer away."""
        await client.catch_up()
        assert client.heard.pop() == "presence"

    def _token(self, cell: Cell) -> str:
        role, now_s = ROLES[cell.role], self._clock.now_s
        how: dict[str, Any] = {"user": "ada", "grants": {} if role is None else {"**": role}, "ttl_s": TTL_S}
        match cell.token:
            case "missing":
                return ""
            case "garbage":
                return "garbage"
            case "expired":
                return sign(KEY, now_s=now_s - TTL_S, **how)
            case "wrong audience":
                return sign(KEY, now_s=now_s, audience="another", **how)
            case "wrong signature":
                return sign(STRANGER, now_s=now_s, **how)
            case "unsigned":
                claims = sign(KEY, now_s=now_s, **how).split(".")[1]
                return f"{PyJWS().encode(b'{}', '', 'none').split('.')[0]}.{claims}."
        return sign(KEY, now_s=now_s, **how)


async def content_hash(store: MemoryStore, name: DocumentName) -> str:
    """Of the document as a fresh process would load it."""
    return sha256(load_document(None, (await store.load(name)).tail).encode()).hexdigest()


@pytest.mark.parametrize("dialect", CELLS)
async def test_access_is_exactly_what_the_table_says(dialect: DialectName, tmp_path: Path) -> None:
    store, clock = MemoryStore(), WallClock()
    cells = CELLS[dialect]
    payload = encode_entries([Entry(UserId("owner"), CONTENT)])
    await store.append([Row(cell.document, Epoch(0), WriterId(9), 1, payload) for cell in cells])
    before = await content_hash(store, cells[0].document)
    wrong = {}
    async with make_server(store, wall_clock=clock, limits=ServerLimits(denial_hold_s=0)) as server:
        matrix = Matrix(server, app_around(server, tmp_path), clock)
        for cell in cells:
            heard = await matrix.hear(cell)
            if heard != cell.expected():
                wrong[cell] = heard
        assert len(server.timers) == 0
    changed = {cell for cell in cells if await content_hash(store, cell.document) != before}
    assert wrong == {}
    assert changed == {cell for cell in cells if cell.may_write}


def test_table_has_a_cell_for_every_combination() -> None:
    assert sum(map(len, CELLS.values())) == 2 * len(ROLES) * len(SAYS) * len(TOKENS) == 640
