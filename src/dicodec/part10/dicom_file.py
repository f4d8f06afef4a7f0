"""A DICOM file opened for conversion: head, data set as spans, image description, frames."""

from __future__ import annotations

import os
from array import array
from collections.abc import Buffer, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import BinaryIO, Protocol

from dicodec.errors import (
    MalformedFileError,
    NotDicomError,
    TruncatedFileError,
    UnknownTransferSyntaxError,
)
from dicodec.model import tags
from dicodec.model.edits import Edit
from dicodec.model.image import ImagePixelDescription
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.oddity import Oddity
from dicodec.model.salvage import FILL, Salvage
from dicodec.model.transfer_syntax import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    Storage,
    TransferSyntax,
    by_uid,
)
from dicodec.part10.data_set import DataSet
from dicodec.part10.deflate import inflate_data_set
from dicodec.part10.elements import PIXEL_DATA_TAGS, ElementSpan, Walker
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    DataSetEncoding,
    tag_text,
)
from dicodec.part10.file_meta import (
    FileHead,
    begins_data_set,
    guess_encoding,
    read_head,
    seen_encoding,
)
from dicodec.part10.fragments import EncapsulatedFrames, frames_of
from dicodec.part10.image_attributes import NOTHING_KNOWN, image_description
from dicodec.part10.source import ByteSource, OpenSource
from dicodec.part10.vr import states_vr

type Source = str | os.PathLike[str] | Buffer | BinaryIO | ByteSource
"""What a caller may name as a source: a path, a buffer, a binary stream, or random access."""

_FIRST_ELEMENT = 16
"""Bytes that show how a data set's first element is written."""

_SYNTAX_OF_ENCODING = {EXPLICIT_LITTLE: EXPLICIT_LE, EXPLICIT_BIG: EXPLICIT_BE}


@dataclass(frozen=True, slots=True)
class PixelData:
    """The element that holds the frames.

    Attributes:
        span: the element; (7FE0,0010), or (7FE0,0008) or (7FE0,0009) for floating point samples.
        described: what the data set says about the samples, or the error that says why it does not.
        frames: the fragments of encapsulated frames; None where Pixel Data is native or a video.
        missing: bytes that it claims and that the file ends before.
        salvage: what becomes of the frames that are damaged, where that was decided.
    """

    span: ElementSpan
    described: ImagePixelDescription | MalformedFileError
    frames: EncapsulatedFrames | None
    missing: int = 0
    salvage: Salvage | None = None

    @property
    def image(self) -> ImagePixelDescription:
        """What the data set says about the samples.

        Raises:
            MalformedFileError: an attribute is missing or makes no sense.
        """
        if isinstance(self.described, MalformedFileError):
            raise self.described
        return self.described

    @property
    def filled(self) -> frozenset[int]:
        """The frames that cannot be read, and in whose place a result has padding."""
        if self.salvage is None or self.salvage.mode != FILL:
            return frozenset()
        return frozenset(one.frame for one in self.salvage.frames)

    @property
    def first_whole(self) -> int:
        """The first frame that is not filled."""
        filled = self.filled
        return next(frame for frame in count() if frame not in filled)


@dataclass(frozen=True, slots=True)
class DicomFile:
    """An open DICOM file. Only headers were read; values stay where they are until needed.

    Attributes:
        source: the bytes of the file as given.
        head: preamble and File Meta Information.
        syntax: the transfer syntax that the data set really is in.
        stated_syntax: the UID that group 2 states; "" where it states none.
        data_set: the top level elements; of a deflated file, over the inflated bytes.
        pixel_data: None where the data set has no pixels.
        oddities: departures from the standard that were read all the same.
        corrections: attributes that have to say something else for a result to be right.
    """

    source: ByteSource
    head: FileHead
    syntax: TransferSyntax
    stated_syntax: str
    data_set: DataSet
    pixel_data: PixelData | None
    oddities: tuple[Oddity, ...]
    corrections: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class WalkedDataSet:
    """The top level of a data set, walked.

    Attributes:
        data_set: the elements; over other bytes than the file's where they had to be repaired.
        fragment_starts, fragment_lengths, missing: of Pixel Data, see Walker; the first fragment
            is the Basic Offset Table.
        oddities: what was odd on the way.
    """

    data_set: DataSet
    fragment_starts: array[int]
    fragment_lengths: array[int]
    missing: int
    oddities: tuple[Oddity, ...]


