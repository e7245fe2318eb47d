"""A link that is revoked on one replica ends a guest who types on another, with and without Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from itertools import count
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from collab.access.roles import Role
from collab.store.migrate import upgrade
from tests.conftest import bring
from tests.deployment import ServerProcess, token
from tests.faults.history import read_store
from tests.frames import YWebsocketCodec
from tests.services.private import PrivatePostgres, PrivateRedis
from tests.socket_client import SocketClient
from tests.waiting import eventually

pytestmark = pytest.mark.services

DOCUMENT = "shared"
TRIALS = 10
PAUSE_S = 0.02
"""The time between two words of the guest."""
REVOKED_S_MAX, WITHOUT_REDIS_S_MAX = 1.0, 5.0
"""The promise: how long a guest may go on after the link was revoked."""


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[tuple[str, PrivateRedis, list[ServerProcess]]]:
    postgres, redis = bring(lambda: PrivatePostgres(durable=False).start()), bring(lambda: PrivateRedis().start())
    await upgrade(postgres.url())
    environment = {
        "COLLAB_DATABASE_URL": postgres.url(),
        "COLLAB_REDIS_URL": redis.url,
        "COLLAB_DENIAL_HOLD_S": "0",
    }
    servers = [await ServerProcess(tmp_path, environment=environment).start() for _ in range(2)]
    yield postgres.url(), redis, servers
    for server in servers:
        server.stop()
    redis.close()
    postgres.close()


class Guest:
    """A guest who types until shown out, and then tries to go on."""

    def __init__(self, socket: ClientConnection, words: "count[int]") -> None:
        self._socket = socket
        self._client = SocketClient(socket, YWebsocketCodec())
        self._words = words
        self.acknowledged: set[str] = set()
        self.typed_s: dict[str, float] = {}

    async def sync(self) -> None:
        """Open the document."""
        await self._client.sync()

    async def type(self) -> None:
        """Type until the socket is closed."""
        with suppress(ConnectionClosed):
            while True:
                word = f"<{next(self._words)}>"
                self.typed_s[word] = asyncio.get_running_loop().time()
                await self._client.type(word)
                await asyncio.sleep(PAUSE_S)

    async def read(self) -> int | None:
        """Read until the guest is denied and the socket is closed, and return the close code."""
        with pytest.raises(AssertionError, match=r"denied: .*permission-denied"):
            await self._hear_all()
        await self._socket.wait_closed()
        return self._socket.close_code

    async def _hear_all(self) -> None:
        while True:
            await self._client.hear()
            self.acknowledged.update(self._client.acknowledged)


async def revoke_while_a_guest_types(servers: list[ServerProcess], words: "count[int]") -> tuple[Guest, float, float]:
    """Return the guest, when the link was revoked, and how long the guest went on."""
    owner = {"Authorization": f"Bearer {token('owner', {'**': Role.OWNER})}"}
    path = f"http://127.0.0.1:{servers[0].port}/api/v1/documents/{DOCUMENT}/links"
    clock = asyncio.get_running_loop().time
    async with httpx2.AsyncClient(headers=owner) as rest, AsyncExitStack() as stack:
        link = (await rest.post(path, json={"role": "editor"})).json()
        url = f"ws://127.0.0.1:{servers[1].port}/ws/{DOCUMENT}?token={link['secret']}&name=Eve"
        socket = await stack.enter_async_context(connect(url, max_size=None, compression=None))
        guest = Guest(socket, words)
        await guest.sync()
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(guest.read())
            tasks.create_task(guest.type())
            await eventually(lambda: len(guest.acknowledged) >= 5)
            answer = await rest.delete(f"{path}/{link['id']}")
            assert answer.status_code == 204
            revoked_s = clock()
            assert await reading == 4403
        return guest, revoked_s, clock() - revoked_s


async def test_guest_of_a_revoked_link_is_shown_out_in_time(
    replicas: tuple[str, PrivateRedis, list[ServerProcess]],
) -> None:
    database, redis, servers = replicas
    owner = {"Authorization": f"Bearer {token('owner', {'**': Role.OWNER})}"}
    base = f"http://127.0.0.1:{servers[0].port}/api/v1/documents"
    async with httpx2.AsyncClient(headers=owner) as rest:
        assert (await rest.post(base, json={"name": DOCUMENT})).status_code == 201
    words, guests = count(), []
    for trial in range(2 * TRIALS):
        if trial == TRIALS:
            redis.kill()
        guest, revoked_s, took_s = await revoke_while_a_guest_types(servers, words)
        patience_s = REVOKED_S_MAX if trial < TRIALS else WITHOUT_REDIS_S_MAX
        assert took_s <= patience_s
        guests.append((guest, revoked_s + patience_s))
    stored = (await read_store(database, DOCUMENT)).loaded
    for guest, end_s in guests:
        assert {word for word in guest.acknowledged if word not in stored} == set()
        assert {word for word, at_s in guest.typed_s.items() if at_s > end_s and word in stored} == set()
