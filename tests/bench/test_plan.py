"""Plans, the frames in them, and the updates that they send."""

import random
import struct

import pycrdt
import pytest

from bench.plan import Participant, Plan, Send, Wire, client_frame, encode
from bench.scenarios import SCENARIOS
from bench.scenarios.documents import documents_plan
from bench.scenarios.fan_out import fan_out_plan
from bench.servers import KINDS, parse_server
from bench.traffic import ROOT, edited_document, typing
from tests.frames import SYNC, UPDATE, encode_frame

WIRE = Wire("y-websocket", (8000,), lambda document, user: f"/{document}?{user}", lambda _: "token", "r1-")


def unmasked(frame: bytes) -> bytes:
    head = {126: 4, 127: 10}.get(frame[1] & 127, 2)
    mask, payload = frame[head : head + 4], frame[head + 4 :]
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_client_frame_is_masked(size: int) -> None:
    payload = random.Random(size).randbytes(size)
    assert unmasked(client_frame(payload)) == payload


def test_plan_has_the_frames_of_its_dialect() -> None:
    plan = Plan((Participant("d", "ada", sends=(Send(0.5, "update", b"\0\0"),)),))
    y_websocket = b"".join(encode(plan, WIRE))
    assert b"/r1-d?ada" in y_websocket
    assert y_websocket.endswith(client_frame(encode_frame(SYNC, UPDATE, b"\0\0")))
    hocuspocus = b"".join(encode(plan, Wire("hocuspocus", (8000,), lambda *_: "/", lambda _: "token", "r1-")))
    assert hocuspocus.endswith(client_frame(encode_frame(SYNC, UPDATE, b"\0\0", document="r1-d")))


def test_plan_begins_with_its_pace() -> None:
    plan = Plan((Participant("d", "ada"),), pending_max=7, hold_s=2.0)
    assert struct.unpack_from("<IId", b"".join(encode(plan, WIRE))) == (1, 7, 2.0)


def test_typing_adds_up_to_a_text() -> None:
    typed = typing(5, random.Random(3), characters=2)
    doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    for update in typed.updates:
        doc.apply_update(update)
    assert str(doc.get(ROOT, type=pycrdt.Text)) == "x" * 10


def test_edited_document_says_how_long_it_is() -> None:
    edited = edited_document(2000)
    doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    doc.apply_update(edited.state)
    assert len(doc.get(ROOT, type=pycrdt.Text)) == edited.length
    assert edited == edited_document(2000)


def test_fan_out_types_at_the_rate_that_it_says() -> None:
    plan = fan_out_plan(3, 100, seconds=1.0)
    dues = sorted(send.due_s for each in plan.participants for send in each.sends)
    assert len(plan.participants) == 8
    assert len(dues) == 200
    assert dues[-1] < 2.0


def test_documents_have_two_or_three_people() -> None:
    plan = documents_plan(documents=20, seconds=1.0)
    assert {len(numbers) for numbers in plan.numbers.values()} == {2, 3}


def test_scenarios_name_servers_that_exist() -> None:
    assert {server for scenario in SCENARIOS.values() for server in scenario.servers} <= set(KINDS)


def test_server_takes_variables() -> None:
    kind = parse_server("collab-unbatched:COLLAB_KEEPALIVE_S=5")
    assert kind.environment == {**KINDS["collab-unbatched"].environment, "COLLAB_KEEPALIVE_S": "5"}
    with pytest.raises(ValueError, match="There is no server"):
        parse_server("colab")
