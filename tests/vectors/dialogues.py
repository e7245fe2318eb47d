"""Access to the recorded dialogues of the real clients."""

import json
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """One step: a frame ``by`` client or server, or an event in the code of the client."""

    by: str
    frame: bytes
    event: str


def dialogue(client: str, name: str) -> list[Step]:
    """Return the steps of dialogue ``name`` with ``client``, which is y-websocket or hocuspocus."""
    recorded = json.loads((Path(__file__).parent / f"{client}.json").read_text())
    return [_step(step) for step in recorded[name] if "path" not in step]


def frames(client: str, name: str, by: str) -> list[bytes]:
    """Return the frames that one side sent."""
    return [step.frame for step in dialogue(client, name) if step.by == by]


def _step(step: dict[str, str]) -> Step:
    ((by, what),) = step.items()
    return Step(by, b"", what) if by == "event" else Step(by, bytes.fromhex(what), "")
