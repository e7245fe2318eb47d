"""What this process has counted since it began. Plain integers: whoever shows them takes the differences."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Metrics:
    """Counters, each only ever growing. One instance a replica, given to whoever counts."""

    relay_frames_published: int = 0
    """Frames that Redis has taken."""
    relay_frames_received: int = 0
    """Frames of other replicas that were delivered."""
    relay_frames_dropped: int = 0
    """Frames that never left this replica: the queue was full, or Redis did not answer."""
    relay_frames_refused: int = 0
    """Messages on our channels that are none of ours: forged, damaged, or of another version."""
    relay_interruptions: int = 0
    """Times that frames may have been lost without a trace."""

    def as_dict(self) -> dict[str, int]:
        """Name → count."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
