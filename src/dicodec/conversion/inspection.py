"""Describe a file: its attributes, the coding of its pixels, and its possible targets."""

from __future__ import annotations

import os
from itertools import islice

from dicodec.codecs.table import find_decoder
from dicodec.conversion.planning.all_frames import FrameSurvey, survey_frames
from dicodec.conversion.planning.plan_conversion import plan_conversion
from dicodec.errors import DicodecError, ReadError
from dicodec.model import tags
from dicodec.model.findings import Oddity
from dicodec.model.image import ImagePixelDescription
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.records import asdict, dataclass, field
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import list_writable
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import DicomFile, Source
from dicodec.part10.directory_records import is_directory, read_links
from dicodec.repair.catalogue import ODDITIES
from dicodec.repair.character_sets import find_misdeclared_text
from dicodec.repair.opening import open_tolerantly
from dicodec.repair.standard_form import make_standard
from dicodec.rules.color_space import decide_color_space
from dicodec.rules.stream_contradictions import find_contradictions

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True, slots=True)
class PossibleTarget:
    """A transfer syntax, and whether the file can become it.

    Attributes:
        name: short name.
        possible: whether a conversion can be planned.
        action: planned for the pixels; "" if it is not possible.
        lossy: whether information would be lost.
        reason: why it is not possible.
    """

    name: str
    possible: bool
    action: str = ""
    lossy: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One departure from the standard, and its repair.

    Attributes:
        id: of the catalogue, docs/oddities.md.
        text: the finding, and the assumption.
        offset: byte offset in the source, if it has one.
        severity: "allowed", "harmless", "wrong" or "doubtful".
        assumed: how such a thing is read.
        standardized: its replacement in the result of `--standardize`.
    """

    id: str
    text: str
    offset: int | None
    severity: str
    assumed: str
    standardized: str


@dataclass(slots=True, kw_only=True)
class Inspection:
    """The description of a file.

    Attributes:
        source: as the caller named it; None for buffers and streams.
        size: bytes.
        preamble: whether preamble and prefix are there.
        transfer_syntax: short name of the transfer syntax that the file is really in.
        transfer_syntax_title: its name in PS3.6.
        stated_transfer_syntax: the UID in File Meta Information.
        sop_class_uid, sop_instance_uid, modality: as the data set says.
        elements: top level elements of the data set.
        image: the Image Pixel Module; None without pixels or if it cannot be read.
        pixel_data_vr: as stated; "" in implicit VR.
        pixel_data_length: bytes of the value of Pixel Data.
        fragments: items of encapsulated Pixel Data after the Basic Offset Table; 0 if native.
        offset_table: "none", "empty", "basic" or "extended".
        stream: description of the first frame's stream.
        coded_as: the stream's real Photometric Interpretation, if that was decided.
        oddities: departures from the standard, in sequences too.
        problems: reasons why a conversion is refused, in words.
        targets: every transfer syntax that can be written, and whether this file can become it.
    """

    source: str | None = None
    size: int = 0
    preamble: bool = False
    transfer_syntax: str = ""
    transfer_syntax_title: str = ""
    stated_transfer_syntax: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    modality: str = ""
    elements: int = 0
    image: ImagePixelDescription | None = None
    pixel_data_vr: str = ""
    pixel_data_length: int = 0
    fragments: int = 0
    offset_table: str = "none"
    stream: StreamDescription | None = None
    coded_as: str = ""
    oddities: tuple[Finding, ...] = ()
    problems: list[str] = field(default_factory=list)
    targets: list[PossibleTarget] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the findings in a form that JSON can hold."""
        return asdict(self)


def inspect_file(
    source: Source, limits: Limits = DEFAULT_LIMITS, *, name: str | None = None
) -> Inspection:
    """Inspect one DICOM file; only headers are read.

    Args:
        source: a path, a buffer, or a binary stream.
        limits: bounds on the file's claims.
        name: of the source, if it is not its path.

    Raises:
        ReadError: the file cannot be read at all.
    """
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
    try:
        with open_tolerantly(source, limits) as file:
            return _inspect(file, name)
    except DicodecError as error:
        error.with_location(path=name)
        raise


