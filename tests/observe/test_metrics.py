"""Metrics: each has a description, and two servers in one process count separately."""

import pytest
from prometheus_client import Metric

from collab.observe.metrics import Metrics
from tests.metering import sample


def families() -> list[Metric]:
    return [family for family in Metrics().registry.collect() if family.name.startswith("collab_")]


def test_every_metric_has_a_description() -> None:
    assert len(families()) > 20
    assert [family.name for family in families() if not family.documentation.endswith(".")] == []


def test_no_metric_label_is_chosen_by_clients() -> None:
    metrics = Metrics()
    labels = {name for held in vars(metrics).values() for name in getattr(held, "_labelnames", ())}
    assert labels == {"dialect", "reason", "code", "by"}


def test_two_servers_in_one_process_count_separately() -> None:
    one, other = Metrics(), Metrics()
    one.updates_received.inc()
    assert (sample(one, "updates_received_total"), sample(other, "updates_received_total")) == (1, 0)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text; version=1.0.0"),
    ],
)
def test_prometheus_gets_the_format_it_accepts(accept: str, content_type: str) -> None:
    text, told = Metrics().expose(accept)
    assert told.startswith(content_type)
    assert b"# HELP collab_save_seconds From accepting" in text
    assert b"process_open_fds" in text
