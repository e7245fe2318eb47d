"""The table from the drivers' errors to ours: which of them pass, and what an operator reads meanwhile.

Errors are logged, so they never contain what people wrote.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import asyncpg
from sqlalchemy import exc

from collab.errors import StoreUnavailable

DriverError: TypeAlias = OSError | exc.SQLAlchemyError | asyncpg.PostgresError
"""What a call to the database may raise: the log is written beneath SQLAlchemy, and gets the driver's errors bare."""

TRANSIENT: Mapping[str, str] = {
    # SQLSTATE, or its beginning → what an operator needs to know. Any other error is a bug, or damage.
    "08": "the connection was lost",
    "25006": "it accepts no writes, as a standby does",
    "26000": "its pooler has lost a prepared statement",
    "28": "it refuses the user or the password",
    "3D000": "the database does not exist",
    "40001": "a transaction lost a race",
    "40P01": "two transactions waited for each other",
    "53100": "its disk is full",
    "53300": "it has no free connection",
    "53": "it has run out of a resource",
    "55P03": "a lock was not free in time",
    "57014": "a statement was cancelled",
    "57P": "it is starting or stopping",
    "58": "its system reports an error",
    # SQLite's names for the same
    "SQLITE_BUSY": "another program holds the file",
    "SQLITE_LOCKED": "another program holds the file",
    "SQLITE_FULL": "its disk is full",
    "SQLITE_IOERR": "its disk reports an error",
    "SQLITE_CANTOPEN": "the file cannot be opened",
    "SQLITE_READONLY": "the file cannot be written",
}
"""Errors after which the same call may be tried again. The longest matching beginning counts."""


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn transient errors of the block into StoreUnavailable. Any other error is a bug and passes unchanged."""
    try:
        yield
    except (OSError, exc.SQLAlchemyError, asyncpg.PostgresError) as cause:
        reason = transient_reason(cause)
        if reason is None:
            raise
        raise StoreUnavailable(f"The database does not answer: {reason}.") from cause


def transient_reason(error: DriverError) -> str | None:
    """Return a few words for the operator, or None when the error is not transient.

    They contain no address and nothing of the statement or its parameters: clients see them too.
    """
    match error:
        case exc.TimeoutError():
            return "no connection was free in time"
        case TimeoutError(errno=None):
            return "nothing came back in time"
        case OSError():
            return _system_reason(error)
        case exc.DBAPIError():
            return _driver_reason(error.orig) or (TRANSIENT["08"] if error.connection_invalidated else None)
        case asyncpg.PostgresError():
            return _driver_reason(error)
    return None


def _system_reason(error: OSError) -> str:
    number = error.errno or 0
    # The driver's own text contains the address. Errors of name resolution have negative numbers.
    words = os.strerror(number) if number > 0 else error.strerror if number < 0 else None
    return (words or "the connection failed").lower()


def _driver_reason(error: BaseException | None) -> str | None:
    if isinstance(error and error.__cause__, asyncpg.exceptions.TargetServerAttributeNotMatched):
        return TRANSIENT["25006"]  # of the servers in the URL, none is the one that was asked for
    code = str(getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or "")
    known = max((start for start in TRANSIENT if code.startswith(start)), key=len, default=None)
    return None if known is None else f"{TRANSIENT[known]} ({code})"
