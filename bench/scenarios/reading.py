"""Programs that read documents over REST, one after another on one connection."""

import http.client
import time

from bench.machine import cpu_ns
from bench.scenario import Figure, Result, Scenario, percentiles, seeded
from bench.scenarios.joins import edited_100k
from bench.servers import Backing, Kind, Server, running
from bench.traffic import EditedDocument, document_of
from tests.deployment import token

SECONDS = 2.0


def reading(name: str, title: str, content: "EditedDocument | None") -> Scenario:
    """Return the scenario of reading one document's text again and again."""

    def measure(kind: Kind, backing: Backing) -> Result:
        document = content or edited_100k()
        with running(kind, backing) as server, seeded(server, "read", document, until_committed=True):
            _read(server, document.length, 0.3)
            before = sum(map(cpu_ns, server.pids))
            latencies, wrong = _read(server, document.length, SECONDS)
            cpu_s = (sum(map(cpu_ns, server.pids)) - before) / 1e9
        figures = {"cpu_ms": cpu_s / len(latencies) * 1e3, "reads_per_s": len(latencies) / SECONDS}
        return Result(figures | percentiles("read", latencies), (f"{wrong} wrong answers",) if wrong else ())

    return Scenario(
        name,
        title,
        measure,
        ("collab",),
        (Figure("cpu_ms", "CPU ms / read", 2), Figure("read_p50_ms", "p50 ms"), Figure("read_p99_ms", "p99 ms")),
    )


def _read(server: Server, length: int, seconds: float) -> tuple[list[float], int]:
    connection = http.client.HTTPConnection("127.0.0.1", server.wire.ports[0], timeout=20)
    headers = {"Authorization": f"Bearer {token('reader')}"}
    latencies, wrong = [], 0
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        began_s = time.monotonic()
        connection.request("GET", f"/api/v1/documents/{server.wire.prefix}read/content", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        latencies.append(time.monotonic() - began_s)
        wrong += answer.status != 200 or len(body) != length
    connection.close()
    return latencies, wrong


SCENARIOS = (
    reading("read-10k", "read a document of 10 KB over REST", document_of(10_000)),
    reading("read-100k", "read a document of 100,000 edits over REST", None),
)
