"""`dicodec convert`: each source to its target, one line of outcome or error for each."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO

from dicodec.cli.main import SOME_FAILED, WRONG_USAGE, print_error
from dicodec.conversion import Target, convert_with
from dicodec.edits import check_user_edits
from dicodec.errors import (
    DicodecError,
    InternalError,
    InvalidOptionError,
    UnsupportedTargetError,
    WriteError,
)
from dicodec.options import ConversionOptions
from dicodec.output import translated_writes
from dicodec.part10.dicom_file import Source
from dicodec.planning.decide import target_syntax

if TYPE_CHECKING:
    from dicodec.report import ConversionReport


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand and return the exit status."""
    try:
        options = _options(arguments)
        targets = _targets(arguments)
    except (InvalidOptionError, UnsupportedTargetError) as error:
        _print_error(error, arguments)
        return WRONG_USAGE
    failed = False
    try:
        with _ReportFile(arguments.report) as reports:
            for source, target in targets:
                try:
                    report = _converted(source, target, options)
                except DicodecError as error:
                    failed = True
                    reports.write({"error": error.as_dict()})
                    _print_error(error, arguments)
                else:
                    _show(report, arguments, reports)
    except InvalidOptionError as error:
        _print_error(error, arguments)
        return WRONG_USAGE
    except WriteError as error:  # of the report
        _print_error(error, arguments)
        return SOME_FAILED
    return SOME_FAILED if failed else 0


def _converted(
    source: Source, target: Target | None, options: ConversionOptions
) -> ConversionReport:
    """Convert one file; a fault of ours costs that file an error, not the others their turn."""
    try:
        return convert_with(source, target, options)
    except DicodecError:
        raise
    except Exception as cause:
        name = source if isinstance(source, str) else None
        raise InternalError(
            f"a fault in dicodec: {cause!r}", path=name, hint="please report it with the file"
        ) from cause


class _ReportFile:
    """The file of --report, or nothing."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._file = Path(self._path).open("a", encoding="utf-8", errors="backslashreplace")
            except OSError as cause:
                raise InvalidOptionError(f"the report cannot be written: {cause}") from cause
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with translated_writes():
                self._file.close()

    def write(self, entry: dict[str, object]) -> None:
        """Append one object as a line.

        Raises:
            WriteError: the report, not a result, could not be written; it says so.
        """
        if self._file is None:
            return
        try:
            with translated_writes():
                print(json.dumps(entry, ensure_ascii=False), file=self._file, flush=True)
        except WriteError as error:
            error.path = self._path
            raise


def _options(arguments: argparse.Namespace) -> ConversionOptions:
    names = tuple(name for name in arguments.to.split(",") if name.strip())
    for name in names:
        target_syntax(name)
    options = ConversionOptions(
        to=names,
        photometric=arguments.photometric,
        lossy=arguments.lossy,
        quality=arguments.quality,
        near=arguments.near,
        ratio=arguments.ratio,
        psnr=arguments.psnr,
        rescale_to_8bit=arguments.rescale_to_8bit,
        set_attributes=tuple(_pair(text) for text in arguments.set_attributes),
        remove_attributes=tuple(arguments.remove_attributes),
        keep_uid=arguments.keep_uid,
        offset_table=arguments.offset_table,
        strict=arguments.strict,
        engine=arguments.engine,
        overwrite=arguments.overwrite or arguments.in_place,
        # An original is replaced only by a verified result.
        verify=arguments.verify or arguments.in_place,
        workers=arguments.workers,
        timeout=arguments.timeout,
    )
    check_user_edits(options)
    return options


def _pair(text: str) -> tuple[str, str]:
    keyword, equals, value = text.partition("=")
    if not equals or not keyword:
        raise InvalidOptionError(f"--set takes KEYWORD=VALUE, not {text!r}")
    return keyword, value


def _targets(arguments: argparse.Namespace) -> list[tuple[Source, Target | None]]:
    """Pair each source with its target.

    Raises:
        InvalidOptionError: there is no place for the results, or only one for several.
    """
    sources: list[str] = arguments.source
    output: str | None = arguments.output
    if arguments.in_place and "-" in sources:
        raise InvalidOptionError("standard input cannot be replaced in place")
    if sources.count("-") > 1:
        raise InvalidOptionError("standard input can be read once only")
    if arguments.dry_run:
        return [(_source(name), None) for name in sources]
    if arguments.in_place:
        return [(name, os.path.realpath(name)) for name in sources]
    if output is None:
        raise InvalidOptionError("no place is given for the result", hint="-o OUTPUT or --in-place")
    folder = Path(output)
    if output != "-" and (folder.is_dir() or output.endswith(os.sep)):
        names = [_name_in_folder(name) for name in sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidOptionError(
                f"two sources have the name {twice[0]!r} and one would be lost"
            )
        return [(_source(name), folder / _name_in_folder(name)) for name in sources]
    if len(sources) > 1:
        raise InvalidOptionError("several sources need a folder that exists as OUTPUT")
    if output != "-":
        return [(_source(sources[0]), output)]
    if sys.stdout is None:
        raise InvalidOptionError("standard output is closed")
    return [(_source(sources[0]), sys.stdout.buffer)]


def _source(name: str) -> Source:
    if name != "-":
        return name
    if sys.stdin is None:
        raise InvalidOptionError("standard input is closed")
    return sys.stdin.buffer


def _name_in_folder(name: str) -> str:
    return "stdin.dcm" if name == "-" else Path(name).name


def _show(report: ConversionReport, arguments: argparse.Namespace, reports: _ReportFile) -> None:
    entry = report.as_dict()
    reports.write(entry)
    if arguments.json:
        stream = sys.stderr if arguments.output == "-" else sys.stdout
        print(json.dumps(entry, ensure_ascii=False), file=stream)
        return
    if not arguments.quiet:
        print(_outcome(report), file=sys.stderr)
        for warning in report.warnings:
            print(f"  warning: {warning}", file=sys.stderr)
    if arguments.verbose:
        lines = [f"read although not standard: {oddity.text}" for oddity in report.oddities]
        for line in [*lines, *report.decisions, *report.changes]:
            print(f"  {line}", file=sys.stderr)


def _outcome(report: ConversionReport) -> str:
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
        return f"{text} (dry run: nothing written)"
    text += f", {report.source_size} -> {report.target_size} bytes"
    return f"{text}, verified" if report.verified else text


def _print_error(error: DicodecError, arguments: argparse.Namespace) -> None:
    if arguments.json:
        stream = sys.stderr if arguments.output == "-" else sys.stdout
        print(json.dumps({"error": error.as_dict()}, ensure_ascii=False), file=stream)
    else:
        print_error(error)
