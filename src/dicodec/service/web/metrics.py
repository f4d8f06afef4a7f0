"""Metrics for Prometheus: jobs by state and cause, bytes, seconds by stage, age of the queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, JobState

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_STAGES = ("open", "plan", "convert", "verify", "total")


class Metrics:
    """The metrics of one service; numbers of the store are read at each request for them."""

    def __init__(self, store: JobStore) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_OfStore(store))
        self._attempts = Counter(
            "dicodec_attempts",
            "Attempts at jobs and conversions that ended, by outcome and error code.",
            ("outcome", "cause"),
            registry=self._registry,
        )
        self._bytes = Counter(
            "dicodec_bytes",
            "Bytes of sources read and of results written.",
            ("direction",),
            registry=self._registry,
        )
        self._frames = Counter(
            "dicodec_frames", "Frames of converted files.", registry=self._registry
        )
        self._seconds = Histogram(
            "dicodec_stage_seconds",
            "Seconds of conversions by stage.",
            ("stage",),
            buckets=_SECONDS,
            registry=self._registry,
        )

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
            if stage in _STAGES:
                self._seconds.labels(stage).observe(seconds)

    def count_failure(self, code: str, outcome: str = "failed") -> None:
        """Count a conversion that failed."""
        self._attempts.labels(outcome, code).inc()

    def format_text(self) -> bytes:
        """Return all numbers in Prometheus' text format."""
        return generate_latest(self._registry)


class _OfStore(Collector):
    def __init__(self, store: JobStore) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily(
            "dicodec_jobs", "Jobs in the queue by state and error code.", labels=("state", "cause")
        )
        tallies = self._store.read_tallies()
        for tally in tallies:
            jobs.add_metric((str(tally.state), tally.cause), tally.jobs)
        for state in JobState:
            if not any(tally.state is state for tally in tallies):
                jobs.add_metric((str(state), ""), 0)
        yield jobs
        age = GaugeMetricFamily(
            "dicodec_queue_age_seconds", "Seconds that the longest waiting job has been due."
        )
        age.add_metric((), self._store.measure_queue_age())
        yield age
