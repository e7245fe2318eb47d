"""The recorded dialogues of the real clients, as the tests read them."""

import json
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """One step: ``by`` client or server with a frame, or an event that the client's own code saw."""

    by: str
    frame: bytes
    event: str


def dialogue(client: str, name: str) -> list[Step]:
    """The steps of ``name`` with ``client``: y-websocket or hocuspocus."""
    recorded = json.loads((Path(__file__).parent / f"{client}.json").read_text())
    return [_step(step) for step in recorded[name] if "path" not in step]


def frames(client: str, name: str, by: str) -> list[bytes]:
    """Only the frames that one side sent."""
    return [step.frame for step in dialogue(client, name) if step.by == by]


def _step(step: dict[str, str]) -> Step:
    ((by, what),) = step.items()
    return Step(by, b"", what) if by == "event" else Step(by, bytes.fromhex(what), "")
