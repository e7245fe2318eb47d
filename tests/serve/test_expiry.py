"""A token expires or changes while its session is live: what the next message may do, and what the client is told."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import pytest
from fastapi import FastAPI

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, sign
from collab.crdt.stored import load_document
from collab.errors import RoomClosed, TokenExpired
from collab.ids import DocumentName, UserId
from collab.limits import ServerLimits
from collab.protocol.rows import Row, decode_entries
from collab.serve.jwks import COOLDOWN_S, JwksClient
from collab.serve.rest_writer import write_update
from collab.serve.server import Server
from collab.store.base import Outcome, Stored
from collab.store.memory import MemoryStore
from tests.access.test_keys import CLAIMS, jwk, jwk_set, signed
from tests.deployment import SECRET
from tests.room.build import YjsClient
from tests.serve.parts import WallClock, make_server, ticks
from tests.serve.sockets import AsgiClient, app_around
from tests.waiting import eventually

NAME = DocumentName("notes")
HOUR_S = 3600.0
BEGINNING_S = WallClock().now_s


class GatedStore(MemoryStore):
    """A store whose commits wait while ``commits`` is clear, and whose loads wait while ``loading`` is."""

    def __init__(self) -> None:
        super().__init__()
        self.commits, self.loading = asyncio.Event(), asyncio.Event()
        self.commits.set()
        self.loading.set()
        self.loads = 0

    async def load(self, name: DocumentName) -> Stored:
        self.loads += 1
        await self.loading.wait()
        return await super().load(name)

    async def append(self, rows: Sequence[Row]) -> list[Outcome]:
        await self.commits.wait()
        return await super().append(rows)


class World:
    """A server, its app and its clock."""

    def __init__(self, server: Server, app: FastAPI, store: GatedStore, clock: WallClock) -> None:
        self.server = server
        self.app = app
        self.store = store
        self.clock = clock

    def token(self, user: str = "ada", role: Role = Role.EDITOR, ttl_s: float = HOUR_S) -> str:
        key = SharedSecret(SECRET.encode())
        return sign(key, user=user, grants={"**": role}, now_s=self.clock.now_s, ttl_s=ttl_s)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and run the timers that are due."""
        self.clock.now_s += seconds
        self.server.timers.run_due()

    def pass_until(self, seconds: float) -> None:
        """Let time pass until so many seconds after the test began."""
        self.pass_time(BEGINNING_S + seconds - self.clock.now_s)

    async def join(self, client: AsgiClient, token: str) -> None:
        """Have a Hocuspocus client join and sync."""
        client.show(token)
        client.step1()
        await client.hear("step2")

    async def stored(self) -> str:
        """Return the text in the log."""
        stored = await self.store.load(NAME)
        return load_document(None, stored.tail).text()

    async def authors(self) -> list[UserId]:
        """Return the author of each update in the log."""
        return [entry.author for row in (await self.store.load(NAME)).tail for entry in decode_entries(row.payload)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store, clock = GatedStore(), WallClock()
    limits = ServerLimits(denial_hold_s=0)
    async with make_server(store, wall_clock=clock, limits=limits) as server:
        yield World(server, app_around(server, tmp_path), store, clock)
    assert len(server.timers) == 0, "a session left a deadline behind"


def hocuspocus(world: World) -> AsgiClient:
    return AsgiClient(world.app, "hocuspocus", NAME)


def ywebsocket(world: World, token: str) -> AsgiClient:
    return AsgiClient(world.app, "y-websocket", NAME, token)


def words(heard: Iterable[str], *except_for: str) -> list[str]:
    """Return what was said about tokens and acknowledgements, without the words that may come at any time."""
    ignored = {"presence", "step1", "step2", "update", *except_for}
    return [word for word in heard if word not in ignored]


# --- Hocuspocus: in-band -------------------------------------------------------------------------------


async def test_fresh_token_in_time_keeps_the_session(world: World) -> None:
    author = YjsClient(7)
    async with hocuspocus(world) as ada:
        await world.join(ada, world.token())
        world.pass_time(HOUR_S - 61)
        assert "token wanted" not in await ada.catch_up()
        world.pass_time(1)
        assert words(await ada.catch_up()) == ["read-write", "token wanted"]
        ada.show(world.token())
        await ada.hear("read-write")
        world.pass_time(HOUR_S - 100)
        ada.update(author.type(0, "kept"))
        await ada.hear("saved")
        assert words(ada.heard) == ["read-write", "token wanted", "read-write", "saved"]


async def test_client_with_only_the_old_token_is_asked_repeatedly_then_denied(world: World) -> None:
    token = world.token()
    async with hocuspocus(world) as ada:
        await world.join(ada, token)
        world.pass_time(HOUR_S - 60)
        for before_s in (30.0, 15.0, 7.5, 3.75, 1.875):
            await ada.hear("token wanted")
            ada.show(token)
            await ada.hear("read-write")
            world.pass_until(HOUR_S - before_s)
        world.pass_time(2)
        await ada.hear("denied token-expired")
        assert words(ada.heard, "read-write") == ["token wanted"] * 6 + ["denied token-expired"]
        assert ada.text_of_denial == "token-expired: The token has expired. Sign in again."
        assert ada.closed is None


async def test_client_that_does_not_answer_is_asked_again(world: World) -> None:
    async with hocuspocus(world) as ada:
        await world.join(ada, world.token())
        for before_s in (60, 30, 15):
            world.pass_until(HOUR_S - before_s)
        assert (await ada.catch_up()).count("token wanted") == 3


async def test_short_lived_token_is_asked_for_at_half_its_time(world: World) -> None:
    async with hocuspocus(world) as ada:
        await world.join(ada, world.token(ttl_s=4))
        world.pass_time(2)
        assert words(await ada.catch_up()) == ["read-write", "token wanted"]
        world.pass_time(2)
        await ada.hear("denied token-expired")


async def test_denied_client_rejoins_and_nothing_is_lost(world: World) -> None:
    hers, his = YjsClient(7), YjsClient(8)
    async with hocuspocus(world) as ada, hocuspocus(world) as bob:
        await world.join(ada, world.token("ada", ttl_s=10))
        await world.join(bob, world.token("bob"))
        ada.update(hers.type(0, "one "))
        await ada.hear("saved")
        world.pass_time(10)
        await ada.hear("denied token-expired")
        # Both go on writing. Ada is sent nothing, and her update waits.
        ada.update(hers.type(4, "two "))
        bob.update(his.type(0, "his "))
        await bob.hear("saved")
        assert "two" not in await world.stored()
        told = ada.heard.count("update")
        ada.show(world.token("ada"))
        await ada.hear("saved")
        assert sorted((await world.stored()).split()) == ["his", "one", "two"]
        assert ada.heard.count("update") > told  # the whole document, since she missed his edit
        # Her client does not send SyncStep1 again, and is sent every update as before.
        seen = ada.heard.count("update")
        bob.update(his.type(0, "more "))
        await bob.hear("saved")
        await ada.catch_up()
        assert ada.heard.count("update") == seen + 1
        assert ada.heard.count("saved") == 2


async def test_rejoined_client_is_asked_for_what_it_could_not_send(world: World) -> None:
    async with hocuspocus(world) as ada:
        await world.join(ada, world.token(ttl_s=10))
        ada.step2(b"\0\0")
        await ada.hear("saved")
        world.pass_time(10)
        await ada.hear("denied token-expired")
        ada.show(world.token())
        await ada.hear("step1")
        ada.step2(YjsClient(7).type(0, "offline"))
        await eventually(lambda: _is(world, "offline"))
        assert (await ada.catch_up()).count("saved") == 1  # its client does not count that answer


async def test_acknowledgement_due_before_expiry_is_sent_after_it(world: World) -> None:
    async with hocuspocus(world) as ada:
        await world.join(ada, world.token(ttl_s=10))
        world.pass_time(10)
        await ada.hear("denied token-expired")
        ada.step2(b"\0\0")  # answers the server's first question, and its client counts it
        ada.show(world.token())
        await ada.hear("saved")
        ada.step2(b"\0\0")  # answers the second one
        assert (await ada.catch_up()).count("saved") == 1


async def _is(world: World, text: str) -> bool:
    return await world.stored() == text


async def test_acknowledgement_under_way_at_expiry_still_comes(world: World) -> None:
    author = YjsClient(7)
    async with hocuspocus(world) as ada, ywebsocket(world, world.token("bob")) as bob:
        await world.join(ada, world.token(ttl_s=10))
        world.store.commits.clear()
        ada.update(author.type(0, "just in time"))
        await ada.catch_up()
        world.pass_time(10)
        await ada.hear("denied token-expired")
        assert "saved" not in ada.heard
        bob.update(YjsClient(8).type(0, "for those who may read"))
        await bob.catch_up()
        world.store.commits.set()
        await ada.hear("saved")
        assert "just in time" in await world.stored()
        assert "update" not in ada.heard
        await eventually(lambda: [host.sessions for host in world.server.rooms.hosts] == [1])


async def test_pending_update_is_acknowledged_after_expiry(world: World) -> None:
    author = YjsClient(7)
    first, second = author.type(0, "a"), author.type(1, "b")
    async with hocuspocus(world) as ada, ywebsocket(world, world.token("bob")) as bob:
        await world.join(ada, world.token(ttl_s=10))
        ada.update(second)
        await ada.catch_up()
        world.pass_time(10)
        await ada.hear("denied token-expired")
        bob.update(first)
        await ada.hear("saved")
        assert await world.stored() == "ab"
        await eventually(lambda: [host.sessions for host in world.server.rooms.hosts] == [1])


async def test_update_that_never_completes_after_expiry_is_refused(tmp_path: Path) -> None:
    clock = WallClock()
    async with (
        make_server(MemoryStore(), wall_clock=clock, limits=ServerLimits(held_s=1e-9)) as server,
        AsgiClient(app_around(server, tmp_path), "hocuspocus", NAME) as ada,
    ):
        key = SharedSecret(SECRET.encode())
        ada.show(sign(key, user="ada", grants={"**": Role.EDITOR}, now_s=clock.now_s, ttl_s=10))
        author = YjsClient(7)
        author.type(0, "a")
        ada.update(author.type(1, "b"))
        await ada.catch_up()
        clock.now_s += 10
        server.timers.run_due()
        await server.rooms.tick()
        await ada.hear("refused")
        ada.show("worthless")
        await ada.hear("denied token-malformed")
        assert ada.closed is None


async def test_document_that_opens_after_expiry_is_not_shown(world: World) -> None:
    async with hocuspocus(world) as ada:
        await world.join(ada, world.token(ttl_s=10))
        ada.update(YjsClient(7).type(0, "secret"))
        await ada.hear("saved")
        world.pass_time(10)
        await ada.hear("denied token-expired")
        for host in world.server.rooms.hosts:
            host.fail(RoomClosed())
        world.store.loading.clear()
        before = world.store.loads
        ada.show(world.token(ttl_s=10))
        await eventually(lambda: world.store.loads > before)
        world.clock.now_s += 10
        world.store.loading.set()
        await ada.hear("denied token-expired")
        assert "update" not in ada.heard
        assert [host.sessions for host in world.server.rooms.hosts] == [0]


async def test_rest_write_with_a_token_that_expires_meanwhile_is_refused(world: World) -> None:
    principal = await world.server.authenticator.principal(world.token(ttl_s=10))
    world.store.loading.clear()
    writing = asyncio.create_task(write_update(world.server.parts, NAME, principal, YjsClient(7).type(0, "too late")))
    await eventually(lambda: world.store.loads == 1)
    world.pass_time(10)
    world.store.loading.set()
    with pytest.raises(TokenExpired):
        await writing
    assert await world.stored() == ""


async def test_message_after_expiry_is_ignored_although_the_timer_is_late(world: World) -> None:
    author = YjsClient(7)
    async with hocuspocus(world) as ada:
        await world.join(ada, world.token(ttl_s=10))
        world.clock.now_s += 10  # but the timers have not run
        ada.update(author.type(0, "too late"))
        await ada.hear("denied token-expired")
        assert await world.stored() == ""
        ada.show(world.token())
        await ada.hear("saved")
        assert await world.stored() == "too late"


async def test_token_in_the_url_expires_too(world: World) -> None:
    async with AsgiClient(world.app, "hocuspocus", NAME, world.token(ttl_s=10)) as ada:
        ada.step1()
        await ada.hear("step2")
        world.pass_time(10)
        await ada.hear("denied token-expired")
        ada.show("")  # stands for the token in the URL
        await ada.hear("denied token-expired")
        ada.show(world.token())
        await ada.catch_up()
        refusals = ["denied token-expired"] * 2
        assert words(ada.heard) == ["read-write", *refusals, "read-write"]


async def test_expired_session_is_not_told_that_its_token_is_missing(tmp_path: Path) -> None:
    clock = WallClock()
    limits = ServerLimits(preauth_s=0.05)
    async with make_server(MemoryStore(), wall_clock=clock, limits=limits) as server:
        app = app_around(server, tmp_path)
        async with AsgiClient(app, "hocuspocus", NAME) as ada, AsgiClient(app, "hocuspocus", NAME) as silent:
            key = SharedSecret(SECRET.encode())
            ada.show(sign(key, user="ada", grants={"**": Role.EDITOR}, now_s=clock.now_s, ttl_s=10))
            await ada.catch_up()
            clock.now_s += 10
            server.timers.run_due()
            silent.step1()  # without a token; its time begins after hers
            await silent.hear("denied token-missing")
            ada.show("worthless")
            await ada.hear("denied token-malformed")
            assert "denied token-missing" not in ada.heard


async def test_bad_token_ends_a_session_and_a_good_one_restores_it(world: World) -> None:
    author = YjsClient(7)
    async with hocuspocus(world) as ada:
        await world.join(ada, world.token())
        ada.show("worthless")
        ada.update(author.type(0, "waits"))
        await ada.hear("denied token-malformed")
        ada.show(world.token())
        await ada.hear("saved")
        assert await world.stored() == "waits"
        world.pass_time(HOUR_S)
        await ada.hear("denied token-expired")


async def test_real_clock_ends_a_session(tmp_path: Path) -> None:
    store = MemoryStore()
    async with make_server(store) as server:
        key = SharedSecret(SECRET.encode())
        token = sign(key, user="ada", grants={"**": Role.EDITOR}, now_s=time.time(), ttl_s=1.5)
        app = app_around(server, tmp_path)
        async with AsgiClient(app, "hocuspocus", NAME) as ada, AsgiClient(app, "y-websocket", NAME, token) as bob:
            ada.show(token)
            await ada.hear("denied token-expired")
            assert await bob.hear_close() == 4501


# --- rights that change --------------------------------------------------------------------------------


async def test_new_role_applies_to_the_next_message(world: World) -> None:
    author = YjsClient(7)
    await world.store.create(NAME, "", UserId("owner"))
    async with hocuspocus(world) as ada:
        await world.join(ada, world.token(role=Role.VIEWER))
        ada.update(author.type(0, "no"))
        await ada.hear("refused")
        ada.show(world.token(role=Role.EDITOR))
        ada.update(YjsClient(8).type(0, "yes"))
        await ada.hear("saved")
        ada.show(world.token(role=Role.COMMENTER))
        ada.update(YjsClient(9).type(0, "no"))
        await ada.hear("refused")
        assert words(ada.heard) == ["readonly", "refused", "read-write", "saved", "readonly", "refused"]
        assert await world.stored() == "yes"


async def test_user_without_any_grant_left_is_denied(world: World) -> None:
    async with hocuspocus(world) as ada:
        await world.join(ada, world.token())
        key = SharedSecret(SECRET.encode())
        ada.show(sign(key, user="ada", grants={"other": Role.OWNER}, now_s=world.clock.now_s, ttl_s=60))
        await ada.hear("denied permission-denied")
        ada.update(YjsClient(7).type(0, "no"))
        await eventually(lambda: [host.sessions for host in world.server.rooms.hosts] == [0])
        assert await world.stored() == ""


@pytest.mark.parametrize("grants", [{"**": Role.VIEWER}, {"other": Role.OWNER}])
async def test_new_role_applies_to_pending_updates(world: World, grants: dict[str, Role]) -> None:
    author = YjsClient(7)
    first, second = author.type(0, "a"), author.type(1, "b")
    async with hocuspocus(world) as ada, ywebsocket(world, world.token("bob")) as bob:
        await world.join(ada, world.token())
        ada.update(second)
        await ada.catch_up()
        key = SharedSecret(SECRET.encode())
        ada.show(sign(key, user="ada", grants=grants, now_s=world.clock.now_s, ttl_s=60))
        await ada.hear("readonly" if "**" in grants else "denied permission-denied")
        bob.update(first)
        await ada.hear("refused")
        assert await world.stored() == "a"


class Issuer:
    """An issuer that publishes one key once it can be reached."""

    is_away = True

    async def read(self, _url: str) -> bytes:
        if self.is_away:
            raise OSError("away")
        return jwk_set(jwk("ES256", kid="new"))


async def test_session_goes_on_while_no_keys_can_be_read(tmp_path: Path) -> None:
    clock, issuer = WallClock(), Issuer()
    published = JwksClient("http://issuer", clock=clock, read=issuer.read)
    async with (
        make_server(MemoryStore(), wall_clock=clock, published=published) as server,
        AsgiClient(app_around(server, tmp_path), "hocuspocus", NAME) as ada,
    ):
        grants = {"**": "editor"}
        fresh = signed("ES256", kid="new", claims={**CLAIMS, "exp": clock.now_s + 900, "grants": grants})
        key = SharedSecret(SECRET.encode())
        ada.show(sign(key, user="alice", grants={"**": Role.EDITOR}, now_s=clock.now_s, ttl_s=120))
        ada.show(fresh)
        ada.update(YjsClient(7).type(0, "a"))
        await ada.hear("saved")
        issuer.is_away = False
        clock.now_s += 60
        server.timers.run_due()
        await ada.hear("token wanted")
        ada.show(fresh)
        await ada.hear("read-write")
        clock.now_s += 120
        server.timers.run_due()
        ada.update(YjsClient(8).type(0, "b"))
        await ada.hear("saved")
        assert words(ada.heard) == ["read-write", "saved", "token wanted", "read-write", "saved"]


async def test_new_client_waits_while_no_keys_can_be_read(tmp_path: Path) -> None:
    clock, issuer = WallClock(), Issuer()
    published = JwksClient("http://issuer", clock=clock, read=issuer.read)
    async with make_server(MemoryStore(), wall_clock=clock, published=published) as server:
        app = app_around(server, tmp_path)
        fresh = signed("ES256", kid="new", claims={**CLAIMS, "exp": clock.now_s + 900, "grants": {"**": "editor"}})
        async with AsgiClient(app, "hocuspocus", NAME) as ada, AsgiClient(app, "hocuspocus", NAME) as bob:
            for each in (ada, bob):
                each.show(fresh)
                each.update(YjsClient(7).type(0, "a"))
            await ticks(50)
            bob.show("worthless")
            await bob.hear("denied token-malformed")
            issuer.is_away = False
            clock.now_s += COOLDOWN_S
            ada.stateless()
            await ada.hear("saved")
            assert (words(ada.heard), ada.closed) == (["read-write", "saved"], None)


async def test_second_user_of_a_client_does_not_wait_for_the_first(world: World) -> None:
    author = YjsClient(7)
    async with hocuspocus(world) as client:
        await world.join(client, world.token("ada"))
        client.presence(7)
        await client.hear("presence")
        world.store.commits.clear()
        client.update(author.type(0, "a"))
        client.show(world.token("bob"))
        client.update(author.type(1, "b"))
        await client.catch_up()
        assert [host.pending for host in world.server.rooms.hosts] == [0]
        world.store.commits.set()
        await client.hear("saved")
        await client.hear("saved")
        assert await world.authors() == ["ada", "bob"]


# --- leaving -------------------------------------------------------------------------------------------


async def test_client_that_leaves_while_the_document_opens_may_reopen_it(world: World) -> None:
    author = YjsClient(7)
    world.store.loading.clear()
    async with hocuspocus(world) as ada:
        ada.show(world.token())
        ada.update(author.type(0, "a"))
        ada.leave()
        ada.show(world.token())
        ada.update(author.type(1, "b"))
        await eventually(lambda: world.store.loads == 1)
        world.store.loading.set()
        await ada.hear("read-write")
        await ada.hear("read-write")
        await eventually(lambda: _is(world, "ab"))


async def test_messages_for_a_document_that_was_left_do_not_count(tmp_path: Path) -> None:
    clock, limits = WallClock(), ServerLimits(preauth_frames_max=5)
    async with (
        make_server(MemoryStore(), wall_clock=clock, limits=limits) as server,
        AsgiClient(app_around(server, tmp_path), "hocuspocus", NAME) as ada,
    ):
        for _ in range(10):
            ada.step1()
            ada.presence(7)
            ada.leave()
            await ticks(10)
        key = SharedSecret(SECRET.encode())
        ada.show(sign(key, user="ada", grants={"**": Role.EDITOR}, now_s=clock.now_s, ttl_s=60))
        await ada.hear("read-write")
        assert ada.closed is None


async def test_edit_under_another_users_token_is_that_users(world: World) -> None:
    author = YjsClient(7)
    async with hocuspocus(world) as client:
        await world.join(client, world.token("ada"))
        client.update(author.type(0, "a"))
        await client.hear("saved")
        client.show(world.token("bob"))
        client.update(author.type(1, "b"))
        await client.hear("saved")
        assert await world.authors() == ["ada", "bob"]


# --- y-websocket: at the door --------------------------------------------------------------------------


async def test_ywebsocket_expiry_closes_retryably(world: World) -> None:
    async with ywebsocket(world, world.token(ttl_s=10)) as ada:
        ada.step1()
        await ada.hear("step2")
        world.pass_time(9)
        await ada.catch_up()
        world.pass_time(1)
        assert await ada.hear_close() == 4501
        assert ada.text_of_denial == "token-expired: The token has expired. Reconnect with a new one."
        assert "denied token-expired" not in ada.heard


async def test_ywebsocket_message_after_expiry_is_ignored(world: World) -> None:
    async with ywebsocket(world, world.token(ttl_s=10)) as ada:
        await ada.catch_up()
        world.clock.now_s += 10
        ada.update(YjsClient(7).type(0, "too late"))
        assert await ada.hear_close() == 4501
        assert await world.stored() == ""


async def test_ywebsocket_message_queued_at_expiry_is_ignored(world: World) -> None:
    async with ywebsocket(world, world.token(ttl_s=10)) as ada:
        await ada.catch_up()
        ada.update(YjsClient(7).type(0, "too late"))
        world.pass_time(10)  # the connection is told to end, but still reads
        assert await ada.hear_close() == 4501
        assert await world.stored() == ""


async def test_ywebsocket_expired_token_at_the_handshake_is_denied(world: World) -> None:
    token = world.token(ttl_s=10)
    world.pass_time(10)
    async with ywebsocket(world, token) as ada:
        assert await ada.hear_close() == 4401
        assert ada.heard == ["denied token-expired"]
