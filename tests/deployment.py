"""Real servers for the tests: ``collab serve`` in a process of its own, and small clients that speak its wire."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, Self

import pycrdt
from websockets.asyncio.client import ClientConnection, connect

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, sign
from collab.protocol.varint import Reader, Writer
from tests.services.private import free_port

SECRET = "a secret that only the tests of this project use"


def token(user: str, grants: dict[str, Role] | None = None) -> str:
    """A token for an hour; an editor of everything unless ``grants`` says otherwise."""
    return sign(
        SharedSecret(SECRET.encode()),
        user=user,
        name=user.title(),
        grants=grants or {"**": Role.EDITOR},
        now_s=time.time(),
        ttl_s=3600,
    )


class ServerProcess:
    """``collab serve`` on a port of its own; may be killed and started again on the same data."""

    def __init__(self, directory: Path, *, environment: dict[str, str] | None = None, program: str = "collab") -> None:
        self.port = free_port()
        self._log = directory / f"server-{self.port}.log"
        self._program = program
        self._environment = {
            **os.environ,
            "COLLAB_PORT": str(self.port),
            "COLLAB_DATA_DIR": str(directory),
            "COLLAB_SECRET": SECRET,
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Everything it has printed."""
        return self._log.read_text()

    async def start(self, deadline_s: float = 30.0) -> Self:
        """Return when it takes work."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - returns at once; it outlives this call
                [sys.executable, "-m", self._program, "serve"], env=self._environment, stdout=log, stderr=log
            )
        end = time.monotonic() + deadline_s
        while time.monotonic() < end and self.process.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return self
            except OSError:
                await asyncio.sleep(0.02)
        raise AssertionError(f"the server does not start:\n{self.log[-3000:]}")

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def url(self, document: str, user: str) -> str:
        """Where a y-websocket client connects."""
        return f"ws://127.0.0.1:{self.port}/ws/{document}?token={token(user)}"


class Typist:
    """A y-websocket client with a text of its own, that counts what came back as committed."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.doc: Any = pycrdt.Doc()
        self._made: list[bytes] = []
        self._subscription = self.doc.observe(lambda event: self._made.append(event.update))
        self._sent: deque[tuple[bytes, str]] = deque()
        self.acknowledged: list[str] = []
        """Texts whose update came back: the server's word that they are committed."""
        self.synced = False

    @property
    def text(self) -> str:
        return str(self.doc.get("content", type=pycrdt.Text))

    async def hello(self) -> None:
        """Ask for the document, and read until it came."""
        await self._say(0, self.doc.get_state())
        while not self.synced:
            await self.hear()

    async def type(self, text: str) -> None:
        """Append ``text``."""
        self._made.clear()
        shared = self.doc.get("content", type=pycrdt.Text)
        shared.insert(len(shared), text)
        (update,) = self._made
        self._sent.append((update, text))
        await self._say(2, update)

    async def hear(self) -> None:
        """Take one frame."""
        frame = await self._socket.recv()
        assert isinstance(frame, bytes)
        reader = Reader(frame)
        if reader.var_uint() != 0:
            return
        kind, payload = reader.var_uint(), reader.var_bytes()
        if kind == 0:
            await self._say(1, self.doc.get_update(payload))
        elif self._sent and payload == self._sent[0][0]:
            self.acknowledged.append(self._sent.popleft()[1])
        else:
            self.doc.apply_update(payload)
            self.synced = self.synced or kind == 1

    async def hear_until(self, condition: Any) -> None:
        """Take frames until ``condition()``."""
        async with asyncio.timeout(20):
            while not condition():
                await self.hear()

    async def _say(self, kind: int, payload: bytes) -> None:
        writer = Writer()
        writer.var_uint(0)
        writer.var_uint(kind)
        writer.var_bytes(payload)
        await self._socket.send(writer.to_bytes())


def dial(url: str) -> Any:
    """A socket, as a context manager."""
    return connect(url, max_size=None, compression=None)
