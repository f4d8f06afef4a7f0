"""Convert a few files, one after the other, in this process."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from dicodec.cli.convert.options import parse_options
from dicodec.cli.convert.output import (
    ReportFile,
    check_report_place,
    print_report,
    print_skipped,
    report_failure,
)
from dicodec.cli.convert.targets import is_folder, make_folder
from dicodec.cli.printing import SOME_FAILED, WRONG_USAGE, is_output_closed, name_switches
from dicodec.conversion.convert import CODED_FRAMES, convert_with
from dicodec.conversion.output.result_file import Target, check_place
from dicodec.errors import (
    DicodecError,
    InternalError,
    InvalidOptionError,
    TargetExistsError,
    UnsupportedTargetError,
    WriteError,
)
from dicodec.model.option_table import INDEPENDENT, NEVER
from dicodec.model.source_names import is_object_url
from dicodec.model.wording import describe_fault
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import Source

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.batch.cloud_conversion import Convert
    from dicodec.batch.policy.policy import Policy
    from dicodec.report import ConversionReport


_PICTURES = frozenset({"png", "jpg", "jpeg", "tif", "tiff", "gif", "npy", "raw"})
"""Suffixes of the files that `dicodec show` writes."""

_OTHER_KINDS = _PICTURES | {"jp2", "bmp", "webp", "pdf", "zip", "tar", "tgz", "gz"}


def convert_files(arguments: argparse.Namespace) -> int:
    """Convert each source to its target, and return the exit status."""
    try:
        options = parse_options(arguments)
        _check_timeout(arguments)
        targets = _pair_targets(arguments)
        policy = _load_policy(arguments)
        check_report_place(arguments.report, [place for pair in targets for place in pair])
        _make_output(arguments)
    except (InvalidOptionError, UnsupportedTargetError) as error:
        report_failure(error, arguments)
        return WRONG_USAGE
    except WriteError as error:  # the output folder
        report_failure(error, arguments)
        return SOME_FAILED
    failed, in_place = False, arguments.in_place
    try:
        with ReportFile(arguments.report) as reports:
            for source, target in targets:
                if arguments.skip_existing and _is_there(target):
                    print_skipped(str(source), "target-exists", arguments, reports)
                    continue
                # A shell's glob names kept originals too; whoever names one alone means it.
                try:
                    if in_place and len(targets) > 1 and _is_kept(str(target)):
                        print_skipped(str(source), "named-backup", arguments, reports)
                        continue
                    report = (
                        _plan(source, target, options, policy, arguments)
                        if arguments.dry_run
                        else _convert(source, target, options, policy, in_place=in_place)
                    )
                except DicodecError as error:
                    failed = True
                    reports.write({"error": name_switches(error).as_dict()})
                    report_failure(error, arguments)
                else:
                    print_report(report, arguments, reports)
                    failed = failed or bool(report.salvaged)
    except InvalidOptionError as error:
        report_failure(error, arguments)
        return WRONG_USAGE
    if reports.error is not None:
        report_failure(reports.error, arguments)
        return SOME_FAILED
    return SOME_FAILED if failed else 0


def _check_timeout(arguments: argparse.Namespace) -> None:
    """Refuse --timeout if it has no effect, because this process cannot abandon its own work."""
    elsewhere = arguments.engine == "gdcm" or arguments.verify == INDEPENDENT
    if arguments.timeout is not None and not elsewhere:
        raise InvalidOptionError(
            "--timeout bounds files of a batch, and GDCM; these few are converted without either",
            hint="--jobs 1 makes a batch",
        )


def _load_policy(arguments: argparse.Namespace) -> Policy | None:
    if arguments.policy is None:
        return None
    from dicodec.batch.policy.policy import load_policy

    return load_policy(arguments.policy)


def _is_there(target: Target | None) -> bool:
    if isinstance(target, str) and is_object_url(target):
        from dicodec.batch.sources.locations import is_there

        return is_there(target)
    return isinstance(target, str | Path) and os.path.lexists(target)


def _is_kept(target: str) -> bool:
    from dicodec.batch.sources.locations import is_kept

    return is_kept(target)


def _convert(
    source: Source,
    target: Target | None,
    options: ConversionOptions,
    policy: Policy | None,
    *,
    in_place: bool,
    coded_frames: int = 0,
) -> ConversionReport:
    """Convert one file; a fault of dicodec fails this file only."""
    try:
        objects = is_object_url(source) or is_object_url(target)
        convert: Convert = partial(convert_with, coded_frames=coded_frames)
        if policy is not None:
            from dicodec.batch.policy.convert import convert_by_policy

            # The result of an object is written to a local file first.
            convert = partial(
                convert_by_policy,
                policy=policy,
                in_place=in_place and not objects,
                coded_frames=coded_frames,
            )
        if objects:
            from dicodec.batch.cloud_conversion import convert_objects

            return convert_objects(source, target, options, convert)
        return convert(source, target, options)
    except DicodecError:
        raise
    except Exception as cause:  # a fault of ours is one file's, and the others go on
        name = source if isinstance(source, str) else None
        raise InternalError(
            describe_fault(cause), path=name, hint="please report it with the file"
        ) from cause


def _plan(
    source: Source,
    target: Target | None,
    options: ConversionOptions,
    policy: Policy | None,
    arguments: argparse.Namespace,
) -> ConversionReport:
    """Plan the conversion that `_convert` does, and check whether the target can take it."""
    if isinstance(target, str) and is_object_url(target):
        if not options.overwrite and _is_there(target):
            raise TargetExistsError.at(target)
    elif isinstance(target, str | Path):
        output: str | None = arguments.output
        check_place(
            Path(target),
            overwrite=options.overwrite,
            backup=options.backup,
            makes_folders=output is not None and is_folder(output, arguments.source),
        )
    frames = 0 if arguments.estimate == 0 else CODED_FRAMES
    report = _convert(
        source, None, options, policy, in_place=arguments.in_place, coded_frames=frames
    )
    if isinstance(target, str | Path):
        report.target = str(target)
    return report


def _pair_targets(arguments: argparse.Namespace) -> list[tuple[Source, Target | None]]:
    """Pair each source with its target.

    Raises:
        InvalidOptionError: no target is given, or one target for several sources.
    """
    sources: list[str] = arguments.source
    output: str | None = arguments.output
    if arguments.in_place and "-" in sources:
        raise InvalidOptionError("standard input cannot be replaced in place")
    if sources.count("-") > 1:
        raise InvalidOptionError("standard input can be read once only")
    if arguments.in_place:
        return [(name, name if is_object_url(name) else os.path.realpath(name)) for name in sources]
    if output is None and arguments.dry_run:
        return [(_open_source(name), None) for name in sources]
    if output is None:
        raise InvalidOptionError("no place is given for the result", hint="-o OUTPUT or --in-place")
    if is_folder(output, sources):
        names = [_choose_name(name) for name in sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidOptionError(
                f"two sources have the name {twice[0]!r} and one would be lost"
            )
        if is_object_url(output):
            prefix = output.rstrip("/")
            return [(_open_source(name), f"{prefix}/{_choose_name(name)}") for name in sources]
        return [(_open_source(name), Path(output) / _choose_name(name)) for name in sources]
    if output != "-":
        _check_suffix(output)
        return [(_open_source(sources[0]), output)]
    if is_output_closed():
        raise InvalidOptionError("standard output is closed")
    return [(_open_source(sources[0]), sys.stdout.buffer)]


def _check_suffix(output: str) -> None:
    """Check that the name of the result is not that of another kind of file, such as a picture.

    Raises:
        InvalidOptionError: it is.
    """
    suffix = output.rpartition(".")[2].lower()
    if suffix in _OTHER_KINDS:
        shown = suffix in _PICTURES
        raise InvalidOptionError(
            f"results are DICOM files, not .{suffix}",
            hint="`dicodec show` writes pictures" if shown else "name the result .dcm",
        )


def _make_output(arguments: argparse.Namespace) -> None:
    """Make the folder for the results, if it is missing.

    Raises:
        WriteError: the folder cannot be made.
    """
    output: str | None = arguments.output
    if output is None or arguments.dry_run or is_object_url(output):
        return
    if is_folder(output, arguments.source):
        make_folder(output, synced=arguments.durability != NEVER)


def _open_source(name: str) -> Source:
    if name != "-":
        return name
    if sys.stdin is None:
        raise InvalidOptionError("standard input is closed")
    return sys.stdin.buffer


def _choose_name(name: str) -> str:
    return "stdin.dcm" if name == "-" else Path(name).name
