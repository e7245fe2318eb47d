"""Install a peer into the cache, from the versions that are pinned beside this module, and check what came.

The cache is ``bench/.peers``; git ignores it, and deleting it is safe.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.services.node import alone, node_command, npm_command

PINNED = Path(__file__).parent
CACHE = PINNED.parent / ".peers"

_INSTALL_S_MAX = 300


class InstallFailed(Exception):
    """A peer could not be installed, or is not the version that is pinned."""


def node_folder(name: str) -> Path:
    """Install the npm packages of a peer if necessary, and return the folder that holds them and its programs."""
    folder = CACHE / name
    sources = sorted(each for each in (PINNED / name).iterdir() if each.is_file())
    if _is_stale(folder, sources):
        for source in sources:
            shutil.copy(source, folder)
        _run([*npm_command(), "ci", "--legacy-peer-deps", "--no-audit", "--no-fund", "--loglevel=error"], folder)
        _check_node_packages(folder)
        _stamp(folder, sources)
    return folder


def python_folder(name: str) -> Path:
    """Install a peer that is a Python package into a virtual environment of its own, and return its folder."""
    folder = CACHE / name
    sources = sorted(each for each in (PINNED / name).iterdir() if each.is_file())
    if _is_stale(folder, sources):
        for source in sources:
            shutil.copy(source, folder)
        _run([sys.executable, "-m", "venv", "--clear", ".venv"], folder)
        _run([".venv/bin/pip", "install", "--quiet", "--no-deps", "-r", "requirements.txt"], folder)
        _stamp(folder, sources)
    return folder


def node_version() -> str:
    """Return the version of the Node.js that runs the peers."""
    return subprocess.run([*node_command(), "--version"], check=True, capture_output=True, text=True).stdout.strip()


def node_package_version(name: str, package: str) -> str:
    """Return the version of an installed npm package."""
    content = json.loads((CACHE / name / "node_modules" / package / "package.json").read_text())
    return str(content["version"])


def _check_node_packages(folder: Path) -> None:
    """Old versions of npm and Node.js install other versions than those asked for, in silence."""
    if int(node_version().lstrip("v").split(".")[0]) < 22:
        raise InstallFailed(f"The peers need Node.js 22 or newer, and this is {node_version()}.")
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    for package, version in wanted.items():
        found = node_package_version(folder.name, package)
        if found != version:
            raise InstallFailed(f"{package} {version} is pinned, but {found} was installed.")
    copies = [each for each in folder.rglob("yjs/package.json") if each.parent.parent.name == "node_modules"]
    if len(copies) > 1:
        raise InstallFailed(f"More than one Yjs was installed for {folder.name}.")


def _is_stale(folder: Path, sources: list[Path]) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / ".installed"
    return not stamp.exists() or stamp.read_text() != _hash(sources)


def _stamp(folder: Path, sources: list[Path]) -> None:
    (folder / ".installed").write_text(_hash(sources))


def _hash(sources: list[Path]) -> str:
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def _run(command: list[str], folder: Path) -> None:
    with alone(folder):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_S_MAX, check=False)
    if done.returncode:
        raise InstallFailed(f"{folder.name} cannot be installed:\n{(done.stdout + done.stderr)[-2000:]}")
