"""Real editing histories, keystroke by keystroke, through real clients."""

import gzip
import json
from pathlib import Path

import httpx2
import pytest

from tests.deployment import ServerProcess, token
from tests.interop.clients import NEWEST, JavaScriptClients

pytestmark = pytest.mark.node

TRACES = Path(__file__).parent.parent / "traces"
PAPER = TRACES / "automerge-paper.json.gz"
PAPER_EDITS = 259_778
NOTES = TRACES / "json-crdt-patch.json.gz"
NOTES_EDITS = 18_723
TALK = TRACES / "friendsforever.json.gz"
TALK_EDITS = 26_078
PATIENCE_S = 600.0


def end_of(trace: Path) -> str:
    """Return the text at the end of a trace."""
    with gzip.open(trace) as file:
        return str(json.load(file)["endContent"])


async def read_over_rest(server: ServerProcess, document: str) -> str:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token('program')}"}, timeout=60) as http:
        answer = await http.get(f"http://127.0.0.1:{server.port}/api/v1/documents/{document}/content?format=text")
        answer.raise_for_status()
        return answer.text


@pytest.mark.services
@pytest.mark.timeout(PATIENCE_S + 60)
async def test_paper_of_259_778_edits_is_read_back_exactly(postgres_url: str, tmp_path: Path) -> None:
    paper = end_of(PAPER)
    server = await ServerProcess(tmp_path, environment={"COLLAB_DATABASE_URL": postgres_url}).start()
    try:
        async with JavaScriptClients() as clients:
            writer = await clients.open("writer", server, "paper")
            reader = await clients.open("reader", server, "paper", generation=NEWEST["hocuspocus"])
            assert await writer.replay(PAPER, patience_s=PATIENCE_S) == PAPER_EDITS
            await reader.reads(paper, patience_s=PATIENCE_S)
            fresh = await clients.open("fresh", server, "paper")
            await fresh.reads(paper)
            # The edit of the reader is acknowledged only once everything before it is committed.
            await reader.insert(0, "!")
            await reader.remove(0, 1)
            await reader.saved(patience_s=PATIENCE_S)
            assert await read_over_rest(server, "paper") == paper
            server.kill()
            await server.start()
            late = await clients.open("late", server, "paper", generation=NEWEST["hocuspocus"])
            await late.reads(paper)
            assert await read_over_rest(server, "paper") == paper
    finally:
        server.stop()


@pytest.mark.timeout(PATIENCE_S)
async def test_text_in_many_scripts_is_read_back_exactly(server: ServerProcess, clients: JavaScriptClients) -> None:
    notes = end_of(NOTES)
    writer = await clients.open("writer", server, "notes", generation=NEWEST["hocuspocus"])
    assert await writer.replay(NOTES, patience_s=PATIENCE_S) == NOTES_EDITS
    await writer.saved(patience_s=PATIENCE_S)
    assert await writer.text() == await read_over_rest(server, "notes") == notes
    for generation in NEWEST.values():
        fresh = await clients.open("fresh", server, "notes", generation=generation)
        await fresh.reads(notes)
    books = await writer.books()
    assert (books["statuses"], books["unsaved"]) == (books["updates"] + books["step1s"], 0)


@pytest.mark.timeout(PATIENCE_S)
async def test_concurrent_edits_of_two_writers_converge(server: ServerProcess, clients: JavaScriptClients) -> None:
    talk = end_of(TALK)
    people = [await clients.open(name, server, "talk", generation=each) for name, each in NEWEST.items()]
    assert await clients.replay_together(list(NEWEST), TALK, patience_s=PATIENCE_S) == TALK_EDITS
    for person in people:
        await person.reads(talk)
    await people[1].saved()
    assert await read_over_rest(server, "talk") == talk


@pytest.mark.timeout(PATIENCE_S)
async def test_halves_of_a_text_from_two_browsers_converge(server: ServerProcess, clients: JavaScriptClients) -> None:
    """The second half is written offline, and sent by a new client with a copy of the document."""
    notes = end_of(NOTES)
    half = NOTES_EDITS // 2
    writer = await clients.open("writer", server, "halves", generation=NEWEST["hocuspocus"])
    await writer.replay(NOTES, last=half, patience_s=PATIENCE_S)
    await writer.saved(patience_s=PATIENCE_S)
    await writer.disconnect()
    await writer.replay(NOTES, first=half, patience_s=PATIENCE_S)
    await clients.open("another browser", server, "halves", inherits="writer")
    other = await clients.open("other", server, "halves")
    await other.reads(notes)
