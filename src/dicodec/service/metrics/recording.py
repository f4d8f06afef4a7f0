"""Record metrics in a registry of prometheus-client, and format them for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from dicodec.errors import DicodecError
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, JobState
from dicodec.service.metrics.counting import Counting
from dicodec.service.metrics.declarations import (
    ATTEMPTS,
    BYTES,
    DEAD_LETTERS,
    FRAMES,
    JOBS,
    QUEUE_AGE,
    STAGE_SECONDS,
    STAGES,
    STORE_UP,
    Metric,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)

type ReadGauge = Callable[[], float | Mapping[tuple[str, ...], float]]
"""Returns the value of a gauge, or its values by their labels, when the metrics are read.

Any thread may call it.
"""


class Metrics(Counting):
    """The metrics of one process; those of the store are read whenever somebody asks for them.

    Args:
        store: the job store; None if there is none.
        gauges: further gauges.
    """

    def __init__(
        self, store: JobStore | None = None, gauges: Mapping[Metric, ReadGauge] | None = None
    ) -> None:
        self.registry = CollectorRegistry()
        gauges = dict(gauges or {})
        self.registry.register(_Gauges(gauges))
        if store is not None:
            self.registry.register(_OfStore(store, with_age=QUEUE_AGE not in gauges))
        self._attempts = self._make_counter(ATTEMPTS)
        self._bytes = self._make_counter(BYTES)
        self._frames = self._make_counter(FRAMES)
        self._dead = self._make_counter(DEAD_LETTERS)
        self._seconds = Histogram(
            STAGE_SECONDS.name, STAGE_SECONDS.help, STAGE_SECONDS.labels, buckets=_SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Have the series of conversions there before the first one, which a rate misses else."""
        self._attempts.labels("succeeded", "")
        for direction in ("in", "out"):
            self._bytes.labels(direction)
        for stage in STAGES:
            self._seconds.labels(stage)

    def _make_counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def count_attempt(self, outcome: AttemptOutcome, report: Mapping[str, Any]) -> None:
        """Count an attempt at a job."""
        if outcome.state is JobState.DONE:
            self.count_conversion(report)
        elif outcome.error_code is not None:
            kind = "retrying" if outcome.state is JobState.PENDING else "dead"
            self.count_failure(outcome.error_code, kind)
        else:
            self._attempts.labels(str(outcome.state), "").inc()

    def count_conversion(self, report: Mapping[str, Any]) -> None:
        """Count a conversion that succeeded."""
        self._attempts.labels("succeeded", "").inc()
        self._bytes.labels("in").inc(report.get("source_size", 0))
        self._bytes.labels("out").inc(report.get("target_size", 0))
        self._frames.inc(report.get("frames", 0))
        for stage, seconds in report.get("seconds", {}).items():
            if stage in STAGES:
                self._seconds.labels(stage).observe(seconds)

    def count_failure(self, code: str, outcome: str = "failed") -> None:
        """Count a conversion that did not succeed, with its cause."""
        self._attempts.labels(outcome, code).inc()

    def count_dead_letter(self, cause: str) -> None:
        """Count a message that was sent to the dead letters, with its error code."""
        self._dead.labels(cause).inc()

    def format_text(self) -> bytes:
        """Return all numbers in Prometheus' text format."""
        return generate_latest(self.registry)


def _make_gauge(metric: Metric, value: float | Mapping[tuple[str, ...], float]) -> Family:
    if not isinstance(value, Mapping):
        return GaugeMetricFamily(metric.name, metric.help, value=value)
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, one in value.items():
        family.add_metric(labels, one)
    return family


class _Gauges(Collector):
    def __init__(self, gauges: Mapping[Metric, ReadGauge]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Family]:
        for metric, read in self._gauges.items():
            yield _make_gauge(metric, read())


class _OfStore(Collector):
    def __init__(self, store: JobStore, *, with_age: bool) -> None:
        self._store = store
        self._with_age = with_age

    def collect(self) -> Iterable[Family]:
        try:
            return [*self._read(), _make_gauge(STORE_UP, 1)]
        except DicodecError:  # what else there is to say is asked for all the more now
            return [_make_gauge(STORE_UP, 0)]

    def _read(self) -> Iterator[Family]:
        jobs = GaugeMetricFamily(JOBS.name, JOBS.help, labels=JOBS.labels)
        tallies = self._store.read_tallies()
        for tally in tallies:
            jobs.add_metric((str(tally.state), tally.cause), tally.jobs)
        for state in JobState:
            if not any(tally.state is state for tally in tallies):
                jobs.add_metric((str(state), ""), 0)
        yield jobs
        if self._with_age:
            yield _make_gauge(QUEUE_AGE, self._store.measure_queue_age())
