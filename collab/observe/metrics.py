"""Every metric of a replica: its name, its help text, its labels and its buckets.

The counting is done where things happen (``serve``, ``relay``, ``api``). Each ``Metrics`` has a registry of its own, so
two servers in one process do not count into each other. A label has few values, known in advance: what clients choose
(documents, users, close codes of their own) is never a label.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from collab.observe.counting import EditCounter, EditHistogram

DIALECTS = ("y-websocket", "hocuspocus", "rest")
"""The two wire dialects, and REST."""

PROMISE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets. Saving an edit takes milliseconds; beyond seconds only the number of those who wait matters."""


class Metrics:
    """The metrics of one replica. Gauges of what there is now are given a function that looks (``serve.gauges``)."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def counter(name: str, help: str, *labels: str) -> Counter:
            return Counter(f"collab_{name}", help, labels, registry=registry)

        def gauge(name: str, help: str, *labels: str) -> Gauge:
            return Gauge(f"collab_{name}", help, labels, registry=registry)

        def histogram(name: str, help: str, buckets: tuple[float, ...] = PROMISE_S) -> Histogram:
            return Histogram(f"collab_{name}", help, buckets=buckets, registry=registry)

        def edits(name: str, help: str) -> EditCounter:
            return EditCounter(f"collab_{name}", help, registry)

        # --- connections
        self.sockets = gauge("sockets", "WebSockets open.", "dialect")
        self.sessions = gauge("sessions", "Sessions: one client on one document.", "dialect")
        self.rooms = gauge("rooms", "Documents in the memory of this replica.")
        self.sockets_accepted = counter("sockets_accepted", "WebSocket handshakes accepted.", "dialect")
        self.sockets_refused = counter("sockets_refused", "WebSocket handshakes refused.", "reason")
        self.sockets_closed = counter(
            "sockets_closed",
            "WebSockets that ended, by close code (1006: without one) and by the side that ended them: peer or server.",
            "dialect",
            "code",
            "by",
        )
        self.outbox_overflows = counter("outbox_overflows", "Connections ended for not reading what they were sent.")

        # --- the way of an edit
        self.updates_received = edits("updates_received", "Frames with an update, from clients and programs.")
        self.updates_accepted = edits("updates_accepted", "Updates applied, shown to others and queued for the log.")
        self.updates_refused = counter("updates_refused", "Updates refused: harmful, too large, or not allowed.")
        self.updates_held = gauge("updates_held", "Updates waiting, unacknowledged, for their predecessors.")
        self.acknowledgements = edits("acknowledgements", "Updates acknowledged to their client as saved.")
        self.unsaved_bytes = gauge("unsaved_bytes", "Bytes of updates accepted and not committed.")
        self.commit_s = histogram("commit_seconds", "One commit, by what the store took; the count is the commits.")
        self.commit_rows = histogram(
            "commit_rows", "Rows in one commit; the sum is the rows.", (1, 2, 5, 10, 20, 50, 100, 200, 500)
        )
        self.save_s = EditHistogram(
            "collab_save_seconds",
            "From accepting an update to having it committed and acknowledging it.",
            PROMISE_S,
            registry,
        )

        # --- the store
        self.store_unavailable = counter("store_unavailable", "Times that the store did not answer.")
        self.heads_poll_s = histogram("heads_poll_seconds", "Asking the store for the heads of all open documents.")
        self.snapshots = counter("snapshots", "Snapshots written.")
        self.snapshot_bytes = counter("snapshot_bytes", "Bytes of snapshots written.")

        # --- the other replicas
        self.relay_up = gauge("relay_up", "1 while frames between replicas arrive.")
        self.relay_frames_published = counter("relay_frames_published", "Frames that were sent to Redis.")
        self.relay_frames_received = counter("relay_frames_received", "Frames of other replicas that were delivered.")
        self.relay_frames_dropped = counter(
            "relay_frames_dropped", "Frames that never left: the queue was full, or Redis did not answer."
        )
        self.relay_frames_refused = counter(
            "relay_frames_refused", "Messages on our channels that are none of ours: forged, damaged, another version."
        )
        self.relay_interruptions = counter("relay_interruptions", "Times that frames may have been lost untold.")

        # --- the process
        self.loop_lag_s = histogram("loop_lag_seconds", "How much later than asked for the event loop woke a task.")

    def expose(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as text, and its content type. ``accept``: the header; default: plain Prometheus text."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type
