"""A connection leaves one log line and a few metrics."""

import pytest

from collab.ids import DocumentName, UserId
from collab.observe.metrics import Metrics
from collab.serve import connection_stats
from collab.serve.connection_stats import ConnectionStats, Ending
from tests.metering import sample

ADA = UserId("ada")
LEFT = Ending(1000, "1000", "peer", "left")


class Log:
    """Keeps the fields of the last line."""

    def __init__(self) -> None:
        self.event = ""
        self.fields: dict[str, object] = {}

    def info(self, event: str, **fields: object) -> None:
        """Keep the line."""
        self.event, self.fields = event, fields


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()
    monkeypatch.setattr(connection_stats, "log", log)
    return log


def test_a_connection_is_counted_while_it_is_open(log: Log) -> None:
    metrics = Metrics()
    stats = ConnectionStats("hocuspocus", metrics, clock=lambda: 0.0)
    stats.accepted()
    assert sample(metrics, "sockets", dialect="hocuspocus") == 1
    stats.ended(LEFT)
    assert sample(metrics, "sockets", dialect="hocuspocus") == 0
    assert sample(metrics, "sockets_accepted_total", dialect="hocuspocus") == 1
    assert sample(metrics, "sockets_closed_total", dialect="hocuspocus", code="1000", by="peer") == 1


def test_the_log_line_says_how_long_and_how_much(log: Log) -> None:
    now_s = 100.0
    stats = ConnectionStats("y-websocket", Metrics(), clock=lambda: now_s)
    stats.set_context(DocumentName("notes"), ADA)
    stats.accepted()
    stats.frames_in, stats.bytes_in = 2, 30
    stats.frames_out, stats.bytes_out = 4, 50
    now_s += 1.5
    stats.ended(Ending(4403, "4403", "server", "permission-denied"))
    assert log.event == "socket_closed"
    assert log.fields == {
        "dialect": "y-websocket",
        "code": 4403,
        "by": "server",
        "reason": "permission-denied",
        "document": "notes",
        "documents": 1,
        "user": "ada",
        "duration_s": 1.5,
        "frames_in": 2,
        "bytes_in": 30,
        "frames_out": 4,
        "bytes_out": 50,
    }


@pytest.mark.parametrize(("names", "document"), [((), None), (("a",), "a"), (("a", "b"), None)])
def test_the_log_line_names_a_document_if_there_was_one(log: Log, names: tuple[str, ...], document: str | None) -> None:
    stats = ConnectionStats("hocuspocus", Metrics(), clock=lambda: 0.0)
    for name in names:
        stats.set_context(DocumentName(name), ADA)
    stats.accepted()
    stats.ended(LEFT)
    assert (log.fields["document"], log.fields["documents"]) == (document, len(names))
