"""Two clients that each hold half of the edits, as structs that wait for the other half, bring a server the whole."""

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from tests.deployment import ServerProcess, token
from tests.interop.clients import GENERATIONS, NEWEST, Generation, JavaScriptClient, JavaScriptClients
from tests.interop.oracle import Oracle

pytestmark = pytest.mark.node

Pair = tuple[Generation, Generation]

NEWEST_PAIRS: list[Pair] = [
    (NEWEST["y-websocket"], NEWEST["y-websocket"]),
    (NEWEST["hocuspocus"], NEWEST["hocuspocus"]),
    (NEWEST["y-websocket"], NEWEST["hocuspocus"]),
]
PAIRS = list(dict.fromkeys([*NEWEST_PAIRS, *((each, each) for each in GENERATIONS)]))
EDITS = 40
SEED = 11
TOGETHER_S = 10.0
"""Patience only: a client whose update waits in vain is told to reconnect after five seconds, and none may be."""


@dataclass(frozen=True)
class SplitHistory:
    """What three people wrote, each edit an update, dealt out to two clients in turn."""

    updates: list[bytes]
    whole: str
    """The hash of all of it."""

    @property
    def halves(self) -> tuple[list[bytes], list[bytes]]:
        """The updates of the first client, and those of the second."""
        return self.updates[::2], self.updates[1::2]


@pytest.fixture
def split_history(oracle: Oracle) -> SplitHistory:
    updates = [written.bytes for written in oracle.history(SEED, writers=3, edits=EDITS)]
    (whole,) = oracle.read([updates])
    history = SplitHistory(updates, whole.content)
    assert not whole.waits
    assert all(half.waits for half in oracle.read(history.halves))
    return history


async def open_with_halves(
    clients: JavaScriptClients, replicas: Sequence[ServerProcess], document: str, pair: Pair, history: SplitHistory
) -> list[JavaScriptClient]:
    """Open two clients at once, each with its half and on its replica."""
    opening = [
        clients.open(
            name, replica, document, generation=generation, updates=[b64encode(each).decode() for each in half]
        )
        for name, replica, generation, half in zip(("ada", "grace"), replicas, pair, history.halves, strict=True)
    ]
    return list(await asyncio.gather(*opening))


async def expect_all_saved(clients: Sequence[JavaScriptClient], whole: str) -> None:
    """Fail unless each client holds all of it and shows it as saved, without having lost its connection."""
    for client in clients:
        await client.holds(whole, patience_s=TOGETHER_S)
        await client.saved(patience_s=TOGETHER_S)
    for client in clients:
        books = await client.books()
        assert (client.name, books["opened"], books["closes"], books["unsaved"]) == (client.name, 1, [], 0)


async def expect_readable(
    clients: JavaScriptClients, server: ServerProcess, document: str, oracle: Oracle, whole: str
) -> None:
    """Fail unless fresh clients of both dialects and the REST API read all of it."""
    for generation in NEWEST.values():
        fresh = await clients.open("fresh", server, document, generation=generation)
        await fresh.holds(whole)
        text = await fresh.text()
        await fresh.close()
        assert await read_over_rest(server, document, "text") == text.encode()
    (reading,) = oracle.read([[await read_over_rest(server, document, "update")]])
    assert (reading.content, reading.waits) == (whole, False)


async def read_over_rest(server: ServerProcess, document: str, form: str) -> bytes:
    """Return the content as the REST API gives it."""
    url = f"http://127.0.0.1:{server.port}/api/v1/documents/{quote(document, safe='')}/content"
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token('program')}"}) as http:
        answer = await http.get(url, params={"format": form})
    return answer.raise_for_status().content


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
async def test_clients_with_complementary_halves_save_the_whole(
    killable: ServerProcess,
    clients: JavaScriptClients,
    document: str,
    oracle: Oracle,
    split_history: SplitHistory,
    pair: Pair,
) -> None:
    people = await open_with_halves(clients, [killable, killable], document, pair, split_history)
    await expect_all_saved(people, split_history.whole)
    await expect_readable(clients, killable, document, oracle, split_history.whole)
    for client in people:
        await client.close()
    killable.kill()
    await killable.start()
    await expect_readable(clients, killable, document, oracle, split_history.whole)


@pytest.mark.services
@pytest.mark.parametrize("pair", NEWEST_PAIRS, ids=" and ".join)
async def test_clients_with_complementary_halves_on_two_replicas_save_the_whole(
    postgres_url: str,
    redis_url: str,
    tmp_path: Path,
    clients: JavaScriptClients,
    document: str,
    oracle: Oracle,
    split_history: SplitHistory,
    pair: Pair,
) -> None:
    environment = {"COLLAB_DATABASE_URL": postgres_url, "COLLAB_REDIS_URL": redis_url}
    async with AsyncExitStack() as stack:
        replicas = [await ServerProcess(tmp_path, environment=environment).start() for _ in range(2)]
        for replica in replicas:
            stack.callback(replica.stop)
        people = await open_with_halves(clients, replicas, document, pair, split_history)
        await expect_all_saved(people, split_history.whole)
        for replica in replicas:
            await expect_readable(clients, replica, document, oracle, split_history.whole)
        for client in people:
            await client.close()
        for replica in replicas:
            replica.kill()
        await replicas[0].start()
        await expect_readable(clients, replicas[0], document, oracle, split_history.whole)
