"""Print the outcome of each file: lines for people, JSON for programs, and --report."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dicodec.cli.printing import print_failure, print_line
from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import DicodecError, InvalidOptionError, WriteError
from dicodec.model.wording import dump_json_line

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Self, TextIO

    from dicodec.report import ConversionReport


class ReportFile:
    """The file of --report; it does nothing without one.

    Attributes:
        error: why the file could not be written any more; conversions go on without it.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self.error: WriteError | None = None

    def __enter__(self) -> Self:
        if self._path == "-":
            raise InvalidOptionError(
                "--report appends to a file", hint="--json prints the same lines to standard output"
            )
        if self._path is not None:
            try:
                _check_appendable(self._path)
                self._file = Path(self._path).open("a", encoding="utf-8")
            except OSError as cause:
                raise InvalidOptionError(
                    f"the report cannot be written: {cause.strerror}", path=self._path
                ) from cause
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(OSError):  # each line was written at once, and an error is known
                self._file.close()

    def write(self, entry: dict[str, object]) -> None:
        """Append one object as a line; see `write_line`."""
        if self._file is not None:
            self.write_line(dump_json_line(entry))

    def write_line(self, text: str) -> None:
        """Append a line, unless an earlier one could not be written."""
        if self._file is None or self.error is not None:
            return
        try:
            with translate_write_errors():
                print(text, file=self._file, flush=True)
        except WriteError as error:
            self.error = error.with_location(path=self._path)


def check_report_place(path: str | None, others: Iterable[object]) -> None:
    """Check that the report is not a source or target.

    Args:
        path: path of the report; None for none.
        others: sources and targets.

    Raises:
        InvalidOptionError: the report is one of them.
    """
    # Not Path.resolve, which raises if links lead in a circle.
    place = None if path is None else os.path.realpath(path)
    for other in others:
        if place is not None and isinstance(other, str | Path) and os.path.realpath(other) == place:
            raise InvalidOptionError(f"the report {path} is a source or a target too")


def _check_appendable(path: str) -> None:
    """Check that an existing file is a report, because a line at its end spoils any other file.

    Raises:
        InvalidOptionError: it is another file.
    """
    if os.path.isfile(path):  # noqa: PTH113 - it never raises
        with Path(path).open("rb") as file:
            if file.read(1) not in {b"", b"{"}:
                raise InvalidOptionError(f"{path} is not a report: nothing is appended to it")


def print_report(
    report: ConversionReport, arguments: argparse.Namespace, reports: ReportFile
) -> None:
    """Print the report of a converted file."""
    entry = report.as_dict()
    reports.write(entry)
    if report.salvaged:  # it is printed even with --quiet
        print_line(f"dicodec: {report.source or '-'}: {report.salvaged} [salvaged]", sys.stderr)
    if arguments.json:
        stream = sys.stderr if arguments.output == "-" else sys.stdout
        print(dump_json_line(entry), file=stream)
        return
    if not arguments.quiet:
        for line in format_report(report, verbose=arguments.verbose):
            print_line(line, sys.stderr)


def print_skipped(
    path: str, reason: str, arguments: argparse.Namespace, reports: ReportFile
) -> None:
    """Print that a file is skipped."""
    entry: dict[str, object] = {"skipped": {"path": path, "reason": reason}}
    reports.write(entry)
    if arguments.json:
        print(dump_json_line(entry), file=sys.stdout)
    elif not arguments.quiet:
        print_line(f"{path}: skipped: {format_reason(reason)}", sys.stderr)


_REASONS = {
    "not-dicom": "not DICOM",
    "empty-file": "empty",
    "dicomdir": "DICOMDIR (an index of files, which is right for the originals only)",
    "hidden": "hidden",
    "symbolic-link": "symbolic links",
    "link-loop": "links to folders above them",
    "special": "devices and pipes",
    "output": "the output folder itself",
    "backup": "originals kept by --backup",
    "named-backup": "originals kept by --backup, though they are named",
    "target-exists": "the target exists",
    "repeated": "listed before, by this or another name",
}


def format_reason(code: str) -> str:
    """Return the reason for skipping a file, for people."""
    return _REASONS.get(code, code)


def format_report(report: ConversionReport, *, verbose: bool) -> list[str]:
    """Return the lines for people about a converted file."""
    lines = [f"warning: {warning}" for warning in report.warnings]
    if verbose:
        lines += [f"frame {one.frame}: {one.reason}" for one in report.salvaged_frames]
        lines += [f"read although not standard: {oddity.text}" for oddity in report.oddities]
        lines += [f"standardized: {oddity.text}" for oddity in report.repairs]
        lines += [*report.decisions, *report.changes]
    return [_format_outcome(report), *(f"  {line}" for line in lines)]


def _format_outcome(report: ConversionReport) -> str:
    route = f"{report.source_syntax} -> {report.target_syntax}"
    action = "no pixels" if report.action == "none" else report.action
    text = f"{report.source or '-'}: {route}, {action}"
    if report.frames > 1:
        text += f", {report.frames} frames"
    if report.lossy:
        text += ", lossy"
    if report.compression_ratio:
        text += f", ratio {report.compression_ratio:.2f}"
    if report.dry_run:
        return f"{text}{_format_estimate(report)} (dry run: nothing written)"
    text += f", {report.source_size} -> {report.target_size} bytes"
    if report.witness:
        return f"{text}, verified, by {report.witness} too"
    return f"{text}, verified" if report.verified else text


def _format_estimate(report: ConversionReport) -> str:
    estimate = report.estimate
    if estimate is None:
        return ""
    if not estimate.deviation:
        return f", {report.source_size} -> {estimate.size} bytes"
    return (
        f", {report.source_size} -> about {estimate.size} bytes, with a standard error of "
        f"{estimate.deviation:.0f}"
    )


def report_failure(error: DicodecError, arguments: argparse.Namespace) -> None:
    """Print an error, as JSON if the command has --json."""
    print_failure(error, as_json=arguments.json, data_on_stdout=arguments.output == "-")
