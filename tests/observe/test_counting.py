"""Counters and histograms without a lock say the same as those of the client library."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from collab.observe.counting import EditCounter, EditHistogram

BUCKETS = (0.001, 0.5, 1.0, 2.5)


def lines(registry: CollectorRegistry) -> list[str]:
    """Return what Prometheus reads, without the time of creation."""
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def test_counter_is_exposed_like_the_librarys_own() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    for counter in (EditCounter("edits", "Edits.", ours), Counter("edits", "Edits.", registry=theirs)):
        counter.inc()
        counter.inc(3)
    assert lines(ours) == lines(theirs)


@pytest.mark.parametrize("values", [(), (0.0005,), (0.001, 0.5, 0.6, 1.0, 2.4, 2.5, 2.6, 100.0)])
def test_histogram_is_exposed_like_the_librarys_own(values: tuple[float, ...]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    for histogram in (
        EditHistogram("save_seconds", "Saving.", BUCKETS, ours),
        Histogram("save_seconds", "Saving.", buckets=BUCKETS, registry=theirs),
    ):
        for value in values:
            histogram.observe(value)
    assert lines(ours) == lines(theirs)
