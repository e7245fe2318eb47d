"""What a principal may do with a document, as a table."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.access.policy import can_read, patterns, reasons, require, role
from collab.access.roles import Role
from collab.access.sharing import Sharing
from collab.access.tokens import Principal
from collab.errors import PermissionDenied
from collab.ids import DocumentName, LinkId, UserId, document_name

PLAN = document_name("team/plan")


def principal(**grants: Role) -> Principal:
    return Principal(UserId("alice"), "Alice", None, grants, None)


def granted(**grants: Role) -> Role | None:
    return role(principal(**grants), PLAN)


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ({}, None),
        ({"notes/*": Role.OWNER}, None),
        ({"team/plan": Role.VIEWER}, Role.VIEWER),
        ({"team/*": Role.EDITOR}, Role.EDITOR),
        ({"**": Role.COMMENTER}, Role.COMMENTER),
        # The strongest counts: neither the first, nor the last, nor the most exact.
        ({"team/plan": Role.VIEWER, "team/*": Role.EDITOR}, Role.EDITOR),
        ({"**": Role.OWNER, "team/plan": Role.VIEWER}, Role.OWNER),
        ({"**": Role.VIEWER, "notes/*": Role.OWNER}, Role.VIEWER),
    ],
)
def test_strongest_matching_grant_decides(grants: dict[str, Role], expected: Role | None) -> None:
    assert granted(**grants) == expected


@given(
    grants=st.dictionaries(st.sampled_from(["team/plan", "team/*", "**", "notes/*", "x"]), st.sampled_from(Role)),
    pattern=st.sampled_from(["team/plan", "team/**", "notes/*", "y"]),
    more=st.sampled_from(Role),
)
def test_another_grant_never_takes_a_right_away(grants: dict[str, Role], pattern: str, more: Role) -> None:
    before = granted(**grants) or 0
    after = granted(**{**grants, pattern: max(more, grants.get(pattern, more))}) or 0
    assert after >= before


ROLES = [None, *Role]


@pytest.mark.parametrize("has", ROLES)
def test_reading_writing_and_managing_are_refused_below_their_role(has: Role | None) -> None:
    for needed in Role:
        if has is not None and has >= needed:
            assert require(has, needed) is has
        else:
            with pytest.raises(PermissionDenied):
                require(has, needed)


def test_refusal_names_the_role() -> None:
    with pytest.raises(PermissionDenied, match="Your role is viewer"):
        require(Role.VIEWER, Role.EDITOR)
    with pytest.raises(PermissionDenied, match="no access"):
        require(None, Role.EDITOR)
    with pytest.raises(PermissionDenied, match="Only owners"):
        require(Role.EDITOR, Role.OWNER)


def test_list_is_of_the_patterns_that_give_the_role() -> None:
    reader = principal(**{"team/*": Role.VIEWER, "notes/42": Role.OWNER})
    assert patterns(reader, Role.VIEWER) == {"team/*", "notes/42"}
    assert patterns(reader, Role.OWNER) == {"notes/42"}
    assert patterns(principal(), Role.VIEWER) == frozenset()


@pytest.mark.parametrize(
    ("grants", "readable"), [({}, False), ({"notes/*": Role.OWNER}, False), ({"team/*": Role.VIEWER}, True)]
)
def test_reading_takes_any_role(grants: dict[str, Role], readable: bool) -> None:
    assert can_read(principal(**grants), PLAN) == readable


def test_only_the_document_asked_for_is_decided() -> None:
    somebody = principal(**{"team/plan": Role.EDITOR})
    assert role(somebody, DocumentName("team/plan2")) is None
    assert role(somebody, DocumentName("team")) is None


# --- grants, members and links -------------------------------------------------------------------------


@pytest.mark.parametrize("listed", ROLES)
@pytest.mark.parametrize("granted", ROLES)
@pytest.mark.parametrize("by", ["member", "link"])
def test_strongest_of_grant_and_list_counts(by: str, granted: Role | None, listed: Role | None) -> None:
    link = LinkId("l") if by == "link" else None
    ada = replace(principal(**({} if granted is None else {"team/*": granted})), link=link)
    lists = {} if listed is None else {ada.user: listed}
    links = {} if listed is None else {LinkId("l"): listed}
    sharing = Sharing(1, lists if by == "member" else {}, links if by == "link" else {}, is_published=False)
    assert role(ada, PLAN, sharing) == max((each for each in (granted, listed) if each is not None), default=None)
    strongest = [*["token"] * (granted is not None), *[by] * (listed is not None)]
    if granted is not None and listed is not None and granted != listed:
        strongest = ["token" if granted > listed else by]
    assert reasons(ada, PLAN, sharing) == strongest


def test_guest_has_the_role_of_the_link_and_no_membership() -> None:
    guest = replace(principal(), link=LinkId("l"))
    sharing = Sharing(1, {guest.user: Role.OWNER}, {LinkId("other"): Role.EDITOR}, is_published=True)
    assert role(guest, PLAN, sharing) is None


def test_publication_gives_no_role() -> None:
    assert role(principal(), PLAN, Sharing(1, {}, {}, is_published=True)) is None
