"""A DICOM file opened for conversion: head, data set as spans, image description, frames."""

from __future__ import annotations

import os
from collections.abc import Buffer, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from dicodec.errors import (
    DicodecError,
    MalformedFileError,
    NotDicomError,
    TruncatedFileError,
    UnknownTransferSyntaxError,
)
from dicodec.model import tags
from dicodec.model.edits import Edit
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.oddity import Oddity
from dicodec.model.transfer_syntax import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    TransferSyntax,
    by_uid,
)
from dicodec.part10.data_set import DataSet, WalkedDataSet
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
from dicodec.part10.frames import Frames, find_frames
from dicodec.part10.source import ByteSource, OpenSource
from dicodec.part10.spliced_source import SplicedSource
from dicodec.part10.vr import states_vr

type Source = str | os.PathLike[str] | Buffer | BinaryIO | ByteSource
"""What a caller may name as a source: a path, a buffer, a binary stream, or random access."""

_FIRST_ELEMENT = 16
"""Bytes that show how a data set's first element is written."""

_SYNTAX_OF_ENCODING = {EXPLICIT_LITTLE: EXPLICIT_LE, EXPLICIT_BIG: EXPLICIT_BE}


@dataclass(frozen=True, slots=True)
class DicomFile:
    """An open DICOM file. Only headers were read; values stay where they are until needed.

    Attributes:
        source: the bytes of the file as given.
        head: preamble and File Meta Information.
        syntax: the transfer syntax that the data set really is in.
        stated_syntax: the UID that group 2 states; "" where it states none.
        data_set: the top level elements; of a deflated file, over the inflated bytes.
        frames: the pixels; none of them in a data set without.
        oddities: departures from the standard that were read all the same.
        corrections: attributes that have to say something else for a result to be right.
    """

    source: ByteSource
    head: FileHead
    syntax: TransferSyntax
    stated_syntax: str
    data_set: DataSet
    frames: Frames
    oddities: tuple[Oddity, ...]
    corrections: tuple[Edit, ...] = ()

    def locate_frame(self, frame: int, within: int = 0) -> int | None:
        """Return the byte offset in the file of a byte of a frame.

        None if the frame is not in the file as it is: it is missing, or the data set is deflated.

        Args:
            frame: its number, from 0.
            within: bytes from the start of the frame.
        """
        source = self.frames.source
        # What was written anew in a repair lies behind what was right.
        spliced = isinstance(source, SplicedSource) and not self.syntax.deflated
        offset = self.frames.offset(frame, within)
        if offset is None or not (source is self.source or spliced):
            return None
        return offset if offset <= self.source.size else None

    def add_location(self, error: DicodecError, frame: int) -> None:
        """Name the frame and the byte offset in an error that one frame brought.

        Args:
            error: of a codec, whose offset counts from the stream's start; or of a reader, which
                names the frame itself. Its offset is then left as it is.
            frame: its number, from 0.
        """
        if error.frame is not None:
            return
        error.frame = frame
        error.offset = self.locate_frame(frame, error.offset or 0)


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
        frames = find_frames(walked, span, syntax, oddities)
        file = DicomFile(given, head, syntax, stated, data_set, frames, tuple(oddities))
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
        stated = DataSetEncoding.of(syntax)
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
