"""Carry out one conversion: the steps of this folder, called in turn."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from dicodec.codecs.sample_notes import SampleNotes
from dicodec.conversion.edits.plan_edits import editable_tag, planned_edits
from dicodec.conversion.frames.first_pass import surveyed
from dicodec.conversion.frames.pipeline import PipelineResult, Progress, run_plan
from dicodec.conversion.frames.window import available_cores
from dicodec.conversion.output.placement import Placement
from dicodec.conversion.output.result_file import Target, check_target, result_file
from dicodec.conversion.output.target_stream import check_stream
from dicodec.conversion.planning.conversion_plan import Action, ConversionPlan
from dicodec.conversion.planning.in_place_losses import check_nothing_left_out, moved_records
from dicodec.conversion.planning.plan_conversion import plan_conversion
from dicodec.errors import (
    ContradictionError,
    DicodecError,
    InvalidOptionError,
    MalformedFileError,
    TruncatedFileError,
)
from dicodec.model.edits import Edit, RemoveAttribute
from dicodec.options import INDEPENDENT, ConversionOptions
from dicodec.part10.dicom_file import DicomFile, Source
from dicodec.part10.dictionary import keyword_of
from dicodec.part10.encoding import DataSetEncoding, tag_text
from dicodec.part10.source import FileSource
from dicodec.repair.opening import open_tolerantly
from dicodec.report import LEFT_ALONE, ConversionReport


def convert_with(
    source: Source,
    target: Target | None,
    options: ConversionOptions,
    progress: Progress | None = None,
    placement: Placement | None = None,
) -> ConversionReport:
    """Convert one DICOM file as `calls.convert` does, with options that are already a value.

    Args:
        source: as there.
        target: as there.
        options: as there.
        progress: is called with the frames written and the frames to write, behind each frame.
        placement: takes the result over, if the target is a path, to put it in its place later.
    """
    report = ConversionReport(source=_name(source), target=_name(target), engine="dicodec")
    started = time.perf_counter()
    in_place = False
    try:
        if isinstance(target, str | os.PathLike):
            path = Path(target)
            replaced = check_target(path, overwrite=options.overwrite)
            in_place = replaced is not None and _is_file(source, replaced)
            if in_place and not options.verify:
                options = replace(options, verify=True)  # before an original goes
        elif target is not None:
            check_stream(target)
        if in_place and options.salvage is not None:
            raise InvalidOptionError(
                "a damaged file is not replaced by what was saved of it",
                hint="give the result a place of its own",
            )
        salvage = options.salvage is not None
        with open_tolerantly(source, options.limits, salvage=salvage) as file:
            if options.strict:
                file = _examined(file)
            if options.standardize:
                file = _standardized(file, report)
            if options.salvage is not None:
                file = _salvaged(file, options.salvage, options, report)
            report.seconds["open"] = time.perf_counter() - started
            try:
                _convert_open(file, target, options, report, progress, placement, in_place=in_place)
            except (MalformedFileError, TruncatedFileError):
                file = _made_readable(file, report)
                _convert_open(file, target, options, report, progress, placement, in_place=in_place)
    except DicodecError as error:
        if error.path is None:
            error.path = report.source if _kind(error) != "writing" else report.target
        raise
    report.seconds["total"] = time.perf_counter() - started
    return report


def _examined(file: DicomFile) -> DicomFile:
    """Return a file with the oddities that opening it did not come upon."""
    from dicodec.repair.catalogue import ODDITIES, Severity
    from dicodec.repair.character_sets import misdeclared
    from dicodec.repair.standard_form import standard_form

    standard = standard_form(file)
    found = [
        oddity
        for oddity in (*standard.repaired, *standard.left)
        if ODDITIES[oddity.id].severity is not Severity.ALLOWED
    ]
    found += misdeclared(standard.file.data_set)
    return replace(file, oddities=(*file.oddities, *found))


def _made_readable(file: DicomFile, report: ConversionReport) -> DicomFile:
    """Return a file with sequences put right that had to be read to write them anew.

    Raises:
        MalformedFileError, TruncatedFileError: the error at hand: no reading is sure.
    """
    from dicodec.repair.standard_form import readable_form

    error = sys.exception()
    assert error is not None
    try:
        readable = readable_form(file)
    except (MalformedFileError, TruncatedFileError):
        readable = None
    if readable is None:
        raise error
    for told in (report.decisions, report.warnings, report.changes):
        told.clear()
    report.oddities = ()
    return readable


def _salvaged(
    file: DicomFile, mode: str, options: ConversionOptions, report: ConversionReport
) -> DicomFile:
    from dicodec.conversion.frames.salvage import salvaged

    file = salvaged(file, mode, options.workers or available_cores())
    salvage = file.frames.salvage
    if salvage is not None:
        report.salvaged, report.salvaged_frames = salvage.text, salvage.frames
    return file


def _standardized(file: DicomFile, report: ConversionReport) -> DicomFile:
    from dicodec.repair.standard_form import standard_form

    standard = standard_form(file)
    report.repairs, report.oddities = standard.repaired, standard.left
    return standard.file


def _convert_open(
    file: DicomFile,
    target: Target | None,
    options: ConversionOptions,
    report: ConversionReport,
    progress: Progress | None,
    placement: Placement | None,
    *,
    in_place: bool,
) -> None:
    started = time.perf_counter()
    plan = plan_conversion(file, options)
    encoding = DataSetEncoding(plan.target.explicit_vr, plan.target.little_endian)
    workers = options.workers or available_cores()
    plan = surveyed(file, plan, workers)
    edits = planned_edits(file, plan, options, encoding)
    if not report.repairs and _right_already(file, plan, edits):
        plan = replace(plan, action=Action.COPY_FILE)
    _describe(report, file, plan, edits)
    if moved := moved_records(file, plan):
        report.warnings.append(moved)
    report.seconds["plan"] = time.perf_counter() - started
    by_gdcm = options.engine == "gdcm" and plan.action is not Action.COPY_FILE
    if by_gdcm:
        from dicodec.conversion.gdcm.conversion import check_may

        report.engine = "gdcm"
        report.decisions.clear()  # they are those of our codecs
        check_may(file, plan, options)
    if target is None:
        report.dry_run = True
        return
    if plan.action is Action.COPY_FILE and in_place:
        report.action, report.target_size = LEFT_ALONE, report.source_size
        return
    if in_place:
        check_nothing_left_out(file, plan)
    if by_gdcm:
        with _result_file(file, target, options, report, placement, in_place=in_place) as out:
            _convert_by_gdcm(file, plan, out, options, report, workers)
        return
    started = time.perf_counter()
    with _result_file(file, target, options, report, placement, in_place=in_place) as out:
        notes = SampleNotes()
        result = run_plan(file, plan, edits, out, workers, progress, notes)
        _tell_of_samples(notes, plan, report, exact=options.strict or in_place)
        report.oddities = tuple(dict.fromkeys((*report.oddities, *result.oddities)))
        report.target_size = out.seek(0, io.SEEK_END)
        report.seconds["convert"] = time.perf_counter() - started
        _measure(report, result)
        if options.verify:
            started = time.perf_counter()
            out.flush()
            out.seek(0)
            _verify(report, file, plan, edits, out, options, workers)
            report.seconds["verify"] = time.perf_counter() - started


def _tell_of_samples(
    notes: SampleNotes, plan: ConversionPlan, report: ConversionReport, *, exact: bool
) -> None:
    """Warn of samples that came out otherwise than they were described.

    Args:
        notes: of all frames.
        plan: that was carried out.
        report: gets the warnings.
        exact: whether bits that are no part of a sample may not be lost either.

    Raises:
        ContradictionError: they are, and may not.
    """
    if plan.pixels is None:
        return
    warnings = notes.warnings(plan.pixels.coded)
    if notes.masked and exact:
        raise ContradictionError(
            warnings[0],
            attribute="BitsStored",
            hint="native transfer syntaxes keep whole words; without --strict, and in a file of "
            "its own, the result has the samples alone",
        )
    report.warnings += warnings


@contextmanager
def _result_file(
    file: DicomFile,
    target: Target,
    options: ConversionOptions,
    report: ConversionReport,
    placement: Placement | None,
    *,
    in_place: bool,
) -> Iterator[BinaryIO]:
    """Yield the file that becomes the target, unless the source changes before it does."""
    source = file.source if isinstance(file.source, FileSource) else None
    with result_file(
        target,
        overwrite=options.overwrite,
        backup=options.backup,
        opened=source.status if source is not None and in_place else None,
        notes=report.warnings,
        placement=placement,
    ) as out:
        yield out
        if source is not None:
            source.check_unchanged()


def _convert_by_gdcm(
    file: DicomFile,
    plan: ConversionPlan,
    out: BinaryIO,
    options: ConversionOptions,
    report: ConversionReport,
    workers: int,
) -> None:
    from dicodec.conversion.gdcm.conversion import convert_by_gdcm

    started = time.perf_counter()
    done = convert_by_gdcm(file, plan, report.source, out, options, workers)
    report.target_size = out.seek(0, io.SEEK_END)
    report.seconds["convert"] = time.perf_counter() - started
    report.verified = plan.pixels is not None
    report.changes = _changes(file, done.edits)
    report.action = Action.TRANSCODE.value if plan.pixels is not None else Action.NONE.value
    report.lossy = done.lossy
    if plan.pixels is not None and done.photometric_interpretation is not None:
        before = plan.pixels.stated.photometric_interpretation
        report.photometric_interpretation = before, done.photometric_interpretation
    if done.lossy:
        report.largest_error = done.verification.largest_error
        report.psnr = done.verification.psnr
    if done.words:
        report.warnings.append(f"GDCM says: {done.words}")
    _measure(report, done.result)


def _right_already(file: DicomFile, plan: ConversionPlan, edits: tuple[Edit, ...]) -> bool:
    """Whether the source is, byte for byte, what was asked for."""
    effective = [
        edit
        for edit in edits
        if not isinstance(edit, RemoveAttribute) or file.data_set.find(edit.tag) is not None
    ]
    same = plan.source == plan.target and plan.action in {Action.MOVE_VALUE, Action.NONE}
    return same and not effective and not file.oddities and bool(file.stated_syntax)


def _describe(
    report: ConversionReport, file: DicomFile, plan: ConversionPlan, edits: tuple[Edit, ...]
) -> None:
    report.source_syntax = plan.source.name
    report.target_syntax = plan.target.name
    report.action = plan.action.value
    report.oddities = (*file.oddities, *report.oddities)
    report.source_size = file.source.size
    report.decisions += plan.decisions
    report.warnings += plan.warnings
    if plan.pixels is not None:
        report.frames = plan.pixels.frames
        report.lossy = plan.pixels.lossy or bool(plan.pixels.derived)
        report.photometric_interpretation = (
            plan.pixels.stated.photometric_interpretation,
            plan.pixels.result.photometric_interpretation,
        )
    report.changes = _changes(file, edits)


def _changes(file: DicomFile, edits: tuple[Edit, ...]) -> list[str]:
    """Return what edits do to a data set, one line each."""
    changes: list[str] = []
    for edit in edits:
        name = keyword_of(edit.tag) or tag_text(edit.tag)
        present = file.data_set.find(edit.tag) is not None
        if not isinstance(edit, RemoveAttribute):
            changes.append(f"{name} {'changed' if present else 'added'}")
        elif present:
            changes.append(f"{name} removed")
    return changes


def _measure(report: ConversionReport, result: PipelineResult) -> None:
    if result.encoded_size:
        report.compression_ratio = round(result.native_size / result.encoded_size, 4)


def _verify(
    report: ConversionReport,
    file: DicomFile,
    plan: ConversionPlan,
    edits: tuple[Edit, ...],
    out: BinaryIO,
    options: ConversionOptions,
    workers: int,
) -> None:
    from dicodec.conversion.edits.text_encoding import text_tags
    from dicodec.conversion.verification.frames import verify_result

    names = *options.remove_attributes, *(name for name, _ in options.set_attributes)
    asked = {editable_tag(name) for name in names}
    if options.charset is not None:
        asked |= text_tags(edits)
    found = verify_result(file, plan, edits, out, workers, asked)
    report.verified = True
    if report.lossy:
        report.largest_error, report.psnr = found.largest_error, found.psnr
    if options.verify != INDEPENDENT:
        return
    if plan.action is Action.COPY_FILE or plan.pixels is None:
        report.warnings.append("no frame was decoded: another decoder has nothing to check")
        return
    from dicodec.conversion.gdcm.independent_verification import verify_independently

    out.seek(0)
    report.witness = verify_independently(file, report.source, plan, out, options, workers)


def _is_file(source: Source, file: os.stat_result) -> bool:
    if not isinstance(source, str | os.PathLike):
        return False
    try:
        return os.path.samestat(os.stat(source), file)  # noqa: PTH116 - of paths of any kind
    except (OSError, ValueError):
        return False


def _name(given: Source | Target | None) -> str | None:
    return os.fspath(given) if isinstance(given, str | os.PathLike) else None


def _kind(error: DicodecError) -> str:
    from dicodec.errors import kind_of

    return kind_of(error)
