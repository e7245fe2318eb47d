"""Metrics for tests: of a server in this process, or over HTTP as Prometheus reads them."""

from dataclasses import dataclass

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from collab.observe.metrics import Metrics


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    """Return the value of ``collab_<name>`` with exactly these labels; 0 if nothing was counted yet."""
    return metrics.registry.get_sample_value(f"collab_{name}", labels) or 0.0


@dataclass(frozen=True)
class Scrape:
    """The values of /metrics at one time."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def __call__(self, name: str, **labels: str) -> float:
        """Return a value, as ``sample`` does."""
        return self.values.get((f"collab_{name}", frozenset(labels.items())), 0.0)


async def scrape(port: int, **headers: str) -> Scrape:
    """Return the current values of /metrics of a server on this machine."""
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics", headers=headers)
    answer.raise_for_status()
    return Scrape(
        {
            (value.name, frozenset(value.labels.items())): value.value
            for family in text_string_to_metric_families(answer.text)
            for value in family.samples
        }
    )
