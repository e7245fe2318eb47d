"""The relay inside one process: for a deployment of one replica, and for several replicas in tests.

A ``MemoryBus`` connects the relays made on it. A test can hold back frames, to drop, repeat and reorder them, and can
disconnect the bus, as when Redis goes away.
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
    """The connection between the relays of one process."""

    def __init__(self) -> None:
        self.is_up = True
        self.held: list[Delivery] | None = None
        """The deliveries since ``hold``, in order, for a test to rearrange; None while nothing is held back."""
        self._relays: list[MemoryRelay] = []

    def hold(self) -> None:
        """Keep the following frames in ``held`` instead of delivering them."""
        self.held = []

    def release(self) -> None:
        """Deliver what is in ``held``, in its order, and hold nothing back any more."""
        held, self.held = self.held or [], None
        for delivery in held:
            self._deliver(delivery)

    def disconnect(self) -> None:
        """Lose all following frames."""
        self.is_up = False
        self._interrupt()

    def reconnect(self) -> None:
        """Carry frames again."""
        self.is_up = True
        self._interrupt()

    def join(self, relay: "MemoryRelay") -> None:
        """Let ``relay`` hear what the others send."""
        self._relays.append(relay)

    def leave(self, relay: "MemoryRelay") -> None:
        """Let ``relay`` hear no more, and tell the others that its replica is gone."""
        self._relays.remove(relay)
        for other in self._relays:
            other.lose(relay.writer)

    def send(self, frame: RelayFrame, sender: WriterId) -> None:
        """Send ``frame`` to every other relay. Returns before any of them hears it."""
        if not self.is_up:
            return
        for relay in self._relays:
            if relay.writer != sender:
                self._deliver(Delivery(relay, frame))

    def _deliver(self, delivery: Delivery) -> None:
        if self.held is not None:
            self.held.append(delivery)
        else:
            # Not at once: the sender is in the middle of something, and an answer could come back to it.
            asyncio.get_running_loop().call_soon(delivery.to.hear, delivery.frame)

    def _interrupt(self) -> None:
        for relay in self._relays:
            relay.interrupt()


class MemoryRelay:
    """The relay of one replica, on a bus."""

    def __init__(self, bus: MemoryBus, writer: WriterId) -> None:
        self.writer = writer
        self._bus = bus
        self._listener: Listener | None = None
        self._documents: set[DocumentName] = set()

    @property
    def up(self) -> bool:
        """True if this relay is open and its bus carries frames."""
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
        """Hear frames of this document no longer, not even those on their way."""
        self._documents.discard(document)

    def publish(self, frame: RelayFrame) -> None:
        """Send to the other relays on the bus."""
        if self._listener is not None:
            self._bus.send(frame, self.writer)

    def hear(self, frame: RelayFrame) -> None:
        """Pass a frame from the bus to the listener, if its document is subscribed."""
        if self._listener is not None and frame.document in self._documents:
            self._listener.relayed(frame)

    def lose(self, writer: WriterId) -> None:
        """Tell the listener that another replica left the bus."""
        assert self._listener is not None
        self._listener.replica_lost(writer)

    def interrupt(self) -> None:
        """Tell the listener that frames may have been lost."""
        assert self._listener is not None
        self._listener.interrupted()
