"""The main job on real input: the writing of a whole paper, key by key, through a real y-websocket client."""

import gzip
import json
from pathlib import Path

import httpx2
import pytest

from tests.deployment import ServerProcess, token
from tests.interop.clients import NEWEST, JavaScriptClients

pytestmark = pytest.mark.node

TRACE = Path(__file__).parent.parent / "traces" / "automerge-paper.json.gz"
EDITS = 259_778
PATIENCE_S = 600.0


@pytest.fixture(scope="module")
def paper() -> str:
    with gzip.open(TRACE) as file:
        return str(json.load(file)["endContent"])


async def read_over_rest(server: ServerProcess) -> str:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token('program')}"}, timeout=60) as http:
        answer = await http.get(f"http://127.0.0.1:{server.port}/api/v1/documents/paper/content?format=text")
        answer.raise_for_status()
        return answer.text


@pytest.mark.services
@pytest.mark.timeout(PATIENCE_S + 60)
async def test_a_paper_of_259_778_edits_is_read_back_exactly_by_everybody(
    paper: str, postgres_url: str, tmp_path: Path
) -> None:
    server = await ServerProcess(tmp_path, environment={"COLLAB_DATABASE_URL": postgres_url}).start()
    try:
        async with JavaScriptClients() as clients:
            writer = await clients.open("writer", server, "paper")
            reader = await clients.open("reader", server, "paper", generation=NEWEST["hocuspocus"])
            assert await writer.replay(TRACE, patience_s=PATIENCE_S) == EDITS
            await reader.reads(paper, patience_s=PATIENCE_S)
            fresh = await clients.open("fresh", server, "paper")
            await fresh.reads(paper)
            # Its own edit is acknowledged only when all before it is committed.
            await reader.insert(0, "!")
            await reader.remove(0, 1)
            await reader.saved(patience_s=PATIENCE_S)
            assert await read_over_rest(server) == paper
            server.kill()
            await server.start()
            late = await clients.open("late", server, "paper", generation=NEWEST["hocuspocus"])
            await late.reads(paper)
            assert await read_over_rest(server) == paper
    finally:
        server.stop()
