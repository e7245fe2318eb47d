"""A token or a link becomes a principal, and a principal's role is decided anew each time."""

from collections.abc import Collection
from datetime import UTC, datetime

import pytest

from collab.access.links import digest
from collab.access.roles import Role
from collab.access.sharing import Sharing
from collab.access.tokens import Principal, SharedSecret, TokenVerifier, sign
from collab.errors import (
    CollabError,
    LinkExpired,
    LinkInvalid,
    LinkPasswordWrong,
    Overloaded,
    PermissionDenied,
    TokenExpired,
    TokenKeyUnknown,
    TokenMissing,
)
from collab.ids import DocumentName, LinkId, UserId
from collab.serve.authenticator import Authenticator
from collab.serve.link_passwords import GUESSES_MAX, GUESSES_S
from collab.serve.new_link import make_link
from collab.store.memory import MemoryStore
from tests.access.test_keys import CLAIMS, signed
from tests.deployment import SECRET
from tests.serve.parts import WallClock

NOTES, OTHER = DocumentName("notes"), DocumentName("other")
KEY = SharedSecret(SECRET.encode())
ADA = UserId("ada")


@pytest.fixture
def clock() -> WallClock:
    clock = WallClock()
    clock.now_s = datetime.now(UTC).timestamp()  # links begin at the real time
    return clock


class CountingStore(MemoryStore):
    """Counts how often it is asked for the sharing of a document."""

    asked = 0

    async def sharing(self, name: DocumentName, users: Collection[UserId], links: Collection[LinkId]) -> Sharing:
        self.asked += 1
        return await super().sharing(name, users, links)


@pytest.fixture
async def store() -> CountingStore:
    store = CountingStore()
    for name in (NOTES, OTHER):
        await store.create(name, "", UserId("owner"))
    return store


@pytest.fixture
def authenticator(store: CountingStore, clock: WallClock) -> Authenticator:
    return Authenticator(TokenVerifier(KEY), store=store, wall_clock=clock)


def ada(**grants: Role) -> Principal:
    return Principal(ADA, "Ada", None, grants, None)


# --- tokens --------------------------------------------------------------------------------------------


async def test_good_token_gives_its_user_and_their_roles(clock: WallClock, authenticator: Authenticator) -> None:
    grants = {"notes": Role.EDITOR, "other": Role.VIEWER}
    principal = await authenticator.principal(sign(KEY, user="ada", grants=grants, now_s=clock.now_s, ttl_s=60))
    assert principal.user == "ada"
    assert (await authenticator.permit(principal, NOTES)).can_write
    assert not (await authenticator.permit(principal, OTHER)).can_write
    with pytest.raises(PermissionDenied):
        await authenticator.permit(principal, DocumentName("third"))


async def test_rights_end_with_the_token(clock: WallClock, authenticator: Authenticator) -> None:
    token = sign(KEY, user="ada", grants={"**": Role.EDITOR}, now_s=clock.now_s, ttl_s=60)
    principal = await authenticator.principal(token)
    clock.now_s += 60
    with pytest.raises(TokenExpired):
        await authenticator.permit(principal, NOTES)
    with pytest.raises(TokenExpired):
        authenticator.require_current(principal)
    with pytest.raises(TokenExpired):
        await authenticator.principal(token)


async def test_no_token_is_an_error_of_its_own(authenticator: Authenticator) -> None:
    with pytest.raises(TokenMissing):
        await authenticator.principal("")


async def test_an_unknown_key_is_an_error_where_no_issuer_publishes_keys(authenticator: Authenticator) -> None:
    with pytest.raises(TokenKeyUnknown):
        await authenticator.principal(signed("ES256", kid="new", claims=CLAIMS))


# --- members -------------------------------------------------------------------------------------------


async def test_member_has_their_role_without_a_grant(store: CountingStore, authenticator: Authenticator) -> None:
    await store.put_member(NOTES, ADA, Role.EDITOR)
    permit = await authenticator.permit(ada(), NOTES)
    assert (permit.role, permit.version) == (Role.EDITOR, 1)
    await authenticator.require(ada(), NOTES, Role.EDITOR)
    with pytest.raises(PermissionDenied, match=r"Your role is editor. Only owners"):
        await authenticator.require(ada(), NOTES, Role.OWNER)
    with pytest.raises(PermissionDenied, match="no access"):
        await authenticator.permit(ada(), OTHER)


