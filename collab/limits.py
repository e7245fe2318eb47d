"""The bounds and intervals of a running server that an operator may change.

Each has one name, one default and one description, here. `Settings` inherits them and reads them from the environment,
and the parts of the server take a `ServerLimits`. Bounds that no operator has a reason to change are constants of the
module that keeps them.

Some names are older than the code's words and stay because operators use them: `held_` means pending updates,
`persister_` the log writer, and `heads_poll_` the log sync.
"""

from pydantic import BaseModel, ConfigDict, Field

from collab.protocol.limits import Limits
from collab.room.capacity import BYTES_MAX
from collab.room.pending import PendingLimits
from collab.room.slow_readers import LagLimits
from collab.room.updates import RoomLimits
from collab.room.window import WindowLengths
from collab.room.work import WorkLimits

MIB = 1024 * 1024

_UPDATE = Limits()
_PENDING = PendingLimits()
_WINDOW = WindowLengths()
_WORK = WorkLimits()


class ServerLimits(BaseModel):
    """The bounds on connections, documents, the log writer and a shutdown."""

    model_config = ConfigDict(frozen=True)

    # --- one connection ---------------------------------------------------------------------------------

    frame_bytes_max: int = Field(
        default=_UPDATE.bytes_max,
        ge=1024,
        description="Size limit of one WebSocket message. A client that comes back online sends all its edits as one.",
    )
    outbox_bytes_max: int = Field(
        default=4 * MIB,
        ge=64 << 10,
        description="Bytes that wait for one connection. Beyond, its client is sent no edits until it has read them.",
    )
    documents_per_socket_max: int = Field(default=256, ge=1, description="Documents open on one Hocuspocus socket.")
    keepalive_s: float = Field(
        default=20,
        gt=0,
        le=25,
        description="Seconds without a message to the client after which a keepalive is sent. "
        "Clients disconnect after 30.",
    )
    denial_hold_s: float = Field(
        default=2.5,
        ge=0,
        description="Seconds between denying a y-websocket client and closing its socket. "
        "Some clients reconnect at once, again and again.",
    )
    ping_s: float = Field(
        default=20,
        gt=0,
        description="Seconds between WebSocket pings. A connection that has not answered a ping when the next one "
        "is due is closed.",
    )

    # --- before a valid token ---------------------------------------------------------------------------

    preauth_s: float = Field(
        default=10, gt=0, description="Seconds a WebSocket has to show a valid token, and a request to send its body."
    )
    stranger_s: float = Field(
        default=60,
        gt=0,
        description="Seconds after which a WebSocket without a valid token is closed, although it was told that its "
        "token is missing or bad. Clients come back soon after a close, so a short time would only cost handshakes.",
    )
    preauth_bytes_max: int = Field(
        default=MIB // 4, ge=1024, description="Bytes buffered for one connection before its token is checked."
    )
    preauth_frames_max: int = Field(
        default=1000, ge=1, description="Frames buffered for one connection before its token is checked."
    )
    preauth_documents_max: int = Field(
        default=100, ge=1, description="Documents that one connection may open without a valid token."
    )

    # --- one document -----------------------------------------------------------------------------------

    room_linger_s: float = Field(
        default=5, ge=0, description="Seconds a document stays in memory after its last client has left."
    )
    held_bytes_max: int = Field(
        default=_PENDING.bytes_max,
        ge=1024,
        description="Bytes of one document's pending updates: those that build on edits not received yet.",
    )
    held_updates_max: int = Field(default=_PENDING.updates_max, ge=1, description="Pending updates of one document.")
    held_s: float = Field(default=_PENDING.age_s_max, gt=0, description="Seconds an update may stay pending.")

    lag_s_max: float = Field(
        default=LagLimits().s_max,
        gt=0,
        description="Seconds in which a client must have taken what it was sent, once COLLAB_OUTBOX_BYTES_MAX of it "
        "wait. It gets longer if more waits, a second for each 64 KiB.",
    )
    batch_window_ms: float = Field(
        default=_WINDOW.length_s * 1000,
        ge=0,
        le=1000,
        description="Milliseconds in which the edits in a document are gathered into one message to each of its "
        "clients. The first edit after a pause is sent at once. 0 sends every edit at once in every document.",
    )
    batch_window_large_ms: float = Field(
        default=_WINDOW.large_length_s * 1000, ge=0, le=1000, description="The same in a document with many clients."
    )
    batch_sessions_min: int = Field(
        default=_WINDOW.sessions_min,
        ge=1,
        description="Clients on one document, on one replica, from which on edits are gathered.",
    )
    batch_large_sessions_min: int = Field(
        default=_WINDOW.large_sessions_min, ge=1, description="Clients from which on the larger window counts."
    )

    document_bytes_max: int = Field(
        default=BYTES_MAX,
        ge=1024,
        description="Size limit of one document. It should be smaller than COLLAB_FRAME_BYTES_MAX, since a client that "
        "comes back sends its whole copy as one message. Editors are told from 80 % on; deletions are always accepted.",
    )
    work_stretch_ms: float = Field(
        default=_WORK.stretch_s * 1000,
        gt=0,
        le=1000,
        description="Milliseconds of processor time that one user's edits may take before others have a turn.",
    )
    work_s_max: float = Field(
        default=_WORK.frame_s_max,
        gt=0,
        description="Seconds of processor time after which an update is refused as too costly. Its size adds to them: "
        "4 seconds for each million bytes. Of the time in which its parts go into the document, each thousand structs "
        "explain 0.05 seconds.",
    )

    # --- the log and the other replicas -----------------------------------------------------------------

    flush_window_ms: float = Field(
        default=20, ge=0, le=1000, description="Milliseconds in which updates are gathered into one commit, under load."
    )
    persister_queue_bytes_max: int = Field(
        default=32 * MIB, ge=1024, description="Bytes waiting to be committed before the server stops reading sockets."
    )
    heads_poll_s: float = Field(
        default=1, gt=0, description="Seconds between checks of the database for rows that the relay did not deliver."
    )
    heads_poll_relay_down_s: float = Field(default=0.25, gt=0, description="The same while the relay is down.")
    bin_days: float = Field(
        default=30,
        ge=0,
        le=36500,
        description="Days for which a deleted document stays in the bin, where its owners can restore it. "
        "Then it is deleted for good.",
    )
    shutdown_s: float = Field(
        default=10, gt=0, description="Seconds a stopping server may take to commit what it has accepted."
    )

    @property
    def heartbeat_s(self) -> float:
        """Seconds between two visits of a connection: two find out that it was silent for ``keepalive_s``."""
        return min(self.keepalive_s / 2, self.ping_s)

    @property
    def update(self) -> Limits:
        """The limits of one update: it may fill a frame."""
        return Limits(bytes_max=self.frame_bytes_max)

    @property
    def pending(self) -> PendingLimits:
        """The limits of one document's pending updates."""
        return PendingLimits(self.held_bytes_max, self.held_updates_max, self.held_s)

    @property
    def window(self) -> WindowLengths:
        """How long edits are gathered before they are sent."""
        return WindowLengths(
            self.batch_window_ms / 1000,
            self.batch_window_large_ms / 1000,
            self.batch_sessions_min,
            self.batch_large_sessions_min,
        )

    @property
    def room(self) -> RoomLimits:
        """The limits of one room."""
        lag = LagLimits(self.lag_s_max)
        return RoomLimits(self.update, self.pending, self.window, lag, self.work, self.document_bytes_max)

    @property
    def work(self) -> WorkLimits:
        """How much time updates may take."""
        return WorkLimits(
            stretch_s=self.work_stretch_ms / 1000,
            frame_s_max=self.work_s_max,
            bytes_max=2 * self.frame_bytes_max,
        )
