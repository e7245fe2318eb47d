"""The servers of a comparison: how each is started, spoken to and stopped.

A server is named on the command line as ``name`` or ``name:VARIABLE=value``, which sets environment variables of its
process: ``collab:COLLAB_BATCH_WINDOW_MS=5``, ``hocuspocus:FLUSH_DELAY_MS=20``.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from urllib.parse import quote

from bench.machine import family, on_server_core
from bench.native.build import program
from bench.peers.install import node_folder, python_folder
from bench.plan import Wire
from collab.store.migrate import upgrade
from tests.deployment import SECRET, token
from tests.frames import DialectName
from tests.services.node import node_command
from tests.services.private import PrivatePostgres, PrivateRedis, free_port

_START_S_MAX = 30
_runs = count(1)


class ServerFailed(Exception):
    """A server did not start, or ended during a run."""


class Backing:
    """The Postgres and the Redis of one comparison: started when first asked for, kept until its end."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> "Backing":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def postgres(self) -> PrivatePostgres:
        """A Postgres that waits for the disk at each commit, with the schema."""
        server = PrivatePostgres(durable=True).start()
        self._stack.callback(server.close)
        asyncio.run(upgrade(server.url()))
        return server

    @cached_property
    def redis(self) -> PrivateRedis:
        """A Redis that keeps nothing on disk."""
        server = PrivateRedis().start()
        self._stack.callback(server.close)
        return server

    def pids(self) -> list[int]:
        """Return the processes of what is running."""
        running = [self.__dict__.get(name) for name in ("postgres", "redis")]
        return [server.process.pid for server in running if server is not None and server.process is not None]


@dataclass(frozen=True)
class Launch:
    """What a kind of server needs to know to start one process."""

    port: int
    backing: Backing
    replicas: int
    state: Path | None
    """A file with a document, for a server that has none of its own."""


@dataclass(frozen=True)
class Command:
    """A process to start."""

    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    directory: Path | None = None


def _plain_path(document: str, _user: str) -> str:
    return "/" + quote(document)


def _no_token(_user: str) -> str:
    return "none"


def _collab_path(document: str, user: str) -> str:
    return f"/ws/{quote(document)}?token={token(user)}"


@dataclass(frozen=True)
class Kind:
    """A kind of server."""

    name: str
    title: str
    dialect: DialectName
    command: Callable[[Launch], Command]
    path: Callable[[str, str], str] = _plain_path
    token: Callable[[str], str] = _no_token
    has_documents: bool = True
    """False if it only passes messages on, so that a newcomer finds nothing."""
    environment: dict[str, str] = field(default_factory=dict)
    joins_at_a_time: int = 10_000


def _collab(launch: Launch) -> Command:
    environment = {
        "COLLAB_PORT": str(launch.port),
        "COLLAB_SECRET": SECRET,
        "COLLAB_DATABASE_URL": launch.backing.postgres.url(),
    }
    if launch.replicas > 1:
        environment["COLLAB_REDIS_URL"] = launch.backing.redis.url
    return Command([sys.executable, "-m", "collab", "serve"], environment)


def _hocuspocus(launch: Launch) -> Command:
    folder = node_folder("hocuspocus")
    environment = {"PORT": str(launch.port), "NODE_ENV": "production"}
    if launch.replicas > 1:
        environment["REDIS_PORT"] = str(launch.backing.redis.port)
    return Command([*node_command(), "server.mjs"], environment, folder)


def _y_websocket(launch: Launch) -> Command:
    folder = node_folder("y-websocket")
    environment = {"PORT": str(launch.port), "HOST": "127.0.0.1", "NODE_ENV": "production"}
    return Command([*node_command(), "node_modules/@y/websocket-server/src/server.js"], environment, folder)


def _broadcast(launch: Launch) -> Command:
    environment = {"PORT": str(launch.port), "NODE_ENV": "production"}
    return Command([*node_command(), "broadcast.mjs"], environment, node_folder("hocuspocus"))


def _pycrdt(launch: Launch) -> Command:
    folder = python_folder("pycrdt")
    return Command([str(folder / ".venv/bin/python"), "server.py"], {"PORT": str(launch.port)}, folder)


def _floor(launch: Launch) -> Command:
    state = [str(launch.state)] if launch.state else []
    return Command([program("floor"), str(launch.port), *state])


