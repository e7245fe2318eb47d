"""Log lines: one form, all events listed, and no credentials."""

import ast
import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
import websockets
from hypothesis import given
from hypothesis import strategies as st

import collab
from collab.api.websocket import WebSocketProtocol
from collab.observe.logs import EVENTS, HIDDEN, _hide_credentials, configure, get_logger, scrub
from tests.waiting import eventually

CANARY = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.C4n4rySign4ture"
PLAIN = "c4n4ry-without-dots"


@pytest.fixture
def process_logging() -> Iterator[None]:
    """Restore the logging of the process after the test."""
    loggers = [logging.getLogger(name) for name in ("", "collab", "httpx2")]
    handlers, levels = loggers[0].handlers[:], [logger.level for logger in loggers]
    yield
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    logging.captureWarnings(capture=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def json_lines(process_logging: None) -> Lines:
    """Log as JSON at level info; return a function that reads the lines so far."""
    stream = io.StringIO()
    configure("info", "json", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


# --- the list of events -----------------------------------------------------------------------------

Call = tuple[str, str, frozenset[str]]


def log_calls() -> Iterator[Call]:
    """Yield each ``log.info("event", field=…)`` of our sources as (where, event, fields)."""
    for path in sorted(Path(collab.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Name(id="log") | ast.Attribute(attr="log" | "_log"),
                        attr="debug" | "info" | "warning" | "error" | "exception" | "critical",
                    ),
                    args=[ast.Constant(value=str(event)), *_],
                ):
                    fields = frozenset(keyword.arg or "**" for keyword in node.keywords)
                    yield f"{path.name}:{node.lineno}", event, fields


CALLS = list(log_calls())


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call[0]} {call[1]}")
def test_logged_events_are_listed_with_their_fields(call: Call) -> None:
    _, event, fields = call
    assert event in EVENTS, "add the event and its fields to collab/observe/logs.py"
    assert fields <= set(EVENTS[event])


def test_listed_events_are_logged_somewhere() -> None:
    assert sorted(EVENTS.keys() - {event for _, event, _ in CALLS}) == []


# --- the form ---------------------------------------------------------------------------------------


def test_line_has_time_level_event_and_logger(json_lines: Lines) -> None:
    get_logger("rooms").info("room_opened", document="notes/é", seq=3)
    (line,) = json_lines()
    assert list(line) == ["timestamp", "level", "event", "logger", "document", "seq"]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["event"], line["logger"]) == ("info", "room_opened", "collab.rooms")
    assert (line["document"], line["seq"]) == ("notes/é", 3)


def test_lines_of_libraries_have_the_same_form(json_lines: Lines) -> None:
    logging.getLogger("uvicorn.error").warning("Uvicorn running on %s", "http://127.0.0.1:1")
    (line,) = json_lines()
    assert line["event"] == "Uvicorn running on http://127.0.0.1:1"
    assert (line["level"], line["logger"]) == ("warning", "uvicorn.error")


def test_exception_is_in_the_line_of_its_event(json_lines: Lines) -> None:
    try:
        raise ValueError(f"the token={PLAIN} was bad")
    except ValueError:
        get_logger("host").exception("invariant_broken", document="notes")
        logging.getLogger("library").exception("failed")
    for line in json_lines():
        assert line["exception"].endswith(f"ValueError: the token={HIDDEN} was bad")


def test_exception_is_printed_plainly_on_a_terminal(process_logging: None) -> None:
    stream = Terminal()
    configure("info", "console", stream)
    try:
        raise ValueError(f"the token={PLAIN} was bad")
    except ValueError:
        get_logger("host").exception("invariant_broken", document="notes")
        logging.getLogger("library").exception("failed")
    assert stream.getvalue().count(f"\nValueError: the token={HIDDEN} was bad") == 2
    assert "py.warnings" not in stream.getvalue()


def test_levels_are_kept_and_libraries_never_log_debug(process_logging: None) -> None:
    stream = io.StringIO()
    configure("warning", "json", stream)
    get_logger("rooms").info("room_opened")
    logging.getLogger("library").info("no")
    assert stream.getvalue() == ""
    configure("debug", "json", stream)
    logging.getLogger("library").debug("headers")
    get_logger("rooms").debug("room_opened")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["room_opened"]


def test_second_configuration_replaces_the_first(process_logging: None) -> None:
    first, second = io.StringIO(), io.StringIO()
    log = get_logger("rooms")
    configure("info", "json", first)
    log.info("room_opened")
    configure("info", "json", second)
    log.info("room_forgotten")
    assert len(first.getvalue().splitlines()) == len(second.getvalue().splitlines()) == 1


@pytest.mark.parametrize(
    ("format", "stream", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("console", io.StringIO(), False),
    ],
)
def test_auto_is_console_on_a_terminal_and_json_elsewhere(
    process_logging: None, format: str, stream: io.StringIO, is_json: bool
) -> None:
    configure("info", format, stream)
    get_logger("rooms").info("room_opened", document="notes")
    assert stream.getvalue().startswith("{") == is_json
    assert ("\x1b[" in stream.getvalue()) == (isinstance(stream, Terminal) and not is_json)
    assert "notes" in stream.getvalue()


