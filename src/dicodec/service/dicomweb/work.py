"""The worker side: read, convert and render frames and instances; each is a work of the pool."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from dicodec.batch.pool.messages import WorkContext
from dicodec.conversion.calls import convert
from dicodec.errors import (
    ConversionError,
    DicodecError,
    EngineError,
    MemoryExceededError,
    MissingFrameError,
    PathNotAllowedError,
    ReadError,
    TimeoutExceededError,
    TruncatedFrameError,
    VerificationError,
    WorkerCrashedError,
)
from dicodec.images.single_frame import make_single_frame
from dicodec.model import tags
from dicodec.model.option_table import NEVER
from dicodec.model.records import dataclass
from dicodec.model.transfer_syntax import EXPLICIT_LE, TransferSyntax
from dicodec.part10.dicom_file import DicomFile, open_dicom
from dicodec.service.dicomweb.media_types import (
    OCTETS,
    Representation,
    find_media_type,
    may_be_sent,
)
from dicodec.service.dicomweb.opened_files import InstancePlace, OpenedFile, get_opened_files

_OF_THE_SERVER = (
    EngineError, MemoryExceededError, PathNotAllowedError, TimeoutExceededError, VerificationError,
    WorkerCrashedError,
)  # fmt: skip
"""Errors of conversions that do not say that an image cannot be in a transfer syntax."""


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """What an answer has to know of an instance before it begins.

    Attributes:
        frames: number of frames; 0 without pixels that are frames.
        syntax: UID of the transfer syntax that it is stored in.
        study, series, instance: UIDs.
        sop_class: SOP Class UID.
    """

    frames: int
    syntax: str
    study: str
    series: str
    instance: str
    sop_class: str


@dataclass(frozen=True, slots=True)
class FrameItem:
    """A frame that is asked for.

    Attributes:
        place: the instance.
        frame: its number, from 0.
        accepted: acceptable forms, the most wanted first.
    """

    place: InstancePlace
    frame: int
    accepted: Sequence[Representation]


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent for a frame or an instance.

    Attributes:
        form: the form that was chosen, with the UID of its transfer syntax.
        content: bytes of a frame; None of an instance.
        converted: of an instance, whether it was written to the target, or is sent as it is.
    """

    form: Representation
    content: bytes | None = None
    converted: bool = False


@dataclass(frozen=True, slots=True)
class NotAcceptable:
    """No acceptable form can be made without changing what was asked for.

    Attributes:
        reasons: one for each form, for people.
        stored: name of the transfer syntax that the image is in.
    """

    reasons: Sequence[str]
    stored: str


def describe_instance(settings: None, item: InstancePlace, context: WorkContext) -> InstanceFacts:  # noqa: ARG001
    """Return what an answer has to know of an instance; a work of the pool.

    Raises:
        ReadError: the file cannot be read.
    """
    file = get_opened_files().open(item).file
    read = file.data_set.read_text
    image = file.frames.description
    frames = 0 if image is None or not file.frames.present else image.number_of_frames
    return InstanceFacts(
        frames,
        file.syntax.uid,
        read(tags.STUDY_INSTANCE_UID),
        read(tags.SERIES_INSTANCE_UID),
        read(tags.SOP_INSTANCE_UID),
        read(tags.SOP_CLASS_UID),
    )


def convert_frame(settings: None, item: FrameItem, context: WorkContext) -> Sent | NotAcceptable:  # noqa: ARG001
    """Return a frame in the first acceptable form that it can be in; a work of the pool.

    Raises:
        DicodecError: the frame is missing or damaged.
    """
    files = get_opened_files()
    try:
        return _convert_frame(files.open(item.place).file, item, context.threads)
    except ReadError:
        files.forget(item.place)
        raise