class Repairs(Protocol):
    """What is tried where a file cannot be read as it is, or contradicts itself.

    Implemented in `dicodec.repair`; nothing is tried where open_dicom gets none.
    """

    def deflated(
        self, source: ByteSource, start: int, oddities: list[Oddity], *, stated: bool
    ) -> bool:
        """Return whether a data set is deflated, by its bytes; what differs is added.

        Asked where that is stated, and where the first bytes are no element's.
        """
        ...

    def walk(
        self, source: ByteSource, start: int, encoding: DataSetEncoding, limits: Limits
    ) -> WalkedDataSet | None:
        """Return the data set of which walking failed; None where it cannot be made out."""
        ...

    def syntax(
        self,
        stated: str,
        syntax: TransferSyntax | None,
        walked: WalkedDataSet,
        span: ElementSpan,
        oddities: list[Oddity],
    ) -> TransferSyntax | None:
        """Return the transfer syntax that Pixel Data is really in, by its bytes.

        Args:
            stated: the UID in group 2; "" where there is none.
            syntax: its row; None where it is in no table.
            walked: the data set.
            span: of Pixel Data.
            oddities: what differs is added.
        """
        ...

    def whole(self, file: DicomFile, walked: WalkedDataSet) -> DicomFile:
        """Return a file with what can only be judged once everything is read put right."""
        ...


@contextmanager
def open_dicom(
    source: Source, limits: Limits = DEFAULT_LIMITS, repairs: Repairs | None = None
) -> Iterator[DicomFile]:
    """Open a DICOM file, whatever its transfer syntax, and walk its headers.

    Args:
        source: a path, a buffer, or a binary stream.
        limits: bounds on what the file may claim.
        repairs: what is tried where the file cannot be read as it is.

    Raises:
        ReadError: the finer kinds tell what is wrong, with the byte offset.
    """
    with ExitStack() as stack:
        given = stack.enter_context(OpenSource(source))
        head = read_head(given, limits)
        stated = head.text(tags.TRANSFER_SYNTAX_UID)
        oddities = list(head.oddities)
        start = head.data_set_start
        syntax = by_uid(stated)
        if stated and syntax is None and repairs is None:
            raise _unknown_syntax(stated)
        walked_bytes: ByteSource = given
        deflated = syntax is not None and syntax.deflated
        first = given.read(start, _FIRST_ELEMENT)
        if repairs is not None and (deflated or not begins_data_set(first)):
            deflated = repairs.deflated(given, start, oddities, stated=deflated)
        if deflated:
            inflated = inflate_data_set(given, start, limits, oddities)
            stack.callback(inflated.close)
            walked_bytes, start = inflated, 0
            first = inflated.read(0, _FIRST_ELEMENT)
        encoding = _encoding_seen(first, start, syntax, oddities, after_group_2=bool(head.elements))
        walked = _walked(walked_bytes, start, encoding, limits, repairs)
        data_set = walked.data_set
        if data_set.encoding != encoding:  # what the first bytes seemed to show was wrong
            oddities = [oddity for oddity in oddities if oddity.id != "other-encoding"]
        oddities += walked.oddities
        if not data_set.elements:
            if not head.elements:
                raise NotDicomError("not a DICOM file: there is no element in it")
            raise TruncatedFileError(
                "the file is incomplete: it ends after its File Meta Information",
                offset=given.size,
            )
        span = _pixel_data_span(data_set)
        seen = None
        if repairs is not None and span is not None:
            seen = repairs.syntax(stated, syntax, walked, span, oddities)
        if seen is not None:
            syntax = seen
        elif stated and syntax is None:
            raise _unknown_syntax(stated)
        elif syntax is None or (syntax.native and span is not None and span.undefined):
            syntax = _syntax_seen(data_set.encoding, span, syntax, oddities)
        elif syntax.native and data_set.encoding.little_endian != syntax.little_endian:
            # Samples follow the byte order that the elements are in, whatever is stated.
            syntax = _SYNTAX_OF_ENCODING.get(data_set.encoding, IMPLICIT_LE)
        pixel_data = None
        if span is not None:
            pixel_data = pixel_data_of(walked, span, syntax, oddities)
        file = DicomFile(given, head, syntax, stated, data_set, pixel_data, tuple(oddities))
        yield file if repairs is None else repairs.whole(file, walked)


def _walked(
    source: ByteSource,
    start: int,
    encoding: DataSetEncoding,
    limits: Limits,
    repairs: Repairs | None,
) -> WalkedDataSet:
    """Return the top level, walked plainly wherever that can be."""
    try:
        walked = _walk(source, start, encoding, limits)
    except (MalformedFileError, TruncatedFileError):
        repaired = repairs.walk(source, start, encoding, limits) if repairs else None
        if repaired is None:
            raise
        return repaired
    if repairs is None or encoding.explicit_vr:
        return walked
    span = walked.data_set.find(tags.PIXEL_DATA)
    if span is None or not states_vr(source.read(span.start, 6)):
        return walked
    # Letters of a VR were taken for the length of Pixel Data.
    return repairs.walk(source, start, encoding, limits) or walked


