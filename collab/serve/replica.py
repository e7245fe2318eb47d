"""One process of the deployment: the id it writes presence under, and what all its rooms share."""

import secrets
from dataclasses import dataclass

from collab.ids import WriterId
from collab.limits import ServerLimits
from collab.observe.metrics import Metrics
from collab.relay.base import Relay
from collab.store.base import Store


@dataclass(frozen=True, slots=True)
class Replica:
    """What a process is given: where it stores documents, how it reaches other replicas, and what it may use."""

    writer: WriterId
    store: Store
    relay: Relay
    limits: ServerLimits
    metrics: Metrics


def draw_writer_id() -> WriterId:
    """Return a random 63-bit id for one life of a process or of a room; no other life ever has the same."""
    return WriterId(secrets.randbits(63))
