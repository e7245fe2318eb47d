"""How long everybody else waits while a few people send updates that cost the server seconds.

Run from the top of a checkout: ``python -m bench.stalling``. A real ``collab serve`` with a SQLite file runs beside
this process. A writer types a hundred letters a second, and a reader receives them; the figure is the time from the key
press to the reader. Then five senders send an update of one kind each, all at once. Each kind has a server and a
document of its own.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jwt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from collab.protocol.varint import Writer

SECRET = "a secret that is long enough for this measurement"
STEP1, UPDATE = b"\0\0\1\0", b"\0\2"
Structs = list[bytes]


def main(arguments: list[str] | None = None) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.stalling", description=__doc__.split("\n\n")[0])
    parser.add_argument("--senders", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30, help="how long to measure after the updates are sent")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--send", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.send:
        kind, port, senders, seconds = options.send
        asyncio.run(send_all(kind, int(port), int(senders), float(seconds)))
        return
    print("letters wait, ms:       calm p50      p50      p99    p99.9    worst   refused, closed after s")
    for kind in options.kinds:
        with server() as port:
            asyncio.run(measure(kind, port, options.senders, options.seconds))


# --- the updates ---------------------------------------------------------------------------------------


def update(*blocks: tuple[int, Structs]) -> bytes:
    """Return an update that holds these structs of each client, from clock 0 on."""
    writer = Writer()
    writer.var_uint(len(blocks))
    for client, structs in blocks:
        for number in (len(structs), client, 0):
            writer.var_uint(number)
        writer.raw(b"".join(structs))
    writer.var_uint(0)
    return writer.to_bytes()


def text(
    value: str, *, left: tuple[int, int] | None = None, right: tuple[int, int] | None = None, key: str = ""
) -> bytes:
    """Return an item of text: between two others, or in a root."""
    writer = Writer()
    writer.byte(4 | (0x80 if left else 0) | (0x40 if right else 0) | (0x20 if key else 0))
    for id_ in (left, right):
        for number in id_ or ():
            writer.var_uint(number)
    if not left and not right:
        writer.var_uint(1)
        writer.var_string("content" if not key else "map")
        if key:
            writer.var_string(key)
    writer.var_string(value)
    return writer.to_bytes()


def spans(client: int) -> bytes:
    """Insertions whose neighbours have 16,000 others between them."""
    return update((client, [text("x", left=(1, 0), right=(1, 1))] * 8_000))


def before_spans() -> list[bytes]:
    odd, even, previous = [], [], (1, 0)
    for clock in range(8_000):
        odd.append(text("x", left=previous, right=(1, 1)))
        even.append(text("x", left=(3, clock), right=(1, 1)))
        previous = (4, clock)
    return [update((1, [text("ab")])), update((4, even), (3, odd))]


def map_key(client: int) -> bytes:
    """Values of one key of a map that know nothing of each other."""
    return update((client, [text("x", key="k")] * 80_000))


def descending(client: int) -> bytes:
    """Insertions into one text of 10 MB, from its end on."""
    places = range(9_000_000, 8_500_000, -1_000)
    return update((client, [text("x", left=(1, at), right=(1, at + 1)) for at in places]))


def letters(client: int) -> bytes:
    """A million structs of one letter, from somebody who may only read."""
    return update((client, [text("x"), *[text("x", left=(client, 0))] * 1_000_000]))


KINDS = {
    "spans": (spans, before_spans, "editor"),
    "map-key": (map_key, lambda: [update((1, [text("ab")]))], "editor"),
    "descending": (descending, lambda: [update((1, [text("a" * 10_000_000)]))], "editor"),
    "viewer": (letters, lambda: [update((1, [text("ab")]))], "viewer"),
}

# --- the server and its clients ------------------------------------------------------------------------


@contextmanager
def server() -> Iterator[int]:
    """Run ``collab serve`` on a free port."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {**os.environ, "COLLAB_SECRET": SECRET, "COLLAB_DATA_DIR": directory, "PYTHONUNBUFFERED": "1"}
        log = (Path(directory) / "log").open("wb")
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("collab")), "serve", "--port", "0"],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            for _ in range(1200):
                found = re.search(r"127\.0\.0\.1:([1-9]\d*)", Path(log.name).read_text())
                if found:
                    break
                time.sleep(0.05)  # the server announces its port in a file, which nothing can wait for
            assert found, Path(log.name).read_text()
            yield int(found[1])
        finally:
            process.terminate()
            process.wait(20)
            log.close()


