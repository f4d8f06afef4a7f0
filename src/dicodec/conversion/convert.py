"""Carry out one conversion: the steps of this folder, called in turn."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import BinaryIO

from dicodec.codecs.sample_notes import RATIO_TOLERANCE, SampleNotes
from dicodec.conversion.edits.outside_claims import list_untrue_claims
from dicodec.conversion.edits.plan_edits import plan_edits
from dicodec.conversion.frames.first_pass import complete_plan
from dicodec.conversion.frames.pipeline import PipelineResult, Progress, run_plan
from dicodec.conversion.frames.window import count_cores
from dicodec.conversion.output.original import Original, read_original, remove_leftovers
from dicodec.conversion.output.placement import Placement
from dicodec.conversion.output.result_file import Target, check_target, open_result
from dicodec.conversion.output.target_stream import check_stream
from dicodec.conversion.planning.conversion_plan import Action, Conversion
from dicodec.conversion.planning.in_place_losses import check_nothing_left_out
from dicodec.conversion.planning.plan_conversion import plan_conversion
from dicodec.errors import (
    ContradictionError,
    DicodecError,
    InvalidOptionError,
    MalformedFileError,
    TruncatedFileError,
    find_kind,
)
from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetAttribute
from dicodec.model.findings import Oddity
from dicodec.model.image import YBR_PARTIAL, ImagePixelDescription
from dicodec.model.option_table import INDEPENDENT
from dicodec.model.records import dataclass, replace
from dicodec.options import ConversionOptions
from dicodec.part10.beneath import PinnedFile, as_path, name_of
from dicodec.part10.dicom_file import DicomFile, Source
from dicodec.part10.dictionary import find_keyword
from dicodec.part10.directory_records import RecordLink, ReferencedFile, is_directory, read_links
from dicodec.part10.encoding import format_tag
from dicodec.part10.file_meta import read_head
from dicodec.part10.source import FileSource, OpenSource
from dicodec.repair.opening import open_tolerantly
from dicodec.report import LEFT_ALONE, ConversionReport
from dicodec.rules.targets import find_target_syntax, takes

_NO_REFERENCES: Mapping[str, str] = MappingProxyType({})


def convert_with(
    source: Source,
    target: Target | None,
    options: ConversionOptions,
    progress: Progress | None = None,
    placement: Placement | None = None,
    references: Mapping[str, str] = _NO_REFERENCES,
    records: Sequence[ReferencedFile] = (),
) -> ConversionReport:
    """Convert one DICOM file as `calls.convert` does, with options that are already a value.

    Args:
        source: as there.
        target: as there.
        options: as there.
        progress: is called with the frames written and the frames to write, behind each frame.
        placement: takes the result over, if the target is a path, to put it in its place later.
        references: new SOP Instance UIDs by old ones; references to the old ones follow.
        records: of a DICOMDIR, those that change, with the facts they have to state.
    """
    started = time.perf_counter()
    path, target_path = _find_path(source), _find_path(target)
    try:
        original = None
        if _check_target(source, target, options):
            assert isinstance(target, str | os.PathLike)
            if not options.verify:
                options = replace(options, verify=True)  # before an original goes
            if (report := _leave_alone(source, target, options, references, records)) is not None:
                return report
            original = read_original(as_path(target))
        request = _Request(
            path=path,
            reopenable=None if isinstance(source, PinnedFile) else path,
            target=target,
            target_path=target_path,
            options=options,
            progress=progress,
            placement=placement,
            original=original,
            references=references,
            records=records,
        )
        with open_tolerantly(source, options.limits, salvage=options.salvage is not None) as file:
            opened = _prepare(file, options)
            seconds = time.perf_counter() - started
            try:
                report = _Attempt(request, opened, seconds).run()
            except (MalformedFileError, TruncatedFileError) as error:
                readable = replace(opened, file=_make_readable(opened.file, error))
                report = _Attempt(request, readable, seconds).run()
    except DicodecError as error:
        error.with_location(path=path if find_kind(error) != "writing" else target_path)
        raise
    report.seconds["total"] = time.perf_counter() - started
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """The request of the caller.

    Attributes:
        path: of the source; None if it is not a file.
        reopenable: path by which other processes may open the source; None if it has none.
        target, options, progress, placement: see `convert_with`.
        target_path: of the target; None if it is not a file.
        original: the source's state if the result replaces it; None if it does not.
        references, records: see `convert_with`.
    """

    path: str | None
    reopenable: str | None
    target: Target | None
    target_path: str | None
    options: ConversionOptions
    progress: Progress | None
    placement: Placement | None
    original: Original | None
    references: Mapping[str, str]
    records: Sequence[ReferencedFile]

    @property
    def in_place(self) -> bool:
        """Whether the result replaces the source."""
        return self.original is not None


@dataclass(frozen=True, slots=True)
class _Opened:
    """The source as it is converted.

    Attributes:
        file: salvaged or in its standard form, if the caller asks for that.
        given: as it was opened.
        repairs: oddities that the standard form put right.
        left: oddities that it left.
    """

    file: DicomFile
    given: DicomFile
    repairs: tuple[Oddity, ...] = ()
    left: tuple[Oddity, ...] = ()


def _check_target(source: Source, target: Target | None, options: ConversionOptions) -> bool:
    """Return whether the target is the source, once it is known that it can be written."""
    if not isinstance(target, str | os.PathLike):
        if target is not None:
            check_stream(target)
        return False
    replaced = check_target(as_path(target), overwrite=options.overwrite)
    in_place = replaced is not None and _is_file(source, replaced)
    if in_place and options.salvage is not None:
        raise InvalidOptionError(
            "a damaged file is not replaced by its salvaged result",
            hint="give the result a place of its own",
        )
    return in_place


def _leave_alone(
    source: Source,
    target: str | os.PathLike[str],
    options: ConversionOptions,
    references: Mapping[str, str],
    records: Sequence[ReferencedFile],
) -> ConversionReport | None:
    """Return the report of a source that is right already; None if it is to be replaced.

    It is planned here if it may be right, because then it need not be read as a whole.
    """
    if not _states_one_of(target, options.to):
        return None
    report = convert_with(source, None, options, references=references, records=records)
    if report.action != Action.COPY_FILE:
        return None
    remove_leftovers(as_path(target))
    report.target, report.dry_run = name_of(target), False
    report.action, report.target_size = LEFT_ALONE, report.source_size
    return report


def _states_one_of(path: str | os.PathLike[str], names: tuple[str, ...]) -> bool:
    """Whether a file's File Meta Information names one of some transfer syntaxes."""
    acceptable = {find_target_syntax(name).uid for name in names}
    try:
        with OpenSource(path) as source:
            return read_head(source).read_text(tags.TRANSFER_SYNTAX_UID) in acceptable
    except DicodecError:  # opening it as a source will report the fault
        return False


