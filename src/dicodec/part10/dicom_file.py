"""Open a DICOM file for conversion: head, data set as spans, image description, frames."""

from __future__ import annotations

import os
from collections.abc import Buffer, Iterator
from contextlib import ExitStack, contextmanager

from dicodec.errors import (
    DicodecError,
    MalformedFileError,
    NotDicomError,
    TruncatedFileError,
    UnknownTransferSyntaxError,
)
from dicodec.model import tags
from dicodec.model.edits import Edit, SetAttribute
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.records import dataclass
from dicodec.model.transfer_syntax import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    TransferSyntax,
    find_by_uid,
)
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import Walker
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    DataSetEncoding,
    format_tag,
)
from dicodec.part10.file_meta import (
    FileHead,
    begins_data_set,
    check_start,
    find_encoding,
    guess_encoding,
    read_head,
)
from dicodec.part10.frames import Frames, find_frames
from dicodec.part10.source import ByteSource, OpenSource
from dicodec.part10.spliced_source import SplicedSource
from dicodec.part10.vr import states_vr

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import BinaryIO

    from dicodec.part10.remembered import Remembered

type Source = str | os.PathLike[str] | Buffer | BinaryIO | ByteSource
"""Kinds of source: a path, a buffer, a binary stream, or an object with random access."""

_FIRST_ELEMENT = 16
"""Bytes that show the encoding of a data set's first element."""

_SYNTAX_OF_ENCODING = {EXPLICIT_LITTLE: EXPLICIT_LE, EXPLICIT_BIG: EXPLICIT_BE}


@dataclass(frozen=True, slots=True)
class DicomFile:
    """An open DICOM file. Only headers were read; values stay where they are until needed.

    Attributes:
        source: the bytes of the file as given.
        head: preamble and File Meta Information.
        syntax: the transfer syntax that the data set really is in.
        stated_syntax: the UID that group 2 states; "" if it states none.
        data_set: the top level elements; of a deflated file, over the inflated bytes.
        frames: the pixels; a data set without pixels has no frames.
        oddities: departures from the standard that were read all the same.
        corrections: attributes that need other values for a result to be right.
    """

    source: ByteSource
    head: FileHead
    syntax: TransferSyntax
    stated_syntax: str
    data_set: DataSet
    frames: Frames
    oddities: tuple[Oddity, ...]
    corrections: tuple[Edit, ...] = ()

    def read_number(self, tag: int) -> int | None:
        """Return an attribute's number: the corrected one, if there is one, else the stated one.

        None if it has none.
        """
        for edit in self.corrections:
            if (
                isinstance(edit, SetAttribute)
                and edit.tag == tag
                and not isinstance(edit.value, str)
            ):
                return int(edit.value[0])
        return self.data_set.read_number(tag)

    def read_colors(self) -> tuple[str, str]:
        """Return the Photometric Interpretation that is stated, and the one that samples are in."""
        stated = self.data_set.read_text(tags.PHOTOMETRIC_INTERPRETATION)
        image = self.frames.description
        return stated, stated if image is None else image.photometric_interpretation

    def locate_frame(self, frame: int, within: int = 0) -> int | None:
        """Return the byte offset in the file of a byte of a frame.

        None if the frame is not in the file as it is: it is missing, or the data set is deflated.

        Args:
            frame: its number, from 0.
            within: bytes from the start of the frame.
        """
        source = self.frames.source
        # Bytes written by a repair lie behind the unchanged ones.
        spliced = isinstance(source, SplicedSource) and not self.syntax.deflated
        offset = self.frames.find_offset(frame, within)
        if offset is None or not (source is self.source or spliced):
            return None
        return offset if offset <= self.source.size else None

    def add_location(self, error: DicodecError, frame: int) -> None:
        """Name the frame and the byte offset in an error that one frame caused.

        Args:
            error: of a codec, whose offset counts from the stream's start; or of a reader, which
                names the frame itself. Its offset is then left as it is.
            frame: its number, from 0.
        """
        if error.frame is not None:
            return
        error.with_location(frame=frame).with_offset(self.locate_frame(frame, error.offset or 0))


class Repairs:
    """Repairs to try if a file cannot be read as it is, or contradicts itself; here none.

    `dicodec.repair` has them.

    Attributes:
        prove: whether elements that make more sense in another form have to be proved by `walk`.
        walker: walks the top level.
    """

    prove = False
    walker: type[Walker] = Walker

    def is_deflated(
        self,
        source: ByteSource,
        start: int,
        oddities: list[Oddity],
        *,
        stated: bool,
    ) -> bool:
        """Return whether a data set is deflated, by its bytes; add an oddity if that differs.

        Called if that is stated, or if the first bytes are not an element's.
        """
        return stated

    def walk(
        self,
        source: ByteSource,
        start: int,
        encoding: DataSetEncoding,
        limits: Limits,
    ) -> WalkedDataSet | None:
        """Return the repaired data set after walking it failed; None if it cannot be repaired."""
        return None

    def find_syntax(
        self,
        stated: str,
        syntax: TransferSyntax | None,
        walked: WalkedDataSet,
        span: ElementSpan | None,
        oddities: list[Oddity],
    ) -> TransferSyntax | None:
        """Return the transfer syntax that Pixel Data is really in, by its bytes, if it is certain.

        Args:
            stated: the UID in group 2; "" if it has none.
            syntax: its row; None if the table has none.
            walked: the data set.
            span: of Pixel Data; None if there is none.
            oddities: differences are added.
        """
        return None

    def complete(self, file: DicomFile, walked: WalkedDataSet) -> DicomFile:
        """Return a file with the repairs that need all of it to be read first."""
        return file


