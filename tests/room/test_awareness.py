"""Identity in awareness comes from the token."""

import json

import pytest

from collab.ids import UserId
from collab.room.awareness import stamp


@pytest.mark.parametrize("state", [b'{"user":{"name":"Eve"}}', b'{"us\\u0065r":{"name":"Eve"}}'])
def test_a_claimed_name_is_replaced_however_it_is_spelt(state: bytes) -> None:
    assert json.loads(stamp(state, UserId("a"), "Ada")) == {"user": {"name": "Ada"}}


def test_a_state_without_a_user_stays_byte_for_byte() -> None:
    assert stamp(b'{"cursor": 1.50}', UserId("a"), "Ada") == b'{"cursor": 1.50}'


def test_half_a_character_does_not_break_the_stamp() -> None:
    assert json.loads(stamp(b'{"user":{"name":"x"},"half":"\\ud83d"}', UserId("a"), "Ada"))["user"]["name"] == "Ada"
