"""One attempt at a conversion, with a report of its own: decide, describe, write, verify."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence

from dicodec.codecs.sample_notes import RATIO_TOLERANCE, SampleNotes
from dicodec.codecs.table import find_engines
from dicodec.conversion.edits.described_edits import (
    describe_changes,
    find_instance_uids,
    name_in_data_sets,
)
from dicodec.conversion.edits.outside_claims import list_untrue_claims
from dicodec.conversion.edits.plan_edits import plan_edits
from dicodec.conversion.frames.first_pass import complete_plan
from dicodec.conversion.frames.pipeline import PipelineResult, Progress, run_plan
from dicodec.conversion.frames.window import count_cores
from dicodec.conversion.output.original import Original
from dicodec.conversion.output.placement import Placement
from dicodec.conversion.output.result_file import Target, open_result
from dicodec.conversion.planning.conversion_plan import Action, Conversion
from dicodec.conversion.planning.plan_conversion import plan_conversion
from dicodec.errors import (
    ContradictionError,
    DicodecError,
    MalformedFileError,
    TruncatedFileError,
)
from dicodec.model import tags
from dicodec.model.edits import Edit
from dicodec.model.findings import Oddity
from dicodec.model.option_table import INDEPENDENT
from dicodec.model.records import dataclass, replace
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.directory_records import RecordLink, ReferencedFile, is_directory, read_links
from dicodec.part10.source import FileSource
from dicodec.report import LEFT_ALONE, ConversionReport
from dicodec.rules.targets import takes

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

    from dicodec.conversion.pixel_decisions import ConversionMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionRequest:
    """The request of the caller.

    Attributes:
        path: of the source; None if it is not a file.
        reopenable: path by which other processes may open the source; None if it has none.
        target, options, progress, placement: see `convert_with`.
        target_path: of the target; None if it is not a file.
        original: the source's state if the result replaces it; None if it does not.
        references, records, coded_frames, memory: see `convert_with`.
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
    coded_frames: int
    memory: ConversionMemory | None

    @property
    def in_place(self) -> bool:
        """Whether the result replaces the source."""
        return self.original is not None


@dataclass(frozen=True, slots=True)
class OpenedSource:
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


class Attempt:
    """One attempt at a conversion, with a report of its own."""

    def __init__(self, request: ConversionRequest, opened: OpenedSource, seconds: float) -> None:
        self._request = request
        self._file = opened.file
        self._given = opened.given
        self._report = ConversionReport(
            source=request.path,
            target=request.target_path,
            source_size=opened.file.source.size,
            oddities=(*opened.file.oddities, *opened.left),
            repairs=opened.repairs,
            modality=opened.file.data_set.read_text(tags.MODALITY),
            seconds={"open": seconds},
            replaced_digest=request.original.digest if request.original is not None else "",
        )
        if (salvage := opened.file.frames.salvage) is not None:
            self._report.salvaged, self._report.salvaged_frames = salvage.text, salvage.frames

    def run(self) -> ConversionReport:
        """Convert the file, or only plan it if there is no target, and return the report.

        Raises:
            DicodecError: as `calls.convert` does.
        """
        request, report = self._request, self._report
        started = time.perf_counter()
        conversion = self._decide()
        self._describe(conversion)
        report.seconds["plan"] = time.perf_counter() - started
        copied = conversion.plan.action is Action.COPY_FILE
        by_gdcm = request.options.engine == "gdcm" and not copied
        if by_gdcm:
            from dicodec.conversion.gdcm.conversion import check_may

            report.engine, report.decoder, report.encoder = "gdcm", "", ""
            report.decisions.clear()  # they are those of our codecs
            check_may(conversion)
        if request.target is None:
            report.dry_run = True
            if request.coded_frames and not by_gdcm:
                self._estimate_size(conversion, request.coded_frames)
        elif copied and request.in_place:
            report.action, report.target_size = LEFT_ALONE, report.source_size
            report.replaced_digest = ""
        else:
            if request.in_place:
                from dicodec.conversion.planning.in_place_losses import check_nothing_left_out

                check_nothing_left_out(conversion.file, conversion.plan)
            with open_result(
                request.target,
                overwrite=request.options.overwrite,
                backup=request.options.backup,
                original=request.original,
                notes=report.warnings,
                placement=request.placement,
                durability=request.options.durability,
            ) as out:
                if by_gdcm:
                    self._write_by_gdcm(conversion, out)
                else:
                    self._write(conversion, out)
                source = self._file.source
                if isinstance(source, FileSource):
                    source.check_unchanged()
        return report

    def _estimate_size(self, conversion: Conversion, frames: int) -> None:
        from dicodec.conversion.frames.result_size import estimate_size

        started = time.perf_counter()
        self._report.estimate = estimate_size(conversion, frames)
        self._report.target_size = self._report.estimate.size
        self._report.seconds["estimate"] = time.perf_counter() - started

    def _decide(self) -> Conversion:
        file, options = self._file, self._request.options
        workers = options.workers or count_cores()
        of_pixels: Sequence[Edit] | None = None
        if self._request.memory is None:
            plan = complete_plan(file, plan_conversion(file, options), workers)
        else:  # a single file has nothing to remember
            from dicodec.conversion.pixel_decisions import recall_plan

            plan, of_pixels = recall_plan(file, options, workers, self._request.memory)
        edits = plan_edits(file, plan, options, self._report.warnings, of_pixels)
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
        if plan.action is Action.TRANSCODE:
            report.decoder = find_engines(plan.source).decoder
            report.encoder = find_engines(plan.target).encoder
        report.decisions += plan.decisions
        report.warnings += plan.warnings
        self._add_oddities(())
        report.native_size = report.source_size
        if plan.pixels is not None:
            stored, native = conversion.file.frames.span.length, plan.pixels.result.native_size
            report.native_size += native - stored
            report.frames = plan.pixels.frames
            report.lossy = plan.pixels.lossy or bool(plan.pixels.derived)
            report.photometric_interpretation = (
                name_in_data_sets(plan.pixels.stated),
                name_in_data_sets(plan.pixels.result),
            )
        report.changes = describe_changes(conversion.file, conversion.edits)
        report.instance_uids = find_instance_uids(conversion.file, conversion.edits)
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
            ContradictionError: bits outside of samples, or frames, are lost, and may not be.
        """
        if conversion.plan.pixels is None:
            return
        warnings = notes.list_warnings(conversion.plan.pixels.coded)
        careful = conversion.options.strict or self._request.in_place
        if notes.followed and careful:
            raise ContradictionError(
                notes.describe_followed(),
                attribute="NumberOfFrames",
                hint="without `strict=True`, and in a file of its own, the result has the frames "
                "that are stated",
            )
        if notes.masked and careful:
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
        report.changes = describe_changes(conversion.file, done.edits)
        report.instance_uids = find_instance_uids(conversion.file, done.edits)
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
    same = plan.source == plan.target and plan.action in {Action.MOVE_VALUE, Action.NONE}
    return same and not conversion.edits and not file.oddities and bool(file.stated_syntax)