_NO_REPAIRS = Repairs()


@contextmanager
def open_dicom(
    source: Source,
    limits: Limits = DEFAULT_LIMITS,
    repairs: Repairs = _NO_REPAIRS,
    images: Remembered | None = None,
) -> Iterator[DicomFile]:
    """Open a DICOM file of any transfer syntax, and walk its headers.

    Args:
        source: a path, a buffer, or a binary stream.
        limits: bounds on the sizes that the file claims.
        repairs: tried if the file cannot be read as it is.
        images: descriptions of the images of other files; that of this one is looked for there.

    Raises:
        ReadError: its subclasses name the fault, with the byte offset.
    """
    with ExitStack() as stack:
        given = stack.enter_context(OpenSource(source, check_start))
        yield _Opening(given, limits, repairs, images).open(stack)


class _Opening:
    """The steps of opening one file, each of which may find oddities."""

    def __init__(
        self,
        given: ByteSource,
        limits: Limits,
        repairs: Repairs,
        images: Remembered | None,
    ) -> None:
        self._given = given
        self._images = images
        self._limits = limits.for_file(given.size)
        self._repairs = repairs
        self._head = read_head(given, limits)
        self._oddities = list(self._head.oddities)
        self._inflated = False
        self._stated = self._head.read_text(tags.TRANSFER_SYNTAX_UID)
        self._syntax = find_by_uid(self._stated)
        if self._syntax is None and self._stated:
            self._strip_uid()

    def open(self, stack: ExitStack) -> DicomFile:
        """Return the file; sources that have to be closed after it go on the stack."""
        source, start = self._inflate(stack)
        walked = self._walk(source, start)
        if self._inflated:
            most = self._limits.count_inflated_elements(self._given.size)
            from dicodec.part10.element_count import check_element_count

            check_element_count(walked.data_set, most)
        span = _find_pixel_data(walked.data_set)
        syntax = self._find_syntax(walked, span)
        frames = find_frames(walked, span, syntax, self._oddities, images=self._images)
        file = DicomFile(
            self._given,
            self._head,
            syntax,
            self._stated,
            walked.data_set,
            frames,
            tuple(self._oddities),
        )
        return self._repairs.complete(file, walked)

    def _strip_uid(self) -> None:
        """Strip characters that no UID has around it, if the table then has it (PS3.5 9.1)."""
        bare = "".join(char for char in self._stated if char.isdigit() or char == ".")
        if bare == self._stated.strip() and (syntax := find_by_uid(bare)) is not None:
            text = f"the Transfer Syntax UID is {self._stated!r}"
            self._oddities.append(Oddity(OddityId.BLANK_IN_UID, text))
            self._stated, self._syntax = bare, syntax

    def _inflate(self, stack: ExitStack) -> tuple[ByteSource, int]:
        """Return the bytes that hold the data set, and its offset in them."""
        given, start = self._given, self._head.data_set_start
        deflated = self._syntax is not None and self._syntax.deflated
        if deflated or not begins_data_set(given.read(start, _FIRST_ELEMENT)):
            deflated = self._repairs.is_deflated(given, start, self._oddities, stated=deflated)
        if not deflated:
            return given, start
        from dicodec.part10.deflate import inflate_data_set  # few files are deflated

        inflated = inflate_data_set(given, start, self._limits, self._oddities)
        stack.callback(inflated.close)
        self._inflated = True
        return inflated, 0

    def _walk(self, source: ByteSource, start: int) -> WalkedDataSet:
        """Return the top level.

        Raises:
            NotDicomError, TruncatedFileError: the file has none.
        """
        encoding = self._find_encoding(source.read(start, _FIRST_ELEMENT), start)
        walked = self._walk_or_repair(source, start, encoding)
        if walked.data_set.encoding != encoding:  # the first bytes were misleading
            self._oddities = [one for one in self._oddities if one.id != OddityId.OTHER_ENCODING]
        self._oddities += walked.oddities
        if walked.data_set.elements:
            return walked
        if not self._head.elements:
            raise NotDicomError("not a DICOM file: it has no elements")
        raise TruncatedFileError(
            "the file is incomplete: it ends after its File Meta Information",
            offset=self._given.size,
        )

    def _find_encoding(self, first: bytes, start: int) -> DataSetEncoding:
        """Return the encoding that the data set begins in: the stated one except in odd files."""
        stated = EXPLICIT_LITTLE
        if self._syntax is None:
            guessed = guess_encoding(first)
            if guessed is not None or not self._head.elements:
                return guessed or stated
        else:
            stated = DataSetEncoding.of(self._syntax)
        seen = find_encoding(first, stated)
        if seen != stated and self._syntax is not None:
            text = f"the data set is in {seen}, but {stated} is stated"
            self._oddities.append(Oddity(OddityId.OTHER_ENCODING, text, start))
        return seen

    def _walk_or_repair(
        self, source: ByteSource, start: int, encoding: DataSetEncoding
    ) -> WalkedDataSet:
        """Return the top level, walked plainly if possible, else repaired."""
        try:
            walked = _walk_plainly(source, start, encoding, self._limits, self._repairs)
        except (MalformedFileError, TruncatedFileError):
            # The first element may be the odd one.
            stated = [] if self._syntax is None else [DataSetEncoding.of(self._syntax)]
            for tried in dict.fromkeys([encoding, *stated]):
                repaired = self._repairs.walk(source, start, tried, self._limits)
                if repaired is not None:
                    return repaired
            raise
        if encoding.explicit_vr:
            return walked
        span = walked.data_set.find(tags.PIXEL_DATA)
        if span is None or not states_vr(source.read(span.start, 6)):
            return walked
        # Letters of a VR were taken for the length of Pixel Data.
        return self._repairs.walk(source, start, encoding, self._limits) or walked

    def _find_syntax(self, walked: WalkedDataSet, span: ElementSpan | None) -> TransferSyntax:
        """Return the transfer syntax that the data set really is in.

        Raises:
            UnknownTransferSyntaxError: it is not in the table, or is missing, and nothing shows it.
        """
        stated, encoding = self._syntax, walked.data_set.encoding
        seen = self._repairs.find_syntax(self._stated, stated, walked, span, self._oddities)
        if seen is not None:
            return seen
        if self._stated and stated is None:
            form = "encapsulated" if span is not None and span.undefined else "native"
            raise UnknownTransferSyntaxError(
                f"the transfer syntax {self._stated!r} is unknown",
                attribute="TransferSyntaxUID",
                hint=f"the data set looks like {encoding}, Pixel Data is {form}; if you know its "
                "form, state a standard transfer syntax in a copy of the file",
            )
        if stated is None or (stated.native and span is not None and span.undefined):
            if span is not None and walked.missing:
                raise TruncatedFileError(
                    f"the file ends {walked.missing} bytes before its Pixel Data does",
                    attribute="PixelData",
                    offset=self._given.size,
                )
            return _assume_native_syntax(encoding, span, stated, self._oddities)
        if stated.native and encoding.little_endian != stated.little_endian:
            # Samples follow the byte order of the elements, even if another is stated.
            return _SYNTAX_OF_ENCODING.get(encoding, IMPLICIT_LE)
        return stated