def _prepare(file: DicomFile, options: ConversionOptions) -> _Opened:
    if options.strict:
        file = _examine(file)
    opened = _standardize(file) if options.standardize else _Opened(file, file)
    if options.salvage is None:
        return opened
    from dicodec.conversion.frames.salvage import salvage_frames

    workers = options.workers or count_cores()
    return replace(opened, file=salvage_frames(opened.file, options.salvage, workers))


def _examine(file: DicomFile) -> DicomFile:
    """Return a file with the oddities that opening it did not come upon."""
    from dicodec.repair.catalogue import ODDITIES, Severity
    from dicodec.repair.character_sets import find_misdeclared_text
    from dicodec.repair.standard_form import make_standard

    standard = make_standard(file)
    found = [
        oddity
        for oddity in (*standard.repaired, *standard.left)
        if ODDITIES[oddity.id].severity is not Severity.ALLOWED
    ]
    found += find_misdeclared_text(standard.file.data_set)
    return replace(file, oddities=(*file.oddities, *found))


def _standardize(file: DicomFile) -> _Opened:
    from dicodec.repair.bits_stored import raise_bits_stored
    from dicodec.repair.standard_form import make_standard

    standard = make_standard(file)
    return _Opened(raise_bits_stored(standard.file), file, standard.repaired, standard.left)


