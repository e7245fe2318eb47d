"""Every generation of the unmodified JavaScript clients, against a running server."""

import asyncio

import httpx2
import pytest

from collab.access.roles import Role
from tests.deployment import ServerProcess, token
from tests.interop.clients import GENERATIONS, NEWEST, Generation, JavaScriptClient, JavaScriptClients
from tests.waiting import eventually

pytestmark = pytest.mark.node

HOCUSPOCUS = [generation for generation in GENERATIONS if generation.startswith("hocuspocus")]
WITHOUT_TABS = ("hocuspocus 3.4.4", "hocuspocus 4.8.0")
"""From version 3 on, the tabs of a provider do not exchange what they receive."""
IDLE_S = 40
"""Every client closes a silent socket after 30 or 33 s."""
AT_ONCE_S = 3
"""Less than the four seconds for which presence outlives a broken connection."""
PASTE = "0123456789abcdef" * (5 << 16)

Pair = tuple[JavaScriptClient, JavaScriptClient]


@pytest.fixture
async def pair(
    server: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation, other: Generation
) -> Pair:
    """Ada with the client under test, Grace with the newest one of the other dialect."""
    ada = await clients.open("ada", server, document, generation=generation)
    grace = await clients.open("grace", server, document, generation=other)
    return ada, grace


async def test_clients_of_both_dialects_read_each_others_edits(pair: Pair) -> None:
    ada, grace = pair
    await ada.insert(0, "Ada \N{CAT FACE}")
    await grace.reads("Ada \N{CAT FACE}")
    await grace.insert(6, " and Grace")
    await ada.reads("Ada \N{CAT FACE} and Grace")


async def test_presence_shows_joining_and_leaving_clients(pair: Pair) -> None:
    ada, grace = pair
    for client in pair:
        await client.present(name="another name, which the token corrects")
    await ada.sees("Grace")
    await grace.sees("Ada")
    await ada.close()
    await grace.ask("sees", names=[], patience_s=AT_ONCE_S)


async def test_late_client_receives_text_and_presence(
    server: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation, other: Generation
) -> None:
    ada = await clients.open("ada", server, document, generation=other)
    await ada.present(name="")
    await ada.insert(0, "early")
    late = await clients.open("late", server, document, generation=generation)
    await late.reads("early")
    await late.sees("Ada")


@pytest.mark.parametrize("generation", [each for each in GENERATIONS if each not in WITHOUT_TABS])
async def test_two_tabs_of_one_user_have_two_presences_with_one_name(
    server: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation, other: Generation
) -> None:
    grace = await clients.open("grace", server, document, generation=other)
    rights = token("ada")
    tabs = [
        await clients.open(name, server, document, generation=generation, token=rights, tab=True)
        for name in ("one", "two")
    ]
    for tab in tabs:
        await tab.present(name="")
        await tab.insert(0, tab.name)
    await grace.sees("Ada", "Ada")
    for person in (*tabs, grace):
        await person.ask("has", pieces=["one", "two"])
    await tabs[0].break_off()
    await tabs[0].closed()
    await tabs[0].ask("synced")
    await tabs[0].insert(0, "back")
    await grace.ask("has", pieces=["back", "one", "two"])
    assert (await grace.books())["missed"] == []
    await tabs[0].close()
    await grace.sees("Ada")


async def test_offline_edits_of_two_clients_merge(pair: Pair) -> None:
    ada, grace = pair
    await ada.insert(0, "middle")
    await grace.reads("middle")
    for client in pair:
        await client.disconnect()
    for client in pair:
        await client.closed()  # a Hocuspocus provider ignores `connect` while its socket is closing
    await ada.insert(0, "left ")
    await grace.insert(6, " right")
    for client in pair:
        await client.connect()
    for client in pair:
        await client.reads("left middle right")


async def test_a_paste_of_five_mebibytes_arrives(pair: Pair) -> None:
    ada, grace = pair
    await ada.insert(0, PASTE)
    await grace.reads(PASTE)


