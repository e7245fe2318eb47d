"""The committed editor is the build of its sources, and the sources pass their own checks.

The build is committed so that a fresh clone and the wheel need no Node.js.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.services.node import ensure_packages, node_command

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"
STATIC = ROOT / "collab" / "api" / "static"
TOOL_S_MAX = 100

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def modules() -> Path:
    """The installed packages of ``web/``."""
    return ensure_packages(WEB)


def run(modules: Path, *command: str, **environment: str) -> None:
    """Run a tool from the packages of ``web/``; ``command`` begins with its path in ``node_modules``."""
    tool, *arguments = command
    done = subprocess.run(
        [*node_command(), str(modules / tool), *arguments],
        cwd=WEB,
        env={**os.environ, **environment, "NO_COLOR": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=TOOL_S_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_committed_bundle_is_the_build_of_its_sources(modules: Path, tmp_path: Path) -> None:
    for mode in ("production", "element"):
        run(modules, "vite/bin/vite.js", "build", "--mode", mode, COLLAB_STATIC_DIR=str(tmp_path))
    built, committed = files(tmp_path), files(STATIC)
    assert built.keys() == committed.keys(), "run `make web` and commit collab/api/static"
    changed = [name for name in built if built[name] != committed[name]]
    assert not changed, "run `make web` and commit collab/api/static"


def test_web_sources_pass_lint_format_and_types(modules: Path) -> None:
    run(modules, "@biomejs/biome/bin/biome", "ci", "--error-on-warnings", ".")
    run(modules, "typescript/bin/tsc", "-p", ".")


def test_web_unit_tests_pass(modules: Path) -> None:
    run(modules, "vitest/vitest.mjs", "run")


def test_lock_names_no_registry() -> None:
    for lock in ROOT.glob("*/package-lock.json"):
        assert '"resolved"' not in lock.read_text(), lock
