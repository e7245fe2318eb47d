"""The contract of a store about members, links and requests; part of ``StoreContract``."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from collab.access.roles import Role
from collab.access.sharing import LINKS_MAX, MEMBERS_MAX, NOT_SHARED, REQUESTS_MAX, AccessRequest, Link
from collab.errors import DocumentDeleted, DocumentNotFound, LastOwner, LinkNotFound, MemberNotFound, SharingFull
from collab.ids import DocumentName, Epoch, LinkId, Sequence, UserId, WriterId
from collab.protocol.rows import Row
from collab.store.base import ListOrder, ListQuery, Readable, Store

PLAN, OTHER = DocumentName("team/plan"), DocumentName("team/other")
ADA, BOB, EVE = UserId("ada"), UserId("bob@example.org"), UserId("ève/ 😀")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def link(number: int, document: DocumentName = PLAN, role: Role = Role.VIEWER) -> Link:
    at = NOON + timedelta(seconds=number)
    return Link(LinkId(f"link{number}"), document, role, ADA, at, at + timedelta(days=1), None)


def request(user: UserId, seconds: int = 0) -> AccessRequest:
    return AccessRequest(user, user.title(), "For the minutes", NOON + timedelta(seconds=seconds))


def first_row(author: UserId | None, name: DocumentName = PLAN, writer: int = 7) -> Row:
    return Row(name, Epoch(0), WriterId(writer), 1, b"x", author)


async def roles(store: Store, name: DocumentName = PLAN) -> dict[UserId, Role]:
    return {member.user: member.role for member in await store.list_members(name)}


async def version(store: Store, name: DocumentName = PLAN) -> int:
    return (await store.sharing(name, (), ())).version


class SharingContract:
    """What a store promises about sharing."""

    async def test_author_of_the_first_row_owns_the_document(self, store: Store) -> None:
        await store.append([first_row(ADA), first_row(BOB, writer=8), first_row(None, OTHER), first_row(EVE, OTHER, 8)])
        await store.append([first_row(BOB, writer=9)])
        assert await roles(store) == {ADA: Role.OWNER}
        assert await roles(store, OTHER) == {}

    async def test_of_two_first_writers_at_once_one_owns_the_document(self, store: Store) -> None:
        await asyncio.gather(*(store.append([first_row(user, writer=n)]) for n, user in enumerate((ADA, BOB, EVE))))
        assert list((await roles(store)).values()) == [Role.OWNER]
        assert (await store.load(PLAN)).head == 3

    async def test_creator_owns_the_document(self, store: Store) -> None:
        await store.create(PLAN, "", ADA)
        await store.create(OTHER, "")
        assert (await roles(store), await roles(store, OTHER)) == ({ADA: Role.OWNER}, {})

    async def test_members_are_added_changed_and_removed(self, store: Store) -> None:
        await store.create(PLAN, "", ADA)
        added = await store.put_member(PLAN, EVE, Role.VIEWER)
        assert await store.put_member(PLAN, EVE, Role.COMMENTER) == type(added)(EVE, Role.COMMENTER, added.since)
        await store.put_member(PLAN, BOB, Role.EDITOR)
        assert await roles(store) == {ADA: Role.OWNER, BOB: Role.EDITOR, EVE: Role.COMMENTER}
        assert [member.user for member in await store.list_members(PLAN)] == sorted((ADA, BOB, EVE))
        assert added.since.utcoffset() == timedelta(0)
        await store.remove_member(PLAN, BOB)
        with pytest.raises(MemberNotFound):
            await store.remove_member(PLAN, BOB)
        assert await roles(store) == {ADA: Role.OWNER, EVE: Role.COMMENTER}

    async def test_last_owner_stays_until_there_is_another(self, store: Store) -> None:
        await store.create(PLAN, "", ADA)
        await store.put_member(PLAN, BOB, Role.EDITOR)
        before = await version(store)
        for refused in (store.remove_member(PLAN, ADA), store.put_member(PLAN, ADA, Role.EDITOR)):
            with pytest.raises(LastOwner):
                await refused
        assert (await roles(store), await version(store)) == ({ADA: Role.OWNER, BOB: Role.EDITOR}, before)
        await store.put_member(PLAN, ADA, Role.OWNER)
        await store.put_member(PLAN, BOB, Role.OWNER)
        await store.put_member(PLAN, ADA, Role.VIEWER)
        assert await roles(store) == {ADA: Role.VIEWER, BOB: Role.OWNER}

    async def test_two_owners_who_leave_at_once_do_not_both_leave(self, store: Store) -> None:
        await store.create(PLAN, "", ADA)
        await store.put_member(PLAN, BOB, Role.OWNER)
        left = await asyncio.gather(
            store.remove_member(PLAN, ADA), store.remove_member(PLAN, BOB), return_exceptions=True
        )
        assert [type(outcome) for outcome in left if outcome is not None] == [LastOwner]
        assert list((await roles(store)).values()) == [Role.OWNER]

    async def test_sharing_speaks_of_those_who_were_asked_for(self, store: Store) -> None:
        await store.create(PLAN, "", ADA)
        await store.create(OTHER, "", BOB)
        await store.put_member(PLAN, EVE, Role.VIEWER)
        await store.add_link(link(1, role=Role.EDITOR), b"1")
        await store.add_link(link(2, OTHER), b"2")
        await store.add_link(link(3), b"3")
        found = await store.sharing(PLAN, [EVE, BOB], [LinkId("link1"), LinkId("link2"), LinkId("none")])
        assert (found.members, found.links) == ({EVE: Role.VIEWER}, {LinkId("link1"): Role.EDITOR})
        assert await store.sharing(DocumentName("none"), [EVE], [LinkId("link1")]) == NOT_SHARED
        await store.delete(PLAN)
        assert (await store.sharing(PLAN, [ADA], [])).members == {ADA: Role.OWNER}

    async def test_every_change_makes_a_new_version(self, store: Store) -> None:
        await store.create(PLAN, "", ADA)
        seen = [await version(store)]
        for change in (
            store.put_member(PLAN, BOB, Role.VIEWER),
            store.remove_member(PLAN, BOB),
            store.add_link(link(1), b"1"),
            store.remove_link(PLAN, LinkId("link1")),
            store.set_published(PLAN, published=True),
            store.add_request(PLAN, request(BOB)),
        ):
            await change
            seen.append(await version(store))
        assert seen == sorted(set(seen))
        assert len(seen) == 7

    async def test_heads_are_also_of_documents_that_are_shared_otherwise(self, store: Store) -> None:
        await store.append([first_row(ADA), first_row(ADA, OTHER)])
        known = {PLAN: await version(store), OTHER: await version(store, OTHER)}
        cursors = {PLAN: Sequence(1), OTHER: Sequence(1)}
        assert await store.heads(cursors, known) == {}
        await store.put_member(PLAN, BOB, Role.VIEWER)
        (head,) = (await store.heads(cursors, known)).items()
        assert (head[0], head[1].seq, head[1].access_version) == (PLAN, 1, await version(store))
        assert await store.heads(cursors, {OTHER: known[OTHER]}) == {}
        assert await store.heads(cursors) == {}

    @pytest.mark.parametrize("order", ListOrder)
    async def test_members_find_their_documents_in_the_list(self, store: Store, order: ListOrder) -> None:
        names = [DocumentName(f"d{number}") for number in range(5)]
        for name in names:
            await store.create(name, "", ADA)
        for name, role in zip(names[:4], Role, strict=True):
            await store.put_member(name, EVE, role)
        await store.delete(names[1])

        async def found(patterns: set[str], user: UserId | None, role: Role, *, in_bin: bool = False) -> list[str]:
            query = ListQuery(Readable(frozenset(patterns), user, role), order, in_bin=in_bin, limit=100)
            page = await store.list_documents(query)
            assert page.next is None
            return sorted(
                f"{info.name} {info.member_role.word if info.member_role else None}" for info in page.documents
            )

        mine = ["d0 viewer", "d2 editor", "d3 owner"]
        assert await found(set(), EVE, Role.VIEWER) == mine
        assert await found({"d*"}, EVE, Role.VIEWER) == [*mine, "d4 None"]
        assert await found({"d4", "d0", "**/d3"}, EVE, Role.VIEWER) == [*mine, "d4 None"]
        assert await found({"**"}, EVE, Role.VIEWER) == [*mine, "d4 None"]
        assert await found(set(), EVE, Role.OWNER) == ["d3 owner"]
        assert await found(set(), EVE, Role.OWNER, in_bin=True) == []
        assert await found(set(), ADA, Role.OWNER, in_bin=True) == ["d1 owner"]
        assert await found(set(), BOB, Role.VIEWER) == []
        assert await found(set(), None, Role.VIEWER) == []

    async def test_links_are_found_by_their_digest_until_they_are_revoked(self, store: Store) -> None:
        await store.create(PLAN, "", ADA)
        await store.create(OTHER, "", ADA)
        for number in (1, 2):
            await store.add_link(link(number), b"%d" % number)
        assert await store.find_link(b"1") == link(1)
        assert await store.list_links(PLAN) == [link(2), link(1)]
        with pytest.raises(LinkNotFound):
            await store.remove_link(OTHER, LinkId("link1"))
        await store.remove_link(PLAN, LinkId("link1"))
        assert await store.find_link(b"1") is None
        assert await store.list_links(PLAN) == [link(2)]
        with pytest.raises(LinkNotFound):
            await store.remove_link(PLAN, LinkId("link1"))

    async def test_link_keeps_what_it_was_given(self, store: Store) -> None:
        await store.create(PLAN, "", ADA)
        for given in (
            Link(LinkId("a"), PLAN, Role.EDITOR, EVE, NOON, None, "scrypt$a$b"),
            Link(LinkId("b"), PLAN, Role.COMMENTER, BOB, NOON, NOON + timedelta(seconds=1), None),
        ):
            await store.add_link(given, given.id.encode())
            assert await store.find_link(given.id.encode()) == given

    async def test_publication_is_kept(self, store: Store) -> None:
        await store.create(PLAN, "", ADA)
        for published in (True, True, False):
            await store.set_published(PLAN, published=published)
            assert (await store.sharing(PLAN, [], [])).is_published is published

    async def test_request_is_kept_once_until_its_user_is_a_member(self, store: Store) -> None:
        await store.create(PLAN, "", ADA)
        await store.add_request(PLAN, request(EVE, 2))
        await store.add_request(PLAN, request(BOB, 1))
        await store.add_request(PLAN, request(EVE, 3))
        assert await store.list_requests(PLAN) == [request(BOB, 1), request(EVE, 3)]
        await store.put_member(PLAN, EVE, Role.VIEWER)
        assert await store.list_requests(PLAN) == [request(BOB, 1)]

    async def test_lists_have_bounds(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        await store.create(PLAN, "", UserId("user0"))
        for number in range(1, MEMBERS_MAX):
            await store.put_member(PLAN, UserId(f"user{number}"), Role.VIEWER)
        for number in range(LINKS_MAX):
            await store.add_link(link(number), b"%d" % number)
        for number in range(REQUESTS_MAX):
            await store.add_request(PLAN, request(UserId(f"user{number}")))
        before = await version(store)
        for one_more in (
            store.put_member(PLAN, EVE, Role.VIEWER),
            store.add_link(link(LINKS_MAX), b"more"),
            store.add_request(PLAN, request(EVE)),
        ):
            with pytest.raises(SharingFull):
                await one_more
        assert await version(store) == before
        assert await store.find_link(b"more") is None
        await store.put_member(PLAN, UserId("user1"), Role.EDITOR)
        await store.add_request(PLAN, request(UserId("user1")))

    async def test_absent_and_deleted_documents_are_not_shared(self, store: Store) -> None:
        await store.create(OTHER, "", ADA)
        await store.delete(OTHER)
        for name, error in ((PLAN, DocumentNotFound), (OTHER, DocumentDeleted)):
            for refused in (
                store.list_members(name),
                store.put_member(name, BOB, Role.VIEWER),
                store.remove_member(name, ADA),
                store.list_links(name),
                store.add_link(link(1, name), b"1"),
                store.remove_link(name, LinkId("link1")),
                store.set_published(name, published=True),
                store.list_requests(name),
                store.add_request(name, request(BOB)),
            ):
                with pytest.raises(error):
                    await refused
