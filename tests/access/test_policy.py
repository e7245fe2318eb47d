"""What a principal may do with a document, as a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.access.policy import can_read, require_manage, require_read, require_write, role, seek_readable
from collab.access.roles import Role
from collab.access.tokens import Principal
from collab.errors import PermissionDenied
from collab.ids import DocumentName, UserId, document_name

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
    somebody = principal(**({} if has is None else {"team/*": has}))
    for require, lowest in (
        (require_read, Role.VIEWER),
        (require_write, Role.EDITOR),
        (require_manage, Role.OWNER),
    ):
        if has is not None and has >= lowest:
            assert require(somebody, PLAN) is has
        else:
            with pytest.raises(PermissionDenied):
                require(somebody, PLAN)


def test_refusal_names_the_role() -> None:
    with pytest.raises(PermissionDenied, match="Your role is viewer"):
        require_write(principal(**{"**": Role.VIEWER}), PLAN)
    with pytest.raises(PermissionDenied, match="no access"):
        require_write(principal(), PLAN)
    with pytest.raises(PermissionDenied, match="Only owners"):
        require_manage(principal(**{"**": Role.EDITOR}), PLAN)


def test_seeking_goes_on_at_the_nearest_grant() -> None:
    reader = principal(**{"team/*": Role.VIEWER, "notes/42": Role.OWNER})
    start = seek_readable(reader, "")
    assert start is not None
    assert "notes/41" < start < "notes/42"
    start = seek_readable(reader, "notes/42")
    assert start is not None
    assert "notes/43" < start < "team/"
    assert seek_readable(reader, "team/plan") == "team/plan"
    assert seek_readable(reader, "x") is None


def test_seeking_without_grants_finds_nothing() -> None:
    assert seek_readable(principal(), "") is None


@pytest.mark.parametrize(
    ("grants", "readable"), [({}, False), ({"notes/*": Role.OWNER}, False), ({"team/*": Role.VIEWER}, True)]
)
def test_reading_takes_any_role(grants: dict[str, Role], readable: bool) -> None:
    assert can_read(principal(**grants), PLAN) == readable


def test_only_the_document_asked_for_is_decided() -> None:
    somebody = principal(**{"team/plan": Role.EDITOR})
    assert role(somebody, DocumentName("team/plan2")) is None
    assert role(somebody, DocumentName("team")) is None
