"""Carry out one conversion: the steps of this folder, called in turn."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from dicodec.conversion.attempt import Attempt, ConversionRequest, OpenedSource
from dicodec.conversion.frames.pipeline import Progress
from dicodec.conversion.frames.window import count_cores
from dicodec.conversion.output.original import read_original, remove_leftovers
from dicodec.conversion.output.placement import Placement
from dicodec.conversion.output.result_file import Target, check_not_kept, check_target
from dicodec.conversion.output.target_stream import check_stream
from dicodec.conversion.planning.conversion_plan import Action
from dicodec.errors import (
    DicodecError,
    FrameError,
    InvalidOptionError,
    MalformedFileError,
    TruncatedFileError,
    find_kind,
)
from dicodec.model import tags
from dicodec.model.option_table import NEVER
from dicodec.model.records import replace
from dicodec.options import ConversionOptions
from dicodec.part10.beneath import PinnedFile, show_path, to_path
from dicodec.part10.dicom_file import DicomFile, Source
from dicodec.part10.directory_records import ReferencedFile
from dicodec.part10.file_meta import read_head
from dicodec.part10.source import OpenSource
from dicodec.repair.opening import open_tolerantly
from dicodec.report import LEFT_ALONE, ConversionReport
from dicodec.rules.targets import find_target_syntax

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.conversion.pixel_decisions import ConversionMemory

CODED_FRAMES = 8
"""Frames of a file that a dry run codes; a file of up to twice as many has all coded."""

_NO_REFERENCES: Mapping[str, str] = MappingProxyType({})


def convert_with(
    source: Source,
    target: Target | None,
    options: ConversionOptions,
    progress: Progress | None = None,
    placement: Placement | None = None,
    references: Mapping[str, str] = _NO_REFERENCES,
    records: Sequence[ReferencedFile] = (),
    coded_frames: int = 0,
    memory: ConversionMemory | None = None,
) -> ConversionReport:
    """Convert one DICOM file as `calls.convert` does, and return the report.

    Args:
        source: a path, a buffer, a binary stream, or an object with random access.
        target: a path or a binary stream; None to plan only.
        options: all that the caller has asked for.
        progress: is called with the frames written and the frames to write, behind each frame.
        placement: takes the result over, if the target is a path, to put it in its place later.
        references: new SOP Instance UIDs by old ones; references to the old ones follow.
        records: of a DICOMDIR, those that change, with the facts they have to state.
        coded_frames: without a target, how many frames are coded to estimate the size that the
            result would have; 0 to estimate nothing.
        memory: of conversions before, for those of files that are alike.

    Raises:
        DicodecError: as `calls.convert` does, with the path of the file at fault.
    """
    started = time.perf_counter()
    path, target_path = find_path(source), find_path(target)
    try:
        original = None
        if _check_target(source, target, options):
            assert isinstance(target, str | os.PathLike)
            if not options.verify:
                options = replace(options, verify=True)  # before an original goes
            if (report := _leave_alone(source, target, options, references, records)) is not None:
                return report
            original = read_original(to_path(target))
        request = ConversionRequest(
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
            coded_frames=coded_frames,
            memory=memory,
        )
        images = None if memory is None else memory.images
        salvage = options.salvage is not None
        with open_tolerantly(source, options.limits, salvage=salvage, images=images) as file:
            opened = _prepare(file, options)
            seconds = time.perf_counter() - started
            try:
                try:
                    report = Attempt(request, opened, seconds).run()
                except (MalformedFileError, TruncatedFileError) as error:
                    readable = replace(opened, file=_make_readable(opened.file, error))
                    report = Attempt(request, readable, seconds).run()
            except FrameError as error:
                if _can_be_salvaged(file, request):
                    from dicodec.conversion.planning.all_frames import SALVAGE_HINT

                    error.with_hint(SALVAGE_HINT)
                raise
    except DicodecError as error:
        error.with_location(path=path if find_kind(error) != "writing" else target_path)
        raise
    report.seconds["total"] = time.perf_counter() - started
    return report


def _can_be_salvaged(file: DicomFile, request: ConversionRequest) -> bool:
    """Whether a salvaged result may have the frames beside one that cannot be decoded.

    Of native frames that end early, who reads them has said so already.
    """
    image = file.frames.description
    if image is None or image.number_of_frames < 2 or file.frames.encapsulated is None:
        return False
    return request.options.salvage is None and not request.in_place


def _check_target(source: Source, target: Target | None, options: ConversionOptions) -> bool:
    """Return whether the target is the source, once it is known that it can be written."""
    if not isinstance(target, str | os.PathLike):
        if target is not None:
            check_stream(target)
        return False
    replaced = check_target(to_path(target), overwrite=options.overwrite)
    in_place = replaced is not None and _is_file(source, replaced)
    if in_place:
        check_not_kept(to_path(target).resolve())
    if in_place and options.salvage is not None:
        raise InvalidOptionError(
            "a damaged file is not replaced by its salvaged result",
            hint="give the result a place of its own",
        )
    if in_place and options.durability == NEVER:
        raise InvalidOptionError(
            "a result that replaces its source is synced before the source goes",
            hint='leave out `durability="none"`',
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
    remove_leftovers(to_path(target))
    report.target, report.dry_run = show_path(target), False
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


def _prepare(file: DicomFile, options: ConversionOptions) -> OpenedSource:
    if options.strict:
        file = _examine(file)
    opened = _standardize(file) if options.standardize else OpenedSource(file, file)
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


def _standardize(file: DicomFile) -> OpenedSource:
    from dicodec.repair.bits_stored import raise_bits_stored
    from dicodec.repair.color_labels import correct_color_label
    from dicodec.repair.standard_form import make_standard

    standard = make_standard(file)
    corrected = correct_color_label(raise_bits_stored(standard.file))
    return OpenedSource(corrected, file, standard.repaired, standard.left)


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


def _is_file(source: Source, file: os.stat_result) -> bool:
    """Whether a source is a file, by its path or as a stream of it."""
    try:
        if isinstance(source, str | os.PathLike):
            return os.path.samestat(os.stat(source), file)  # noqa: PTH116 - of paths of any kind
        fileno = getattr(source, "fileno", None)
        return fileno is not None and os.path.samestat(os.fstat(fileno()), file)
    except (OSError, ValueError):
        return False


def find_path(given: Source | Target | None) -> str | None:
    """Return the path of a source or target, as reports have it; None if it has none."""
    return show_path(given) if isinstance(given, str | os.PathLike) else None
