"""What a load generator would have measured, made by hand."""

from bench.load import Load, Mark, Outcome, Received
from bench.plan import Plan
from collab.protocol.varint import Writer


def update_body(update: bytes) -> bytes:
    """Return the sync message of an update."""
    writer = Writer()
    writer.var_bytes(update)
    return b"\0\2" + writer.to_bytes()


def load_of(
    plan: Plan, received: dict[int, list[tuple[float, bytes]]], *, hashes: dict[int, int] | None = None
) -> Load:
    """Return a load in which everything was sent when it was due, and these clients received these messages."""
    hashes = hashes or {}
    outcomes = [
        Outcome(0, 0, 1, 0, 0, 0, 0, hashes.get(number, 0), 0, 0, 0) for number in range(len(plan.participants))
    ]
    sent_s = [tuple(send.due_s for send in each.sends) for each in plan.participants]
    messages = {number: [Received(*each) for each in found] for number, found in received.items()}
    return Load({"warm": Mark(plan.warm_s, 0, 0)}, {}, outcomes, sent_s, messages)