def _unknown_syntax(stated: str) -> UnknownTransferSyntaxError:
    return UnknownTransferSyntaxError(
        f"the transfer syntax {stated!r} is in no table", attribute="TransferSyntaxUID"
    )


def _walk(
    source: ByteSource, start: int, encoding: DataSetEncoding, limits: Limits
) -> WalkedDataSet:
    walker = Walker(source, limits)
    elements: list[ElementSpan] = []
    try:
        elements.extend(walker.elements(start, source.size, encoding))
    except TruncatedFileError as error:
        raise TruncatedFileError(
            f"the file is incomplete: {error.message}",
            offset=error.offset,
            attribute=error.attribute,
        ) from error
    return WalkedDataSet(
        DataSet(source, encoding, elements, limits),
        walker.fragment_starts,
        walker.fragment_lengths,
        walker.missing,
        tuple(walker.oddities),
    )


def _encoding_seen(
    first: bytes,
    start: int,
    syntax: TransferSyntax | None,
    oddities: list[Oddity],
    *,
    after_group_2: bool,
) -> DataSetEncoding:
    """Return the encoding the data set begins in, which is what it says except in odd files."""
    stated = EXPLICIT_LITTLE
    if syntax is None:
        guessed = guess_encoding(first)
        if guessed is not None or not after_group_2:
            return guessed or stated
    else:
        stated = DataSetEncoding(syntax.explicit_vr, syntax.little_endian)
    seen = seen_encoding(first, stated)
    if seen == stated or syntax is None:
        return seen
    oddities.append(
        Oddity("other-encoding", f"the data set is in {seen} where {stated} is stated", start)
    )
    return seen


def _syntax_seen(
    encoding: DataSetEncoding,
    span: ElementSpan | None,
    stated: TransferSyntax | None,
    oddities: list[Oddity],
) -> TransferSyntax:
    if span is not None and span.undefined:
        what = "is missing" if stated is None else f"is {stated.name}"
        raise UnknownTransferSyntaxError(
            f"the transfer syntax {what}, and Pixel Data is encapsulated",
            attribute="TransferSyntaxUID",
            offset=span.start,
        )
    syntax = _SYNTAX_OF_ENCODING.get(encoding, IMPLICIT_LE)
    oddities.append(
        Oddity("no-transfer-syntax", f"no Transfer Syntax UID; the data set is {syntax.name}")
    )
    return syntax


def _pixel_data_span(data_set: DataSet) -> ElementSpan | None:
    spans = [span for span in data_set.elements if span.tag in PIXEL_DATA_TAGS]
    if len(spans) > 1:
        raise MalformedFileError(
            "the data set has more than one of Pixel Data, Float and Double Float Pixel Data",
            attribute=tag_text(spans[1].tag),
            offset=spans[1].start,
        )
    return spans[0] if spans else None


def pixel_data_of(
    walked: WalkedDataSet,
    span: ElementSpan,
    syntax: TransferSyntax,
    oddities: list[Oddity],
    known: Mapping[int, int | str] = NOTHING_KNOWN,
) -> PixelData:
    """Return what is known of Pixel Data before any of its frames is read.

    Args:
        walked: the data set; a value of defined length may be given fragments, too.
        span: of Pixel Data.
        syntax: that it is in.
        oddities: what is odd is added.
        known: what attributes should say, by tag.

    Raises:
        MalformedFileError: native where a compressed syntax is stated, or frames cannot be told
            apart.
    """
    data_set = walked.data_set
    image: ImagePixelDescription | MalformedFileError
    try:
        image = image_description(data_set, span.tag, oddities, known)
    except MalformedFileError as error:
        image = error
    if not span.undefined and not walked.fragment_starts:
        if syntax.encapsulated:
            raise MalformedFileError(
                f"Pixel Data is native where {syntax.name} is stated",
                attribute="PixelData",
                offset=span.start,
            )
        return PixelData(span, image, None, walked.missing)
    if syntax.storage is Storage.VIDEO or isinstance(image, MalformedFileError):
        return PixelData(span, image, None, walked.missing)
    table = data_set.value(tags.EXTENDED_OFFSET_TABLE)
    lengths = data_set.value(tags.EXTENDED_OFFSET_TABLE_LENGTHS)
    extended = (table, lengths) if table and lengths is not None else None
    frames = frames_of(
        data_set.source,
        walked.fragment_starts,
        walked.fragment_lengths,
        image.number_of_frames,
        syntax.fragments_per_frame,
        extended,
    )
    oddities += frames.oddities
    return PixelData(span, image, frames, walked.missing)
