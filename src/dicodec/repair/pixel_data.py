"""Putting Pixel Data right once all of a file is read: streams, frames, and what describes them."""

from __future__ import annotations

from array import array
from contextlib import suppress
from dataclasses import replace

from dicodec.codecs.streams import rle
from dicodec.codecs.table import decoder_for
from dicodec.errors import DicodecError, FrameError, MalformedFileError
from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.oddity import Oddity
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import Storage, TransferSyntax, by_name
from dicodec.part10.dicom_file import DicomFile, PixelData, WalkedDataSet, pixel_data_of
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.part10.native_frames import NativeFrames
from dicodec.repair import stream_kinds, streams
from dicodec.repair.encapsulation import as_fragments
from dicodec.repair.frame_counts import counted_frames
from dicodec.repair.image_attributes import (
    Known,
    corrections,
    known_from_length,
    known_from_stream,
    stated_frames,
    told,
)
from dicodec.repair.jpeg_tables import HUFFMAN
from dicodec.repair.packed_samples import with_samples_unpacked

_BY_STREAM = "by its streams"
_BY_LENGTH = "by the length of Pixel Data"
_SIZES = frozenset({tags.ROWS, tags.COLUMNS, tags.SAMPLES_PER_PIXEL})
_ENDS = (stream_kinds.END, stream_kinds.END + b"\0")


def with_pixel_data_repaired(file: DicomFile, walked: WalkedDataSet) -> DicomFile:
    """Return a file whose Pixel Data is read as what it is.

    Args:
        file: as it was read by what it says.
        walked: its data set.

    Raises:
        ReadError: streams without items cannot be told apart into frames.
    """
    pixel_data = file.pixel_data
    if pixel_data is None or file.syntax.storage in {Storage.VIDEO, Storage.ELSEWHERE}:
        return file
    if pixel_data.span.undefined or walked.fragment_starts:
        return _Encapsulated(file, walked, pixel_data).repaired()
    return _native(file, walked, pixel_data)


def _native(file: DicomFile, walked: WalkedDataSet, pixel_data: PixelData) -> DicomFile:
    span, data_set = pixel_data.span, file.data_set
    oddities: list[Oddity] = []
    if not pixel_data.missing and span.tag == tags.PIXEL_DATA:
        image = None
        if not isinstance(pixel_data.described, MalformedFileError):
            image = pixel_data.described
        syntax = as_fragments(file.syntax, walked, span, image, oddities)
        if syntax is not None:
            found = pixel_data_of(walked, span, syntax, oddities)
            bare = replace(
                file, syntax=syntax, pixel_data=found, oddities=(*file.oddities, *oddities)
            )
            return _Encapsulated(bare, walked, found).repaired()
        unpacked = with_samples_unpacked(file, span)
        if unpacked is not None:
            return unpacked
        known = (
            known_from_length(data_set, span.length) if _is_undescribed(file, pixel_data) else {}
        )
        if known:
            stale: list[Oddity] = []
            pixel_data_of(walked, span, file.syntax, stale)
            pixel_data = pixel_data_of(walked, span, file.syntax, oddities, known)
            oddities += told(data_set, known, _BY_LENGTH)
            return replace(
                file,
                pixel_data=pixel_data,
                oddities=(*(one for one in file.oddities if one not in stale), *oddities),
                corrections=(*file.corrections, *corrections(known)),
            )
    oddities += _too_long(pixel_data)
    return replace(file, oddities=(*file.oddities, *oddities)) if oddities else file


def _is_undescribed(file: DicomFile, pixel_data: PixelData) -> bool:
    """Whether an attribute that the length depends on is missing, or has no possible value."""
    described = pixel_data.described
    samples = file.data_set.find(tags.SAMPLES_PER_PIXEL)
    return isinstance(described, MalformedFileError) or samples is None


def _excess(pixel_data: PixelData, image: ImagePixelDescription) -> int:
    native = NativeFrames(pixel_data.span, image, swapped_words=False)
    return pixel_data.span.length - native.expected_length