def test_terminal_is_shown_failures_only(process_logging: None) -> None:
    """At level auto: the sign-in links must stay in sight."""
    stream = Terminal()
    configure("auto", "auto", stream)
    access, line = logging.getLogger("uvicorn.access"), '%s - "%s %s HTTP/%s" %d'
    get_logger("rooms").info("room_opened", document="notes")
    logging.getLogger("alembic.runtime.migration").info("Will assume non-transactional DDL.")
    access.info(line, "127.0.0.1:1", "GET", "/d/welcome", "1.1", 200)
    get_logger("connection").info("socket_closed", code=1001)
    assert stream.getvalue() == ""
    access.info(line, "127.0.0.1:1", "GET", "/nowhere", "1.1", 404)
    get_logger("connection").info("socket_closed", code=4401)
    get_logger("connection").info("denied", address="notes")
    get_logger("relay").warning("relay_down")
    assert len(stream.getvalue().splitlines()) == 4
    configure("info", "auto", stream)
    get_logger("rooms").info("room_opened", document="notes")
    assert "room_opened" in stream.getvalue()


def test_level_auto_is_info_elsewhere(process_logging: None) -> None:
    stream = io.StringIO()
    configure("auto", "auto", stream)
    get_logger("rooms").info("room_opened", document="notes")
    get_logger("rooms").debug("room_forgotten", document="notes")
    assert len(stream.getvalue().splitlines()) == 1


def test_document_name_cannot_control_the_terminal(process_logging: None) -> None:
    stream = io.StringIO()
    configure("info", "console", stream)
    for address in ("\x1b[2J", "\r\nfake line", "\ud83d"):
        get_logger("rooms").info("denied", address=address)
    assert len(stream.getvalue().splitlines()) == 3
    assert "\x1b" not in stream.getvalue()


def test_mounting_application_finds_our_events_in_its_own_log(caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError(f"the token={PLAIN} was bad")
    with caplog.at_level("INFO"):
        get_logger("rooms").info("room_opened", document=f"notes/{CANARY}", token=PLAIN, error=error, exc_info=error)
    (record,) = caplog.records
    for said in ("room_opened", "notes/***", f"ValueError('the token={HIDDEN} was bad')", f"Error: the token={HIDDEN}"):
        assert said in record.getMessage()
    for secret in (CANARY, PLAIN):
        assert secret not in record.getMessage()


# --- credentials ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("/ws?token=abc&x=1", "/ws?token=***&x=***"),
        ("/ws?x=1&access_token=abc", "/ws?x=***&access_token=***"),
        ("/ws?auth=abc", "/ws?auth=***"),
        ("/ws%3Fauth%3Dabc%26x=1", "/ws%3Fauth%3D***"),
        ("{'query_string': b'auth=abc', 'x': 1}", "{'query_string': b'***', 'x': 1}"),
        ("/ws?ticket=abc", "/ws?ticket=***"),
        ("opened cl_hGq0yTzL-3n_q7?name=Ada", "opened ***?name=***"),
        ("/ws?token%3Dabc", "/ws?token%3D***"),
        ("/d/welcome#token=abc", "/d/welcome#token=***"),
        ("TOKEN=abc", "TOKEN=***"),
        ('"token=abc"', '"token=***"'),
        (f"a {CANARY} b", "a *** b"),
        (f"x_{CANARY}", "***"),
        (f"/t/{CANARY}/x", "/t/***/x"),
        (f"{CANARY}.", "***"),
        (CANARY.rsplit(".", 1)[0] + ".", "***"),
        ("Authorization: Bearer abc", "Authorization: ***"),
        ("authorization: Basic YWRhOng=", "authorization: ***"),
        ("Authorization=abc", "Authorization=***"),
        ("{'authorization': 'Bearer abc', 'x': 1}", "{'authorization': '***', 'x': 1}"),
        ("[(b'authorization', b'Bearer abc'), (b'x', b'1')]", "[(b'authorization', b'***'), (b'x', b'1')]"),
        ('{"authorization": "abc"}', '{"authorization": "***"}'),
        ("Proxy-Authorization: Bearer abc", "Proxy-Authorization: ***"),
        ("Cookie: session=abc", "Cookie: ***"),
        ("sent bearer abcdefgh to", "sent bearer *** to"),
        ("postgresql://ada:geheim@db/collab", "postgresql://ada:***@db/collab"),
        ("redis://:geheim@h:6379/0", "redis://:***@h:6379/0"),
    ],
)
def test_credentials_are_hidden_in_a_text(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed
    assert scrub(scrubbed) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "notes/2026.11.24",
        "keyJoin.md",
        "collab.rooms",
        "http://127.0.0.1:8000/ws",
        "the token expired",
        "tokens: 3",
        "1.2.3.4:5678 - ",
        "File collab/access/tokens.py, line 3",
    ],
)
def test_text_without_credentials_is_unchanged(text: str) -> None:
    assert scrub(text) == text