_NO_WINDOW = {"COLLAB_BATCH_WINDOW_MS": "0", "COLLAB_BATCH_WINDOW_LARGE_MS": "0"}

KINDS = {
    kind.name: kind
    for kind in (
        Kind("collab", "collab", "y-websocket", _collab, _collab_path),
        Kind("collab-unbatched", "collab, no window", "y-websocket", _collab, _collab_path, environment=_NO_WINDOW),
        Kind("collab-hocuspocus", "collab, Hocuspocus clients", "hocuspocus", _collab, lambda *_: "/ws", token),
        Kind("hocuspocus", "Hocuspocus", "hocuspocus", _hocuspocus, lambda *_: "/"),
        Kind("y-websocket", "y-websocket-server", "y-websocket", _y_websocket),
        # Its joins go one by one: it breaks when several clients open a new room at once.
        Kind("pycrdt", "pycrdt-websocket", "y-websocket", _pycrdt, joins_at_a_time=1),
        Kind("broadcast", "ws broadcast", "y-websocket", _broadcast, has_documents=False),
        Kind("floor", "C floor", "y-websocket", _floor, has_documents=False),
    )
}


def parse_server(text: str) -> Kind:
    """Return the kind that ``name`` or ``name:VARIABLE=value:...`` means. Raises ValueError if there is none."""
    name, *variables = text.split(":")
    if name not in KINDS:
        raise ValueError(f"There is no server {name!r}; there are {', '.join(KINDS)}.")
    kind = KINDS[name]
    if not variables:
        return kind
    extra = dict(variable.split("=", 1) for variable in variables)
    return replace(
        kind,
        name=text,
        title=f"{kind.title}, {', '.join(variables)}",
        environment={**kind.environment, **extra},
    )


class Server:
    """The running processes of one kind of server: one for each replica."""

    def __init__(
        self, kind: Kind, processes: "list[subprocess.Popen[bytes]]", ports: list[int], log: Path, prefix: str
    ) -> None:
        self.kind = kind
        self.wire = Wire(kind.dialect, tuple(ports), kind.path, kind.token, prefix)
        self._processes = processes
        self._log = log

    @property
    def pids(self) -> list[int]:
        """Every process that works for this server."""
        return [pid for process in self._processes for pid in family(process.pid)]

    @property
    def log(self) -> str:
        """The end of what it has printed."""
        return self._log.read_text(errors="replace")[-1500:]

    def check_alive(self) -> None:
        """Raise ServerFailed if a process has ended."""
        for process in self._processes:
            if process.poll() is not None:
                raise ServerFailed(f"{self.kind.name} ended with {process.returncode}:\n{self.log}")


@contextmanager
def running(
    kind: Kind, backing: Backing, *, replicas: int = 1, state: Path | None = None, prefix: str = ""
) -> Iterator[Server]:
    """Run a server on its core for as long as the context lasts.

    ``prefix`` stands before the names of its documents; two servers with the same one share what Postgres has of them.
    """
    ports = [free_port() for _ in range(replicas)]
    launches = [Launch(port, backing, replicas, state) for port in ports]
    commands = [kind.command(launch) for launch in launches]
    with tempfile.TemporaryDirectory(prefix="collab-bench-") as directory, ExitStack() as stack:
        log = Path(directory) / "log"
        processes = []
        for command in commands:
            process = _start(kind, command, Path(directory), log)
            stack.callback(_stop, process)
            processes.append(process)
        server = Server(kind, processes, ports, log, prefix or f"run-{next(_runs)}-")
        for port in ports:
            _wait_for(server, port)
        yield server


def _start(kind: Kind, command: Command, directory: Path, log: Path) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "COLLAB_DATA_DIR": str(directory), **command.environment, **kind.environment}
    with log.open("ab") as into, on_server_core():
        return subprocess.Popen(
            command.arguments,
            cwd=command.directory,
            env=environment,
            stdout=into,
            stderr=into,
            stdin=subprocess.DEVNULL,
        )


def _wait_for(server: Server, port: int) -> None:
    deadline = time.monotonic() + _START_S_MAX
    while time.monotonic() < deadline:
        server.check_alive()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            time.sleep(0.3)  # it has just started: let it come to rest
            return
        time.sleep(0.02)
    raise ServerFailed(f"{server.kind.name} does not answer:\n{server.log}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process: nothing that it knows is wanted, and some peers wait long for clients that have left."""
    process.kill()
    process.wait()