async def test_editing_inside_surrogate_pairs_leaves_one_text_for_all(
    server: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation, pair: Pair
) -> None:
    ada, grace = pair
    await ada.insert(0, "a\N{CAT FACE}b\N{DOG FACE}c")
    await grace.reads("a\N{CAT FACE}b\N{DOG FACE}c")
    await ada.remove(2, 1)
    for client in pair:
        await client.reads("ab\N{DOG FACE}c")
    await ada.insert(3, "!")
    for client in pair:
        await client.reads("ab!c")
    late = await clients.open("late", server, document, generation=generation)
    await late.reads("ab!c")


async def test_broken_connection_is_not_visible_in_presence(pair: Pair) -> None:
    ada, grace = pair
    for client in pair:
        await client.present(name="")
    await ada.sees("Grace")
    await grace.sees("Ada")
    await ada.break_off()
    await ada.closed()
    await ada.ask("synced")
    await ada.insert(0, "back")
    await grace.reads("back")
    await grace.sees("Ada")
    assert (await grace.books())["missed"] == []


async def test_edits_made_during_an_outage_arrive_after_the_restart(
    killable: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation, other: Generation
) -> None:
    ada = await clients.open("ada", killable, document, generation=generation)
    grace = await clients.open("grace", killable, document, generation=other)
    await ada.insert(0, "before")
    await grace.reads("before")
    killable.kill()
    await ada.insert(6, ", meanwhile")
    await grace.insert(0, "long ")
    await killable.start()
    for client in (ada, grace):
        await client.reads("long before, meanwhile")


async def test_viewer_cannot_change_the_document(
    server: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation, other: Generation
) -> None:
    viewer = token("ada", {"**": Role.VIEWER})
    ada = await clients.open("ada", server, document, generation=generation, token=viewer)
    grace = await clients.open("grace", server, document, generation=other)
    await grace.insert(0, "theirs")
    await ada.reads("theirs")
    await ada.insert(0, "mine, ")
    await grace.insert(6, "!")
    await ada.reads("mine, theirs!")
    assert await grace.text() == "theirs!"
    late = await clients.open("late", server, document, generation=other)
    await late.reads("theirs!")
    if generation in HOCUSPOCUS:
        books = await ada.books()
        assert books["scope"] == "readonly"
        assert books["unsaved"] == 1  # so its status never shows that this was saved


async def test_denied_client_enters_with_a_better_token(
    server: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation
) -> None:
    ada = await clients.open("ada", server, document, generation=generation, token="worthless", wait=False)
    if generation in HOCUSPOCUS:
        assert "token" in (await ada.denied())[0]
    else:
        assert (await ada.closed())[0] == 4401
    await ada.give_token(token("ada"))
    await ada.ask("synced")
    await ada.insert(0, "in")
    other = await clients.open("grace", server, document)
    await other.reads("in")


async def test_expiring_token_loses_no_edit(
    server: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation, other: Generation
) -> None:
    grace = await clients.open("grace", server, document, generation=other)
    ada = await clients.open("ada", server, document, generation=generation, token=token("ada", ttl_s=3))
    await ada.insert(0, "before")
    await grace.reads("before")
    if generation in HOCUSPOCUS:
        assert (await ada.denied())[0].startswith("token-expired: ")
    else:
        assert (await ada.closed())[0] == 4501
    await grace.insert(0, "long ")
    await ada.insert(6, ", after")
    await ada.give_token(token("ada"))
    for client in (ada, grace):
        await client.reads("long before, after")
    await grace.insert(0, "still ")
    await ada.reads("still long before, after")
    if generation in HOCUSPOCUS:
        await ada.saved()