@given(prefix=st.text(), suffix=st.from_regex(r"\A[^\w.-]?\Z"))
def test_token_is_found_in_any_surroundings(prefix: str, suffix: str) -> None:
    assert CANARY not in scrub(f"{prefix}{CANARY}{suffix}")


PIECES = st.sampled_from(
    [
        *(CANARY, "TOKEN", "Ticket", "ſecret", "to\u212aen", "passWord", "=", "%3d", "%3D"),
        *(
            "?",
            "&",
            "%3f",
            "query_string",
            "x",
            "Cookie",
            "Authorization",
            ": ",
            "bEarer ",
            "abcdefgh",
            "a://b:",
            "c@",
            ".",
            " ",
            "é",
        ),
    ]
)


@given(text=st.lists(PIECES, max_size=8).map("".join))
def test_line_that_is_passed_over_has_nothing_to_hide(text: str) -> None:
    assert scrub(text) == _hide_credentials(text)


@pytest.mark.parametrize(
    "piece", ["eyJ", "eyJ.", "a.", "token=", "authorization ", "bearer ", "a://b:", "-", "a://:b", "?a=", "&", "?"]
)
def test_scrubbing_a_long_line_takes_linear_time(piece: str) -> None:
    """A pattern that backtracks would take minutes for these and reach the time limit of the test."""
    scrub(piece * 300_000)


def test_secret_fields_are_hidden_at_any_depth(json_lines: Lines) -> None:
    get_logger("rooms").info(
        "room_opened",
        token=PLAIN,
        nested={"Authorization": PLAIN, "list": [{"password": PLAIN}, f"?token={PLAIN}", f"token={PLAIN}".encode()]},
        number=1,
        nothing=None,
        error=ValueError(f"token={PLAIN}"),
    )
    (line,) = json_lines()
    assert PLAIN not in str(line)
    assert (line["token"], line["number"], line["nothing"]) == (HIDDEN, 1, None)
    assert line["error"] == f"ValueError('token={HIDDEN}')"


def test_token_logged_by_a_library_is_hidden(json_lines: Lines) -> None:
    logging.getLogger("library").warning("GET %s %s", f"/x?token={PLAIN}", {"authorization": f"Bearer {CANARY}"})
    assert PLAIN not in str(json_lines())
    assert CANARY not in str(json_lines())


# --- a real server ----------------------------------------------------------------------------------


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Accept, refuse or fail as the path says.

    The error contains everything in the request but a parameter called *other*, which no pattern could recognise.
    """
    path, query = scope["path"], scope["query_string"]
    seen = scope["headers"] if b"other=" in query else (query, scope["headers"])
    if scope["type"] == "http":
        if "fail" in path:
            raise RuntimeError(f"while looking at {seen!r}")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
    elif scope["type"] == "websocket":
        await receive()
        if "fail" in path:
            raise RuntimeError(f"while looking at {seen!r}")
        await send({"type": "websocket.close" if "refuse" in path else "websocket.accept"})
        await receive()


@asynccontextmanager
async def serving() -> Any:
    """Run a real uvicorn with the options of ``collab serve``; yield its host and port."""
    config = uvicorn.Config(
        application, port=0, lifespan="off", log_config=None, ws=WebSocketProtocol, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: server.started or task.done())
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize("level", ["debug", "info"])
async def test_no_token_reaches_the_log_of_a_real_server(
    process_logging: None, capfd: pytest.CaptureFixture[str], format: str, level: str
) -> None:
    stream = io.StringIO()
    configure(level, format, stream)
    targets = [
        f"/{path}?{query}"
        for path in ("ws/notes", "ws/refuse", "ws/fail", "ws/%65yJ")
        for query in (f"token={CANARY}", f"x=1&access_token={PLAIN}", f"other={PLAIN}", f"{CANARY}", f"token%3D{PLAIN}")
    ]
    headers = {"Authorization": f"Bearer {CANARY}", "Cookie": f"session={PLAIN}"}
    async with serving() as authority, httpx2.AsyncClient() as client:
        for target in targets:
            with suppress(websockets.InvalidStatus, websockets.ConnectionClosed):
                async with websockets.connect(f"ws://{authority}{target}", additional_headers=headers, proxy=None):
                    pass
            await client.get(f"http://{authority}{target}", headers=headers)
    said = stream.getvalue() + "".join(capfd.readouterr())
    assert said.count("/ws/notes") >= 10, "the server logged no requests, so this proves nothing"
    assert "while looking at" in said, "the failure was not logged, so this proves nothing"
    for secret in (CANARY, CANARY.split(".")[2], PLAIN):
        assert secret not in said
