"""`collab documents`, beside a running server and without one."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, sign
from collab.ids import DocumentName
from collab.store.sql import SqlStore
from tests.test_cli import collab, first_line, sentence, serving

SECRET = "a secret of at least thirty-two bytes"


@pytest.fixture(params=["no server", "server", pytest.param("postgres", marks=pytest.mark.services)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The settings of a database: without a server, with one that has the SQLite file open, or on Postgres."""
    given = {"COLLAB_SECRET": SECRET}
    if request.param == "postgres":
        yield given | {"COLLAB_DATABASE_URL": request.getfixturevalue("postgres_url")}
    elif request.param == "no server":
        assert collab(tmp_path, "migrate", **given).returncode == 0
        yield given
    else:
        with serving(tmp_path, COLLAB_SECRET=SECRET) as process:
            port = first_line(process).rstrip().rpartition(":")[2]
            yield given | {"COLLAB_PORT": port}


def run(directory: Path, command: str, settings: dict[str, str]) -> str:
    done = collab(directory, "documents", *command.split(), **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(directory: Path, options: str, settings: dict[str, str]) -> list[str]:
    entries: list[Any] = json.loads(run(directory, f"list --json {options}", settings))
    return [entry["name"] for entry in entries]


def test_documents_are_listed_deleted_restored_and_purged(
    tmp_path: Path, settings: dict[str, str], create: Any
) -> None:
    create("notes/1", "Minutes")
    create("notes/2", "")
    create("plan", "Plan")
    assert names(tmp_path, "", settings) == ["notes/1", "notes/2", "plan"]
    assert names(tmp_path, "--sort updated --limit 1", settings) == ["plan"]
    assert names(tmp_path, "--search MINUTES", settings) == ["notes/1"]
    listed = collab(tmp_path, "documents", "list", "--prefix", "notes/", "--limit", "1", **settings)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d  notes/1  \(Minutes\)\n", listed.stdout)
    assert "There are more" in listed.stderr
    assert "title    Minutes\n" in run(tmp_path, "show notes/1", settings)

    said = run(tmp_path, "delete notes/1", settings)
    assert said == "notes/1 is in the bin for 30 days. To restore it: collab documents restore notes/1\n"
    assert names(tmp_path, "--bin", settings) == ["notes/1"]
    refused = sentence(collab(tmp_path, "documents", "show", "notes/1", **settings))
    assert refused == "collab: The document is in the bin. To take it out: collab documents restore <name>"
    assert run(tmp_path, "restore notes/1", settings) == "notes/1 is back.\n"

    shown = run(tmp_path, "members notes/2 --add bob=owner --add eve=viewer", settings)
    assert shown.endswith("owner      bob\nviewer     eve\n")  # behind the creator, if there is one
    members = json.loads(run(tmp_path, "members notes/2 --remove eve --json", settings))
    roles = {each["user"]: each["role"] for each in members}
    assert roles["bob"] == "owner"
    assert "eve" not in roles
    link = json.loads(run(tmp_path, "link notes/2 --role editor --days 7 --json", settings))
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/d/notes/2#token=cl_[\w-]+", link["url"])
    assert run(tmp_path, f"link notes/2 --revoke {link['id']}", settings).startswith("The link is revoked.")

    unsure = collab(tmp_path, "documents", "purge", "plan", **settings)
    assert (unsure.returncode, "--yes" in unsure.stderr) == (2, True)
    assert json.loads(run(tmp_path, "purge plan --yes --json", settings)) == {"name": "plan"}
    assert names(tmp_path, "", settings) == ["notes/1", "notes/2"]
    gone = sentence(collab(tmp_path, "documents", "restore", "plan", **settings))
    assert gone == "collab: There is no such document. To see which there are: collab documents list"


@pytest.fixture
def create(tmp_path: Path, settings: dict[str, str]) -> Any:
    """Create documents in the database or, beside a server, over REST."""

    def over_rest(name: str, title: str) -> None:
        token = sign(
            SharedSecret(SECRET.encode()),
            user="ada",
            name="Ada",
            grants={"**": Role.OWNER},
            now_s=time.time(),
            ttl_s=60,
            audience="collab",
        )
        url = f"http://127.0.0.1:{settings['COLLAB_PORT']}/api/v1/documents"
        body = {"name": name, "title": title}
        assert httpx2.post(url, json=body, headers={"Authorization": f"Bearer {token}"}).status_code == 201

    async def store(name: str, title: str) -> None:
        url = settings.get("COLLAB_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/collab-data/collab.sqlite3")
        store = SqlStore(url)
        await store.open()
        await store.create(DocumentName(name), title)
        await store.close()

    return over_rest if "COLLAB_PORT" in settings else lambda name, title: asyncio.run(store(name, title))


@pytest.mark.parametrize(
    ("command", "example"),
    [
        ("", "collab documents list --sort updated"),
        ("list", "collab documents list --search minutes --prefix team/"),
        ("show", "collab documents show notes/42"),
        ("delete", "collab documents delete notes/42"),
        ("restore", "collab documents restore notes/42"),
        ("purge", "collab documents purge notes/42 --yes"),
        ("members", "collab documents members notes/42 --add bob=editor --remove eve"),
        ("link", "collab documents link notes/42 --role editor --days 7"),
    ],
)
def test_help_teaches_with_examples(tmp_path: Path, command: str, example: str) -> None:
    done = collab(tmp_path, "documents", *command.split(), "--help")
    assert done.returncode == 0
    assert example in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_server_that_does_not_answer_is_reported_with_the_next_step(tmp_path: Path) -> None:
    done = collab(tmp_path, "documents", "list", "--url", "http://127.0.0.1:9", COLLAB_SECRET=SECRET)
    assert "--url" in sentence(done)
    wrong = collab(tmp_path, "documents", "list", "--url", "localhost:8000", COLLAB_SECRET=SECRET)
    assert "http://127.0.0.1:8000" in sentence(wrong)


@pytest.mark.parametrize("command", ["members x --add bob", "members x --add bob=king", "link x --role owner"])
def test_wrong_role_is_exit_code_2(tmp_path: Path, command: str) -> None:
    done = collab(tmp_path, "documents", *command.split(), COLLAB_SECRET=SECRET)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_server_with_another_secret_is_reported_with_the_next_step(tmp_path: Path) -> None:
    with serving(tmp_path, COLLAB_SECRET=SECRET) as process:
        port = first_line(process).rstrip().rpartition(":")[2]
        done = collab(tmp_path, "documents", "list", COLLAB_SECRET="x" * 32, COLLAB_PORT=port)
        assert "COLLAB_SECRET or COLLAB_DATA_DIR" in sentence(done)


def test_database_that_is_not_here_is_reported_with_the_next_step(tmp_path: Path) -> None:
    said = sentence(collab(tmp_path, "documents", "list", COLLAB_SECRET=SECRET))
    assert "COLLAB_DATA_DIR or COLLAB_DATABASE_URL" in said
    assert list(tmp_path.iterdir()) == []
