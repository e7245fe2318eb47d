"""A counter and a histogram for what happens with every edit.

Those of the client library take a lock each time, which costs a tenth of an edit. Everything is counted on one event
loop, so no lock is needed.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class EditCounter(Collector):
    """A number that only grows."""

    def __init__(self, name: str, help: str, registry: CollectorRegistry) -> None:
        self._name = name
        self._help = help
        self._value = 0
        registry.register(self)

    def inc(self, amount: int = 1) -> None:
        """Count."""
        self._value += amount

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the number, for the registry."""
        yield CounterMetricFamily(self._name, self._help, value=self._value)


class EditHistogram(Collector):
    """How often a value was how large. ``buckets``: upper bounds, in order."""

    def __init__(self, name: str, help: str, buckets: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._help = help
        self._bounds = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the counts up to each bound, for the registry."""
        bounds = [*map(str, self._bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._help, buckets=buckets, sum_value=self._sum)
