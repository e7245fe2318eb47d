"""The secret of a link: how it is made, read and kept."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.access import links
from collab.access.links import GUEST_SUFFIX, LinkKey, extended, guest, hash_password, is_link, is_password, parse
from collab.access.roles import Role
from collab.access.sharing import Link
from collab.access.tokens import NAME_CHARACTERS_MAX, TOKEN_BYTES_MAX, UNPRINTABLE
from collab.errors import LinkInvalid
from collab.ids import DocumentName, LinkId, UserId

SECRET = links.make_secret(bytes(range(32)))
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
LINK = Link(LinkId("x1"), DocumentName("notes"), Role.EDITOR, UserId("ada"), NOON, NOON, None)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def test_secret_is_told_from_a_token_and_fits_into_an_address() -> None:
    assert is_link(SECRET)
    assert not is_link("eyJhbGciOiJIUzI1NiJ9.e30.x")
    assert SECRET.startswith("cl_")
    assert len(SECRET) == 46
    assert SECRET.replace("-", "").replace("_", "").isalnum()


@given(name=texts, password=texts)
def test_name_and_password_come_back_from_beside_the_secret(name: str, password: str) -> None:
    assert parse(extended(SECRET, name, password)) == LinkKey(SECRET, name, password)


def test_name_beside_counts_more_than_the_one_behind_the_secret() -> None:
    assert parse(extended(f"{SECRET}?name=Ada&password=x", "Eve", "")) == LinkKey(SECRET, "Eve", "x")


@pytest.mark.parametrize("bad", [SECRET + "?" + "a=1&" * 9, SECRET + "?name=%ff", SECRET + "x" * TOKEN_BYTES_MAX])
def test_anything_else_is_no_link(bad: str) -> None:
    with pytest.raises(LinkInvalid):
        parse(bad)


@given(st.text(max_size=300))
def test_name_of_a_guest_is_printable_short_and_marked(chosen: str) -> None:
    principal = guest(LINK, chosen)
    assert len(principal.name) <= NAME_CHARACTERS_MAX
    assert not UNPRINTABLE.search(principal.name)
    assert principal.name == "Guest" or principal.name.endswith(GUEST_SUFFIX)


def test_all_guests_of_a_link_are_one_user_without_grants_until_it_expires() -> None:
    ada, eve = guest(LINK, "Ada"), guest(LINK, "Eve")
    assert ada.user == eve.user == "guest:x1"
    assert (ada.grants, ada.link, ada.expires_at) == ({}, LINK.id, NOON.timestamp())


def test_password_is_kept_as_a_salted_digest() -> None:
    first, second = (hash_password("öpen sesame", bytes([salt]) * 16) for salt in (1, 2))
    assert first != second
    assert "sesame" not in first
    assert is_password("öpen sesame", first)
    assert not is_password("open sesame", first)


def test_key_does_not_show_its_secrets() -> None:
    assert "cl_" not in repr(LinkKey(SECRET, "Ada", "sesame"))
    assert "sesame" not in repr(LinkKey(SECRET, "Ada", "sesame"))