async def join(port: int, user: str, role: str = "editor") -> ClientConnection:
    """Connect a client and exchange the first messages, with an empty document."""
    claims = {"sub": user, "name": user, "grants": {"**": role}, "exp": time.time() + 3600, "aud": "collab"}
    token = jwt.encode(claims, SECRET, "HS256")
    socket = await connect(f"ws://127.0.0.1:{port}/ws/stalling?token={token}", max_size=None, compression=None)
    await socket.send(STEP1)
    return socket


def message(payload: bytes) -> bytes:
    """Return the message of an update."""
    writer = Writer()
    writer.raw(UPDATE)
    writer.var_bytes(payload)
    return writer.to_bytes()


async def measure(kind: str, port: int, senders: int, seconds: float) -> None:
    """Print how long a letter takes before and after the updates are sent."""
    _, before, _ = KINDS[kind]
    writer, reader = await join(port, "writer"), await join(port, "reader")
    pressed: dict[int, float] = {}
    waits: dict[int, float] = {}
    tasks = [asyncio.create_task(listen(reader, pressed, waits)), asyncio.create_task(drain(writer))]
    for each in before():
        await writer.send(message(each))
    await asyncio.sleep(2)  # until the document is there
    typing = asyncio.create_task(type_letters(writer, pressed))
    others = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.stalling", "--send", kind, str(port), str(senders), str(seconds), stdout=-1
    )
    assert others.stdout is not None
    await others.stdout.readline()  # they are ready
    calm, count = sorted(waits.values()), len(pressed)
    closed = (await others.stdout.read()).decode().split()
    await others.wait()
    typing.cancel()
    await asyncio.sleep(1)
    late = sorted(waits.get(number, seconds) for number in range(count, len(pressed)))
    figures = "".join(
        f"{1000 * late[min(len(late) - 1, int(len(late) * part))]:>9.1f}" for part in (0.5, 0.99, 0.999, 1)
    )
    print(f"{kind:<12}{1000 * calm[len(calm) // 2]:>18.1f}{figures}   {len(closed)}/{senders} {' '.join(closed)}")
    for task in tasks:
        task.cancel()


async def send_all(kind: str, port: int, senders: int, seconds: float) -> None:
    """Send the updates, and print after how many seconds each sender was refused. It is a process of its own."""
    make, _, role = KINDS[kind]
    frames = [message(make(1_000 + number)) for number in range(senders)]
    sockets = [await join(port, f"sender{number}", role) for number in range(senders)]
    tasks = [asyncio.create_task(drain(socket)) for socket in sockets]
    await asyncio.sleep(3)
    print("ready", flush=True)
    began_s = time.perf_counter()
    await asyncio.gather(*(socket.send(frame) for socket, frame in zip(sockets, frames, strict=True)))
    while time.perf_counter() - began_s < seconds:
        await asyncio.sleep(0.1)
        for socket in [each for each in sockets if each.close_code is not None]:
            sockets.remove(socket)
            if socket.close_code == 4422:
                print(f"{time.perf_counter() - began_s:.0f}", flush=True)
    for task in tasks:
        task.cancel()


async def type_letters(socket: ClientConnection, pressed: dict[int, float]) -> None:
    """Type a hundred letters a second."""
    client = 77
    while True:
        number = len(pressed)
        writer = Writer()
        for value in (1, 1, client, number):
            writer.var_uint(value)
        writer.raw(text("z", left=(client, number - 1)) if number else text("z"))
        writer.var_uint(0)
        pressed[number] = time.perf_counter()
        await socket.send(message(writer.to_bytes()))
        await asyncio.sleep(0.01)


async def listen(socket: ClientConnection, pressed: dict[int, float], waits: dict[int, float]) -> None:
    """Note when each letter arrives. They arrive in order, and some of them merged."""
    arrived = 0
    async for data in socket:
        assert isinstance(data, bytes)
        if data[:2] == UPDATE and b"\1z" in data and len(data) < 200:
            now_s, count = time.perf_counter(), data.count(b"\1z")
            for number in range(arrived, arrived + count):
                waits[number] = now_s - pressed[number]
            arrived += count


async def drain(socket: ClientConnection) -> None:
    """Read and forget what a client is sent."""
    try:
        async for _ in socket:
            pass
    except ConnectionClosed:
        pass


if __name__ == "__main__":
    main()