@pytest.mark.parametrize("generation", HOCUSPOCUS)
async def test_every_frame_is_answered_exactly_once(
    server: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation
) -> None:
    ada = await clients.open("ada", server, document, generation=generation)
    await ada.saved()
    await ada.insert(0, "x", times=200)
    await ada.saved()
    await ada.break_off()
    if generation != "hocuspocus 2.15.3":  # it resets its counter when it reconnects, and may go below zero
        await ada.insert(0, "y", times=20)
    await ada.closed()
    await ada.saved()

    async def balanced() -> bool:
        books = await ada.books()
        return bool(books["statuses"] == books["updates"] + books["step1s"])

    # Newer clients restart their counter at one when they reconnect, so the first answer already counts as saved.
    await eventually(balanced)
    written = await ada.text()
    late = await clients.open("late", server, document, generation=generation)
    await late.reads(written)
    await late.insert(0, "z")
    await ada.reads("z" + written)
    books = await ada.books()
    assert books["statuses"] == books["updates"] + books["step1s"]
    assert (books["unsaved"], books["lowest"]) == (0, 0)


@pytest.mark.parametrize("generation", HOCUSPOCUS)
async def test_edit_made_before_a_slow_token_arrives_is_saved(
    server: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation
) -> None:
    ada = await clients.open("ada", server, document, generation=generation, wait=False, tokenLater=True)
    await ada.insert(0, "early")
    await ada.give_token(token("ada"))
    await ada.ask("synced")
    await ada.saved()
    grace = await clients.open("grace", server, document)
    await grace.reads("early")


@pytest.mark.parametrize("generation", HOCUSPOCUS)
async def test_hundred_documents_share_a_socket_with_rights_of_their_own(
    server: ServerProcess, clients: JavaScriptClients, document: str, generation: Generation
) -> None:
    grants = {f"{document}/**": Role.EDITOR, "to read/*": Role.VIEWER}
    rights = token("ada", grants)

    async def open_one(name: str, *, wait: bool = True) -> JavaScriptClient:
        return await clients.open(name, server, name, generation=generation, token=rights, shared="one", wait=wait)

    names = [f"{document}/{number}" for number in range(98)]
    many = await asyncio.gather(*(open_one(name) for name in names))
    reader = await open_one("to read/this")
    stranger = await open_one("not granted", wait=False)
    assert await stranger.denied()
    assert (await reader.books())["scope"] == "readonly"
    await asyncio.gather(*(client.insert(0, client.name) for client in many))
    await asyncio.gather(*(client.saved() for client in many))
    assert [(await client.books())["closes"] for client in (many[0], reader, stranger)] == [[], [], []]
    assert (await many[0].books())["opened"] == 1
    late = await clients.open("late", server, names[50])
    await late.reads(names[50])


@pytest.mark.timeout(IDLE_S + 60)
async def test_silent_client_without_presence_stays_connected(
    server: ServerProcess, clients: JavaScriptClients, document: str
) -> None:
    async def stay_silent(generation: Generation) -> None:
        client = await clients.open(
            generation, server, f"{document}/{generation}", generation=generation, awareness=False
        )
        await asyncio.sleep(IDLE_S)  # the silence itself; nothing is waited for
        await client.ask("synced")
        books = await client.books()
        assert (generation, books["opened"], books["closes"]) == (generation, 1, [])

    await asyncio.gather(*(stay_silent(generation) for generation in GENERATIONS))


async def test_all_generations_in_one_document_end_with_the_same_text(
    server: ServerProcess, clients: JavaScriptClients, document: str
) -> None:
    everyone = [await clients.open(name, server, document, generation=name) for name in GENERATIONS]
    for number in range(10):
        for person in everyone:
            await person.insert(0, f"<{person.name} {number} \N{PILE OF POO}>")
    late = await clients.open("late", server, document, generation=NEWEST["hocuspocus"])
    await late.ask("has", pieces=[f"<{name} {number} \N{PILE OF POO}>" for name in GENERATIONS for number in range(10)])
    text = await late.text()
    assert len(text) == sum(len(f"<{name} {number} !>") for name in GENERATIONS for number in range(10))
    for person in everyone:
        await person.reads(text)
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token('program')}"}) as http:
        name = document.replace("%", "%25").replace("/", "%2F")
        answer = await http.get(f"http://127.0.0.1:{server.port}/api/v1/documents/{name}/content")
    assert answer.text == text
