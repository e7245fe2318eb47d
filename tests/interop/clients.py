"""Real JavaScript clients in one Node.js process, controlled by a test. ``clients.mjs`` is the other side."""

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
    """The Node.js process, used as ``async with JavaScriptClients() as clients``. ``open`` adds a client to it."""

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
        """Open a client, and return it once it is synced; with ``wait=False`` return it at once.

        Other options: ``awareness=False`` for a client without presence, ``tokenLater=True`` if the token comes with
        ``give_token``, ``shared="a"`` for Hocuspocus clients on one socket, ``inherits="ada"`` for a copy of that
        client's document, ``tab=True`` for tabs of one browser, which exchange their messages, ``protocols=[…]`` for
        the subprotocols that a y-websocket client offers, ``param="auth"`` for another name of the query parameter with
        its token, ``updates=[…]`` for the updates in its document (base64).
        """
        client = JavaScriptClient(self, name)
        how.update(server=f"ws://127.0.0.1:{server.port}/ws", document=document, token=token or make_token(name))
        await client.ask("open", generation=generation, how=how)
        return client

    async def replay_together(self, names: Sequence[str], trace: Path, *, patience_s: float) -> int:
        """Replay a concurrent trace, with one client for each of its writers. Return the number of edits."""
        return int(await self.ask("replay_together", names=names, trace=str(trace), patience_s=patience_s))

    async def ask(self, request: str, *, patience_s: float = PATIENCE_S, **details: object) -> Any:
        """Send one request, and return its answer. Raises AssertionError if it fails or times out."""
        assert self._process.stdin is not None
        id_ = next(self._ids)
        future = self._answers[id_] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": id_, "do": request, **details}).encode() + b"\n")
        try:
            async with asyncio.timeout(patience_s):
                return await future
        except TimeoutError:
            raise AssertionError(f"{request} {details} got no answer in {patience_s} s") from None

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
    """One client in the Node.js process."""

    def __init__(self, clients: JavaScriptClients, name: str) -> None:
        self._clients = clients
        self.name = name

    async def ask(self, request: str, *, patience_s: float = PATIENCE_S, **details: object) -> Any:
        """Send a request of ``clients.mjs`` for this client."""
        return await self._clients.ask(request, patience_s=patience_s, client=self.name, **details)

    async def insert(self, at: int, text: str, *, times: int = 1) -> None:
        """Insert ``text``, each time in an update of its own. Positions count UTF-16 code units."""
        await self.ask("insert", at=at, text=text, times=times)

    async def remove(self, at: int, length: int) -> None:
        """Delete ``length`` UTF-16 code units."""
        await self.ask("remove", at=at, length=length)

    async def replay(self, trace: Path, *, first: int = 0, last: int | None = None, patience_s: float) -> int:
        """Replay a trace from transaction ``first`` up to ``last``. Return the number of edits."""
        stretch = {"from": first} if last is None else {"from": first, "to": last}
        return int(await self.ask("replay", trace=str(trace), patience_s=patience_s, **stretch))

    async def text(self) -> str:
        """Return the text that it shows now."""
        return str(await self.ask("text"))

    async def reads(self, text: str, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until it shows exactly this text."""
        await self.ask("reads", sha256=sha256(text.encode()).hexdigest(), patience_s=patience_s)

    async def holds(self, content: str, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until its content has this hash, as in ``Reading.content``, and no struct in it is pending."""
        await self.ask("holds", content=content, patience_s=patience_s)

    async def saved(self, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until all edits are saved. A y-websocket client needs ``updates`` for that; see ``clients.mjs``."""
        await self.ask("saved", patience_s=patience_s)

    async def denied(self, *, times: int = 1) -> list[str]:
        """Wait until a Hocuspocus client was denied this many times, and return the reasons."""
        return list(await self.ask("denied", times=times))

    async def closed(self, *, times: int = 1) -> list[int]:
        """Wait until its socket was closed this many times, and return the close codes."""
        return list(await self.ask("closed", times=times))

    async def books(self) -> dict[str, Any]:
        """Return its counters: opened sockets, frames, close codes, clients whose presence went away."""
        return dict(await self.ask("books"))

    async def give_token(self, token: str) -> None:
        """Give it a new token, which it uses at once."""
        await self.ask("give_token", token=token)

    async def break_off(self) -> None:
        """Break its connection; it reconnects by itself."""
        await self.ask("break")

    async def present(self, **user: str) -> None:
        """Set its presence."""
        await self.ask("present", state=user)

    async def sees(self, *names: str) -> None:
        """Wait until it sees the presence of exactly these other users."""
        await self.ask("sees", names=list(names))

    async def disconnect(self) -> None:
        """Disconnect. It can still be edited."""
        await self.ask("disconnect")

    async def connect(self) -> None:
        """Connect again."""
        await self.ask("connect")

    async def close(self) -> None:
        """Destroy the client."""
        await self.ask("close")
