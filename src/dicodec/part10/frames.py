"""Frames of a file: the element that holds them, their description, and the bytes of each."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from dicodec.errors import MalformedFileError, MissingFrameError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId, Salvage
from dicodec.model.image import ImagePixelDescription
from dicodec.model.option_table import FILL
from dicodec.model.records import dataclass, field, replace
from dicodec.model.transfer_syntax import Storage, TransferSyntax
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.fragments import EncapsulatedFrames, assign_fragments
from dicodec.part10.image_attributes import NOTHING_KNOWN, parse_image_description
from dicodec.part10.native_frames import NativeFrames
from dicodec.part10.source import ByteSource

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # few files need them, and the command starts without them
    from dicodec.part10.frame_table import TabledFrames
    from dicodec.part10.remembered import Remembered

_DELIMITER_LENGTH = 8

type DescribedImage = tuple[ImagePixelDescription, tuple[Oddity, ...]]
"""The Image Pixel Module, and what was assumed about it."""

_NO_ELEMENT = ElementSpan(0, "", 0, 0, 0, 0, undefined=False)


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a file, which may have none.

    Attributes:
        source: the bytes that hold Pixel Data.
        syntax: the transfer syntax of the frames.
        span: the element: (7FE0,0010), or (7FE0,0008) or (7FE0,0009) for floating point samples;
            of tag 0 if the data set has no pixels.
        description: the Image Pixel Module; None without pixels, or if it has a fault.
        fault: the error in the description of pixels that the data set has.
        encapsulated: the fragments of each frame; None if Pixel Data is native or a video, or if
            frames are found by their offset table.
        tabled: frames that are found so, one by one.
        missing: bytes that Pixel Data claims but that the file does not have.
        salvage: the treatment of the damaged frames, if one was decided.
        empty: whether Pixel Data is there without a byte: a header that was kept without pixels.
        native: the frames if they are not encapsulated; None also without a description.
    """

    source: ByteSource
    syntax: TransferSyntax
    span: ElementSpan = _NO_ELEMENT
    description: ImagePixelDescription | None = None
    fault: MalformedFileError | None = None
    encapsulated: EncapsulatedFrames | None = None
    missing: int = 0
    salvage: Salvage | None = None
    empty: bool = False
    tabled: TabledFrames | None = None
    native: NativeFrames | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Prepare the reading of native frames once, because there may be many."""
        image = self.description
        if image is None or self.encapsulated is not None or not self.syntax.native:
            return
        swapped = not self.syntax.pixels_little_endian and image.bits_allocated <= 8
        native = NativeFrames(self.span, image, swapped and self.span.vr in {"OW", ""})
        object.__setattr__(self, "native", native)

    @property
    def present(self) -> bool:
        """Whether the data set has pixels."""
        return self.span is not _NO_ELEMENT

    @property
    def image(self) -> ImagePixelDescription:
        """The Image Pixel Module.

        Raises:
            MalformedFileError: an attribute is missing or makes no sense, or the data set has no
                pixels.
        """
        if self.description is None:
            raise self.fault or MalformedFileError("the data set has no Pixel Data")
        return self.description

    @property
    def excess(self) -> int:
        """Bytes of native Pixel Data behind its frames, pad byte included; negative if too few."""
        assert self.native is not None, "encapsulated frames are not counted in bytes"
        return self.span.length - self.native.expected_length

    @property
    def filled(self) -> frozenset[int]:
        """The frames that cannot be read, which a result replaces by padding."""
        if self.salvage is None or self.salvage.mode != FILL:
            return frozenset()
        return frozenset(one.frame for one in self.salvage.frames)

    @property
    def begun(self) -> tuple[int, ...]:
        """The frames among those that are filled of which the first samples are there."""
        if self.salvage is None or self.native is None:
            return ()
        return tuple(one.frame for one in self.salvage.frames if one.kept)

    @property
    def without_bytes(self) -> frozenset[int]:
        """The frames that have not a byte, and are not filled; there may be others."""
        if self.encapsulated is None:
            return frozenset()
        return frozenset(self.encapsulated.find_empty()) - self.filled

    @property
    def first_whole(self) -> int:
        """The first frame that has bytes, and is not filled."""
        left_out = self.filled | self.without_bytes
        return next(frame for frame in count() if frame not in left_out)

    def read(self, frame: int) -> bytes:
        """Return the bytes of a frame: its stream, or its native samples from bit 0.

        Args:
            frame: its number, from 0.

        Raises:
            FrameError: it is missing, ends too early, or its stream cannot be mended.
            UnsureTableError: it is not sure by the offset table alone.
        """
        if self.tabled is not None:
            return self.tabled.read(self.source, frame)
        if self.encapsulated is not None:
            return self.encapsulated.read(self.source, frame)
        if self.native is None:
            raise self.fault or MissingFrameError("the data set has no frames", frame=frame)
        return self.native.read(self.source, frame)

    def find_offset(self, frame: int, within: int = 0) -> int | None:
        """Return the offset in `source` of a byte of a frame; None if the frame is missing.

        If the stream had to be mended, the offset of its start.

        Args:
            frame: its number, from 0.
            within: bytes from the start of the frame.
        """
        frames = self.encapsulated
        if self.tabled is not None:
            return self.tabled.find_start(frame) + _DELIMITER_LENGTH + within
        if frames is None:
            if self.description is None:
                return None
            start = frame * self.description.native_frame_bits // 8
            return None if start > self.span.length else self.span.value + start + within
        if frame >= len(frames) or not frames.find_fragments(frame):
            return None
        left = 0 if frames.mend is not None else within
        parts = frames.find_fragments(frame)
        for index in parts:
            if left < frames.lengths[index] or index == parts[-1]:
                return frames.starts[index] + min(left, frames.lengths[index])
            left -= frames.lengths[index]
        return None


def has_no_bytes(walked: WalkedDataSet, span: ElementSpan) -> bool:
    """Whether Pixel Data has no value and no fragment with one, in a file that is not cut off."""
    if walked.missing or any(walked.fragment_lengths[1:]):
        return False
    if not span.undefined:
        return span.length == 0
    closed = span.end - span.value - span.length == _DELIMITER_LENGTH
    return closed and (span.length == 0 or bool(walked.fragment_lengths))


def find_frames(
    walked: WalkedDataSet,
    span: ElementSpan | None,
    syntax: TransferSyntax,
    oddities: list[Oddity],
    known: Mapping[int, int | str] = NOTHING_KNOWN,
    images: Remembered | None = None,
) -> Frames:
    """Return the frames of a data set, without reading them.

    Args:
        walked: the data set; it may have fragments for a value of defined length, too.
        span: Pixel Data; None if the data set has none.
        syntax: its transfer syntax.
        oddities: departures from the standard are added.
        known: right values of attributes, by tag.
        images: descriptions of the images of other files.

    Raises:
        MalformedFileError: Pixel Data is native, but a compressed syntax is stated.
    """
    data_set = walked.data_set
    if span is None:
        return Frames(data_set.source, syntax)
    image = fault = None
    try:
        if images is None or known:
            image = parse_image_description(data_set, span.tag, oddities, known)
        else:
            image = _recall_description(data_set, span.tag, oddities, images)
    except MalformedFileError as error:
        fault = error
    frames = None
    if walked.table is not None:
        return Frames(data_set.source, syntax, span, image, fault, tabled=walked.table)
    if has_no_bytes(walked, span):
        return Frames(data_set.source, syntax, span, image, fault, empty=True)
    if not span.undefined and not walked.fragment_starts:
        if syntax.encapsulated:
            needed = "" if image is None else f"; native frames would take {image.native_size}"
            raise MalformedFileError(
                f"Pixel Data is native, but {syntax.name} is stated",
                attribute="PixelData",
                offset=span.start,
                hint=f"it holds {span.length} bytes that are not a known stream{needed}; if you "
                "know what they are, state their transfer syntax in a copy of the file",
            )
    elif syntax.storage is not Storage.VIDEO and image is not None:
        table = data_set.read_value(tags.EXTENDED_OFFSET_TABLE)
        lengths = data_set.read_value(tags.EXTENDED_OFFSET_TABLE_LENGTHS)
        frames = assign_fragments(
            data_set.source,
            walked.fragment_starts,
            walked.fragment_lengths,
            image.number_of_frames,
            syntax.fragments_per_frame,
            (table, lengths) if table and lengths is not None else None,
        )
        stray = _find_stray_tables(data_set, frames, filled_table=walked.fragment_lengths[0] > 0)
        frames = replace(frames, oddities=(*frames.oddities, *stray))
        oddities += frames.oddities
    if not syntax.encapsulated:
        oddities += _find_stray_tables(data_set, None, filled_table=False)
    return Frames(data_set.source, syntax, span, image, fault, frames, walked.missing)


def _recall_description(
    data_set: DataSet,
    tag: int,
    oddities: list[Oddity],
    images: Remembered,
) -> ImagePixelDescription:
    def describe(noting: DataSet) -> DescribedImage:
        found: list[Oddity] = []
        return parse_image_description(noting, tag, found), tuple(found)

    image, found = images.find(tag, data_set, describe)
    oddities += found
    return image


def _find_stray_tables(
    data_set: DataSet, frames: EncapsulatedFrames | None, *, filled_table: bool
) -> list[Oddity]:
    """Return the attributes of encapsulated Pixel Data that do not belong to it (PS3.3 C.7.6.3).

    Args:
        data_set: the top level.
        frames: the fragments; None if Pixel Data is native.
        filled_table: whether the Basic Offset Table has a value.
    """
    find = data_set.find
    offsets = find(tags.EXTENDED_OFFSET_TABLE)
    lengths = find(tags.EXTENDED_OFFSET_TABLE_LENGTHS)
    total = find(tags.ENCAPSULATED_PIXEL_DATA_TOTAL_LENGTH)
    found: list[Oddity] = []
    table = offsets or lengths
    if table is not None:
        reason = ""
        if frames is None:
            reason = "and Pixel Data is native"
        elif filled_table:
            reason = "beside a Basic Offset Table"
        elif offsets is None or lengths is None:
            reason = f"without its {'lengths' if lengths is None else 'offsets'}"
        if reason:
            text = f"there is an Extended Offset Table {reason}"
            found.append(Oddity(OddityId.STRAY_OFFSET_TABLE, text, table.start))
    if total is None:
        return found
    if frames is None:
        text = "there is a length of encapsulated Pixel Data, which is native"
        return [*found, Oddity(OddityId.WRONG_TOTAL_LENGTH, text, total.start)]
    value = data_set.read_value(tags.ENCAPSULATED_PIXEL_DATA_TOTAL_LENGTH) or b""
    stated = int.from_bytes(value, "little" if data_set.encoding.little_endian else "big")
    held = sum(frames.lengths)
    if not held - len(frames.lengths) <= stated <= held:  # a pad byte of each may be left out
        text = f"Encapsulated Pixel Data Value Total Length is {stated}, the fragments have {held}"
        found.append(Oddity(OddityId.WRONG_TOTAL_LENGTH, text, total.start))
    return found
