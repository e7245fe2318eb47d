"""Real JavaScript clients in one Node.js process, driven from a test; see ``clients.mjs`` for what they are."""

import asyncio
import json
from collections.abc import Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, Literal, Self, get_args

from tests.deployment import ServerProcess
from tests.deployment import token as make_token
from tests.frames import DialectName
from tests.services.node import INTEROP, ensure_interop_packages, node_command

PATIENCE_S = 30.0
ANSWER_BYTES_MAX = 64 << 20

Generation = Literal[
    "y-websocket 1.5.4",
    "y-websocket 3.0.0",
    "y-websocket 3.1.0",
    "hocuspocus 2.15.3",
    "hocuspocus 3.4.4",
    "hocuspocus 4.8.0",
]
GENERATIONS: tuple[Generation, ...] = get_args(Generation)
NEWEST: dict[DialectName, Generation] = {"y-websocket": "y-websocket 3.1.0", "hocuspocus": "hocuspocus 4.8.0"}


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
        self,
        name: str,
        server: ServerProcess,
        document: str,
        *,
        generation: Generation = NEWEST["y-websocket"],
        token: str | None = None,
        **how: object,
    ) -> "JavaScriptClient":
        """A client of this name, synced with the document; with ``wait=False`` it may still be on its way.

        More of ``how``: ``awareness=False`` for a client that never shows itself, ``tokenLater=True`` for one whose
        token comes with ``give_token``, ``shared="a"`` for Hocuspocus clients on one socket, ``inherits="ada"`` for
        a copy of that client's document, ``tab=True`` for tabs of one browser, which tell each other what they hear,
        ``protocols=[…]`` for the subprotocols that a y-websocket client offers, ``updates=[…]`` in base64 for what its
        document holds already.
        """
        client = JavaScriptClient(self, name)
        how.update(server=f"ws://127.0.0.1:{server.port}/ws", document=document, token=token or make_token(name))
        await client.ask("open", generation=generation, how=how)
        return client

    async def replay_together(self, names: Sequence[str], trace: Path, *, patience_s: float) -> int:
        """Have each writer of a concurrent trace write through the client of this name; how many edits they made."""
        return int(await self.ask("replay_together", names=names, trace=str(trace), patience_s=patience_s))

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

    async def insert(self, at: int, text: str, *, times: int = 1) -> None:
        """Insert ``text``, each time in an update of its own; positions count UTF-16 units."""
        await self.ask("insert", at=at, text=text, times=times)

    async def remove(self, at: int, length: int) -> None:
        """Delete ``length`` UTF-16 units."""
        await self.ask("remove", at=at, length=length)

    async def replay(self, trace: Path, *, first: int = 0, last: int | None = None, patience_s: float) -> int:
        """Make the edits of a trace, from transaction ``first`` up to ``last``; how many they were."""
        stretch = {"from": first} if last is None else {"from": first, "to": last}
        return int(await self.ask("replay", trace=str(trace), patience_s=patience_s, **stretch))

    async def text(self) -> str:
        """What it shows now."""
        return str(await self.ask("text"))

    async def reads(self, text: str, *, patience_s: float = PATIENCE_S) -> None:
        """Return when it shows exactly this text."""
        await self.ask("reads", sha256=sha256(text.encode()).hexdigest(), patience_s=patience_s)

    async def holds(self, content: str, *, patience_s: float = PATIENCE_S) -> None:
        """Return when its whole document has this hash, as in ``Reading.content``, and nothing in it waits for more."""
        await self.ask("holds", content=content, patience_s=patience_s)

    async def saved(self, *, patience_s: float = PATIENCE_S) -> None:
        """Return when a Hocuspocus client counts nothing as unsaved; of a y-websocket client see ``clients.mjs``."""
        await self.ask("saved", patience_s=patience_s)

    async def denied(self, *, times: int = 1) -> list[str]:
        """Return when a Hocuspocus client was told so often that it may not; what it was told."""
        return list(await self.ask("denied", times=times))

    async def closed(self, *, times: int = 1) -> list[int]:
        """Return when its socket was closed so often; the codes."""
        return list(await self.ask("closed", times=times))

    async def books(self) -> dict[str, Any]:
        """What it has counted: sockets opened, frames, closes, people it missed."""
        return dict(await self.ask("books"))

    async def give_token(self, token: str) -> None:
        """It has a new token, and uses it."""
        await self.ask("give_token", token=token)

    async def break_off(self) -> None:
        """Its network fails for a moment; it comes back by itself."""
        await self.ask("break")

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
