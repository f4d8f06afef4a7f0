"""Show the progress of a batch on a terminal."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from dicodec.batch.ledger.summary import Summary
from dicodec.cli.convert.batch.report import format_duration
from dicodec.model.wording import format_size, write_on_one_line

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Self

_REFRESH_SECONDS = 0.2


class ProgressLine:
    """A line below all other lines: files, bytes, rate, time left, failures."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            auto_refresh=False,
            transient=True,
        )
        self._task = self._progress.add_task("listing", total=None)
        self._files: int | None = None
        self._size = 0
        self._shown = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def set_total(self, files: int, size: int) -> None:
        """Set the numbers of files and bytes, once they are known; any thread may call it."""
        self._files, self._size = files, size

    def show(self, summary: Summary) -> None:
        """Show the progress, several times a second at most."""
        now = time.monotonic()
        if now - self._shown < _REFRESH_SECONDS:
            return
        self._shown = now
        self._progress.update(
            self._task,
            completed=summary.files,
            total=self._files,
            description=format_progress(summary, self._files),
        )
        self._progress.refresh()

    def print(self, line: str) -> None:
        """Print a line above the progress."""
        self._console.print(write_on_one_line(line), markup=False)


def format_progress(summary: Summary, total: int | None) -> str:
    """Return the state of a batch in one line.

    Args:
        summary: numbers of the batch so far.
        total: number of files; None if it is not known yet.
    """
    fresh = summary.files - summary.done_before
    seconds = max(summary.seconds, 1e-6)
    parts = [f"{summary.files} files" if total is None else f"{summary.files} of {total} files"]
    if summary.bytes_before:
        speed = format_size(int(summary.bytes_before / seconds))
        parts.append(f"{format_size(summary.bytes_before)}, {speed}/s")
        saved = 1 - summary.bytes_after / summary.bytes_before
        parts.append(f"{saved:.0%} saved" if saved >= 0 else f"{-saved:.0%} more")
    parts.append(f"{fresh / seconds:.1f} files/s")
    if total is not None and fresh:
        parts.append(f"{format_duration((total - summary.files) * seconds / fresh)} left")
    if summary.waiting:
        parts.append(summary.waiting)
    if failed := summary.failed.total():
        parts.append(f"{failed} failed")
    return ", ".join(parts)
