"""Which small changes of the code does no test notice: a sample of mutants of the room, the documents and the shell.

Run from the top of a checkout: ``make mutants``; ``--number 10`` for a first look. mutmut makes the mutants and picks
for each the tests that reach the changed function; a mutant is tested only with the tests of its own package, the slow
ones left out. All of it happens in a temporary copy. What comes out is the score and a diff of each survivor. A
survivor is a question: a test is missing, or the line is not needed, or the change makes no difference.
"""

import argparse
import json
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

ROOT = Path(__file__).parent.parent
PACKAGES = ("room", "crdt", "serve")
COPIED = ("collab", "tests", "alembic", "alembic.ini", "pyproject.toml")
SLOW = ("tests/serve/test_disconnects.py", "tests/serve/test_large_document.py", "tests/room/test_halves.py")
"""Modules that wait for sockets to time out, or take seconds for each test."""

SETTINGS = """
[tool.mutmut]
source_paths = ["collab/"]
only_mutate = ["collab/{package}/*"]
pytest_add_cli_args = ["--timeout=20", "-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = ["tests/{package}", "-m", "{marks}", {ignored}]
also_copy = ["tests", "alembic", "alembic.ini"]
timeout_multiplier = 2.0
timeout_constant = 2.0
use_git_change_detection = false
"""
MARKS = "not node and not browser and not services and not long and not schedules"
STATUS = {0: "survived", 1: "killed", 3: "killed", 5: "reached by no test", 33: "reached by no test"}
"""By mutmut's exit codes; what is missing here crashed or ran into a time limit, and was noticed by that."""

NONE = "no-such-mutant"

MEMORY_BYTES_MAX = 4 << 30
"""A mutant may loop for ever and keep what it makes."""


def main() -> None:
    """Make the mutants, test a sample of them, print what survived."""
    options = _options()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    with _copies(options.packages) as copies:
        for package in tqdm(copies, desc="mutants", unit="package", leave=False, disable=None):
            _make(copies[package])
        names = {(package, name) for package in copies for name in _results(copies[package])}
        chosen = random.Random(options.seed).sample(sorted(names), min(options.number, len(names)))
        with tqdm(total=len(chosen), unit="mutant", leave=False, disable=None) as bar:
            for package in copies:
                _test(copies[package], [name for where, name in chosen if where == package], options.processes, bar)
        results = [(copies[package], name, _results(copies[package])[name]) for package, name in chosen]
        _report(results, len(names))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.mutants", description=__doc__.split("\n\n")[0])
    parser.add_argument("--number", type=int, default=400, help="mutants tested")
    parser.add_argument("--seed", type=int, default=0, help="which mutants; the same ones for the same code")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--packages", nargs="+", choices=PACKAGES, default=PACKAGES)
    return parser.parse_args()


@contextmanager
def _copies(packages: Iterable[str]) -> Iterator[dict[str, Path]]:
    """Give a copy of the checkout for each package, with mutmut's settings in it."""
    with tempfile.TemporaryDirectory() as directory:
        copies = {package: Path(directory) / package for package in packages}
        for package, copy in copies.items():
            copy.mkdir()
            for name in COPIED:
                source = ROOT / name
                if source.is_dir():
                    shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
                else:
                    shutil.copy(source, copy)
            ignored = ", ".join(f'"--ignore={path}"' for path in SLOW)
            with (copy / "pyproject.toml").open("a") as settings:
                settings.write(SETTINGS.format(package=package, marks=MARKS, ignored=ignored))
        yield copies


def _make(copy: Path) -> None:
    """Make every mutant and find the tests that reach it. mutmut does so before it looks for those to be tested."""
    done = _mutmut(copy, "run", NONE)
    if NONE not in done.stderr:
        sys.exit(f"mutmut failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def _mutmut(copy: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)


def _test(copy: Path, names: list[str], processes: int, bar: "tqdm[None]") -> None:
    """Test the mutants ``names``, and move the bar as mutmut writes down what became of each."""
    if not names:
        return
    began = bar.n
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(processes), *names]
    with (
        (copy / "mutmut.log").open("w+") as log,
        subprocess.Popen(command, cwd=copy, stdout=log, stderr=log) as process,
    ):
        while process.poll() is None:
            time.sleep(1)
            results = _results(copy)
            bar.update(began + sum(results[name] is not None for name in names) - bar.n)
        if process.returncode:
            log.seek(0)
            sys.exit(f"mutmut run failed:\n{log.read()[-3000:]}")
    bar.update(began + len(names) - bar.n)


def _results(copy: Path) -> dict[str, int | None]:
    """Return mutmut's exit code of every mutant; None for one that was not tested."""
    results: dict[str, int | None] = {}
    for path in copy.glob("mutants/**/*.meta"):
        try:
            meta: dict[str, Any] = json.loads(path.read_text())
        except ValueError:
            continue  # it is being written
        results |= meta["exit_code_by_key"]
    return results


def _report(results: list[tuple[Path, str, int | None]], total: int) -> None:
    found = [(copy, name, STATUS.get(-1 if code is None else code, "timed out")) for copy, name, code in results]
    for copy, name, status in found:
        if status == "survived":
            print(_diff(copy, name))
    for _, name, status in found:
        if status == "reached by no test":
            print(f"reached by no test: {name}")
    counts = Counter(status for _, _, status in found)
    tested = len(found) - counts["reached by no test"]
    noticed = counts["killed"] + counts["timed out"]
    print(", ".join(f"{number} {status}" for status, number in counts.most_common()))
    print(f"{noticed} of {tested} tested mutants were noticed ({noticed / max(tested, 1):.0%}); {total} exist")


def _diff(copy: Path, name: str) -> str:
    """Return where a mutant is, and what it changes."""
    diff = [line for line in _mutmut(copy, "show", name).stdout.splitlines() if not line.startswith(("#", "+++", "@@"))]
    path = next(line.split()[1] for line in diff if line.startswith("---"))
    before = next(line[1:] for line in diff if line.startswith("-") and not line.startswith("---"))
    changed = [line for line in diff if line.startswith(("-", "+")) and not line.startswith("---")]
    return "\n".join([f"{path}:{_line(Path(path), name, before)}  {name.rpartition('.')[2]}", *changed, ""])


def _line(path: Path, name: str, text: str) -> int:
    """Return the number of the line ``text`` in the function that a mutant's name tells."""
    lines = (ROOT / path).read_text().splitlines()
    function = re.split("__mutmut_", name.rpartition(".")[2])[0].rpartition("ǁ")[2].removeprefix("x_")
    start = next((number for number, line in enumerate(lines) if re.match(rf"\s*(async )?def {function}\b", line)), 0)
    return next((number for number, line in enumerate(lines[start:], start + 1) if line.strip() == text.strip()), start)


if __name__ == "__main__":
    main()
