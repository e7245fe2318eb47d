"""Real updates that are damaged, and crafted ones: the input of the fuzz tests."""

import json
import random
from pathlib import Path
from typing import Any

import pycrdt

from collab.protocol.varint import Writer

_VECTORS = Path(__file__).parent.parent / "vectors" / "updates.json"
_NUMBERS = list(map(bytes.fromhex, ("00", "01", "02", "7f", "8001", "ff7f", "ffffffff07", "8080808008", "ffffffff0f")))


def corpus() -> list[bytes]:
    """Return updates that Yjs and pycrdt wrote: keystrokes, marks, trees, maps, deletions, emoji, whole documents."""
    recorded = json.loads(_VECTORS.read_text())
    yjs = [bytes.fromhex(case["hex"]) for case in recorded["accepted"].values()]
    return yjs + _pycrdt_updates()


def base_document() -> bytes:
    """Return a document in which every client of the corpus has written."""
    recorded = json.loads(_VECTORS.read_text())["accepted"]
    wholes = [bytes.fromhex(case["hex"]) for name, case in recorded.items() if name.endswith("whole")]
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=5)
    for update in [*wholes, bytes.fromhex(recorded["together"]["hex"]), *_pycrdt_updates()]:
        doc.apply_update(update)
    return doc.get_update()


def _pycrdt_updates() -> list[bytes]:
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=2**52 + 1)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    text = doc.get("t", type=pycrdt.Text)
    tree = doc.get("default", type=pycrdt.XmlFragment)
    fields = doc.get("meta", type=pycrdt.Map)
    text += "grüße 😀"
    text.format(0, 3, {"bold": True})
    del text[1:3]
    paragraph = tree.children.append(pycrdt.XmlElement("paragraph", {"align": "left"}))
    paragraph.children.append(pycrdt.XmlText("words"))
    fields["list"] = pycrdt.Array([1, 2.5, None, {"a": [True]}])
    fields["list"] = "replaced"
    del tree.children[0]
    return [*updates, doc.get_update()]


def mutate(random_: random.Random, seeds: list[bytes]) -> bytes:
    """Return a damaged update. Most of them are refused; the others are the interesting ones."""
    data = bytearray(random_.choice(seeds))
    for _ in range(random_.choice((1, 1, 1, 2, 3))):
        at = random_.randrange(len(data) + 1)
        match random_.randrange(7):
            case 0 if data:
                data[at - 1] ^= 1 << random_.randrange(8)
            case 1 if data:
                data[at - 1] = random_.choice((0, 1, 2, 3, 4, 5, 7, 10, 127, 128, 255, random_.randrange(256)))
            case 2:
                data[at:at] = random_.choice(_NUMBERS)
            case 3:
                del data[at : at + random_.randrange(1, 4)]
            case 4:
                data[at : at + random_.randrange(4)] = random_.choice(_NUMBERS)
            case 5:
                other = random_.choice(seeds)
                begin = random_.randrange(len(other) + 1)
                data[at : at + random_.randrange(8)] = other[begin : begin + random_.randrange(16)]
            case _ if data:
                data[at - 1] = (data[at - 1] + random_.choice((-2, -1, 1, 2))) % 256
    return bytes(data)


def craft(random_: random.Random, state: dict[int, int]) -> bytes:
    """Return an update that parses and whose references exist, but that no editor would write.

    Mutated updates hardly ever pass the guard and causality; this one tests the code behind them.
    """
    known = dict(state)
    clients = random_.sample([*state, 3, 2**32], k=random_.choice((1, 1, 1, 2)))
    writer = Writer()
    writer.var_uint(len(clients))
    for client in clients:
        overlap = random_.choice((0, 0, 0, 1, 2))
        clock = max(0, known.get(client, 0) - overlap)
        structs = [_struct(random_, known, client, clock + i) for i in range(random_.choice((1, 1, 2, 4)))]
        writer.var_uint(len(structs))
        writer.var_uint(client)
        writer.var_uint(clock)
        for struct in structs:
            writer.raw(struct)
        known[client] = max(known.get(client, 0), clock + len(structs))
    deletions = random_.sample(list(known), k=random_.choice((0, 0, 1, 2)))
    writer.var_uint(len(deletions))
    for client in deletions:
        clock = random_.randrange(known[client])
        writer.var_uint(client)
        writer.var_uint(1)
        writer.var_uint(clock)
        writer.var_uint(random_.randrange(1, known[client] - clock + 1))
    return writer.to_bytes()


_CONTENTS = [
    (1, "01"), (3, "02ffff"), (4, "0161"), (4, "02c3a9"), (5, "0131"), (5, "077b2261223a317d"),
    (6, "04626f6c640474727565"), (6, "01610131"), (6, "04626f6c64046e756c6c"), (7, "00"), (7, "01"), (7, "02"),
    (7, "030170"), (7, "04"), (7, "06"), (8, "017e"), (8, "0175027d057601016177016b"), (8, "017a0000000000000001"),
]  # fmt: skip
_ROOTS = ["t", "default", "meta", "a", "new", ""]


def _struct(random_: random.Random, known: dict[int, int], client: int, clock: int) -> bytes:
    """Return a struct of length 1 with references to any elements of the document."""
    kind, content = random_.choice(_CONTENTS)
    writer = Writer()
    if random_.random() < 0.03:
        return b"\0\1"

    def reference() -> None:
        targets = [(c, n if c != client else clock) for c, n in known.items() if (n if c != client else clock)]
        other, end = random_.choice(targets)
        writer.var_uint(other)
        writer.var_uint(random_.randrange(end))

    shape = random_.choice((0x80, 0x40, 0xC0, 0, 0, 0)) if known else 0
    key = random_.choice((0, 0x20))
    writer.byte(shape | key | kind)
    for flag in (0x80, 0x40):
        if shape & flag:
            reference()
    if not shape:
        is_root = random_.random() < 0.5
        writer.var_uint(int(is_root))
        if is_root:
            writer.var_string(random_.choice(_ROOTS))
        else:
            reference()
        if key:
            writer.var_string(random_.choice(("title", "k")))
    writer.raw(bytes.fromhex(content))
    return writer.to_bytes()
