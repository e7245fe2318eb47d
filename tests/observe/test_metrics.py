"""Counters start at nothing and are told by name."""

from collab.observe.metrics import Metrics


def test_counters_are_told_by_name() -> None:
    metrics = Metrics()
    assert set(metrics.as_dict().values()) == {0}
    metrics.relay_interruptions += 2
    assert metrics.as_dict()["relay_interruptions"] == 2
