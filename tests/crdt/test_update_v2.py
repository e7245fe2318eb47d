"""Updates that real Yjs wrote in its second encoding, recorded by ``tests/vectors/updates.mjs``."""

import json
from pathlib import Path

import pytest

from collab.crdt.guard import inspect_update
from collab.crdt.update_v2 import looks_like_v2
from collab.errors import UpdateRefused

CLOSE_REASON_BYTES_MAX = 123  # RFC 6455
_RECORDED = json.loads((Path(__file__).parent.parent / "vectors" / "updates.json").read_text())
_V2 = {name: bytes.fromhex(data) for name, data in _RECORDED["v2"].items()}


@pytest.mark.parametrize("name", _V2)
def test_an_update_v2_is_refused_with_advice(name: str) -> None:
    with pytest.raises(UpdateRefused, match=r"encoded as v2.*encodeStateAsUpdate") as refusal:
        inspect_update(_V2[name])
    assert len(refusal.value.reason.encode()) <= CLOSE_REASON_BYTES_MAX, "a close frame would cut the advice"


@pytest.mark.parametrize("name", _RECORDED["accepted"])
def test_an_update_v1_is_not_taken_for_v2(name: str) -> None:
    data = bytes.fromhex(_RECORDED["accepted"][name]["hex"])
    inspect_update(data)
    assert not looks_like_v2(data)


@pytest.mark.parametrize("name", ["text whole", "xml whole", "together"])
def test_a_broken_update_v1_is_not_called_v2(name: str) -> None:
    data = bytes.fromhex(_RECORDED["accepted"][name]["hex"])
    for broken in (data[:-1], data + b"\0"):
        with pytest.raises(UpdateRefused, match=r"ends in the middle|has extra bytes at its end"):
            inspect_update(broken)


@pytest.mark.parametrize("data", ["", "00", "0000", "000001", "00" * 10, "00ff", "0080" + "00" * 20, "01" + "00" * 12])
def test_bytes_without_the_columns_of_v2_are_not_v2(data: str) -> None:
    assert not looks_like_v2(bytes.fromhex(data))