def _make_readable(file: DicomFile, error: DicodecError) -> DicomFile:
    """Return a file with sequences put right that had to be read to write them anew.

    Raises:
        DicodecError: the error that reading them brought: no reading is sure.
    """
    from dicodec.repair.standard_form import make_readable

    try:
        readable = make_readable(file)
    except (MalformedFileError, TruncatedFileError):
        readable = None
    if readable is None:
        raise error
    return readable


class _Attempt:
    """One attempt at a conversion, with a report of its own."""

    def __init__(self, request: _Request, opened: _Opened, seconds: float) -> None:
        self._request = request
        self._file = opened.file
        self._given = opened.given
        self._report = ConversionReport(
            source=request.path,
            target=request.target_path,
            source_size=opened.file.source.size,
            oddities=(*opened.file.oddities, *opened.left),
            repairs=opened.repairs,
            seconds={"open": seconds},
            replaced_digest=request.original.digest if request.original is not None else "",
        )
        if (salvage := opened.file.frames.salvage) is not None:
            self._report.salvaged, self._report.salvaged_frames = salvage.text, salvage.frames

    def run(self) -> ConversionReport:
        request, report = self._request, self._report
        started = time.perf_counter()
        conversion = self._decide()
        self._describe(conversion)
        report.seconds["plan"] = time.perf_counter() - started
        copied = conversion.plan.action is Action.COPY_FILE
        by_gdcm = request.options.engine == "gdcm" and not copied
        if by_gdcm:
            from dicodec.conversion.gdcm.conversion import check_may

            report.engine = "gdcm"
            report.decisions.clear()  # they are those of our codecs
            check_may(conversion)
        if request.target is None:
            report.dry_run = True
        elif copied and request.in_place:
            report.action, report.target_size = LEFT_ALONE, report.source_size
            report.replaced_digest = ""
        else:
            if request.in_place:
                check_nothing_left_out(conversion.file, conversion.plan)
            with self._open_result_file(request.target) as out:
                if by_gdcm:
                    self._write_by_gdcm(conversion, out)
                else:
                    self._write(conversion, out)
        return report

    def _decide(self) -> Conversion:
        file, options = self._file, self._request.options
        workers = options.workers or count_cores()
        plan = complete_plan(file, plan_conversion(file, options), workers)
        edits = plan_edits(file, plan, options, self._report.warnings)
        referring: list[Edit] = []
        references, records = self._request.references, self._request.records
        if references or records:
            from dicodec.conversion.edits.references import map_records, map_references

            if records:
                referring = map_records(file.data_set, records, references, plan.encoding)
            else:
                referring = map_references(file.data_set, references, plan.encoding)
            edits = tuple({edit.tag: edit for edit in (*edits, *referring)}.values())
        conversion = Conversion(
            file=file,
            path=self._request.reopenable,
            plan=plan,
            edits=edits,
            options=options,
            workers=workers,
            referring=frozenset(edit.tag for edit in referring),
        )
        copied = not self._report.repairs and _is_right_already(conversion)
        if copied:
            conversion = replace(conversion, plan=replace(plan, action=Action.COPY_FILE))
        if is_directory(file.data_set):
            return replace(conversion, links=self._find_links(copied=copied))
        return conversion

    def _find_links(self, *, copied: bool) -> tuple[RecordLink, ...]:
        """Return the relations between the records of a DICOMDIR.

        Raises:
            ContradictionError: an offset names no record, and records move.
        """
        try:
            try:
                return read_links(self._given)
            except (MalformedFileError, TruncatedFileError):  # the file may be put right by now
                return read_links(self._file)
        except DicodecError as error:
            if not copied or self._request.options.strict:
                raise
            self._report.warnings.append(f"{error.message}; it is copied as it is")
            return ()

    def _describe(self, conversion: Conversion) -> None:
        report, plan = self._report, conversion.plan
        report.source_syntax = plan.source.name
        report.target_syntax = plan.target.name
        report.action = plan.action.value
        report.decisions += plan.decisions
        report.warnings += plan.warnings
        self._add_oddities(())
        if plan.pixels is not None:
            report.frames = plan.pixels.frames
            report.lossy = plan.pixels.lossy or bool(plan.pixels.derived)
            report.photometric_interpretation = (
                _name_in_data_sets(plan.pixels.stated),
                _name_in_data_sets(plan.pixels.result),
            )
        report.changes = _describe_changes(conversion.file, conversion.edits)
        report.instance_uids = _find_instance_uids(conversion.file, conversion.edits)
        if plan.action is not Action.COPY_FILE:
            self._warn_of_others(conversion)

    def _warn_of_others(self, conversion: Conversion) -> None:
        """Warn of claims by others about the source that are not true of the result."""
        request, report = self._request, self._report
        places = [place for place in (request.target_path, request.path) if place is not None]
        found = list_untrue_claims(conversion, self._given, report.instance_uids, places)
        report.warning_kinds += [kind.value for kind, texts in found.items() if texts]
        report.warnings += [text for texts in found.values() for text in texts]

    def _add_oddities(self, found: tuple[Oddity, ...]) -> None:
        """Add oddities to those of the source, and warn of the graver ones of all."""
        report = self._report
        report.oddities = tuple(dict.fromkeys((*report.oddities, *found)))
        if report.oddities:
            from dicodec.repair.catalogue import select_warnings

            known = set(report.warnings)
            report.warnings += [
                text for text in select_warnings(report.oddities) if text not in known
            ]

    @contextmanager
    def _open_result_file(self, target: Target) -> Iterator[BinaryIO]:
        """Yield the file that becomes the target, unless the source changes before it does."""
        request = self._request
        source = self._file.source if isinstance(self._file.source, FileSource) else None
        with open_result(
            target,
            overwrite=request.options.overwrite,
            backup=request.options.backup,
            original=request.original,
            notes=self._report.warnings,
            placement=request.placement,
        ) as out:
            yield out
            if source is not None:
                source.check_unchanged()

    def _write(self, conversion: Conversion, out: BinaryIO) -> None:
        report = self._report
        started = time.perf_counter()
        notes = SampleNotes()
        result = run_plan(conversion, out, self._request.progress, notes)
        self._warn_of_samples(notes, conversion)
        self._warn_of_missed_rate(notes, conversion, result)
        self._add_oddities(result.oddities)
        self._measure(result, out, started)
        if conversion.options.verify:
            started = time.perf_counter()
            out.flush()
            out.seek(0)
            self._verify(conversion, out)
            report.seconds["verify"] = time.perf_counter() - started

    def _warn_of_samples(self, notes: SampleNotes, conversion: Conversion) -> None:
        """Warn of samples that came out otherwise than they were described.

        Raises:
            ContradictionError: bits outside of samples are lost, and may not be.
        """
        if conversion.plan.pixels is None:
            return
        warnings = notes.list_warnings(conversion.plan.pixels.coded)
        if notes.masked and (conversion.options.strict or self._request.in_place):
            raise ContradictionError(
                warnings[0],
                attribute="BitsStored",
                hint="native transfer syntaxes keep whole words; without `strict=True`, and in a "
                "file of its own, the result has the samples alone",
            )
        self._report.warnings += warnings

    def _warn_of_missed_rate(
        self, notes: SampleNotes, conversion: Conversion, result: PipelineResult
    ) -> None:
        """Warn if the result is not as large, or as near its source, as the caller asked for."""
        pixels, asked = conversion.plan.pixels, conversion.options.ratio
        if pixels is not None:
            self._report.warnings += notes.list_missed_psnr(pixels.psnr)
        if asked is None or not result.encoded_size or not takes(conversion.plan.target, "ratio"):
            return
        ratio = result.native_size / result.encoded_size
        if abs(ratio / asked - 1) > RATIO_TOLERANCE:
            self._report.warnings.append(
                f"the compression ratio is {ratio:.1f}, and {asked:g} was asked for: the encoder "
                "comes no nearer"
            )

    def _write_by_gdcm(self, conversion: Conversion, out: BinaryIO) -> None:
        from dicodec.conversion.gdcm.conversion import convert_by_gdcm

        report, pixels = self._report, conversion.plan.pixels
        started = time.perf_counter()
        done = convert_by_gdcm(conversion, out)
        self._measure(done.result, out, started)
        report.verified = pixels is not None
        report.changes = _describe_changes(conversion.file, done.edits)
        report.instance_uids = _find_instance_uids(conversion.file, done.edits)
        report.action = Action.TRANSCODE.value if pixels is not None else Action.NONE.value
        report.lossy = done.lossy
        if pixels is not None and done.photometric_interpretation is not None:
            before = pixels.stated.photometric_interpretation
            report.photometric_interpretation = before, done.photometric_interpretation
        if done.lossy:
            report.largest_error = done.verification.largest_error
            report.psnr = done.verification.psnr
        if done.words:
            report.warnings.append(f"GDCM says: {done.words}")

    def _measure(self, result: PipelineResult, out: BinaryIO, started: float) -> None:
        self._report.seconds["convert"] = time.perf_counter() - started
        self._report.target_size = out.seek(0, io.SEEK_END)
        if result.encoded_size:
            ratio = result.native_size / result.encoded_size
            self._report.compression_ratio = round(ratio, 4)

    def _verify(self, conversion: Conversion, out: BinaryIO) -> None:
        from dicodec.conversion.verification.frames import verify_result

        report, plan = self._report, conversion.plan
        found = verify_result(conversion, out)
        report.verified = True
        self._add_oddities(found.oddities)
        if report.lossy:
            report.largest_error, report.psnr = found.largest_error, found.psnr
        if found.undecoded:
            first, more = found.undecoded[0], len(found.undecoded) - 1
            report.warnings.append(
                f"frame {first}{f' and {more} more' if more else ''} cannot be decoded, in the "
                "source neither; the bytes are those of the source"
            )
        if conversion.options.verify != INDEPENDENT:
            return
        if plan.action is Action.COPY_FILE or plan.pixels is None:
            report.warnings.append("no frame was decoded: another decoder has nothing to check")
            return
        from dicodec.conversion.gdcm.independent_verification import verify_independently

        out.seek(0)
        report.witness = verify_independently(conversion, out)


