"""The connection to Redis: what is sent, answers however the network cuts them, and how it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from collab.relay.resp import Reply, RespConnection, command
from tests.waiting import eventually


class Peer:
    """The other end: a server of ours that says what a test wants."""

    def __init__(self) -> None:
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.is_there = asyncio.Event()

    def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.is_there.set()


@pytest.fixture
async def peer() -> Peer:
    return Peer()


@pytest.fixture
async def connection(peer: Peer) -> AsyncIterator[RespConnection]:
    """A connection whose other end is ``peer``."""
    async with await asyncio.start_server(peer.meet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        _, connection = await asyncio.get_running_loop().create_connection(RespConnection, "127.0.0.1", port)
        await peer.is_there.wait()
        yield connection
        connection.end(ConnectionError())
        with suppress(ConnectionError):
            await peer.reader.read()
        peer.writer.close()


def listen(connection: RespConnection) -> list[Reply]:
    heard: list[Reply] = []
    connection.on_reply = heard.append
    return heard


def test_command_is_an_array_of_strings() -> None:
    assert command(b"PUBLISH", b"a\r\nb", b"") == b"*3\r\n$7\r\nPUBLISH\r\n$4\r\na\r\nb\r\n$0\r\n\r\n"


async def test_answers_come_in_order_however_they_are_cut(connection: RespConnection, peer: Peer) -> None:
    heard = listen(connection)
    for byte in b"+OK\r\n:7\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n\r\n\r\n$-1\r\n":
        peer.writer.write(bytes((byte,)))
        await peer.writer.drain()
        await asyncio.sleep(0)
    await eventually(lambda: len(heard) == 4)
    assert heard == [b"OK", 7, [b"message", b"c", b"\r\n"], None]


async def test_what_is_not_the_protocol_ends_the_connection(connection: RespConnection, peer: Peer) -> None:
    peer.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert isinstance(await connection.ended, ConnectionError)
    assert await peer.reader.read() == b""


async def test_user_that_raises_ends_the_connection_and_hears_no_more(connection: RespConnection, peer: Peer) -> None:
    heard = []

    def break_at_two(reply: Reply) -> None:
        heard.append(reply)
        if reply == 2:
            raise ZeroDivisionError

    connection.on_reply = break_at_two
    peer.writer.write(b":1\r\n:2\r\n:3\r\n")
    assert isinstance(await connection.ended, ZeroDivisionError)
    assert heard == [1, 2]


async def test_end_hears_no_more_of_what_has_arrived(connection: RespConnection, peer: Peer) -> None:
    heard = []

    def have_enough(reply: Reply) -> None:
        heard.append(reply)
        connection.end(ConnectionError("enough"))

    connection.on_reply = have_enough
    peer.writer.write(b":1\r\n:2\r\n")
    assert str(await connection.ended) == "enough"
    assert heard == [1]


async def test_error_unasked_ends_the_connection(connection: RespConnection, peer: Peer) -> None:
    peer.writer.write(b"-NOPERM you may not\r\n")
    assert str(await connection.ended) == "NOPERM you may not"


async def test_question_returns_when_all_is_answered(connection: RespConnection, peer: Peer) -> None:
    question = asyncio.create_task(connection.ask(command(b"SELECT", b"1"), command(b"PING")))
    assert await peer.reader.readexactly(len(command(b"SELECT", b"1") + command(b"PING")))
    peer.writer.write(b"+OK\r\n")
    done, _ = await asyncio.wait([question], timeout=0.05)
    assert not done
    peer.writer.write(b"+PONG\r\n")
    await question


@pytest.mark.parametrize("answer", [b"+OK\r\n-ERR no\r\n", b"+OK\r\n"])
async def test_question_that_is_refused_or_left_raises(connection: RespConnection, peer: Peer, answer: bytes) -> None:
    question = asyncio.create_task(connection.ask(command(b"SELECT", b"1"), command(b"PING")))
    peer.writer.write(answer)
    peer.writer.write_eof()
    with pytest.raises(ConnectionError, match=r"ERR no|closed by server"):
        await question


async def test_full_socket_is_told_and_told_again_when_it_takes_more(connection: RespConnection, peer: Peer) -> None:
    told = asyncio.Event()
    connection.on_writable = told.set
    sent = 0
    while connection.is_writable:
        connection.write(bytes(1 << 20))
        sent += 1 << 20
        await asyncio.sleep(0)
    assert not told.is_set()
    assert len(await peer.reader.readexactly(sent)) == sent
    await told.wait()
    assert connection.is_writable
