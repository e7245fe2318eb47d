"""The table from driver errors to ours: which are transient, which are bugs, and what the operator reads."""

import asyncio
import errno
import socket
import sqlite3
import threading
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import exc

from collab.errors import StoreUnavailable
from collab.ids import DocumentName, Epoch, WriterId
from collab.protocol.rows import Row
from collab.store.sql import SqlStore
from collab.store.transient import TRANSIENT, mapped_errors
from tests.services.private import free_port
from tests.waiting import eventually

NAME = DocumentName("notes/42")


def postgres_error(sqlstate: str, *, hung_up: bool = False) -> exc.DBAPIError:
    """Return the error as SQLAlchemy raises it over asyncpg."""
    orig = asyncpg.exceptions.PostgresError.new({"C": sqlstate, "M": "secret words"})
    return exc.DBAPIError("SELECT secret", {"password": "secret"}, orig, connection_invalidated=hung_up)


def bare_error(sqlstate: str) -> asyncpg.PostgresError:
    """Return the error as asyncpg raises it, on the connection of the log."""
    error = asyncpg.exceptions.PostgresError.new({"C": sqlstate, "M": "secret words"})
    assert isinstance(error, asyncpg.PostgresError)
    return error


def no_such_server() -> exc.DBAPIError:
    """Return the error when no server of the URL accepts writes, and only such a one was asked for."""
    translated = asyncpg.InterfaceError("secret words")
    translated.__cause__ = asyncpg.exceptions.TargetServerAttributeNotMatched("secret words")
    return exc.DBAPIError(None, None, translated)


def sqlite_error(name: str) -> exc.OperationalError:
    orig = sqlite3.OperationalError("secret words")
    orig.sqlite_errorname = name
    return exc.OperationalError("SELECT secret", {"password": "secret"}, orig)


TRANSIENT_ERRORS = [
    (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.7', 5432)"), "connection refused"),
    (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "connection reset by peer"),
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name or service not known"),
    (OSError("Multiple exceptions: [Errno 111] ('10.0.0.7', 5432)"), "the connection failed"),
    (TimeoutError(), "nothing came back in time"),
    (exc.TimeoutError("QueuePool limit of size 5 overflow 5 reached"), "no connection was free in time"),
    (postgres_error("08003"), "the connection was lost (08003)"),
    (postgres_error("08006"), "the connection was lost (08006)"),
    (postgres_error("25006"), "it accepts no writes, as a standby does (25006)"),
    (postgres_error("26000"), "its pooler has lost a prepared statement (26000)"),
    (postgres_error("28P01"), "it refuses the user or the password (28P01)"),
    (postgres_error("3D000"), "the database does not exist (3D000)"),
    (postgres_error("40001"), "a transaction lost a race (40001)"),
    (postgres_error("40P01"), "two transactions waited for each other (40P01)"),
    (postgres_error("53100"), "its disk is full (53100)"),
    (postgres_error("53200"), "it has run out of a resource (53200)"),
    (postgres_error("53300"), "it has no free connection (53300)"),
    (postgres_error("55P03"), "a lock was not free in time (55P03)"),
    (postgres_error("57014"), "a statement was cancelled (57014)"),
    (postgres_error("57P01"), "it is starting or stopping (57P01)"),
    (postgres_error("57P03"), "it is starting or stopping (57P03)"),
    (postgres_error("58030"), "its system reports an error (58030)"),
    (postgres_error("XX000", hung_up=True), "the connection was lost"),
    (no_such_server(), "it accepts no writes, as a standby does"),
    (bare_error("08003"), "the connection was lost (08003)"),
    (bare_error("25006"), "it accepts no writes, as a standby does (25006)"),
    (sqlite_error("SQLITE_BUSY"), "another program holds the file (SQLITE_BUSY)"),
    (sqlite_error("SQLITE_BUSY_SNAPSHOT"), "another program holds the file (SQLITE_BUSY_SNAPSHOT)"),
    (sqlite_error("SQLITE_LOCKED"), "another program holds the file (SQLITE_LOCKED)"),
    (sqlite_error("SQLITE_FULL"), "its disk is full (SQLITE_FULL)"),
    (sqlite_error("SQLITE_IOERR_WRITE"), "its disk reports an error (SQLITE_IOERR_WRITE)"),
    (sqlite_error("SQLITE_CANTOPEN"), "the file cannot be opened (SQLITE_CANTOPEN)"),
    (sqlite_error("SQLITE_READONLY"), "the file cannot be written (SQLITE_READONLY)"),
]

BUGS = [
    postgres_error("22003"),  # a number out of range
    postgres_error("22021"),  # text that is not valid
    postgres_error("23503"),  # a reference to no row
    postgres_error("23505"),  # a duplicate key
    postgres_error("42P01"),  # no such table
    postgres_error("42601"),  # not SQL
    postgres_error("XX001"),  # damage
    bare_error("22003"),
    bare_error("23505"),
    sqlite_error("SQLITE_ERROR"),
    sqlite_error("SQLITE_CORRUPT"),
    exc.InterfaceError("SELECT secret", {}, asyncpg.exceptions.InterfaceError("another operation is in progress")),
    exc.InvalidRequestError("used wrongly"),
]


@pytest.mark.parametrize(
    ("cause", "words"), TRANSIENT_ERRORS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_transient_error_becomes_one_sentence_and_keeps_its_cause(cause: Exception, words: str) -> None:
    with pytest.raises(StoreUnavailable) as caught, mapped_errors():
        raise cause
    assert str(caught.value) == f"The database does not answer: {words}."
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_other_error_is_unchanged(bug: Exception) -> None:
    with pytest.raises(type(bug)) as caught, mapped_errors():
        raise bug
    assert caught.value is bug


def test_every_transient_error_is_tried() -> None:
    tried = {words.partition(" (")[0] for _, words in TRANSIENT_ERRORS}
    assert set(TRANSIENT.values()) <= tried


async def test_unreachable_database_is_reported_without_its_address() -> None:
    port = free_port()
    store = SqlStore(f"postgresql+asyncpg://user:secret@127.0.0.1:{port}/collab")
    for call in (store.open(), store.ping(), store.append([Row(NAME, Epoch(0), WriterId(1), 1, b"x")])):
        with pytest.raises(StoreUnavailable) as caught:
            await call
        assert str(caught.value) == "The database does not answer: connection refused."
    await store.close()


async def test_directory_in_place_of_the_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "collab.sqlite3").mkdir()
    threads = set(threading.enumerate())
    store = SqlStore(f"sqlite+aiosqlite:///{tmp_path}/collab.sqlite3")
    with pytest.raises(StoreUnavailable, match=r"the file cannot be opened \(SQLITE_CANTOPEN\)"):
        await store.ping()
    await store.close()
    await eventually(lambda: set(threading.enumerate()) <= threads)  # the driver's thread still calls this loop once


async def test_cancellation_is_not_mapped() -> None:
    with pytest.raises(asyncio.CancelledError), mapped_errors():
        raise asyncio.CancelledError
