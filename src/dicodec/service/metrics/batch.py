"""Write the metrics of a batch to a file, for the textfile collector of the node exporter.

A batch ends before Prometheus could ask it for anything. So it writes a file beside those of other
batches, at once, every few seconds and at the end, and the node exporter passes it on.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import write_to_textfile
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from dicodec.batch.ledger.tables import State
from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import WriteError
from dicodec.service.metrics.declarations import (
    BATCH_END,
    BATCH_LABEL,
    BATCH_SEEN,
    BATCH_START,
    BATCH_STATUS,
)
from dicodec.service.metrics.recording import Metrics

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Self

_WRITE_SECONDS = 10.0
"""How often the file is written; Prometheus asks about as often."""


class BatchMetrics:
    """The metrics of a batch, and their file; `error` says why it could not be written at last.

    Args:
        path: path of the file, whose name ends in .prom; its stem names the batch in all metrics.
        seconds: how often it is written.

    Raises:
        WriteError: it cannot be written.
    """

    def __init__(self, path: str, seconds: float = _WRITE_SECONDS) -> None:
        self._path = path
        self._seconds = seconds
        self._started = time.time()
        self._ended = 0.0
        self._status = 0
        self._metrics = Metrics(
            gauges={
                BATCH_START: lambda: self._started,
                BATCH_SEEN: time.time,
                BATCH_END: lambda: self._ended,
                BATCH_STATUS: lambda: self._status,
            }
        )
        self._labelled = _Labelled(self._metrics.registry, Path(path).stem)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="dicodec-metrics", daemon=True)
        self.error: WriteError | None = None

    def __enter__(self) -> Self:
        self._write()
        if self.error is not None:
            raise self.error
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._write()

    def count(self, state: State, text: str) -> None:
        """Count a source that ended; see `ReportOutcome` of a batch."""
        fields = json.loads(text)
        if state is State.FAILED:
            self._metrics.count_failure(fields["error"]["code"])
        elif state is State.SKIPPED:
            self._metrics.count_failure(fields["skipped"]["reason"], "skipped")
        else:
            self._metrics.count_conversion(fields)

    def finish(self, status: int) -> None:
        """Note the end of the batch, with its exit status."""
        self._ended, self._status = time.time(), status

    def _keep(self) -> None:
        while not self._stopping.wait(self._seconds):
            self._write()

    def _write(self) -> None:
        try:
            with translate_write_errors():
                write_to_textfile(self._path, self._labelled)
            self.error = None
        except WriteError as error:
            self.error = error.with_location(path=self._path)


class _Labelled(Collector):
    """The metrics of a registry with one more label."""

    def __init__(self, inner: Collector, batch: str) -> None:
        self._inner = inner
        self._batch = batch

    def collect(self) -> Iterable[Family]:
        for family in self._inner.collect():
            family.samples = [
                one._replace(labels={BATCH_LABEL: self._batch, **one.labels})
                for one in family.samples
            ]
            yield family