async def test_token_that_suffices_costs_no_query(store: CountingStore, authenticator: Authenticator) -> None:
    assert (await authenticator.permit(ada(notes=Role.EDITOR), NOTES)).version is None
    await authenticator.require(ada(notes=Role.VIEWER), NOTES, Role.VIEWER)
    await authenticator.require_content(ada(notes=Role.VIEWER), NOTES)
    assert store.asked == 0
    assert (await authenticator.permit(ada(notes=Role.VIEWER), NOTES)).version == 0
    assert store.asked == 1


async def test_published_content_needs_no_token(store: CountingStore, authenticator: Authenticator) -> None:
    for principal, error in ((None, TokenMissing), (ada(), PermissionDenied)):
        with pytest.raises(error):
            await authenticator.require_content(principal, NOTES)
    await store.set_published(NOTES, published=True)
    for reader in (None, ada()):
        await authenticator.require_content(reader, NOTES)
    with pytest.raises(PermissionDenied):
        await authenticator.permit(ada(), NOTES)


# --- links ---------------------------------------------------------------------------------------------


async def link(store: MemoryStore, role: Role = Role.EDITOR, *, password: str = "", ttl_s: float | None = None) -> str:
    """Make a link to ``NOTES`` and return its secret."""
    return (await make_link(store, NOTES, role, created_by=ADA, password=password, expires_in_s=ttl_s))[1]


async def test_guest_has_the_role_of_the_link_on_its_document_alone(
    store: CountingStore, authenticator: Authenticator
) -> None:
    guest = await authenticator.principal(await link(store) + "?name=Eve%20H")
    assert guest.name == "Eve H (guest)"
    assert (await authenticator.permit(guest, NOTES)).role is Role.EDITOR
    with pytest.raises(PermissionDenied):
        await authenticator.permit(guest, OTHER)


async def test_link_that_is_unknown_or_revoked_is_refused(store: CountingStore, authenticator: Authenticator) -> None:
    secret = await link(store)
    found = await store.find_link(digest(secret))
    assert found is not None
    guest = await authenticator.principal(secret)
    await store.remove_link(NOTES, found.id)
    for unknown in (
        secret,
        secret[:-1],
        "cl_",
        "cl_x?" + "&" * 20,
        "cl_" + "x" * 9000,
        "cl_\ud800",
        "cl_é",
        "cl_?%ff=1",
    ):
        with pytest.raises(LinkInvalid):
            await authenticator.principal(unknown)
    with pytest.raises(PermissionDenied):
        await authenticator.permit(guest, NOTES)


async def test_link_expires(store: CountingStore, authenticator: Authenticator, clock: WallClock) -> None:
    secret = await link(store, ttl_s=60)
    guest = await authenticator.principal(secret)
    clock.now_s += 61
    with pytest.raises(LinkExpired):
        await authenticator.principal(secret)
    with pytest.raises(LinkExpired):
        await authenticator.permit(guest, NOTES)


async def test_password_of_a_link_is_asked_for(store: CountingStore, authenticator: Authenticator) -> None:
    secret = await link(store, password="öpen & sesame")
    for wrong in ("", "?password=", "?password=open", "?name=%C3%B6pen%20%26%20sesame"):
        with pytest.raises(LinkPasswordWrong):
            await authenticator.principal(secret + wrong)
    for _ in range(GUESSES_MAX + 1):
        guest = await authenticator.principal(secret + "?password=%C3%B6pen%20%26%20sesame&name=Eve")
        assert guest.name == "Eve (guest)"


async def test_guessing_a_password_is_bounded(
    store: CountingStore, authenticator: Authenticator, clock: WallClock
) -> None:
    secret, other = await link(store, password="right"), await link(store, password="right")
    outcomes: list[type[CollabError]] = []
    for guess in range(GUESSES_MAX + 1):
        with pytest.raises(CollabError) as caught:
            await authenticator.principal(f"{secret}?password={guess}")
        outcomes.append(caught.type)
    assert outcomes == [*[LinkPasswordWrong] * GUESSES_MAX, Overloaded]
    with pytest.raises(Overloaded):
        await authenticator.principal(f"{secret}?password=right")
    await authenticator.principal(f"{other}?password=right")
    clock.now_s += GUESSES_S
    await authenticator.principal(f"{secret}?password=right")