def _is_right_already(conversion: Conversion) -> bool:
    """Whether the source is, byte for byte, the result asked for."""
    file, plan = conversion.file, conversion.plan
    effective = [
        edit
        for edit in conversion.edits
        if not isinstance(edit, RemoveAttribute) or file.data_set.find(edit.tag) is not None
    ]
    same = plan.source == plan.target and plan.action in {Action.MOVE_VALUE, Action.NONE}
    return same and not effective and not file.oddities and bool(file.stated_syntax)


def _name_in_data_sets(image: ImagePixelDescription) -> str:
    """Return the Photometric Interpretation by the name that data sets have for it."""
    name = image.photometric_interpretation
    return "YBR_PARTIAL_422" if name == YBR_PARTIAL else name


def _find_instance_uids(file: DicomFile, edits: tuple[Edit, ...]) -> tuple[str, str] | None:
    """Return the SOP Instance UIDs before and after; None if they are the same."""
    for edit in edits:
        if isinstance(edit, SetAttribute) and edit.tag == tags.SOP_INSTANCE_UID:
            value = edit.value
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            before, after = file.data_set.read_text(edit.tag), text.strip("\0 ")
            return (before, after) if before != after else None
    return None


def _describe_changes(file: DicomFile, edits: tuple[Edit, ...]) -> list[str]:
    """Describe the changes of edits to a data set, one line each."""
    changes: list[str] = []
    for edit in edits:
        name = find_keyword(edit.tag) or format_tag(edit.tag)
        present = file.data_set.find(edit.tag) is not None
        if not isinstance(edit, RemoveAttribute):
            changes.append(f"{name} {'changed' if present else 'added'}")
        elif present:
            changes.append(f"{name} removed")
    return changes


def _is_file(source: Source, file: os.stat_result) -> bool:
    """Whether a source is a file, by its path or as a stream of it."""
    try:
        if isinstance(source, str | os.PathLike):
            return os.path.samestat(os.stat(source), file)  # noqa: PTH116 - of paths of any kind
        fileno = getattr(source, "fileno", None)
        return fileno is not None and os.path.samestat(os.fstat(fileno()), file)
    except (OSError, ValueError):
        return False


def _find_path(given: Source | Target | None) -> str | None:
    return name_of(given) if isinstance(given, str | os.PathLike) else None