def _walk_plainly(
    source: ByteSource,
    start: int,
    encoding: DataSetEncoding,
    limits: Limits,
    repairs: Repairs,
) -> WalkedDataSet:
    walker = repairs.walker(source, limits)
    try:
        elements = walker.list_elements(start, source.size, encoding)
    except TruncatedFileError as error:
        raise TruncatedFileError(
            f"the file is incomplete: {error.message}",
            offset=error.offset,
            attribute=error.attribute,
        ) from error
    if repairs.prove and walker.doubtful is not None:
        raise MalformedFileError(
            "an element has a tag that there is not, and no other reading is sure",
            offset=walker.doubtful,
        )
    return WalkedDataSet(
        DataSet(source, encoding, elements, limits),
        walker.fragment_starts,
        walker.fragment_lengths,
        walker.missing,
        tuple(walker.oddities),
        walker.table,
        walker.first_fragments,
    )


def _assume_native_syntax(
    encoding: DataSetEncoding,
    span: ElementSpan | None,
    stated: TransferSyntax | None,
    oddities: list[Oddity],
) -> TransferSyntax:
    if span is not None and span.undefined:
        fault = "is missing" if stated is None else f"is {stated.name}"
        raise UnknownTransferSyntaxError(
            f"the transfer syntax {fault}, but Pixel Data is encapsulated",
            attribute="TransferSyntaxUID",
            offset=span.start,
            hint="its fragments are not a known stream, nor together as long as its frames; if you "
            "know what they are, state their transfer syntax in a copy of the file",
        )
    syntax = _SYNTAX_OF_ENCODING.get(encoding, IMPLICIT_LE)
    oddities.append(
        Oddity(
            OddityId.NO_TRANSFER_SYNTAX, f"no Transfer Syntax UID; the data set is {syntax.name}"
        )
    )
    return syntax


def _find_pixel_data(data_set: DataSet) -> ElementSpan | None:
    spans = [data_set.elements[index] for index in data_set.find_pixel_data()]
    if len(spans) > 1:
        raise MalformedFileError(
            "the data set has more than one of Pixel Data, Float and Double Float Pixel Data",
            attribute=format_tag(spans[1].tag),
            offset=spans[1].start,
        )
    return spans[0] if spans else None
