"""Compile the programs in C beside this module, into the cache."""

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parent
CACHE = SOURCES.parent / ".peers"
FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror")


class CompilerMissing(Exception):
    """There is no C compiler, or it refused the sources."""


@cache
def program(name: str) -> str:
    """Return the path of a compiled program; compile it if its source is newer than that."""
    source = SOURCES / f"{name}.c"
    built = CACHE / f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    if not built.exists():
        CACHE.mkdir(exist_ok=True)
        _compile(source, built)
    return str(built)


def _compile(source: Path, built: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise CompilerMissing("No C compiler here: install gcc.")
    partial = built.with_suffix(".partial")
    command = [compiler, *FLAGS, "-o", str(partial), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompilerMissing(f"{source.name} does not compile:\n{done.stderr}")
    partial.rename(built)
