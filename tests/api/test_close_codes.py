"""Every error has one close code, and every close code one meaning and one label."""

import re
from pathlib import Path

import pytest

from collab.api.close_codes import (
    BY_ERROR,
    CANCELLED,
    LOST,
    CloseCode,
    close_code,
    close_code_label,
    closed_by_peer,
    closed_for,
)
from collab.errors import (
    CollabError,
    DocumentDeleted,
    Draining,
    KeysUnavailable,
    PermissionDenied,
    TextFrame,
    TokenExpired,
    TransientError,
)
from collab.serve.socket import SocketClosed

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 1000),
        (TextFrame(), 1003),
        (Draining(), 1012),
        (TransientError(), 1013),
        (KeysUnavailable(), 1013),  # by the class above
        (TokenExpired(), 4401),  # by the class above
        (PermissionDenied(), 4403),
        (DocumentDeleted(), 4410),
    ],
)
def test_error_has_the_code_of_its_class_or_of_the_nearest_above(error: CollabError | None, code: int) -> None:
    assert close_code(error) == code


@pytest.mark.parametrize("kind", BY_ERROR, ids=lambda kind: kind.__name__)
def test_code_that_stops_a_client_for_good_is_only_for_what_stays_wrong(kind: type[CollabError]) -> None:
    stops_for_good = 4400 <= close_code(kind()) < 4500
    assert stops_for_good == (not kind.retryable and kind is not TextFrame)


@pytest.mark.parametrize(
    ("code", "reason", "clean"),
    [(1000, "left", True), (1001, "left", True), (1005, "left", True), (1006, "lost", False), (4000, "closed", False)],
)
def test_only_the_close_of_a_tab_or_program_is_clean(code: int, reason: str, clean: bool) -> None:
    closed = SocketClosed(closed_by_peer(code))
    assert (closed.ending.code, closed.ending.by, closed.ending.reason, closed.clean) == (code, "peer", reason, clean)


def test_close_by_the_server_is_told_by_the_slug_of_its_error() -> None:
    ending = closed_for(PermissionDenied())
    assert (ending.code, ending.label, ending.by, ending.reason) == (4403, "4403", "server", "permission-denied")


def test_connection_without_a_close_frame_has_one_code_whoever_ended_it() -> None:
    assert [(each.code, each.label, each.by, each.reason) for each in (LOST, CANCELLED)] == [
        (1006, "1006", "peer", "lost"),
        (1006, "1006", "server", "cancelled"),
    ]


def test_every_known_code_is_its_own_label() -> None:
    assert [close_code_label(int(code)) for code in CloseCode] == [str(code.value) for code in CloseCode]


@pytest.mark.parametrize("code", [0, 999, 1004, 3999, 4400, 70000])
def test_code_that_a_client_made_up_shares_one_label(code: int) -> None:
    assert close_code_label(code) == "other"
    assert closed_by_peer(code).label == "other"


@pytest.mark.parametrize("code", sorted({CloseCode.NORMAL, *BY_ERROR.values()}))
def test_every_code_that_the_server_sends_is_documented(code: CloseCode) -> None:
    table = PROTOCOL.read_text()
    assert re.search(rf"^\| (\d+, )?{code.value}\b", table, re.MULTILINE)
