"""Real servers for the tests: ``collab serve`` in a process of its own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, sign
from tests.services.private import free_port

SECRET = "a secret that only the tests of this project use"


def token(user: str, grants: dict[str, Role] | None = None, *, ttl_s: float = 3600) -> str:
    """Return a token of ``user``, by default for an hour and for an editor of every document."""
    return sign(
        SharedSecret(SECRET.encode()),
        user=user,
        name=user.title(),
        grants=grants or {"**": Role.EDITOR},
        now_s=time.time(),
        ttl_s=ttl_s,
    )


class ServerProcess:
    """``collab serve`` on a port of its own. It may be killed and started again on the same data."""

    def __init__(
        self,
        directory: Path,
        *,
        environment: dict[str, str] | None = None,
        program: str = "collab",
        port: int | None = None,
    ) -> None:
        self.port = port or free_port()
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

    @property
    def connections(self) -> list[str]:
        """The established TCP connections of the server process; empty on systems without ``/proc``."""
        assert self.process is not None
        descriptors = Path(f"/proc/{self.process.pid}/fd")
        if not descriptors.exists():
            return []
        held = set()
        for descriptor in descriptors.iterdir():
            with suppress(OSError):  # closed in the meantime
                held.add(descriptor.readlink().name)
        rows = [row.split() for row in Path(f"/proc/{self.process.pid}/net/tcp").read_text().splitlines()[1:]]
        return [row[9] for row in rows if row[3] == "01" and f"socket:[{row[9]}]" in held]

    async def start(self, deadline_s: float = 30.0) -> Self:
        """Start the process, and return once it accepts connections."""
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
        """Send SIGKILL, and wait for the end."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM, and return the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def url(self, document: str, user: str) -> str:
        """Return the URL for a y-websocket client."""
        return f"ws://127.0.0.1:{self.port}/ws/{document}?token={token(user)}"

    @property
    def hocuspocus_url(self) -> str:
        """The URL for a Hocuspocus provider."""
        return f"ws://127.0.0.1:{self.port}/ws"
