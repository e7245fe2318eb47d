"""The list of settings: complete, in words, without secrets, and the same in the documents."""

import re
from pathlib import Path

import pytest

from collab import secret_file, setting_list
from collab.setting_list import GROUPS, columns, effective
from collab.settings import Settings, load_settings

GUIDE = Path(__file__).parents[1] / "docs" / "settings.md"
SECRET = "0123456789abcdef0123456789abcdef"

pytestmark = pytest.mark.usefixtures("clean_environment")


def listed(name: str) -> tuple[object, str]:
    (found,) = [each for each in effective(load_settings()) if each.variable == name]
    return found.value, found.source


def test_document_is_the_one_that_is_generated() -> None:
    said = "run `.venv/bin/python -m collab.setting_list > docs/settings.md`"
    assert GUIDE.read_text() == setting_list.document(), said


def test_every_setting_is_in_one_group() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert sorted(names) == sorted(Settings.model_fields)


def test_every_row_of_the_document_says_what_the_setting_means() -> None:
    rows = re.findall(r"^\| (`COLLAB_.*) \|$", GUIDE.read_text(), re.MULTILINE)
    assert len(rows) == len(Settings.model_fields)
    for row in rows:
        name, default, unit, _, meaning = row.split(" | ")
        assert default
        assert meaning.endswith(".")
        assert unit == setting_list.unit(name.strip("`").removeprefix("COLLAB_").lower())


def test_unit_is_that_of_the_name() -> None:
    units = {
        name: setting_list.unit(name) for name in ("port", "ping_s", "lag_s_max", "work_stretch_ms", "held_bytes_max")
    }
    assert list(units.values()) == ["", "seconds", "seconds", "milliseconds", "bytes"]


def test_source_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAB_PORT", "9000")
    assert listed("COLLAB_PORT") == (9000, "environment")
    assert listed("COLLAB_PING_S") == (20.0, "default")
    assert listed("COLLAB_REDIS_URL") == (None, "default")
    assert listed("COLLAB_TOKEN_AUDIENCE") == ("collab", "default")


def test_secret_file_is_a_source(tmp_path: Path) -> None:
    assert listed("COLLAB_SECRET") == (None, "default")
    secret_file.read_or_create(load_settings().secret_path)
    assert listed("COLLAB_SECRET") == (f"(self-made, in {tmp_path}/collab-data/secret)", "file")


def test_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLAB_SECRET", SECRET)
    monkeypatch.setenv("COLLAB_METRICS_TOKEN", SECRET)
    monkeypatch.setenv("COLLAB_DATABASE_URL", f"postgresql://ada:{SECRET}@db/collab")
    monkeypatch.setenv("COLLAB_REDIS_URL", f"redis://:{SECRET}@redis/0")
    shown = list(effective(load_settings()))
    assert listed("COLLAB_SECRET") == ("***", "environment")
    assert SECRET not in repr(shown) + "".join(columns(shown))


def test_columns_have_a_line_for_each_setting_and_group() -> None:
    lines = list(columns(list(effective(load_settings()))))
    assert len(lines) == len(Settings.model_fields) + len(GROUPS)
    assert lines[1].split() == ["COLLAB_HOST", "127.0.0.1", "default"]
