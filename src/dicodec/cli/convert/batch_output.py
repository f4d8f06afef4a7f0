"""What a batch tells: a line for each failure, JSON for programs, and the summary at its end."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from rich.filesize import decimal

from dicodec.batch.ledger.summary import Summary
from dicodec.batch.ledger.tables import State
from dicodec.batch.run import ReportOutcome
from dicodec.cli.convert.output import ReportFile, reason_text, report_lines
from dicodec.cli.printing import print_line
from dicodec.errors import DicodecError
from dicodec.model.lines import json_line
from dicodec.model.oddity import Oddity
from dicodec.report import ConversionReport


class NoProgress:
    """Where there is no terminal, or silence was asked for."""

    def beat(self, summary: Summary) -> None:
        """Show nothing."""

    def print(self, line: str) -> None:
        """Print a line to standard error."""
        print_line(line, sys.stderr)


class BatchOutput:
    """Tells of each source as it ends, in the order of listing.

    Args:
        arguments: of the command.
        reports: the file of --report.
    """

    def __init__(self, arguments: argparse.Namespace, reports: ReportFile) -> None:
        self._arguments = arguments
        self._reports = reports
        # A dry run is asked for to see what each file would become.
        self._lines = arguments.verbose or (arguments.dry_run and not arguments.quiet)

    def teller(self, show: Callable[[str], None]) -> ReportOutcome:
        """Return what tells of one source.

        Args:
            show: prints one line for people.
        """
        return lambda state, text: self._tell(state, text, show)

    def _tell(self, state: State, text: str, show: Callable[[str], None]) -> None:
        self._reports.write_line(text)
        if self._arguments.json:
            print(text, file=sys.stdout, flush=True)
        elif state is State.FAILED:
            show(_error_line(json.loads(text)["error"]))
        elif state is State.DONE and (fields := json.loads(text)).get("salvaged"):
            show(f"dicodec: {fields['source']}: {fields['salvaged']} [salvaged]")
        elif self._lines and state is State.SKIPPED:
            fields = json.loads(text)["skipped"]
            show(f"{fields['path']}: skipped: {reason_text(fields['reason'])}")
        elif self._lines:
            for line in report_lines(_report(json.loads(text)), verbose=self._arguments.verbose):
                show(line)

    def finish(self, summary: Summary) -> None:
        """Tell what became of all."""
        text = json_line({"summary": summary.as_dict()})
        self._reports.write_line(text)
        if self._arguments.json:
            print(text, file=sys.stdout, flush=True)
        elif not self._arguments.quiet or summary.interrupted:
            for line in summary_lines(summary, dry_run=self._arguments.dry_run):
                print_line(line, sys.stderr)


def summary_lines(summary: Summary, *, dry_run: bool) -> list[str]:
    """Return the summary for people."""
    lines = []
    if summary.interrupted:
        lines.append("interrupted; the same command with --resume goes on from here")
    verb = "would be converted" if dry_run else "converted"
    lines.append(
        f"{summary.converted} {verb}, {summary.already_right} already right, "
        f"{summary.skipped.total()} skipped, {summary.failed.total()} failed "
        f"in {duration(summary.seconds)}"
    )
    if summary.done_before:
        lines.append(f"  done by an earlier run: {summary.done_before}")
    if summary.failed_before:
        lines.append(
            f"  failed in an earlier run, for a cause that does not pass: {summary.failed_before}"
        )
    if summary.salvaged:
        lines.append(f"  damaged, and salvaged: {summary.salvaged}")
    if summary.given_back:
        lines.append(f"  listed, and not done: {summary.given_back}")
    lines += [
        f"  skipped: {count} {reason_text(why)}" for why, count in sorted(summary.skipped.items())
    ]
    lines += [f"  failed: {count} {code}" for code, count in sorted(summary.failed.items())]
    if summary.bytes_before and not dry_run:
        before, after = summary.bytes_before, summary.bytes_after
        change = f"{after / before - 1:+.1%}"
        lines.append(f"  {decimal(before)} before, {decimal(after)} after ({change})")
    if summary.ledger:
        lines.append(f"  ledger: {summary.ledger}")
    return lines


def _error_line(fields: dict[str, Any]) -> str:
    code = fields.pop("code")
    del fields["kind"]
    return f"dicodec: {DicodecError(fields.pop('message'), **fields)} [{code}]"


def _report(fields: dict[str, Any]) -> ConversionReport:
    fields.pop("rule", None)
    for name in ("oddities", "repairs"):
        fields[name] = tuple(Oddity(**oddity) for oddity in fields[name])
    return ConversionReport(**fields)


def duration(seconds: float) -> str:
    """Return seconds as people say them: 12 s, 3:25 min, 2:03:25 h."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
