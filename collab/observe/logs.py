"""One form for all log lines, and no secret in any of them.

This project logs through ``get_logger``; uvicorn and other libraries log through ``logging``. Our lines go to
``logging`` as well, below the name ``collab``, so that an application which mounts us sees them in its own log. Only
``configure`` changes the logging of the process, and only ``collab serve`` calls it.

Tokens travel in URLs, because browsers cannot set headers on a WebSocket, and uvicorn logs URLs. So queries are removed
from uvicorn's lines. In every line, the values of query parameters are hidden, whatever they are called, and everything
else that looks like a credential.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from itertools import pairwise
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

EVENTS: Mapping[str, tuple[str, ...]] = {
    # Each event of this project: name → fields. A test compares all calls with this list.
    #
    # rooms: documents in the memory of this replica
    "room_opened": ("document", "seq"),
    "room_forgotten": ("document", "seq"),
    "room_failed": ("document", "reason", "sessions"),
    "invariant_broken": ("document",),
    # connections: one socket each
    "connection_crashed": (),
    "document_crashed": ("address",),
    "denied": ("address", "reason"),
    "token_not_checked": ("address",),
    "origin_refused": ("origin", "setting"),
    "handshake_token_refused": ("reason",),
    "socket_closed": (
        # One for each accepted socket. by: peer or server; reason: a slug; document: when there was only one
        *("dialect", "code", "by", "reason", "document", "documents", "user", "duration_s"),
        *("frames_in", "bytes_in", "frames_out", "bytes_out"),
    ),
    # the public keys of token issuers
    "keys_read": ("keys",),
    "keys_not_read": ("reason", "keys"),
    "provider_not_read": ("reason",),
    "provider_not_reached": ("reason",),
    "id_token_refused": ("reason",),
    "sign_in_refused": ("status", "error"),
    # the store
    "store_unavailable": ("error", "rows", "retry_s", "titles"),
    "title_not_read": ("document", "reason"),
    "welcome_not_written": ("reason",),
    "batch_refused": ("rows",),
    "row_refused": ("document", "origin", "n"),
    "snapshot_written": ("document", "seq", "bytes"),
    "fold_refused": ("document",),
    "fold_too_costly": ("document",),
    "document_purged": ("document",),
    # the relay
    "relay_up": (),
    "relay_down": ("error",),
    "relay_crashed": (),
    "relay_queue_full": ("dropped",),
    "replica_lost": ("origin",),
    "relay_frame_refused": ("document", "reason"),
    # the process
    "task_died": ("restart_s",),
    "drain_timed_out": ("unsaved_bytes",),
}

USUAL_CODES = frozenset({1000, 1001, 1005, 1006, 1012})
"""Close codes with which nothing has gone wrong: a page was left, a network has changed, a replica has stopped."""

HIDDEN = "***"
SECRET_KEYS = frozenset({"token", "access_token", "authorization", "secret", "password", "ticket", "cookie"})

# Lines contain long texts of strangers, so none of these patterns may backtrack.
_DOTTED = re.compile(r"(?<![\w.-])[\w.-]++")
_PARAMETER = re.compile(r"(?i)\b((?:access_)?token|ticket|secret|password)(=|%3D)[^\s&\"'<>\\]+")
_QUERY = re.compile(r"((?:[?&]|%3F|%26)[\w.~-]{1,64}+(?:=|%3D))[^\s&\"'<>\\]+", re.IGNORECASE)
_HEADER = re.compile(
    r"(?i)\b((?:proxy-)?authorization|cookie|query_string)(['\"]?\s*[:=,]\s*(?:b(?=['\"]))?['\"]?)"
    r"(?:(?:bearer|basic|token)\s+)?[^\s'\",)\]}]+"
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{8,}")
_LINK = re.compile(r"\bcl_[\w-]{8,}+")
_PASSWORD = re.compile(r"(\w://[^\s:/@]*):[^\s/@]+@")
_SIGNS = (
    *("eyj", "cl_", "authorization", "cookie", "query_string", "bearer", "://", "?", "&", "%3f", "%26"),
    *(name + equals for name in ("token", "ticket", "secret", "password") for equals in ("=", "%3d")),
)
"""What every match of these patterns contains, in lower case. Few lines have any of it, and it is found quickly."""


def scrub(text: str) -> str:
    """Return ``text`` with everything hidden that looks like a credential."""
    return text if _is_harmless(text) else _hide_credentials(text)


def _hide_credentials(text: str) -> str:
    text = _DOTTED.sub(lambda found: HIDDEN if _is_token(found[0]) else found[0], text)
    text = _PARAMETER.sub(rf"\1\2{HIDDEN}", text)
    text = _QUERY.sub(rf"\1{HIDDEN}", text)
    text = _HEADER.sub(rf"\1\2{HIDDEN}", text)
    text = _LINK.sub(HIDDEN, text)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    return _PASSWORD.sub(rf"\1:{HIDDEN}@", text)


def _is_harmless(text: str) -> bool:
    """Return True if no pattern can match. False outside ASCII, where other letters count as ``k`` and ``s``."""
    if not text.isascii():
        return False
    lower = text.lower()
    return not any(sign in lower for sign in _SIGNS)


def _is_token(dotted: str) -> bool:
    """Return True if ``dotted`` has a JSON object in base64url (``eyJ`` is ``{"``) and something after it."""
    return any("eyJ" in part and len(part) >= 16 and after for part, after in pairwise(dotted.split(".")))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of one part of the server. Its events are names from ``EVENTS``, never sentences."""
    return cast(
        structlog.stdlib.BoundLogger,
        structlog.wrap_logger(
            logging.getLogger(f"collab.{name}"),
            processors=[
                structlog.stdlib.filter_by_level,
                *_COMMON,
                structlog.processors.format_exc_info,
                _hide_secrets,
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
            context_class=dict,
            cache_logger_on_first_use=True,
        ),
    )


def configure(level: str, format: str, stream: TextIO = sys.stderr) -> None:
    """Take over the logging of the process: all lines go to ``stream`` in one form.

    ``level`` (debug, info, warning, error) is that of our own loggers; libraries log at *info* at most, because at
    *debug* they print headers. ``auto`` is *info*, but a terminal is shown only failures. ``format`` is json, console,
    or auto: console on a terminal. May be called again.
    """
    is_console = format == "console" or (format == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(_console(stream) if is_console else _json()))
    handler.addFilter(_cut_query)
    if level == "auto" and stream.isatty():
        handler.addFilter(_is_failure)  # or the sign-in links would soon be out of sight
    root = logging.getLogger()
    root.handlers[:] = [handler]
    threshold = logging.INFO if level == "auto" else logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(max(threshold, logging.INFO))
    logging.getLogger("collab").setLevel(threshold)
    # At info it logs every request; ``keys_read`` and ``keys_not_read`` say more.
    logging.getLogger("httpx2").setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """A formatter for our lines and those of libraries. It scrubs the finished line, so no processor is missed."""

    def __init__(self, renderers: list[Processor]) -> None:
        super().__init__(
            foreign_pre_chain=_COMMON,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                *renderers,
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


def _json() -> list[Processor]:
    return [_important_first, structlog.processors.JSONRenderer()]


def _console(stream: TextIO) -> list[Processor]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(),
            repr_native_str=True,  # document names, which clients choose, must not control the terminal
            pad_event_to=24,
        )
    ]


def _hide_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return cast(EventDict, _hidden(event))


def _hidden(value: object) -> object:
    match value:
        case str():
            return scrub(value)
        case Mapping():
            return {key: HIDDEN if str(key).lower() in SECRET_KEYS else _hidden(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_hidden(inner) for inner in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return scrub(repr(value))


def _cut_query(record: logging.LogRecord) -> bool:
    """Remove the query from uvicorn's lines, which contain the whole target of a request. Always return True."""
    if record.name.startswith("uvicorn") and isinstance(record.args, tuple):
        record.args = tuple(
            arg.partition("?")[0] if isinstance(arg, str) and arg.startswith("/") else arg for arg in record.args
        )
    return True


def _is_failure(record: logging.LogRecord) -> bool:
    """Return True for warnings and errors, and for requests, documents and sockets that were refused."""
    if record.levelno >= logging.WARNING:
        return True
    if record.name == "uvicorn.access" and isinstance(record.args, tuple):
        return isinstance(status := record.args[-1], int) and status >= HTTPStatus.BAD_REQUEST
    said = record.msg if isinstance(record.msg, Mapping) else {}
    return said.get("event") == "denied" or (said.get("event") == "socket_closed" and said["code"] not in USUAL_CODES)


def _important_first(_logger: Any, _method: str, event: EventDict) -> EventDict:
    first = {key: event.pop(key) for key in ("timestamp", "level", "event", "logger") if key in event}
    return {**first, **event}


def _add_name(logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record = event.get("_record")
    event["logger"] = record.name if record is not None else logger.name
    return event


_COMMON: list[Processor] = [
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.add_log_level,
    _add_name,
]
