"""What one turn of the event loop sends to a socket is written at once."""

import asyncio

import pytest
import uvicorn
from uvicorn.server import ServerState

from collab.api.turn_writes import TurnWrites
from collab.api.websocket import WebSocketProtocol
from collab.protocol.websocket import Frame


class Recorder:
    """A socket, or the output of one, that counts its writes."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        self.written.append(data)

    def write_all(self) -> None:
        self.written.append(b"all")


async def app(*_: object) -> None:
    """Do nothing."""


@pytest.fixture
async def socket(monkeypatch: pytest.MonkeyPatch) -> WebSocketProtocol:
    return WebSocketProtocol(uvicorn.Config(app), ServerState(), {})


async def test_frames_of_one_turn_are_one_write_in_order(socket: WebSocketProtocol) -> None:
    output = Recorder()
    socket._output = output
    frames = [Frame(bytes([number])) for number in range(3)]
    for frame in frames[:2]:
        socket.write(frame)
    assert output.written == []
    await asyncio.sleep(0)
    assert output.written == [frames[0].wire + frames[1].wire]
    socket.write(frames[2])
    await asyncio.sleep(0)
    assert output.written[1:] == [frames[2].wire]
    await asyncio.sleep(0)
    assert len(output.written) == 2


async def test_close_frame_comes_behind_what_was_sent_in_its_turn(socket: WebSocketProtocol) -> None:
    output = Recorder()
    socket._output = output
    frame = Frame(b"last")
    socket.write(frame)
    socket._write_last(1000)
    assert output.written[0] == frame.wire
    assert len(output.written) == 2
    socket.write(frame)
    await asyncio.sleep(0)
    assert len(output.written) == 2


async def test_every_socket_of_a_turn_writes_once() -> None:
    writes, sockets = TurnWrites(), [Recorder(), Recorder()]
    for socket in sockets:
        writes.add(socket)
    await asyncio.sleep(0)
    assert [socket.written for socket in sockets] == [[b"all"], [b"all"]]
    await asyncio.sleep(0)
    assert [socket.written for socket in sockets] == [[b"all"], [b"all"]]


def test_socket_of_a_loop_that_was_closed_holds_up_no_other() -> None:
    writes, lost, later = TurnWrites(), Recorder(), Recorder()

    async def add(socket: Recorder, turns: int) -> None:
        writes.add(socket)
        for _ in range(turns):
            await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.call_soon(loop.stop)
    task = loop.create_task(add(lost, 0))
    loop.run_forever()
    loop.close()
    assert task is not None
    writes._sockets = [lost]
    asyncio.run(add(later, 2))
    assert later.written == [b"all"]