def _inspect(file: DicomFile, name: str | None) -> Inspection:
    found = Inspection(
        source=name,
        size=file.source.size,
        preamble=file.head.has_preamble,
        transfer_syntax=file.syntax.name,
        transfer_syntax_title=file.syntax.title,
        stated_transfer_syntax=file.stated_syntax,
        sop_class_uid=file.data_set.read_text(tags.SOP_CLASS_UID),
        sop_instance_uid=file.data_set.read_text(tags.SOP_INSTANCE_UID),
        modality=file.data_set.read_text(tags.MODALITY),
        elements=len(file.data_set.elements),
    )
    _add_oddities(found, file)
    if is_directory(file.data_set):
        _add_directory(found, file)
    survey = _add_pixels(found, file) if file.frames.present else None
    found.targets = [_try_target(file, syntax.name, survey) for syntax in list_writable()]
    return found


def _add_oddities(found: Inspection, file: DicomFile) -> None:
    oddities = file.oddities
    try:
        standard = make_standard(file)
        oddities += (
            *standard.repaired,
            *standard.left,
            *find_misdeclared_text(standard.file.data_set),
        )
    except ReadError as error:
        found.problems.append(f"it cannot be standardized: {error}")
    found.oddities = tuple(_make_finding(oddity) for oddity in oddities)


def _add_directory(found: Inspection, file: DicomFile) -> None:
    """Add why the records of a DICOMDIR cannot be written anew."""
    try:
        read_links(file)
    except DicodecError as error:
        found.problems.append(str(error))


def _make_finding(oddity: Oddity) -> Finding:
    kind = ODDITIES[oddity.id]
    return Finding(
        oddity.id, oddity.text, oddity.offset, kind.severity.value, kind.assumed, kind.standardized
    )


def _add_pixels(found: Inspection, file: DicomFile) -> FrameSurvey | None:
    """Add the facts of the pixels; return the survey of all frames' streams."""
    frames = file.frames
    found.pixel_data_vr = frames.span.vr
    found.pixel_data_length = frames.span.length
    found.image = frames.description
    if found.image is None:
        found.problems.append(str(frames.fault))
        return None
    if frames.encapsulated is None:
        return None
    found.fragments = len(frames.encapsulated.starts)
    found.offset_table = frames.encapsulated.offset_table
    if not file.syntax.reads:
        found.problems.append(f"the frames are not decoded: {file.syntax.why_not}")
        return None
    try:
        found.stream = find_decoder(file.syntax).describe(frames.read(0))
    except DicodecError as error:
        found.problems.append(f"frame 0: {error}")
        return None
    found.problems += [
        f"{one.reason}: {one.reading}" if one.reading else one.reason
        for one in find_contradictions(found.image, found.stream)
    ]
    color = decide_color_space(found.image, found.stream)
    if color.reason:
        found.coded_as = color.photometric_interpretation
        found.problems.append(f"taken as {color.photometric_interpretation}: {color.reason}")
    survey = survey_frames(frames, find_decoder(file.syntax), found.stream)
    found.problems += [
        f"frame {frame} decodes to {other}, and frame 0 does not"
        for frame, other in islice(survey.colors.items(), 1)
    ]
    return survey


def _try_target(file: DicomFile, name: str, survey: FrameSurvey | None) -> PossibleTarget:
    try:
        plan = plan_conversion(file, ConversionOptions(to=(name,), lossy=True), survey)
    except DicodecError as error:
        return PossibleTarget(name, possible=False, reason=error.message)
    if plan.target.name != name:
        return PossibleTarget(name, possible=False, reason=" ".join(plan.warnings))
    lossy = plan.pixels is not None and plan.pixels.lossy
    return PossibleTarget(name, possible=True, action=plan.action.value, lossy=lossy)