def _too_long(pixel_data: PixelData) -> list[Oddity]:
    if isinstance(pixel_data.described, MalformedFileError):
        return []
    image = pixel_data.described
    excess = _excess(pixel_data, image)
    if excess <= 1:
        return []
    size = image.native_frame_bits // 8
    whole = f", {excess // size} whole frames" if size and excess // size else ""
    return [
        Oddity(
            "long-pixel-data",
            f"Pixel Data is {excess} bytes longer than its {image.number_of_frames} frames{whole}",
            pixel_data.span.start,
        )
    ]


class _Encapsulated:
    """One file's encapsulated Pixel Data, on its way to be read as what it is."""

    def __init__(self, file: DicomFile, walked: WalkedDataSet, pixel_data: PixelData) -> None:
        self._file = file
        self._given = self._walked = walked
        self._pixel_data = pixel_data
        self._source = file.data_set.source
        self._syntax = file.syntax
        self._oddities: list[Oddity] = []
        self._known: Known = {}
        self._tables = b""
        self._read: list[Oddity] | None = None

    def repaired(self) -> DicomFile:
        """Return the file; the same one where nothing is odd."""
        if len(self._walked.fragment_starts) < 2:
            return self._file
        self._take_tables()
        stream = self._first_stream()
        self._judge_syntax(stream)
        if stream is not None:
            self._known = known_from_stream(self._file.data_set, stream)
        if stated_frames(self._file.data_set) is None:
            self._known[tags.NUMBER_OF_FRAMES] = str(len(self._walked.fragment_starts) - 1)
        if self._known or self._oddities:
            self._read_again()
        if self._contradicted() and not self._sizes_are_sure(stream):
            return self._file
        self._count_frames(stream)
        self._mend(stream)
        return self._result()

    @property
    def _image(self) -> ImagePixelDescription | None:
        described = self._pixel_data.described
        return None if isinstance(described, MalformedFileError) else described

    def _take_tables(self) -> None:
        """Take a first fragment that has nothing but tables out of the frames."""
        starts, lengths = self._walked.fragment_starts, self._walked.fragment_lengths
        if len(starts) < 3 or lengths[1] > stream_kinds.HEAD_SIZE:
            return
        self._tables = streams.tables_only(self._source.read(starts[1], lengths[1]))
        if self._tables:
            self._walked = replace(
                self._walked,
                fragment_starts=starts[:1] + starts[2:],
                fragment_lengths=lengths[:1] + lengths[2:],
            )
            text = "the first fragment is a stream of tables only; they are those of all frames"
            self._note("tables-only-stream", text)

    def _first_stream(self) -> StreamDescription | None:
        start, length = self._walked.fragment_starts[1], self._walked.fragment_lengths[1]
        stream = stream_kinds.described_at(self._source, start, length)
        frames, image = self._pixel_data.frames, self._image
        if stream is not None or frames is None or image is None:
            return stream
        first = frames.fragments_of(0)
        if len(first) > 1 or self._syntax.family in stream_kinds.STARTS:
            data = frames.stored(self._source, 0)
            stream = _described(data)
            if stream is None:
                stream = stream_kinds.described_after_junk(data, self._syntax.family, image)
                if stream is not None:
                    self._note("junk-before-stream", "the first stream begins after other bytes")
        return stream

    def _judge_syntax(self, stream: StreamDescription | None) -> None:
        stated = self._syntax
        seen: TransferSyntax | None = None
        if stream is not None:
            if not stream_kinds.fits(stream, stated):
                text = self._file.data_set.text(tags.LOSSY_IMAGE_COMPRESSION)
                lossless = stream_kinds.says_lossless(stated, text)
                seen = stream_kinds.syntax_for(stream, lossless=lossless)
        elif self._image is not None and not self._is_as_stated(self._image):
            seen = by_name(
                stream_kinds.kind_without_signature(
                    self._source,
                    self._walked.fragment_starts[1:],
                    self._walked.fragment_lengths[1:],
                    self._image,
                )
            )
        if seen is None or seen == stated:
            return
        what = f"{stream.process} {stream.kind}" if stream is not None else seen.title
        self._syntax = seen
        self._note(
            "wrong-transfer-syntax",
            f"the streams are {what}, {seen.name}, where {stated.name} is stated",
        )

    def _is_as_stated(self, image: ImagePixelDescription) -> bool:
        """Whether frames without a signature may be what the transfer syntax says."""
        start, length = self._walked.fragment_starts[1], self._walked.fragment_lengths[1]
        size = (image.native_frame_bits + 7) // 8
        if self._syntax.family == "rle":
            head = self._source.read(start, rle.HEADER_SIZE)
            return stream_kinds.is_rle_header(head, length, image)
        if self._syntax.family == "encapsulated-uncompressed":
            return length in {size, size + size % 2}
        if self._syntax.family == "deflated-frame":
            return stream_kinds.inflates_to(self._source.read(start, length), size)
        return False

    def _read_again(self) -> None:
        """Assign fragments and describe the image anew, by what is known now."""
        self._read = []
        self._pixel_data = pixel_data_of(
            self._walked, self._pixel_data.span, self._syntax, self._read, self._known
        )

    def _contradicted(self) -> bool:
        """Whether a size that is stated is another than the stream's."""
        number = self._file.data_set.number
        return any(number(tag) for tag in self._known if tag in _SIZES)

    def _sizes_are_sure(self, stream: StreamDescription | None) -> bool:
        """Whether every frame has the size of the first, and the first really has that many pixels.

        A damaged header would say another size, too.
        """
        frames, image = self._pixel_data.frames, self._image
        if stream is None or frames is None or image is None:
            return False
        colored = image.photometric_interpretation.startswith(("RGB", "YBR"))
        if (image.samples_per_pixel == 3) != colored:
            return False
        sizes = (stream.kind, stream.rows, stream.columns, stream.components)
        try:
            for frame in range(len(frames)):
                one = _described(frames.stored(self._source, frame))
                if one is None or (one.kind, one.rows, one.columns, one.components) != sizes:
                    return False
            first = frames.stored(self._source, 0)
            decode = self._decoder(image)
            decode(first)
        except DicodecError:
            return False
        if stream.kind in {"jpeg2000", "htj2k"}:  # which says its size twice, as that of its tile
            return len(frames) > 1 or "tile_size" not in stream.details
        if stream.kind == "jpegxl":
            return True
        if self._may_be_cropped(stream) and len(frames) == 1:
            return False
        return streams.is_exactly_filled(first, decode, stream.kind)

    def _may_be_cropped(self, stream: StreamDescription) -> bool:
        """Whether the size that is stated takes as many blocks of a DCT as that of the stream."""
        if stream.predictor is not None or stream.kind != "jpeg":
            return False
        number = self._file.data_set.number
        sides = ((number(tags.ROWS), stream.rows, 1), (number(tags.COLUMNS), stream.columns, 0))
        return all(
            -(-(stated or 0) // block) == -(-(coded or 0) // block)
            for stated, coded, axis in sides
            for block in (8 * max(factors[axis] for factors in stream.subsampling),)
        )

    def _decoder(self, image: ImagePixelDescription) -> streams.Decode:
        decoder = decoder_for(self._syntax)
        return lambda stream: decoder.decode(stream, image).tobytes()

    def _count_frames(self, stream: StreamDescription | None) -> None:
        frames, image = self._pixel_data.frames, self._image
        if frames is None or image is None:
            return
        if self._syntax.fragments_per_frame == 1 and len(frames) < len(frames.starts):
            ends = array("Q", range(len(frames.starts) + 1))
            frames = replace(frames, first_fragments=ends)
        unstated = tags.NUMBER_OF_FRAMES in self._known
        if len(frames) == image.number_of_frames and not unstated:
            return
        stated = None if unstated else image.number_of_frames
        count = counted_frames(self._walked, frames, self._syntax, image, stream, stated)
        if count is not None:
            self._known[tags.NUMBER_OF_FRAMES] = str(count)
            self._read_again()  # the offset table may be right after all
        elif self._known.pop(tags.NUMBER_OF_FRAMES, None):
            self._read_again()

    def _mend(self, stream: StreamDescription | None) -> None:
        """Find out what is odd about the first frame's stream, and what makes all of them right."""
        frames, image = self._pixel_data.frames, self._image
        if frames is None or image is None or self._pixel_data.missing or not len(frames):
            return
        mend: streams.Mend | None = None
        known = {one.id for one in self._file.oddities}
        if "odd-fragment" not in known and any(length & 1 for length in frames.lengths):
            self._note("odd-fragment", "a fragment has an odd length")
        if stream is not None and stream.kind in stream_kinds.CHECK_WHOLE:
            mend = self._mender(frames, image, stream)
        elif self._syntax.family == "rle":
            head = self._source.read(frames.starts[0], rle.HEADER_SIZE)
            if stream_kinds.is_rle_header(head, frames.frame_length(0), image):
                found = streams.rle_oddities(head, frames.starts[0])
                self._oddities += found
                mend = streams.RleMender() if found else None
        if mend is not None or self._oddities:
            frames = replace(frames, mend=mend, oddities=(*frames.oddities, *self._oddities))
            self._pixel_data = replace(self._pixel_data, frames=frames)

    def _mender(
        self, frames: EncapsulatedFrames, image: ImagePixelDescription, stream: StreamDescription
    ) -> streams.Mend | None:
        tables, proven = self._tables, False
        if not tables and streams.lacks_huffman_tables(self._head(frames), stream):
            tables, proven = HUFFMAN, True
            self._note(
                "no-huffman-tables",
                "the streams have no Huffman tables; those of ISO/IEC 10918-1 Annex K are taken",
            )
        junk = any(one.id == "junk-before-stream" for one in self._oddities)
        odd = bool(tables) or junk
        if stream.details.get("boxed"):
            self._note("boxed-codestream", "the codestream is in boxes of a JP2 file")
            odd = True
        else:
            odd = self._judge_end(frames, stream, tables) or odd
        if not odd:
            return None
        return streams.StreamMender(stream.kind, tables, self._decoder(image), proven)

    def _head(self, frames: EncapsulatedFrames) -> bytes:
        if len(frames.fragments_of(0)) > 1:
            return frames.stored(self._source, 0)
        return self._source.read(frames.starts[0], min(frames.lengths[0], stream_kinds.HEAD_SIZE))

    def _judge_end(
        self, frames: EncapsulatedFrames, stream: StreamDescription, tables: bytes
    ) -> bool:
        """Find out whether the first stream, and the last, end where their last fragments do.

        Writers err in all frames or, where they stop too early, in the last one.
        """
        for frame in sorted({0, len(frames) - 1}):
            last = frames.fragments_of(frame)[-1]
            tail = min(frames.lengths[last], 3)
            end = frames.starts[last] + frames.lengths[last]
            if self._source.read(end - tail, tail).endswith(_ENDS):
                continue
            data = streams.with_tables(frames.stored(self._source, frame), tables)
            try:
                _, view = stream_kinds.CHECK_WHOLE[stream.kind](data)
            except FrameError:
                self._note("no-end-marker", f"the stream of frame {frame} has no end marker")
                return True
            rest = len(data) - data.find(stream_kinds.STARTS[stream.kind]) - len(view)
            if rest > 1:  # or else a pad byte, though not of the value it should have
                text = f"{rest} bytes come after the end of the stream of frame {frame}"
                self._note("bytes-after-stream", text)
                return True
        return False

    def _note(self, identity: str, text: str) -> None:
        self._oddities.append(Oddity(identity, text, self._walked.fragment_starts[1]))

    def _result(self) -> DicomFile:
        if not self._oddities and not self._known:
            return self._file
        kept = list(self._file.oddities)
        if self._read is not None:  # what was noted by what the file says is noted anew
            stale: list[Oddity] = []
            given = self._given
            with suppress(MalformedFileError):
                pixel_data_of(given, self._pixel_data.span, self._file.syntax, stale)
            kept = [one for one in kept if one not in stale] + self._read
        found = told(self._file.data_set, self._known, _BY_STREAM)
        return replace(
            self._file,
            syntax=self._syntax,
            pixel_data=self._pixel_data,
            oddities=(*kept, *found, *self._oddities),
            corrections=(*self._file.corrections, *corrections(self._known)),
        )


def _described(data: bytes) -> StreamDescription | None:
    try:
        return stream_kinds.described(data)
    except FrameError:
        return None
