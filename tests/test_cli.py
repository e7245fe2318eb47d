"""The command line as people, shells and orchestrators use it: real processes, their output and exit codes."""

import asyncio
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pycrdt
import pytest
from websockets.exceptions import ConnectionClosed

from collab.access.roles import Role
from collab.access.tokens import SharedSecret, TokenVerifier
from collab.cli import main
from collab.crdt.stored import load_document
from collab.ids import DocumentName
from collab.store.sql import SqlStore
from tests.deployment import SECRET, ServerProcess, token
from tests.frames import DialectName
from tests.socket_client import SocketClient, connect_client
from tests.waiting import eventually

COLLAB = [sys.executable, "-m", "collab"]
BARE = {name: value for name, value in os.environ.items() if not name.startswith("COLLAB_")}


def collab(directory: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command in `directory` with only these settings, and wait until it exits."""
    return subprocess.run(
        [*COLLAB, *arguments],
        cwd=directory,
        env=BARE | settings,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@contextmanager
def serving(
    directory: Path, *arguments: str, stdout: int = subprocess.PIPE, stderr: int | None = None, **settings: str
) -> Iterator["subprocess.Popen[str]"]:
    """Run `collab serve` on a free port until the end of the block."""
    with (directory / "stderr").open("ab") as log:
        process = subprocess.Popen(
            [*COLLAB, "serve", "--port", "0", *arguments],
            cwd=directory,
            env=BARE | {"PYTHONUNBUFFERED": "1"} | settings,
            stdout=stdout,
            stderr=log if stderr is None else stderr,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """Return the single line that reports an expected error."""
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith("collab: ")
    return line


# --- help and wrong usage ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "example"),
    [
        ([], "collab token --sub robot --grant 'notes/*=editor'"),
        (["serve"], "collab serve --host 0.0.0.0 --port 9000 --migrate"),
        (["token"], "collab token --sub alice --name Alice --grant 'notes/*=editor'"),
        ([], "`collab settings` lists all of them"),
        (["settings"], "COLLAB_PORT=9000 collab settings --json"),
        (["documents"], "collab documents list --sort updated"),
        (["link"], "collab link --sub ada --name Ada"),
        (["migrate"], "COLLAB_DATABASE_URL=postgresql://me@localhost/collab collab migrate"),
    ],
)
def test_help_teaches_with_examples(tmp_path: Path, command: list[str], example: str) -> None:
    done = collab(tmp_path, *command, "--help")
    assert done.returncode == 0
    assert example in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("serv", "Did you mean 'serve'?"),
        ("serve --port http", "--port"),
        ("serve --port 65536", "--port"),
        ("token --grant a=editor", "--sub"),
        ("token --sub= --grant a=editor", "Invalid value for --sub: a token needs a user, such as --sub alice."),
        ("token --sub a", "--grant"),
        ("token --sub a --grant notes", "'notes' is not a grant; a grant looks like 'notes/*=editor'."),
        ("token --sub a --grant =editor", "is not a grant"),
        ("token --sub a --grant a=king", "A role is one of viewer, commenter, editor, owner."),
        ("token --sub a --grant a//b=editor", "A grant has an invalid pattern."),
        ("token --sub a --grant a=editor --ttl 0", "the lifetime must be more than 0 seconds."),
        ("token --sub a --grant a=editor --ttl -1", "the lifetime must be more than 0 seconds."),
        ("token --sub a --grant a=editor --ttl nan", "the lifetime must be more than 0 seconds."),
        ("token --sub a --grant a=editor --ttl 1e300", "'exp'"),
    ],
)
def test_unusable_command_is_exit_code_2_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, words: str
) -> None:
    monkeypatch.setenv("COLLAB_SECRET", SECRET)
    monkeypatch.setattr(sys, "argv", ["collab", *command.split()])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    assert end.value.code == 2
    assert said.out == ""
    assert words in said.err.splitlines()[-1]


def test_wrong_setting_is_exit_code_1_and_a_sentence(tmp_path: Path) -> None:
    done = collab(tmp_path, "serve", COLLAB_KEEPALIVE_S="60")
    assert done.returncode == 1
    assert "COLLAB_KEEPALIVE_S" in sentence(done)


# --- token ---------------------------------------------------------------------------------------------


def test_token_prints_a_token_and_nothing_else(tmp_path: Path) -> None:
    command = ["token", "--sub", "alice", "--name", "Alice", "--grant", "notes/*=editor", "--grant", "**=viewer"]
    done = collab(tmp_path, *command, "--ttl", "60", COLLAB_SECRET=SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    principal = TokenVerifier(SharedSecret(SECRET.encode())).verify(done.stdout.strip(), time.time())
    assert (principal.user, principal.name) == ("alice", "Alice")
    assert principal.grants == {"notes/*": Role.EDITOR, "**": Role.VIEWER}
    assert done.stdout.count("\n") == 1


def test_link_signs_a_person_in_and_can_be_renewed(tmp_path: Path) -> None:
    done = collab(
        tmp_path, "link", "--sub", "ada", "--name", "Ada", "--url", "https://docs.example.com/", COLLAB_SECRET=SECRET
    )
    found = re.fullmatch(r"https://docs\.example\.com/#token=(\S+)\n", done.stdout)
    assert found, done.stderr
    principal = TokenVerifier(SharedSecret(SECRET.encode())).verify(found[1], time.time())
    assert (principal.user, principal.name, principal.grants) == ("ada", "Ada", {"**": Role.OWNER})
    assert principal.signed_in_at is not None


def test_token_of_a_new_secret_comes_with_a_note(tmp_path: Path) -> None:
    done = collab(tmp_path, "token", "--sub", "alice", "--grant", "**=editor")
    assert f"{tmp_path}/collab-data/secret" in done.stderr
    again = collab(tmp_path, "token", "--sub", "alice", "--grant", "**=editor")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith("eyJ")


def test_token_that_the_server_would_refuse_is_not_printed(tmp_path: Path) -> None:
    command = ["token", "--sub", "ada", "--grant", "**=owner"]
    keys = {"COLLAB_TOKEN_JWKS_URL": "https://id.example/keys"}
    done = collab(tmp_path, *command, COLLAB_SECRET=SECRET, **keys)
    assert (done.returncode, done.stdout) == (1, "")
    assert "COLLAB_TOKEN_SECRET_COUNTS=1" in done.stderr
    assert collab(tmp_path, *command, COLLAB_SECRET=SECRET, COLLAB_TOKEN_SECRET_COUNTS="1", **keys).returncode == 0


# --- settings ------------------------------------------------------------------------------------------


def test_settings_are_printed_with_their_sources(tmp_path: Path) -> None:
    done = collab(tmp_path, "settings", COLLAB_PORT="9000", COLLAB_SECRET=SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    assert ["COLLAB_PORT", "9000", "environment"] in [line.split() for line in done.stdout.splitlines()]
    assert ["COLLAB_HOST", "127.0.0.1", "default"] in [line.split() for line in done.stdout.splitlines()]
    assert SECRET not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_settings_are_printed_as_json(tmp_path: Path) -> None:
    done = collab(tmp_path, "settings", "--json", COLLAB_PING_S="15", COLLAB_SECRET=SECRET)
    shown = json.loads(done.stdout)
    assert shown["COLLAB_PING_S"] == {"value": 15.0, "source": "environment"}
    assert shown["COLLAB_SECRET"] == {"value": "***", "source": "environment"}


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["settings"], ["migrate"]])
def test_misspelt_setting_stops_the_start(tmp_path: Path, command: list[str]) -> None:
    done = collab(tmp_path, *command, COLLAB_PROT="9000")
    assert done.returncode == 1
    assert sentence(done) == "collab: There is no setting COLLAB_PROT; did you mean COLLAB_PORT?"


# --- serve: start --------------------------------------------------------------------------------------


def test_port_in_use_is_reported_before_anything_is_created(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        done = collab(tmp_path, "serve", "--port", str(port), COLLAB_SECRET=SECRET)
    assert done.returncode == 1
    said = f"collab: Port {port} on 127.0.0.1 is in use: stop the program that uses it, or choose another --port."
    assert sentence(done) == said
    assert list(tmp_path.iterdir()) == []


def test_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    done = collab(tmp_path, "serve", "--port", "0", "--host", "203.0.113.1", "--allow-self-made-secret")
    assert done.returncode == 1
    assert "'203.0.113.1' is not an address of this machine" in sentence(done)


def test_impossible_host_name_is_refused(tmp_path: Path) -> None:
    done = collab(tmp_path, "serve", "--port", "0", "--host", "x" * 70, COLLAB_SECRET=SECRET)
    assert done.returncode == 1
    assert "cannot be a host name" in sentence(done)


def test_other_machines_are_refused_with_a_self_made_secret(tmp_path: Path) -> None:
    done = collab(tmp_path, "serve", "--host", "0.0.0.0")
    assert done.returncode == 1
    assert "set COLLAB_SECRET" in sentence(done)
    assert "COLLAB_ALLOW_SELF_MADE_SECRET" in sentence(done)


def test_port_0_picks_a_free_port_and_the_printed_links_sign_in(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        said = re.fullmatch(r"collab serves (http://127\.0\.0\.1:(\d+))\n", first_line(process))
        assert said
        assert int(said[2]) > 0
        first_line(process)
        for person in ("Ada", "Grace"):
            link = re.fullmatch(rf"  {person}: {said[1]}/d/welcome#token=(\S+)\n", first_line(process))
            assert link
            answer = httpx2.get(f"{said[1]}/api/v1/documents", headers={"Authorization": f"Bearer {link[1]}"})
            assert answer.status_code == 200


def test_output_of_a_deployment_holds_no_token(tmp_path: Path) -> None:
    with serving(tmp_path, COLLAB_SECRET=SECRET) as process:
        assert first_line(process).startswith("collab serves ")
        process.terminate()
        assert process.stdout is not None
        assert process.stdout.read() == ""
    assert "eyJ" not in (tmp_path / "stderr").read_text()


def test_links_are_printed_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        with serving(tmp_path, stdout=theirs, COLLAB_SECRET=SECRET), os.fdopen(ours, "r", closefd=False) as terminal:
            assert terminal.readline().startswith("collab serves ")
            terminal.readline()
            assert "#token=eyJ" in terminal.readline()
    finally:
        os.close(ours)
        os.close(theirs)


def test_terminal_shows_the_links_and_only_requests_that_failed(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        with serving(tmp_path, stdout=theirs, stderr=theirs), os.fdopen(ours, "r", closefd=False) as terminal:
            greeting = [terminal.readline() for _ in range(4)]
            url = greeting[0].split()[-1]
            assert [line.split()[0] for line in greeting] == ["collab", "Open", "Ada:", "Grace:"]
            assert httpx2.get(f"{url}/d/welcome").status_code == 200
            assert httpx2.get(f"{url}/nowhere").status_code == 404
            assert '"GET /nowhere HTTP/1.1" 404' in terminal.readline()
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("command", [["migrate"], ["serve", "--port", "0"], ["serve", "--port", "0", "--migrate"]])
def test_unusable_database_is_reported_without_its_password(tmp_path: Path, command: list[str]) -> None:
    url = "postgresql://ada:geheim@127.0.0.1:1/collab"
    done = collab(tmp_path, *command, COLLAB_SECRET=SECRET, COLLAB_DATABASE_URL=url, COLLAB_LOG_LEVEL="error")
    assert done.returncode == 1
    assert "The database does not answer: connection refused. Check COLLAB_DATABASE_URL, which is " in sentence(done)
    assert "ada:***@127.0.0.1:1/collab" in sentence(done)
    assert "geheim" not in done.stderr


@pytest.mark.parametrize("command", [["migrate"], ["serve", "--port", "0"]])
def test_sqlite_file_that_cannot_be_created_is_reported(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "taken").write_text("")
    url = f"sqlite:///{tmp_path}/taken/collab.sqlite3"
    done = collab(tmp_path, *command, COLLAB_SECRET=SECRET, COLLAB_DATABASE_URL=url)
    assert done.returncode == 1
    assert f"cannot be kept in {tmp_path}/taken/collab.sqlite3 (File exists): set COLLAB_DATA_DIR" in sentence(done)


@pytest.mark.services
def test_missing_database_or_schema_is_reported_with_the_next_step(tmp_path: Path, postgres_url: str) -> None:
    nowhere = postgres_url.rpartition("/")[0] + "/nowhere"
    done = collab(tmp_path, "migrate", COLLAB_SECRET=SECRET, COLLAB_DATABASE_URL=nowhere, COLLAB_LOG_LEVEL="error")
    assert done.returncode == 1
    assert "the database does not exist" in sentence(done)
    asyncio.run(_forget_schema(postgres_url))
    done = collab(tmp_path, "serve", "--port", "0", COLLAB_SECRET=SECRET, COLLAB_DATABASE_URL=postgres_url)
    assert done.returncode == 1
    assert "run `collab migrate`" in sentence(done)


async def _forget_schema(url: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute("DROP TABLE alembic_version")
    await connection.close()


# --- migrate -------------------------------------------------------------------------------------------


def test_migrate_creates_a_database_and_may_run_twice(tmp_path: Path) -> None:
    for _ in range(2):
        done = collab(tmp_path, "migrate")
        assert (done.returncode, done.stdout) == (0, "The database is up to date.\n")
    assert (tmp_path / "collab-data" / "collab.sqlite3").exists()


def test_sqlite_file_of_a_running_server_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path, COLLAB_SECRET=SECRET) as process:
        assert first_line(process)
        for command in (["migrate"], ["serve", "--port", "0"]):
            done = collab(tmp_path, *command, COLLAB_SECRET=SECRET)
            assert done.returncode == 1
            assert "Another process has" in sentence(done)
            assert "stop it, or use Postgres" in sentence(done)


# --- serve: stop ---------------------------------------------------------------------------------------


@asynccontextmanager
async def a_server(directory: Path) -> AsyncIterator[ServerProcess]:
    server = await ServerProcess(directory).start()
    try:
        yield server
    finally:
        server.stop()


async def type_without_pause(client: SocketClient, ended: asyncio.Event) -> None:
    number = 0
    while not ended.is_set():
        number += 1
        try:
            await client.type(f"[{client.doc.client_id}-{number}]")
        except ConnectionClosed:
            return
        await asyncio.sleep(0)


async def listen(client: SocketClient, ended: asyncio.Event) -> ConnectionClosed:
    """Receive until the server closes the socket; return how it did."""
    try:
        while True:
            await client.hear()
    except ConnectionClosed as closed:
        ended.set()
        return closed


async def stored_text(directory: Path, name: str) -> str:
    store = SqlStore(f"sqlite+aiosqlite:///{directory}/collab.sqlite3")
    await store.open()
    try:
        stored = await store.load(DocumentName(name))
    finally:
        await store.close()
    return load_document(stored.snapshot.state if stored.snapshot else None, stored.tail).text()


@pytest.mark.parametrize("dialect", ["y-websocket", "hocuspocus"])
async def test_sigterm_commits_accepted_edits_and_closes_with_1012(tmp_path: Path, dialect: DialectName) -> None:
    ended = asyncio.Event()
    async with (
        a_server(tmp_path) as server,
        connect_client(server, "story", "ada", dialect=dialect) as ada,
        connect_client(server, "story", "grace", dialect=dialect) as grace,
    ):
        work = [
            asyncio.create_task(type_without_pause(ada, ended)),
            asyncio.create_task(listen(ada, ended)),
            asyncio.create_task(listen(grace, asyncio.Event())),
        ]
        await eventually(lambda: len(ada.acknowledged) > 50)
        code = await asyncio.to_thread(server.stop)
        _, closed, other_closed = await asyncio.gather(*work)
    assert code == 0
    assert closed is not None
    assert closed.rcvd is not None
    assert closed.rcvd.code == 1012
    assert other_closed is not None
    assert other_closed.rcvd is not None
    assert other_closed.rcvd.code == 1012
    assert "drain_timed_out" not in server.log
    assert "Traceback" not in server.log
    text = await stored_text(tmp_path, "story")
    assert [typed for typed in ada.acknowledged if typed not in text] == []
    assert grace.text in text
    assert text == "".join(ada.acknowledged)


async def test_rest_write_during_shutdown_gets_an_answer(tmp_path: Path) -> None:
    written: list[str] = []

    async def write_on(client: httpx2.AsyncClient) -> int:
        doc: Any = pycrdt.Doc()
        text = doc["content"] = pycrdt.Text()
        number = 0
        while True:
            before = doc.get_state()
            text += f"[{number}]"
            answer = await client.post("/updates", content=doc.get_update(before))
            if answer.status_code != 200:
                return answer.status_code
            written.append(f"[{number}]")
            number += 1

    async with a_server(tmp_path) as server:
        base = f"http://127.0.0.1:{server.port}/api/v1/documents/log"
        headers = {"Authorization": f"Bearer {token('robot')}"}
        async with httpx2.AsyncClient(base_url=base, headers=headers) as client:
            writing = asyncio.create_task(write_on(client))
            await eventually(lambda: len(written) > 3)
            assert await asyncio.to_thread(server.stop) == 0
            with suppress(httpx2.TransportError):  # the next request came after the listener had closed
                assert await writing == 503
    text = await stored_text(tmp_path, "log")
    assert text.startswith("".join(written))


def test_ctrl_c_stops_it_like_sigterm(tmp_path: Path) -> None:
    with serving(tmp_path, COLLAB_SECRET=SECRET) as process:
        assert first_line(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert "Traceback" not in (tmp_path / "stderr").read_text()