def _convert_frame(file: DicomFile, item: FrameItem, threads: int) -> Sent | NotAcceptable:
    _check_frame(file, item.frame)
    stored = _find_sent_syntax(file.syntax)
    reasons: list[str] = []
    for form in item.accepted:
        uid = form.syntax
        if not uid:
            if form.media_type not in {OCTETS, find_media_type(stored)}:
                reasons.append(f"{form.media_type} does not hold {stored.name}")
                continue
            uid = stored.uid
        chosen = Representation(form.media_type, form.multipart, uid)
        if uid == stored.uid and (file.syntax.encapsulated or file.syntax.pixels_little_endian):
            return Sent(chosen, file.frames.read(item.frame))
        made = make_single_frame(file, item.frame)
        content = _try(lambda: _encode(made, chosen, threads), chosen, reasons)  # noqa: B023 - called at once
        if content is not None:
            return Sent(chosen, content)
    return NotAcceptable(reasons, file.syntax.name)


def _check_frame(file: DicomFile, frame: int) -> None:
    """Check that a file has a frame, whole.

    Raises:
        MissingFrameError: the instance has no such frame.
        TruncatedFrameError: the file ends inside it.
    """
    frames = file.frames
    if not frames.present or frames.empty:
        raise MissingFrameError("the instance has no frames")
    if frame >= frames.image.number_of_frames:
        count = frames.image.number_of_frames
        raise MissingFrameError(f"there is no frame {frame + 1}: the instance has {count}")
    stored = frames.encapsulated
    if frames.missing and stored is not None and frame >= len(stored) - 1:
        raise TruncatedFrameError(f"the file ends {frames.missing} bytes before the frame does")


def _find_sent_syntax(stored: TransferSyntax) -> TransferSyntax:
    """Return the transfer syntax in which frames are sent that are sent as they are stored."""
    return EXPLICIT_LE if stored.native or not may_be_sent(stored) else stored


def _encode(made: bytes, form: Representation, threads: int) -> bytes:
    out = io.BytesIO()
    convert(
        made, out, to=form.syntax, lossy=form.lossy, verify=True, keep_uid=True, workers=threads
    )
    with open_dicom(out.getvalue()) as file:
        return file.frames.read(0)


def _try[Result](
    work: Callable[[], Result], form: Representation, reasons: list[str]
) -> Result | None:
    """Return the result of a conversion; None, with a reason, if the image cannot be so."""
    try:
        return work()
    except _OF_THE_SERVER:
        raise
    except ConversionError as error:
        reasons.append(f"{form.media_type}; transfer-syntax={form.syntax}: {_format_reason(error)}")
        return None


def _format_reason(error: DicodecError) -> str:
    return f"{error.message} [{error.code}]"


# Instances.


@dataclass(frozen=True, slots=True)
class InstanceItem:
    """An instance that is asked for.

    Attributes:
        place: the instance.
        accepted: acceptable forms, the most wanted first.
        target: path for a converted one.
    """

    place: InstancePlace
    accepted: Sequence[Representation]
    target: str


def convert_instance(
    settings: None,  # noqa: ARG001 - as each work of the pool has it
    item: InstanceItem,
    context: WorkContext,
) -> Sent | NotAcceptable:
    """Write an instance in the first acceptable form that it can be in; a work of the pool.

    Raises:
        DicodecError: it cannot be read or written.
    """
    files = get_opened_files()
    try:
        return _convert_instance(files.open(item.place), item, context)
    except ReadError:
        files.forget(item.place)
        raise


def _convert_instance(
    opened: OpenedFile, item: InstanceItem, context: WorkContext
) -> Sent | NotAcceptable:
    file = opened.file
    reasons: list[str] = []
    for form in item.accepted:
        uid = form.syntax or (file.syntax.uid if may_be_sent(file.syntax) else EXPLICIT_LE.uid)
        chosen = Representation(form.media_type, form.multipart, uid)
        plain = file.head.has_preamble and not file.oddities and not file.corrections
        if uid == file.syntax.uid == file.stated_syntax and plain and not _is_object(item.place):
            return Sent(chosen)
        report = _try(
            lambda: convert(
                opened.source,
                item.target,
                to=uid,  # noqa: B023 - called at once
                lossy=chosen.lossy,  # noqa: B023
                verify=True,
                keep_uid=True,
                durability=NEVER,
                workers=context.threads,
            ),
            chosen,
            reasons,
        )
        if report is not None:
            return Sent(chosen, converted=True)
    return NotAcceptable(reasons, file.syntax.name)


def _is_object(place: InstancePlace) -> bool:
    return isinstance(place.place, str)
