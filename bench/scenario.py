"""A scenario: what is measured, on which servers; and one run of it on one server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pycrdt
from websockets.sync.client import connect

from bench.checks import Delivery, check_delivery, useful_deliveries
from bench.load import Load, run_load
from bench.machine import cpu_ns
from bench.plan import Participant, Plan, Wire, hello
from bench.servers import Backing, Kind, Server, ServerFailed, running
from bench.traffic import ROOT, EditedDocument
from collab.protocol.varint import read_var_uint
from tests.frames import STEP2, SYNC, UPDATE, encode_frame

_CHECK_S_MAX = 10.0


@dataclass(frozen=True)
class Result:
    """What one run of a scenario on one server found."""

    figures: dict[str, float]
    faults: tuple[str, ...] = ()
    """In what the run was not as it should be; its figures then do not count."""


@dataclass(frozen=True)
class Figure:
    """One figure of a scenario."""

    name: str
    title: str
    digits: int = 1


@dataclass(frozen=True)
class Scenario:
    """One thing that is measured, and the servers it is usually measured on."""

    name: str
    title: str
    measure: Callable[[Kind, Backing], Result]
    servers: tuple[str, ...]
    figures: tuple[Figure, ...]
    """The first is the main one, for which ratios are computed; less is better."""
    explanation: str = ""
    rounds: int = 3


def run_plan(
    kind: Kind, backing: Backing, plan: Plan, *, replicas: int = 1, check_text: bool = True
) -> tuple[Load, Result]:
    """Start a server, carry out the plan on it, check it, and compute the usual figures."""
    with running(kind, backing, replicas=replicas) as server:
        return run_on(server, backing, plan, check_text=check_text)


def run_on(server: Server, backing: Backing, plan: Plan, *, check_text: bool = True) -> tuple[Load, Result]:
    """Carry out the plan on a server that runs, check that everybody got everything, and compute the usual figures."""
    plan = replace(plan, pending_max=min(plan.pending_max, server.kind.joins_at_a_time))
    beside: dict[str, int] = {}
    faults: list[str] = []

    def on_mark(name: str) -> None:
        beside[name] = sum(map(cpu_ns, backing.pids()))

    def while_open() -> None:
        if check_text and server.kind.has_documents:
            faults.extend(_wrong_documents(server, plan))

    load = run_load(plan, server.wire, server.pids, on_mark=on_mark, while_open=while_open)
    server.check_alive()
    delivery = check_delivery(plan, load)
    faults += _faults(plan, load, delivery)
    figures = _figures(plan, load, delivery)
    figures["database_cpu_s"] = (beside["done"] - beside["warm"]) / 1e9
    return load, Result(figures, tuple(faults))


def _faults(plan: Plan, load: Load, delivery: Delivery) -> list[str]:
    everybody = zip(plan.participants, load.outcomes, strict=True)
    closed = sum(outcome.close_code != 0 and not participant.stops_reading for participant, outcome in everybody)
    counts = {
        "updates never arrived": delivery.missing,
        "readers got other bytes": delivery.different,
        "newcomers have another text": delivery.incomplete,
        "clients were disconnected": closed,
    }
    return [f"{count} {what}" for what, count in counts.items() if count]


def _figures(plan: Plan, load: Load, delivery: Delivery) -> dict[str, float]:
    cpu_s = load.cpu_s("warm", "done")
    useful = useful_deliveries(plan, load)
    elapsed_s = load.totals["last_read_s"] - load.marks["warm"].at_s
    figures: dict[str, float] = {"cpu_s": cpu_s, "useful": useful}
    if useful:
        figures["core_share"] = cpu_s / elapsed_s
        figures["us_per_delivery"] = cpu_s / useful * 1e6
    figures |= percentiles("latency", delivery.latencies_s)
    figures |= percentiles("echo", delivery.echoes_s)
    figures["frames"] = load.totals["update_frames"]
    figures["send_late_ms"] = load.totals["send_late_s"] * 1e3
    figures["growth_mib"] = load.growth_kib("joined", "done") / 1024
    return figures


def percentiles(name: str, values_s: list[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the largest of these seconds, in milliseconds."""
    if not values_s:
        return {}
    ordered = sorted(values_s)

    def at(part: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1e3

    return {f"{name}_p50_ms": at(0.5), f"{name}_p99_ms": at(0.99), f"{name}_max_ms": at(1)}


@contextmanager
def seeded(server: Server, document: str, content: EditedDocument, *, until_committed: bool = False) -> Iterator[None]:
    """Give a document its content, and keep it open meanwhile: peers without storage forget it with the last client."""
    wire = server.wire
    author = Participant(document, "author")
    address = wire.prefix + document if wire.dialect == "hocuspocus" else ""
    with connect(_url(wire, author), compression=None, max_size=None) as socket:
        for frame in hello(wire, author):
            socket.send(frame)
        socket.send(encode_frame(SYNC, UPDATE, content.state, document=address))
        if text_length(server, document, content.length) != content.length:
            raise ServerFailed(f"{server.kind.name} did not take the document")
        while until_committed and not any(
            len(update) > len(content.state) // 2
            for update in document_bytes(socket.recv(timeout=_CHECK_S_MAX, decode=False), wire.dialect)
        ):
            continue  # the update comes back to its author once it is committed
        yield


def _url(wire: Wire, participant: Participant) -> str:
    path = wire.path(wire.prefix + participant.document, participant.user)
    return f"ws://127.0.0.1:{wire.ports[participant.replica]}{path}"


def _wrong_documents(server: Server, plan: Plan) -> list[str]:
    """Join a few documents as somebody new, and compare what the server has with what was typed."""
    faults = []
    for document in list(plan.numbers)[:: max(1, len(plan.numbers) // 3)]:
        expected = plan.expected_length(document)
        found = text_length(server, document, expected)
        if found != expected:
            faults.append(f"{document} has {found} characters at the server, and {expected} were typed")
    return faults


def text_length(server: Server, document: str, expected: int) -> int:
    """Join a document and return the length of its text, once that is as expected or does not become so."""
    wire = server.wire
    visitor = Participant(document, "visitor", replica=len(wire.ports) - 1)
    doc: Any = pycrdt.Doc()
    text = doc.get(ROOT, type=pycrdt.Text)
    with connect(_url(wire, visitor), compression=None, max_size=None) as socket:
        for frame in hello(wire, visitor):
            socket.send(frame)
        try:
            while len(text) != expected:
                for update in document_bytes(socket.recv(timeout=_CHECK_S_MAX, decode=False), wire.dialect):
                    doc.apply_update(update)
        except TimeoutError:
            pass
    return len(text)


def document_bytes(frame: bytes, dialect: str) -> list[bytes]:
    """Return the update in a frame of the server, if it has one."""
    at = 0
    if dialect == "hocuspocus":
        size, at = read_var_uint(frame, 0)
        at += size
    if frame[at] not in (0, 4) or frame[at + 1] not in (STEP2, UPDATE):
        return []
    size, at = read_var_uint(frame, at + 2)
    return [frame[at : at + size]]
