"""Plan a conversion: header and options in, a plan or a ConversionError out.

Nothing is written here and no pixel is touched; of the frames only the first one's headers are
read. Everything the pipeline does is in the plan, so a dry run shows all of it.
"""

from __future__ import annotations

from dicodec.conversion.planning.all_frames import FrameSurvey
from dicodec.conversion.planning.conversion_plan import Action, ConversionPlan
from dicodec.conversion.planning.moved_value import (
    find_unread_sample_size,
    plan_moved_value,
    warn_of_wide_samples,
)
from dicodec.conversion.planning.pixel_planner import PixelPlanner
from dicodec.errors import (
    ContradictionError,
    ConversionError,
    TruncatedFileError,
    UnsupportedImageError,
    UnsupportedSourceError,
)
from dicodec.model import tags
from dicodec.model.findings import OddityId
from dicodec.model.transfer_syntax import (
    EXPLICIT_LE,
    Storage,
    TransferSyntax,
)
from dicodec.options import ConversionOptions
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.directory_records import is_directory
from dicodec.rules.targets import find_target_syntax, refuse_target

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.model.stream import StreamDescription

_IMAGE = (tags.ROWS, tags.COLUMNS, tags.BITS_ALLOCATED)
"""Attributes that no data set without pixels needs (PS3.3 C.7.6.3)."""


def plan_conversion(
    file: DicomFile,
    options: ConversionOptions,
    survey: FrameSurvey | None = None,
    first: StreamDescription | None = None,
) -> ConversionPlan:
    """Decide how a file becomes one of the acceptable transfer syntaxes.

    Args:
        file: the open source.
        options: the caller's options.
        survey: descriptions of all frames' streams, if they are known already.
        first: that of the first whole frame's stream, if it is known already.

    Raises:
        UnsupportedTargetError: no such transfer syntax, or one that is never written.
        ConversionError: the file cannot be converted as requested; of several acceptable transfer
            syntaxes the first one's reason is given.
        ReadError: the first frame's headers cannot be read.
    """
    targets = tuple(find_target_syntax(name) for name in options.to)
    if options.strict and file.oddities:
        raise ContradictionError(
            f"the source departs from the standard: {file.oddities[0].text}",
            offset=file.oddities[0].offset,
        )
    if file.syntax in targets and _may_stay(file, options):
        return _plan_for(file, file.syntax, options, survey, first)
    failures: list[ConversionError] = []
    for target in targets:
        try:
            return _plan_for(file, target, options, survey, first)
        except ConversionError as error:
            failures.append(error)
    raise failures[0]


def _may_stay(file: DicomFile, options: ConversionOptions) -> bool:
    """Whether a source in an acceptable syntax needs no other photometric interpretation."""
    image = file.frames.description
    if image is None:
        return True
    if options.rescale_to_8bit and image.has_more_than_8_bits:
        return False
    return options.photometric in {"auto", "keep", image.photometric_interpretation}


def _plan_for(
    file: DicomFile,
    target: TransferSyntax,
    options: ConversionOptions,
    survey: FrameSurvey | None,
    first: StreamDescription | None,
) -> ConversionPlan:
    source = file.syntax
    if not target.writes and source != target:
        raise refuse_target(target)
    if not file.frames.present or (file.frames.empty and source.storage is not Storage.VIDEO):
        return _plan_without_pixels(file, target)
    if source == target and not target.writes and _may_stay(file, options):
        _check_complete(file)
        return ConversionPlan(source, target, Action.MOVE_VALUE, None)
    if not target.writes or source.storage in {Storage.ELSEWHERE, Storage.VIDEO}:
        raise UnsupportedSourceError(f"{source.title}: {source.why_not}")
    if _moves_unread(file, target):
        _check_complete(file)
        warnings = _warn_of_unread_samples(file, target)
        return ConversionPlan(source, target, Action.MOVE_VALUE, None, warnings=warnings)
    fault = file.frames.fault
    if fault is not None and fault.attribute == "BitsAllocated" and find_unread_sample_size(file):
        raise UnsupportedImageError(fault.message, attribute=fault.attribute, hint=fault.hint)
    return PixelPlanner(file, target, options, survey, first).plan()


def _check_complete(file: DicomFile) -> None:
    """Check frames that are moved without a look at them; others show their faults themselves."""
    if missing := file.frames.missing:
        raise TruncatedFileError(
            f"the file ends {missing} bytes before its Pixel Data does",
            attribute="PixelData",
            offset=file.source.size,
        )
    if any(one.id == OddityId.NO_DELIMITER for one in file.oddities):
        raise TruncatedFileError(
            "the file ends before another fragment or the delimiter of Pixel Data",
            attribute="PixelData",
            offset=file.source.size,
        )


def _plan_without_pixels(file: DicomFile, target: TransferSyntax) -> ConversionPlan:
    """A data set without pixels stays native (PS3.5 A.4: encapsulation is of Pixel Data)."""
    if file.syntax.storage is Storage.ELSEWHERE and file.syntax != target:
        raise UnsupportedSourceError(f"{file.syntax.title}: {file.syntax.why_not}")
    warnings: tuple[str, ...] = ()
    if file.frames.present:
        warnings = ("Pixel Data has no bytes: there are no frames",)
    elif file.syntax.storage is not Storage.ELSEWHERE and _is_image(file.data_set):
        text = "the data set is one of an image and has no Pixel Data"
        warnings = (f"{text}: it was left out, or the file was cut off",)
    if is_directory(file.data_set):
        _check_directory_target(file, target)
        if target.native and target != EXPLICIT_LE:
            warnings = (f"a DICOMDIR in {target.name}: the standard has it in explicit-le only",)
    if file.syntax == target or target.native:
        return ConversionPlan(file.syntax, target, Action.NONE, None, warnings=warnings)
    return ConversionPlan(
        file.syntax,
        EXPLICIT_LE,
        Action.NONE,
        None,
        warnings=(
            *warnings,
            f"there are no pixels to store as {target.name}: the result is {EXPLICIT_LE.name}",
        ),
    )


def _check_directory_target(file: DicomFile, target: TransferSyntax) -> None:
    """Refuse to deflate a DICOMDIR: its offsets are those of bytes in the file (PS3.10 8.6)."""
    if target.deflated and file.syntax != target:
        raise UnsupportedImageError(
            "a DICOMDIR names its records by byte offsets in the file, and a deflated one has none",
            hint="choose explicit-le, the one syntax that the standard has for a DICOMDIR",
        )


def _is_image(data_set: DataSet) -> bool:
    described = all(map(data_set.read_number, _IMAGE))
    if described:
        return True
    from dicodec.rules.iod_limits import is_image_class

    return is_image_class(data_set.read_text(tags.SOP_CLASS_UID))


def _moves_unread(file: DicomFile, target: TransferSyntax) -> bool:
    """Whether native pixels can stay as they are although nothing describes them."""
    return (
        file.frames.description is None
        and file.syntax.native
        and target.native
        and plan_moved_value(file, target) is not None
    )


def _warn_of_unread_samples(file: DicomFile, target: TransferSyntax) -> tuple[str, ...]:
    if file.syntax.pixels_little_endian == target.pixels_little_endian:
        return ()
    return (warn_of_wide_samples(file.data_set.read_number(tags.BITS_ALLOCATED) or 0),)
