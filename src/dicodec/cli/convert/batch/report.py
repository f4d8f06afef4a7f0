"""Report a batch: a line for each failure, JSON for programs, and the summary at the end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from dicodec.batch.ledger.summary import Summary
from dicodec.batch.ledger.tables import State
from dicodec.batch.run import ReportOutcome
from dicodec.cli.convert.output import ReportFile, format_reason, format_report
from dicodec.cli.printing import print_line
from dicodec.errors import DicodecError
from dicodec.model.findings import Oddity
from dicodec.model.wording import dump_json_line, format_size
from dicodec.report import ConversionReport, SizeEstimate, WarningKind

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.batch.estimation.strata import BatchEstimate


_SOUND = '"salvaged": ""'
"""Stands in the report of a source that was whole; quotes within values are escaped there."""

_COUNTS = {
    "done_before": "done by an earlier run: {}",
    "failed_before": "failed in an earlier run, for a cause that does not pass: {}",
    "salvaged": "damaged, and salvaged: {}",
    "mapped_references": "references mapped to new UIDs: {} results",
    "mapped_records": "records of DICOMDIRs set right: {}",
    "lost_records": "warning: {} records of DICOMDIRs name files without a result",
    "case_collisions": "warning: the paths of {} results are those of others but for upper and "
    "lower case; Windows and macOS would hold one of them",
    "stale_references": "warning: {} results refer to images that have new UIDs now; "
    "--map-references maps them, with --resume also those that are done",
}
"""Lines of the summary, by the field whose number each has, if that is not 0."""

_WARNINGS = {
    WarningKind.SIGNATURE: "have a Digital Signature that no longer holds; --remove "
    "DigitalSignaturesSequence leaves it out",
    WarningKind.CONCATENATION: "are parts of concatenations, and new images: all parts have to be "
    "converted alike",
    WarningKind.FILE_SET: "have another SOP Instance UID or Transfer Syntax UID than a DICOMDIR "
    "states for them; --map-references sets its records right",
}


def _parse(text: str) -> Any:
    """Return the value of a text of JSON; a batch without failures has none to parse."""
    from json import loads

    return loads(text)


class NoProgress:
    """Shows no progress: there is no terminal, or the command has --quiet or --json."""

    def show(self, summary: Summary) -> None:
        """Show nothing."""

    def print(self, line: str) -> None:
        """Print a line to standard error."""
        print_line(line, sys.stderr)


class BatchReport:
    """Reports each source when it ends, in the order of listing.

    Args:
        arguments: arguments of the command.
        reports: file of --report.
    """

    def __init__(self, arguments: argparse.Namespace, reports: ReportFile) -> None:
        self._arguments = arguments
        self._reports = reports
        # A dry run prints each file, because its plan is the purpose of the run.
        self._lines = arguments.verbose or (arguments.dry_run and not arguments.quiet)

    def make_reporter(self, show: Callable[[str], None]) -> ReportOutcome:
        """Return the callback for ended sources.

        Args:
            show: prints one line for people.
        """
        return lambda state, text: self._report(state, text, show)

    def _report(self, state: State, text: str, show: Callable[[str], None]) -> None:
        self._reports.write_line(text)
        if self._arguments.json:
            print(text, file=sys.stdout, flush=True)
        elif state is State.FAILED:
            show(_format_error(_parse(text)["error"]))
        elif (
            state is State.DONE and _SOUND not in text and (fields := _parse(text)).get("salvaged")
        ):
            show(f"dicodec: {fields['source']}: {fields['salvaged']} [salvaged]")
        elif self._lines and state is State.SKIPPED:
            fields = _parse(text)["skipped"]
            show(f"{fields['path']}: skipped: {format_reason(fields['reason'])}")
        elif self._lines:
            for line in format_report(_parse_report(_parse(text)), verbose=self._arguments.verbose):
                show(line)

    def finish(self, summary: Summary) -> None:
        """Print the summary."""
        if self._arguments.json or self._arguments.report is not None:
            text = dump_json_line({"summary": summary.as_dict()})
            self._reports.write_line(text)
        if self._arguments.json:
            print(text, file=sys.stdout, flush=True)
        elif (  # the sums are what a dry run is for
            not self._arguments.quiet
            or self._arguments.dry_run
            or summary.interrupted
            or summary.stopped
        ):
            for line in format_summary(summary, dry_run=self._arguments.dry_run):
                print_line(line, sys.stderr)


def format_summary(summary: Summary, *, dry_run: bool) -> list[str]:
    """Return the summary for people."""
    lines = []
    if summary.interrupted:
        lines.append("interrupted; the same command with --resume goes on from here")
    if summary.stopped:
        lines.append(
            "stopped before the results pass --max-bytes; the same command with --resume goes on "
            "from here"
        )
    verb = "would be converted" if dry_run else "converted"
    lines.append(
        f"{summary.converted} {verb}, {summary.already_right} already right, "
        f"{summary.skipped.total()} skipped, {summary.failed.total()} failed "
        f"in {format_duration(summary.seconds)}"
    )
    lines += [
        f"  {text.format(number)}"
        for name, text in _COUNTS.items()
        if (number := getattr(summary, name))
    ]
    lines += [
        f"  warning: {summary.warnings[kind]} results {what}"
        for kind, what in _WARNINGS.items()
        if summary.warnings[kind]
    ]
    if summary.given_back:
        lines.append(f"  listed, and not done: {summary.given_back}")
    lines += [
        f"  skipped: {count} {format_reason(why)}" for why, count in sorted(summary.skipped.items())
    ]
    lines += [f"  failed: {count} {code}" for code, count in sorted(summary.failed.items())]
    if summary.bytes_before and not dry_run:
        lines.append(_format_bytes(summary.bytes_before, summary.bytes_after))
    if summary.estimate is not None:
        lines += _format_estimate(summary.estimate)
    if summary.ledger:
        lines.append(f"  ledger: {summary.ledger}")
    return lines


def _format_bytes(before: int, after: int, about: str = "") -> str:
    change = f" ({after / before - 1:+.1%})" if before else ""
    return f"  {format_size(before)} before, {about}{format_size(after)} after{change}"


def _format_estimate(estimate: BatchEstimate) -> list[str]:
    sure = estimate.low == estimate.high
    about = "" if sure else "about "
    lines = [_format_bytes(estimate.bytes_before, estimate.bytes_after, about)]
    if not sure:
        lines.append(
            f"  {format_size(estimate.low)} to {format_size(estimate.high)} after, with a "
            f"confidence of {estimate.confidence:.0%}"
        )
    lines.append(
        f"  estimated from {estimate.coded_files} of {estimate.files} files, of which "
        f"{estimate.coded_frames} frames were coded, in {format_duration(estimate.seconds)}"
    )
    if estimate.failed:
        lines.append(f"  warning: {estimate.failed} of those files cannot be converted")
    if estimate.guessed_files:
        lines.append(
            f"  warning: {estimate.guessed_files} files are of kinds of which none was coded, and "
            "are taken for the mean of the others; a longer --estimate may reach them"
        )
    return lines


def _format_error(fields: dict[str, Any]) -> str:
    code = fields.pop("code")
    del fields["kind"]
    return f"dicodec: {DicodecError(fields.pop('message'), **fields)} [{code}]"


def _parse_report(fields: dict[str, Any]) -> ConversionReport:
    fields.pop("rule", None)
    for name in ("oddities", "repairs"):
        fields[name] = tuple(Oddity(**oddity) for oddity in fields[name])
    if fields.get("estimate") is not None:
        fields["estimate"] = SizeEstimate(**fields["estimate"])
    return ConversionReport(**fields)


def format_duration(seconds: float) -> str:
    """Return seconds as text for people: 12 s, 3:25 min, 2:03:25 h."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
