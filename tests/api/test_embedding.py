"""The example in the documents runs."""

import re
from pathlib import Path
from typing import Any

import pytest

EMBEDDING = Path(__file__).parents[2] / "docs" / "embedding.md"


def test_example_of_the_documents_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", EMBEDDING.read_text(), re.DOTALL)
    parts: dict[str, Any] = {}
    exec(compile(example, EMBEDDING.name, "exec"), parts)
    parts["test_typed_text_is_saved"]()
    assert list(tmp_path.iterdir()) == []
