"""``make check``: format, lint, import contracts, types and the pure tests, two at a time."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BIN = Path(sys.executable).parent
CODE = [part for part in ("collab", "tests", "bench", "alembic") if any(Path(part).rglob("*.py"))]
STEPS: dict[str, list[str | Path]] = {
    "format": [BIN / "ruff", "format", "--check", "--quiet", *CODE],
    "lint": [BIN / "ruff", "check", "--quiet", *CODE],
    "imports": [BIN / "lint-imports"],
    "types": [BIN / "mypy", "collab", "tests"],
    "pure tests": [
        *(sys.executable, "-m", "pytest", "-q", "-x", "--no-header"),
        *(
            "tests/access",
            "tests/protocol",
            "tests/crdt",
            "tests/room",
            "-m",
            "not node and not long and not schedules",
        ),
    ],
}


def run(step: str) -> tuple[str, float, subprocess.CompletedProcess[str]]:
    """Run one step. Return it with its duration in seconds and its result."""
    began = time.monotonic()
    done = subprocess.run(STEPS[step], capture_output=True, text=True, check=False)
    return step, time.monotonic() - began, done


def main() -> int:
    """Run every step, and print the whole output of each one that failed."""
    failed = 0
    with ThreadPoolExecutor(2) as pool:
        for step, seconds, done in pool.map(run, STEPS):
            print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {step} ({seconds:.1f} s)", flush=True)
            if done.returncode:
                failed += 1
                print(done.stdout + done.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
