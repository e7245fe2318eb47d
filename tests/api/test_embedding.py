"""The examples in the documents run."""

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, TokenVerifier
from collab.settings import PREFIX, Settings, load_settings
from tests.deployment import SECRET

EMBEDDING = Path(__file__).parents[2] / "docs" / "embedding.md"


def example(function: str) -> Any:
    """Return a function of the documents, after running the block that defines it."""
    (block,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", EMBEDDING.read_text(), re.DOTALL)
        if f"def {function}(" in block
    ]
    names: dict[str, Any] = {}
    exec(compile(block, EMBEDDING.name, "exec"), names)
    return names[function]


def test_example_of_the_documents_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    example("test_typed_text_is_saved")()
    assert list(tmp_path.iterdir()) == []


def test_token_of_the_documents_is_accepted() -> None:
    token = example("collab_token")(SECRET, "ada", "Ada")
    principal = TokenVerifier(SharedSecret(SECRET.encode())).verify(token, time.time())
    assert (principal.user, principal.name, principal.grants) == ("ada", "Ada", {"notes/*": Role.EDITOR})


def test_settings_of_the_documents_are_accepted(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", EMBEDDING.read_text(), re.DOTALL)
    for line in block.splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)
    assert load_settings().claim_names.document == "room_name"


@pytest.mark.parametrize("path", [EMBEDDING, EMBEDDING.parents[1] / "README.md"], ids=lambda path: path.name)
def test_settings_that_the_documents_name_exist(path: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}\w+", path.read_text()))
    assert named
    assert named <= {PREFIX + name.upper() for name in Settings.model_fields}


def test_commands_of_the_readme_run(tmp_path: Path) -> None:
    commands = re.findall(
        r"^    \.venv/bin/(collab .+)$", (EMBEDDING.parents[1] / "README.md").read_text(), re.MULTILINE
    )
    assert commands
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)],
            cwd=tmp_path,
            env={**os.environ, "COLLAB_SECRET": SECRET},
            check=True,
            capture_output=True,
            timeout=60,
        )
        assert done.stdout.startswith(b"eyJ")
