"""Gauges whose values are looked up when they are read: a number that is not kept cannot go wrong."""

from functools import partial

from collab.observe.metrics import DIALECTS, Metrics
from collab.relay.base import Relay
from collab.serve.log_writer import LogWriter
from collab.serve.rooms import Rooms


def connect_gauges(metrics: Metrics, *, rooms: Rooms, log_writer: LogWriter, relay: Relay) -> None:
    """Let ``metrics`` read these parts from now on. Reading walks over the open rooms."""
    metrics.rooms.set_function(lambda: len(rooms))
    metrics.updates_held.set_function(lambda: sum(host.pending for host in rooms.hosts))
    metrics.unsaved_bytes.set_function(lambda: log_writer.queued_bytes)
    metrics.relay_up.set_function(lambda: relay.up)
    for dialect in DIALECTS:
        metrics.sessions.labels(dialect).set_function(partial(_sessions, rooms, dialect))


def _sessions(rooms: Rooms, dialect: str) -> int:
    return sum(host.sessions_of(dialect) for host in rooms.hosts)
