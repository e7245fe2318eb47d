"""The process around the app: its port, its URL, its errors, and the order in which it stops."""

import gc
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from collab.api.runner import COLLECT_AFTER, DrainingServer, bind, collect_less, explained_database_errors, local_url
from collab.api.websocket import WebSocketProtocol
from collab.errors import InvalidRequest, StoreUnavailable
from collab.settings import load_settings
from tests.deployment import SECRET


async def _no_app(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("no request was expected")


async def _no_drain() -> None:
    return


def _configuration() -> uvicorn.Config:
    return uvicorn.Config(_no_app, lifespan="off", log_config=None, ws=WebSocketProtocol)


@pytest.fixture
def free_listener() -> Iterator[socket.socket]:
    """A port that is bound and does not listen."""
    with closing(bind("127.0.0.1", 0)) as listener:
        yield listener


def test_bound_port_does_not_listen_yet() -> None:
    with closing(bind("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert port > 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


def test_name_with_two_addresses_is_bound_to_the_ipv4_one(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with closing(bind("localhost", 0)) as listener:
        assert listener.family == socket.AF_INET


@pytest.mark.parametrize("name", ["x" * 70, "\udcff"])
def test_impossible_host_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="choose another --host"):
        bind(name, 0)


def test_port_in_use_is_refused_with_the_next_step() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidRequest, match=f"Port {port} on 127.0.0.1 is in use"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("", "localhost"),
        ("0.0.0.0", "localhost"),
        ("::", "localhost"),
        ("::1", "[::1]"),
        ("collab.example.com", "collab.example.com"),
    ],
)
def test_url_is_one_that_a_browser_on_this_machine_can_open(host: str, shown: str) -> None:
    with closing(bind("127.0.0.1", 0)) as listener:
        assert local_url(host, listener) == f"http://{shown}:{listener.getsockname()[1]}"


def test_database_error_names_the_setting_without_its_password(tmp_path: Path) -> None:
    settings = load_settings(secret=SECRET, data_dir=tmp_path, database_url="postgresql://ada:geheim@db.example/collab")
    with pytest.raises(InvalidRequest) as caught, explained_database_errors(settings):
        raise StoreUnavailable("The database does not answer.")
    said = "The database does not answer. Check COLLAB_DATABASE_URL, which is "
    assert str(caught.value) == f"{said}postgresql+asyncpg://ada:***@db.example/collab."


async def test_second_of_two_servers_on_a_bound_port_is_refused(free_listener: socket.socket) -> None:
    with closing(socket.socket()) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(free_listener.getsockname())
        other.listen()
        server = DrainingServer(_configuration(), lambda: None, _no_drain)
        with pytest.raises(InvalidRequest, match="is in use"):
            await server.serve([free_listener])


async def test_server_drains_after_its_listener_has_closed(free_listener: socket.socket) -> None:
    steps: list[str] = []
    address = free_listener.getsockname()

    async def drain() -> None:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        steps.append("drained")

    server = DrainingServer(_configuration(), lambda: steps.append("ready"), drain)
    server.should_exit = True
    await server.serve([free_listener])
    assert steps == ["ready", "drained"]


def test_first_signal_stops_in_order_and_a_second_ctrl_c_at_once() -> None:
    server = DrainingServer(_configuration(), lambda: None, _no_drain)
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit
    server.handle_exit(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        server.handle_exit(signal.SIGINT, None)


def test_what_was_loaded_at_the_start_is_not_collected_again() -> None:
    thresholds = gc.get_threshold()
    try:
        collect_less()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold() == COLLECT_AFTER
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
