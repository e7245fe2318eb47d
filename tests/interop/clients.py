"""Real JavaScript clients in one Node.js process, driven from a test; see ``clients.mjs`` for what they are."""

import asyncio
import json
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, Self

from tests.deployment import ServerProcess, token
from tests.services.node import INTEROP, ensure_interop_packages, node_command
from tests.typist import DialectName

PATIENCE_S = 30.0
ANSWER_BYTES_MAX = 64 << 20


class JavaScriptClients:
    """``async with JavaScriptClients() as clients``: the process; ``open`` adds a client to it."""

    async def __aenter__(self) -> Self:
        modules = ensure_interop_packages()
        self._process = await asyncio.create_subprocess_exec(
            *node_command(),
            str(INTEROP / "clients.mjs"),
            cwd=modules.parent,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=ANSWER_BYTES_MAX,
        )
        self._ids = count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reader

    async def open(
        self, name: str, server: ServerProcess, document: str, *, dialect: DialectName = "y-websocket"
    ) -> "JavaScriptClient":
        """A client of this name, synced with the document."""
        client = JavaScriptClient(self, name)
        url = f"ws://127.0.0.1:{server.port}/ws"
        await client.ask("open", dialect=dialect, server=url, document=document, token=token(name))
        return client

    async def ask(self, what: str, *, patience_s: float = PATIENCE_S, **details: object) -> Any:
        """One request, and its answer. AssertionError when it fails, or does not come."""
        assert self._process.stdin is not None
        id_ = next(self._ids)
        future = self._answers[id_] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": id_, "do": what, **details}).encode() + b"\n")
        try:
            async with asyncio.timeout(patience_s):
                return await future
        except TimeoutError:
            raise AssertionError(f"{what} {details} got no answer in {patience_s} s") from None

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            answer = json.loads(line)
            future = self._answers.pop(answer["id"])
            if future.done():
                continue
            if "error" in answer:
                future.set_exception(AssertionError(answer["error"]))
            else:
                future.set_result(answer["value"])
        for future in self._answers.values():
            if not future.done():
                future.set_exception(AssertionError("the clients' process has ended"))


class JavaScriptClient:
    """One of them."""

    def __init__(self, clients: JavaScriptClients, name: str) -> None:
        self._clients = clients
        self.name = name

    async def ask(self, what: str, *, patience_s: float = PATIENCE_S, **details: object) -> Any:
        """A request of ``clients.mjs`` about this client."""
        return await self._clients.ask(what, patience_s=patience_s, client=self.name, **details)

    async def insert(self, at: int, text: str) -> None:
        """Insert ``text``; positions count UTF-16 units."""
        await self.ask("insert", at=at, text=text)

    async def remove(self, at: int, length: int) -> None:
        """Delete ``length`` UTF-16 units."""
        await self.ask("remove", at=at, length=length)

    async def replay(self, trace: Path, *, patience_s: float) -> int:
        """Make all edits of a trace; how many they were."""
        return int(await self.ask("replay", trace=str(trace), patience_s=patience_s))

    async def text(self) -> str:
        """What it shows now."""
        return str(await self.ask("text"))

    async def reads(self, text: str, *, patience_s: float = PATIENCE_S) -> None:
        """Return when it shows exactly this text."""
        await self.ask("reads", sha256=sha256(text.encode()).hexdigest(), patience_s=patience_s)

    async def saved(self, *, patience_s: float = PATIENCE_S) -> None:
        """Return when a Hocuspocus client counts nothing as unsaved."""
        await self.ask("saved", patience_s=patience_s)

    async def present(self, **user: str) -> None:
        """Show this user to the others."""
        await self.ask("present", state=user)

    async def sees(self, *names: str) -> None:
        """Return when exactly these others are here."""
        await self.ask("sees", names=list(names))

    async def disconnect(self) -> None:
        """Hang up; edits go on."""
        await self.ask("disconnect")

    async def connect(self) -> None:
        """Come back."""
        await self.ask("connect")

    async def close(self) -> None:
        """Leave for good."""
        await self.ask("close")
