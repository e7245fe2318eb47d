"""A change of members or links acts on live sessions, on every replica."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collab.access.links import digest
from collab.access.roles import Role
from collab.access.tokens import Principal, SharedSecret, sign
from collab.crdt.stored import load_document
from collab.ids import DocumentName, LinkId, UserId, WriterId
from collab.limits import ServerLimits
from collab.relay.memory import MemoryBus, MemoryRelay
from collab.room.session import Session
from collab.serve.live_roles import LiveRoles
from collab.serve.new_link import make_link
from collab.serve.permit import Permit
from collab.serve.server import Server
from collab.store.memory import MemoryStore
from tests.deployment import SECRET
from tests.frames import DialectName
from tests.room.build import YjsClient
from tests.serve.parts import make_server
from tests.serve.sockets import AsgiClient, app_around
from tests.waiting import eventually

NAME, OTHER = DocumentName("notes"), DocumentName("other")
OWNER, ADA, BOB = UserId("owner"), UserId("ada"), UserId("bob")
HOUR_S = 3600.0
DIALECTS: list[DialectName] = ["y-websocket", "hocuspocus"]


class Replicas:
    """Two servers on one store. Changes are made on the first, people are connected to the second."""

    def __init__(self, store: MemoryStore, bus: MemoryBus, directory: Path, heads_poll_s: float) -> None:
        self.store = store
        self.bus = bus
        limits = ServerLimits(denial_hold_s=0, heads_poll_relay_down_s=0.05)
        self.first, self.second = (
            make_server(store, MemoryRelay(bus, WriterId(n)), limits=limits, heads_poll_s=heads_poll_s) for n in (1, 2)
        )
        self._app = app_around(self.second, directory)

    def client(self, dialect: DialectName, credential: str) -> AsgiClient:
        """Return a client of the second server."""
        return AsgiClient(self._app, dialect, NAME, credential)

    async def join(self, client: AsgiClient, credential: str) -> None:
        """Have a client open the document and sync."""
        if client.dialect == "hocuspocus":
            client.show(credential)
        client.step1()
        await client.hear("step2")

    async def put(self, user: UserId, role: Role) -> None:
        """Change a role on the first server, as its REST route does."""
        await self.store.put_member(NAME, user, role)
        self.first.sharing_changed(NAME)

    async def remove(self, user: UserId) -> None:
        await self.store.remove_member(NAME, user)
        self.first.sharing_changed(NAME)

    async def text(self) -> str:
        return load_document(None, (await self.store.load(NAME)).tail).text()


def token(user: str, **grants: Role) -> str:
    now_s = datetime.now(UTC).timestamp()
    return sign(SharedSecret(SECRET.encode()), user=user, grants=grants, now_s=now_s, ttl_s=HOUR_S)


@pytest.fixture(params=["hint", "poll", "relay down"])
async def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Replicas]:
    """With a relay and hardly a poll; with polls and no hint that arrives; with a relay that is known to be down."""
    store, bus = MemoryStore(), MemoryBus()
    for name in (NAME, OTHER):
        await store.create(name, "", OWNER)
    replicas = Replicas(store, bus, tmp_path, 0.05 if request.param == "poll" else HOUR_S)
    async with replicas.first, replicas.second:
        if request.param == "poll":
            bus.held = []
        if request.param == "relay down":
            bus.is_up = False
        yield replicas
        if request.param == "poll":
            bus.held = None
    assert not replicas.second.live_roles.versions(), "a session that has ended is still followed"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_removed_member_is_shown_out_and_writes_nothing_more(replicas: Replicas, dialect: DialectName) -> None:
    await replicas.put(ADA, Role.EDITOR)
    author = YjsClient(7)
    async with replicas.client(dialect, token("ada")) as ada:
        await replicas.join(ada, token("ada"))
        ada.update(author.type(0, "before"))
        await ada.hear("saved" if dialect == "hocuspocus" else "update")
        await replicas.remove(ADA)
        await ada.hear("denied permission-denied")
        ada.update(author.type(6, " after"))
        if dialect == "y-websocket":
            assert await ada.hear_close() == 4403
        await eventually(lambda: not any(host.sessions for host in replicas.second.rooms.hosts))
    assert await replicas.text() == "before"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_another_role_counts_in_the_session(replicas: Replicas, dialect: DialectName) -> None:
    await replicas.put(ADA, Role.COMMENTER)
    author = YjsClient(7)
    async with replicas.client(dialect, token("ada")) as ada:
        await replicas.join(ada, token("ada"))
        await replicas.put(ADA, Role.EDITOR)
        session = _session(replicas.second)
        await eventually(lambda: session.can_write)
        ada.update(author.type(0, "yes"))
        await ada.hear("saved" if dialect == "hocuspocus" else "update")
        await replicas.put(ADA, Role.VIEWER)
        await eventually(lambda: not session.can_write)
        ada.update(author.type(3, " no"))
        await ada.catch_up()
        if dialect == "hocuspocus":
            said = [word for word in ada.heard if word.startswith("read") or word in ("saved", "refused")]
            assert said == ["readonly", "read-write", "saved", "readonly", "refused"]
    assert await replicas.text() == "yes"


def _session(server: Server) -> Session:
    (host,) = [each for each in server.rooms.hosts if each.sessions]
    (session,) = host._room._sessions
    return session


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_guests_of_a_revoked_link_are_shown_out_and_others_stay(replicas: Replicas, dialect: DialectName) -> None:
    made = [await make_link(replicas.store, NAME, Role.EDITOR, created_by=OWNER) for _ in range(2)]
    (link, secret), (_, kept) = made
    async with replicas.client(dialect, secret) as guest, replicas.client(dialect, kept) as other:
        await replicas.join(guest, f"{secret}?name=Eve")
        await replicas.join(other, kept)
        await replicas.store.remove_link(NAME, link.id)
        replicas.first.sharing_changed(NAME)
        await guest.hear("denied permission-denied")
        guest.update(YjsClient(7).type(0, "no"))
        other.update(YjsClient(8).type(0, "yes"))
        await other.hear("saved" if dialect == "hocuspocus" else "update")
        guest_again = replicas.client(dialect, secret)
        async with guest_again:
            if dialect == "hocuspocus":
                guest_again.show(secret)
            await guest_again.hear("denied link-invalid")
    assert await replicas.text() == "yes"


async def test_member_with_a_role_by_token_too_keeps_that(replicas: Replicas) -> None:
    await replicas.put(ADA, Role.EDITOR)
    shown = token("ada", notes=Role.VIEWER)
    async with replicas.client("hocuspocus", shown) as ada:
        await replicas.join(ada, shown)
        await replicas.remove(ADA)
        await ada.hear("readonly")
        await ada.catch_up()
        assert [word for word in ada.heard if word.startswith("read")] == ["read-write", "readonly"]


async def test_change_while_a_client_joins_is_not_missed(replicas: Replicas, monkeypatch: pytest.MonkeyPatch) -> None:
    await replicas.put(ADA, Role.EDITOR)
    load = replicas.store.load

    async def change_then_load(name: DocumentName) -> object:
        await replicas.remove(ADA)  # after the decision, before the session begins
        return await load(name)

    monkeypatch.setattr(replicas.store, "load", change_then_load)
    async with replicas.client("y-websocket", token("ada")) as ada:
        if replicas.bus.is_up and replicas.bus.held is None:
            ada.step1()
            await ada.hear("step2")
            replicas.second.log_sync.look_now()  # here the next poll is an hour away
        assert await ada.hear_close() == 4403


async def test_link_of_another_document_opens_nothing(replicas: Replicas) -> None:
    _, secret = await make_link(replicas.store, OTHER, Role.EDITOR, created_by=OWNER)
    for dialect in DIALECTS:
        async with replicas.client(dialect, secret) as guest:
            if dialect == "hocuspocus":
                guest.show(secret)
            await guest.hear("denied permission-denied")


async def test_guest_is_shown_under_the_chosen_name_with_a_mark(replicas: Replicas) -> None:
    _, secret = await make_link(replicas.store, NAME, Role.VIEWER, created_by=OWNER)
    for dialect, credential in (
        ("y-websocket", f"{secret}&name=Eve%20%C3%89"),
        ("hocuspocus", f"{secret}?name=Eve%20%C3%89"),
    ):
        async with replicas.client(dialect, credential) as guest:  # type: ignore[arg-type]
            await replicas.join(guest, credential)
            found = await replicas.store.find_link(digest(secret))
            session = _session(replicas.second)
            assert found is not None
            assert (session.name, session.user) == ("Eve É (guest)", f"guest:{found.id}")
        await eventually(lambda: not any(host.sessions for host in replicas.second.rooms.hosts))


# --- the list of followed sessions ---------------------------------------------------------------------


class Follower:
    """Notes its roles."""

    def __init__(self) -> None:
        self.roles: list[Role | None] = []

    def role_changed(self, role: Role | None) -> None:
        self.roles.append(role)


def permit(version: int | None, role: Role = Role.VIEWER, user: UserId = ADA, link: LinkId | None = None) -> Permit:
    return Permit(Principal(user, user, None, {}, None, link), NAME, role, version)


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore()
    await store.create(NAME, "", OWNER)
    return store


async def test_only_sessions_whose_role_is_another_are_told(store: MemoryStore) -> None:
    roles, ada, bob = LiveRoles(store), Follower(), Follower()
    await store.put_member(NAME, ADA, Role.VIEWER)
    await store.put_member(NAME, BOB, Role.EDITOR)
    roles.follow(ada, permit(2))
    roles.follow(bob, permit(2, user=BOB))
    await roles.refresh(NAME)
    await roles.refresh(NAME)
    assert (ada.roles, bob.roles) == ([], [Role.EDITOR])
    assert roles.versions() == {NAME: 2}


async def test_session_that_may_write_by_its_token_is_not_followed(store: MemoryStore) -> None:
    roles, ada = LiveRoles(store), Follower()
    roles.follow(ada, permit(0))
    roles.follow(ada, permit(None, Role.EDITOR))
    assert roles.versions() == {}
    roles.forget(ada, NAME)
    await roles.refresh(NAME)
    assert ada.roles == []


async def test_session_with_an_older_permit_than_the_others_is_asked_for_again(store: MemoryStore) -> None:
    roles, ada, bob = LiveRoles(store), Follower(), Follower()
    await store.put_member(NAME, BOB, Role.EDITOR)
    roles.follow(ada, permit(1))
    roles.follow(bob, permit(0, user=BOB))
    assert roles.versions() == {NAME: 0}
    await roles.refresh(NAME)
    assert (bob.roles, roles.versions()) == ([Role.EDITOR], {NAME: 1})


async def test_session_that_comes_during_a_refresh_is_asked_for_again(store: MemoryStore) -> None:
    roles, ada, bob = LiveRoles(store), Follower(), Follower()
    roles.follow(ada, permit(0))
    await store.put_member(NAME, ADA, Role.EDITOR)
    ask = store.sharing

    async def join_meanwhile(*args: object) -> object:
        found = await ask(*args)  # type: ignore[arg-type]
        roles.follow(bob, permit(0, user=BOB))
        return found

    store.sharing = join_meanwhile  # type: ignore[method-assign, assignment]
    await roles.refresh(NAME)
    store.sharing = ask  # type: ignore[method-assign]
    assert (ada.roles, bob.roles, roles.versions()) == ([Role.EDITOR], [], {NAME: 0})
    await roles.refresh(NAME)
    assert (bob.roles, roles.versions()) == ([None], {NAME: 1})


async def test_session_that_leaves_during_a_refresh_is_told_nothing(store: MemoryStore) -> None:
    roles, ada = LiveRoles(store), Follower()
    roles.follow(ada, permit(0))
    ask = store.sharing

    async def leave_meanwhile(*args: object) -> object:
        roles.forget(ada, NAME)
        return await ask(*args)  # type: ignore[arg-type]

    store.sharing = leave_meanwhile  # type: ignore[method-assign, assignment]
    await roles.refresh(NAME)
    assert (ada.roles, roles.versions()) == ([], {})
