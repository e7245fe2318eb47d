"""The relay inside one process: nothing to do for a single replica, and several replicas at once for tests.

A ``MemoryBus`` joins the relays made on it. It may be told to hold what is sent, so that a test can drop,
repeat and reorder it, and to be cut, as when Redis goes away.
"""

import asyncio
from dataclasses import dataclass

from collab.ids import DocumentName, WriterId
from collab.relay.base import Listener, RelayFrame


@dataclass(frozen=True, slots=True)
class Delivery:
    """One frame on its way to one replica."""

    to: "MemoryRelay"
    frame: RelayFrame


class MemoryBus:
    """What the relays of one process share."""

    def __init__(self) -> None:
        self.is_up = True
        self.held: list[Delivery] | None = None
        """What was sent since ``hold``, in order, for a test to rearrange; None when nothing is held."""
        self._relays: list[MemoryRelay] = []

    def hold(self) -> None:
        """Keep in ``held`` what is sent from now on."""
        self.held = []

    def release(self) -> None:
        """Deliver what ``held`` holds by now, in its order, and hold no more."""
        held, self.held = self.held or [], None
        for delivery in held:
            self._deliver(delivery)

    def cut(self) -> None:
        """Lose everything that is sent from now on."""
        self.is_up = False
        self._interrupt()

    def mend(self) -> None:
        """Carry frames again."""
        self.is_up = True
        self._interrupt()

    def join(self, relay: "MemoryRelay") -> None:
        """``relay`` hears what the others send."""
        self._relays.append(relay)

    def leave(self, relay: "MemoryRelay") -> None:
        """``relay`` hears no more."""
        self._relays.remove(relay)
        for other in self._relays:
            other.lose(relay.writer)

    def send(self, frame: RelayFrame, sender: WriterId) -> None:
        """Bring ``frame`` to every other relay. Returns before anybody hears it."""
        if not self.is_up:
            return
        for relay in self._relays:
            if relay.writer != sender:
                self._deliver(Delivery(relay, frame))

    def _deliver(self, delivery: Delivery) -> None:
        if self.held is not None:
            self.held.append(delivery)
        else:
            # Not at once: who sends is in the middle of something, and the answer may come back to it.
            asyncio.get_running_loop().call_soon(delivery.to.hear, delivery.frame)

    def _interrupt(self) -> None:
        for relay in self._relays:
            relay.interrupt()


class MemoryRelay:
    """One replica's end of a bus."""

    def __init__(self, bus: MemoryBus, writer: WriterId) -> None:
        self.writer = writer
        self._bus = bus
        self._listener: Listener | None = None
        self._documents: set[DocumentName] = set()

    @property
    def up(self) -> bool:
        """Whether it is open and its bus carries frames."""
        return self._listener is not None and self._bus.is_up

    async def open(self, listener: Listener) -> None:
        """Join the bus."""
        self._listener = listener
        self._bus.join(self)

    async def close(self) -> None:
        """Leave the bus."""
        if self._listener is not None:
            self._listener = None
            self._documents.clear()
            self._bus.leave(self)

    async def subscribe(self, document: DocumentName) -> None:
        """Hear frames of this document."""
        self._documents.add(document)

    async def unsubscribe(self, document: DocumentName) -> None:
        """Hear them no more, also those that are on their way."""
        self._documents.discard(document)

    def publish(self, frame: RelayFrame) -> None:
        """Send to the others on the bus."""
        if self._listener is not None:
            self._bus.send(frame, self.writer)

    def hear(self, frame: RelayFrame) -> None:
        """Called by the bus."""
        if self._listener is not None and frame.document in self._documents:
            self._listener.relayed(frame)

    def lose(self, writer: WriterId) -> None:
        """Called by the bus."""
        assert self._listener is not None
        self._listener.replica_lost(writer)

    def interrupt(self) -> None:
        """Called by the bus."""
        assert self._listener is not None
        self._listener.interrupted()
