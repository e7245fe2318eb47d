"""The self-made secret: created once, readable by its owner only, and never used when damaged."""

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collab.errors import InvalidRequest
from collab.secret_file import read_or_create


def refusal(path: Path) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_or_create(path)
    return str(caught.value)


def test_secret_is_created_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "data" / "secret"
    key = read_or_create(path)
    assert read_or_create(path) == key
    assert re.fullmatch(rb"[0-9a-f]{64}", key.secret)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert read_or_create(tmp_path / "secret") != key


def test_servers_that_start_at_once_agree_on_the_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(read_or_create, [tmp_path / "data" / "secret"] * 32))
    assert len(keys) == 1


def test_secret_that_other_users_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    read_or_create(path)
    path.chmod(0o640)
    assert f"run `chmod 600 {path}`" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 64])
def test_damaged_secret_is_refused_and_left_in_place(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    assert refusal(path).startswith(f"The secret file {path} is damaged. ")
    assert path.read_bytes() == content


def test_directory_that_cannot_be_created_is_reported_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refusal(tmp_path / "file" / "secret")
    assert "(File exists): set COLLAB_DATA_DIR to a writable directory" in said
