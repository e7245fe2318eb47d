"""State vectors, and the few bytes that claim to hold a gigabyte of them."""

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collab.crdt.statevector import decode_state_vector, encode_state_vector
from collab.errors import ProtocolError
from collab.protocol.limits import CLOCK_END, STATE_VECTOR_ENTRIES_MAX
from collab.protocol.varint import UINT_MAX
from tests.protocol.build import uint


@given(st.dictionaries(st.integers(0, UINT_MAX), st.integers(0, CLOCK_END - 1)))
def test_every_state_vector_is_read_back(clocks: dict[int, int]) -> None:
    assert decode_state_vector(encode_state_vector(clocks)) == clocks


def test_a_state_vector_of_pycrdt_is_read_and_written() -> None:
    doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc(client_id=300)
    doc.get("t", type=pycrdt.Text).insert(0, "hello")
    assert decode_state_vector(doc.get_state()) == {300: 5}
    assert encode_state_vector({300: 5}) == doc.get_state()
    assert encode_state_vector({}) == b"\0"


def test_higher_client_ids_are_written_first() -> None:
    assert encode_state_vector({1: 9, 5: 8, 3: 7}).hex() == "03" + "0508" + "0307" + "0109"


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "ffffffff0f",
        "8080808002",
        "020105",
        "0001",
        "0207050708",
        "0107" + uint(CLOCK_END).hex(),
        "01" + "ff" * 9,
        "01870005",
    ],
    ids=["nothing", "bomb", "bomb of a gigabyte", "too short", "too long", "twice", "clock", "client", "padded"],
)
def test_a_malformed_state_vector_is_refused(payload: str) -> None:
    with pytest.raises(ProtocolError):
        decode_state_vector(bytes.fromhex(payload))


def test_the_number_of_clients_is_bounded() -> None:
    most = dict.fromkeys(range(STATE_VECTOR_ENTRIES_MAX), 1)
    assert decode_state_vector(encode_state_vector(most)) == most
    with pytest.raises(ProtocolError):
        decode_state_vector(encode_state_vector({**most, STATE_VECTOR_ENTRIES_MAX: 1}))
