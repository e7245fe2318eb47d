"""Reading metrics in tests: of a server in this process, or over HTTP as Prometheus does."""

from dataclasses import dataclass

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from collab.observe.metrics import Metrics


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    """The value of ``collab_<name>`` with exactly these labels; 0 for what has not been counted yet."""
    return metrics.registry.get_sample_value(f"collab_{name}", labels) or 0.0


@dataclass(frozen=True)
class Scrape:
    """What /metrics said at one time."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def __call__(self, name: str, **labels: str) -> float:
        """As ``sample``."""
        return self.values.get((f"collab_{name}", frozenset(labels.items())), 0.0)


async def scrape(port: int, **headers: str) -> Scrape:
    """Read /metrics of a server on this machine."""
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
