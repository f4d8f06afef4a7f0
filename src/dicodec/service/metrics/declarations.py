"""The metrics: a row for each, with its name, labels and help.

Services, workers and batches use the same names, so that one dashboard shows all. Alert rules and
the dashboard in docs/deploy, and the table in docs/operate.md, are tested against these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from dicodec.model.records import NamedTuple


class MetricKind(StrEnum):
    """Kind of a metric, as Prometheus has it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """A row: one metric.

    Attributes:
        name: as it is queried, without the suffixes of a histogram.
        kind: its kind.
        help: a sentence.
        labels: names of its labels, in order.
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()


JOBS = Metric(
    "dicodec_jobs", MetricKind.GAUGE,
    "Jobs in the store by state and error code; the same from all that share a store.",
    ("state", "cause"),
)  # fmt: skip
QUEUE_AGE = Metric(
    "dicodec_queue_age_seconds", MetricKind.GAUGE,
    "Seconds that the longest waiting job has been due; of a worker, its broker's last message.",
)  # fmt: skip
STORE_UP = Metric("dicodec_store_up", MetricKind.GAUGE, "Whether the job store answers: 1 or 0.")
BROKER_UP = Metric(
    "dicodec_broker_up", MetricKind.GAUGE, "Whether the worker is connected to its broker: 1 or 0."
)
ATTEMPTS = Metric(
    "dicodec_attempts_total", MetricKind.COUNTER,
    "Attempts at jobs and conversions that ended, by outcome and error code.",
    ("outcome", "cause"),
)  # fmt: skip
DEAD_LETTERS = Metric(
    "dicodec_dead_letters_total", MetricKind.COUNTER,
    "Messages that a worker sent to the queue of dead letters, by error code.", ("cause",),
)  # fmt: skip
BYTES = Metric(
    "dicodec_bytes_total", MetricKind.COUNTER,
    "Bytes of sources read and of results written.", ("direction",),
)  # fmt: skip
FRAMES = Metric("dicodec_frames_total", MetricKind.COUNTER, "Frames of converted files.")
STAGE_SECONDS = Metric(
    "dicodec_stage_seconds", MetricKind.HISTOGRAM, "Seconds of conversions by stage.", ("stage",)
)
PEER_UP = Metric(
    "dicodec_peer_up", MetricKind.GAUGE,
    "Whether a peer of a gateway takes objects: 1 or 0.", ("peer",),
)  # fmt: skip
PEER_DELIVERIES = Metric(
    "dicodec_peer_deliveries", MetricKind.GAUGE,
    "Deliveries of a gateway by peer and state of their job.", ("peer", "state"),
)  # fmt: skip
BATCH_START = Metric(
    "dicodec_batch_start_time_seconds", MetricKind.GAUGE,
    "When the batch began, in seconds since 1970.",
)  # fmt: skip
BATCH_SEEN = Metric(
    "dicodec_batch_seen_time_seconds", MetricKind.GAUGE,
    "When the batch last wrote its metrics, in seconds since 1970.",
)  # fmt: skip
BATCH_END = Metric(
    "dicodec_batch_end_time_seconds", MetricKind.GAUGE,
    "When the batch ended, in seconds since 1970; 0 while it runs.",
)  # fmt: skip
BATCH_STATUS = Metric(
    "dicodec_batch_exit_status", MetricKind.GAUGE,
    "Exit status of the batch: 0 if all is done; 0 while it runs.",
)  # fmt: skip

METRICS: Mapping[str, Metric] = {
    row.name: row
    for row in (
        JOBS, QUEUE_AGE, STORE_UP, BROKER_UP, ATTEMPTS, DEAD_LETTERS, BYTES, FRAMES, STAGE_SECONDS,
        PEER_UP, PEER_DELIVERIES, BATCH_START, BATCH_SEEN, BATCH_END, BATCH_STATUS,
    )
}  # fmt: skip
"""All metrics by name."""

STAGES = ("open", "plan", "convert", "verify", "total")
"""Values of the label `stage`: the seconds of a report."""

BATCH_LABEL = "batch"
"""Label of all metrics of a batch, because a node may have files of several."""
