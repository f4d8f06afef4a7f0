"""Repair encapsulated Pixel Data: its transfer syntax, its description, its number of frames."""

from __future__ import annotations

from array import array
from contextlib import suppress
from itertools import islice

from dicodec.codecs.streams import rle
from dicodec.codecs.table import find_decoder
from dicodec.errors import DicodecError, FrameError, MalformedFileError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.image import WITH_ALL_CHROMA, ImagePixelDescription
from dicodec.model.records import replace
from dicodec.model.stream import PADDED_ENDS, STREAM_STARTS, StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax, find_by_name
from dicodec.part10.data_set import WalkedDataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.part10.frames import find_frames
from dicodec.repair import stream_kinds, streams
from dicodec.repair.colors import deduce_from_colors
from dicodec.repair.deflated_frames import HEAD_SIZE as DEFLATE_HEAD_SIZE
from dicodec.repair.deflated_frames import DeflateMender, find_wrapper, inflates_to
from dicodec.repair.frame_boundaries import judge_boundaries
from dicodec.repair.frame_counts import (
    count_frames,
    count_frames_in_groups,
    count_frames_in_table,
    has_other_frames,
)
from dicodec.repair.frame_sizes import size_is_sure
from dicodec.repair.high_bit import OF_WORDS, deduce_from_bits, read_frame_words
from dicodec.repair.image_attributes import (
    Known,
    deduce_from_stream,
    describe_corrections,
    make_corrections,
    read_stated_frames,
)
from dicodec.repair.overlay_positions import deduce_overlay_position
from dicodec.repair.streams import HUFFMAN
from dicodec.rules.color_space import colors_agree, decide_color_space

_BY_STREAM = "by its streams"
_SIZES = frozenset({tags.ROWS, tags.COLUMNS, tags.SAMPLES_PER_PIXEL})
_OF_NATIVE_FRAMES = frozenset({"encapsulated-uncompressed", "deflated-frame"})


class EncapsulatedRepair:
    """One file's encapsulated Pixel Data while it is repaired.

    Args:
        file: as read by its own attributes.
        walked: its data set.
        compares_headers: whether to find out if all streams have the headers of the first one.
    """

    def __init__(
        self, file: DicomFile, walked: WalkedDataSet, *, compares_headers: bool = True
    ) -> None:
        self._file = file
        self._compares_headers = compares_headers
        self._given = self._walked = walked
        self._frames = file.frames
        self._source = file.data_set.source
        self._syntax = file.syntax
        self._oddities: list[Oddity] = []
        self._known: Known = {}
        self._tables = b""
        self._read: list[Oddity] | None = None

    def repair(self) -> DicomFile:
        """Return the file with its frames."""
        if len(self._walked.fragment_starts) < 2:
            return self._file
        self._take_tables()
        self._judge_boundaries()
        stream = self._describe_first_stream()
        self._judge_syntax(stream)
        if stream is not None:
            self._known |= deduce_from_stream(self._file.data_set, stream)
        if read_stated_frames(self._file.data_set) is None:
            self._known[tags.NUMBER_OF_FRAMES] = str(len(self._walked.fragment_starts) - 1)
        if self._known or self._oddities:
            self._read_again()
        if not self._judge_colors(stream):
            return replace(self._file, frames=self._frames)
        if stream is not None and self._is_contradicted() and not self._size_is_sure(stream):
            return self._file
        self._count_frames(stream)
        self._judge_high_bit()
        self._judge_overlays()
        self._mend(stream)
        return self._make_result()

    @property
    def _image(self) -> ImagePixelDescription | None:
        return self._frames.description

    def _take_tables(self) -> None:
        """Take a first fragment that has nothing but tables out of the frames."""
        starts, lengths = self._walked.fragment_starts, self._walked.fragment_lengths
        if len(starts) < 3 or lengths[1] > stream_kinds.HEAD_SIZE:
            return
        self._tables = streams.extract_tables(self._source.read(starts[1], lengths[1]))
        if self._tables:
            self._walked = replace(
                self._walked,
                fragment_starts=starts[:1] + starts[2:],
                fragment_lengths=lengths[:1] + lengths[2:],
            )
            text = "the first fragment is a stream of tables only; they are those of all frames"
            self._note(OddityId.TABLES_ONLY_STREAM, text)
            self._assign()

    def _find_first_fragment(self) -> tuple[int, int]:
        """Return start and length of the first fragment that has bytes."""
        starts, lengths = self._walked.fragment_starts, self._walked.fragment_lengths
        fragments = islice(zip(starts, lengths, strict=True), 1, None)
        return next((one for one in fragments if one[1]), (starts[1], 0))

    def _describe_first_stream(self) -> StreamDescription | None:
        start, length = self._find_first_fragment()
        stream = stream_kinds.describe_stream_at(self._source, start, length)
        frames, image = self._frames.encapsulated, self._image
        if stream is not None or frames is None or image is None:
            return stream
        first = _find_first_frame(frames)
        several = len(frames.find_fragments(first)) > 1
        if several or self._syntax.family in stream_kinds.CHECK_WHOLE:
            data = frames.read_stored(self._source, first)
            stream = stream_kinds.describe_whole_stream(data)
            if stream is None:
                stream = stream_kinds.describe_stream_after_junk(data, self._syntax.family, image)
                if stream is not None:
                    self._note(
                        OddityId.JUNK_BEFORE_STREAM, "the first stream begins after other bytes"
                    )
        return stream

    def _judge_syntax(self, stream: StreamDescription | None) -> None:
        stated = self._syntax
        seen: TransferSyntax | None = None
        if stream is not None:
            if not stream_kinds.fits(stream, stated):
                text = self._file.data_set.read_text(tags.LOSSY_IMAGE_COMPRESSION)
                lossless = stream_kinds.says_lossless(stated, text)
                seen = stream_kinds.find_syntax_of_stream(stream, lossless=lossless)
        elif self._image is not None and not self._is_as_stated(self._image):
            seen = find_by_name(
                stream_kinds.deduce_kind(
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
            OddityId.WRONG_TRANSFER_SYNTAX,
            f"the streams are {what}, {seen.name}, but {stated.name} is stated",
        )

    def _is_as_stated(self, image: ImagePixelDescription) -> bool:
        """Whether frames without a signature may be in the stated transfer syntax."""
        start, length = self._find_first_fragment()
        size = image.native_frame_size
        if self._syntax.family == "rle":
            head = self._source.read(start, rle.HEADER_SIZE)
            if stream_kinds.is_rle_header(head, length, image):
                return True
            # Segments beyond those of the image may be spare, or be those of its colors.
            spare = stream_kinds.may_be_rle_header(head, length, image)
            return spare and bool(
                stream_kinds.measure_rle_frame(self._source.read(start, length), image)
            )
        if self._syntax.family == "encapsulated-uncompressed":
            return length in {size, size + size % 2}
        if self._syntax.family == "deflated-frame":
            data = self._source.read(start, length)
            return bool(find_wrapper(data[:DEFLATE_HEAD_SIZE])) or inflates_to(data, size)
        return False

    def _read_again(self) -> None:
        """Assign fragments and describe the image anew, by all that is known now."""
        self._assign()
        self._judge_boundaries()

    def _assign(self) -> None:
        self._read = []
        self._frames = find_frames(
            self._walked, self._frames.span, self._syntax, self._read, self._known
        )

    def _judge_boundaries(self) -> None:
        """Have frames begin and end where streams do, as far as that shows."""
        found = self._ask_streams()
        if found is None:
            return
        image = self._frames.image
        stated = image.number_of_frames
        # A writer may have counted fragments; any other number that is too large tells of lost
        # frames.
        wrong = stated < len(found) or stated == len(found.starts)
        if len(found) == count_frames_in_table(self._walked) or (
            wrong and stated != count_frames_in_groups(self._file.data_set)
        ):
            self._known[tags.NUMBER_OF_FRAMES] = str(len(found))
        self._assign()
        if (found := self._ask_streams()) is not None:
            self._put(found)

    def _ask_streams(self) -> EncapsulatedFrames | None:
        """Return the frames if the streams say that they begin in other fragments."""
        frames, image = self._frames.encapsulated, self._image
        if frames is None or image is None or len(frames.starts) < 2:
            return None
        found = judge_boundaries(
            self._source,
            frames,
            self._syntax.family,
            image,
            compares_headers=self._compares_headers,
        )
        if found.first_fragments != frames.first_fragments:
            return found
        self._frames = replace(self._frames, encapsulated=found)
        return None

    def _put(self, found: EncapsulatedFrames) -> None:
        """Have frames begin in other fragments than the offset table says, and say so."""
        given = found.oddities
        oddities = list(given)
        believed = all(one.id != OddityId.WRONG_OFFSET_TABLE for one in given)
        if found.offset_table != "empty" and believed:
            text = f"the {found.offset_table} offset table splits or joins streams"
            oddities.append(Oddity(OddityId.WRONG_OFFSET_TABLE, text, self._frames.span.start))
        if len(found) == self._frames.image.number_of_frames:
            oddities = [one for one in oddities if one.id != OddityId.WRONG_NUMBER_OF_FRAMES]
        self._read = [one for one in self._read or () if one not in given] + oddities
        found = replace(found, oddities=tuple(oddities))
        self._frames = replace(self._frames, encapsulated=found)

    def _judge_colors(self, stream: StreamDescription | None) -> bool:
        """Correct colors that contradict themselves; return whether the right ones are known."""
        image, family = self._image, self._syntax.family
        if image is None:
            return True
        if colors_agree(image, family):
            self._judge_chroma(image)
            return True
        color = "RGB"

        def fits(one: ImagePixelDescription) -> bool:
            if stream is None:
                return self._is_as_stated(one)
            return one.samples_per_pixel == stream.components

        if stream is not None:
            plain = replace(image, photometric_interpretation=color, samples_per_pixel=3)
            color = decide_color_space(plain, stream).photometric_interpretation
        elif family in stream_kinds.CHECK_WHOLE:  # it cannot be read; decoding will report it
            return True
        try:
            known = deduce_from_colors(self._file.data_set, image, family, fits, color)
        except MalformedFileError as error:
            self._frames = replace(self._frames, description=None, fault=error, encapsulated=None)
            return False
        self._known |= known
        self._read_again()
        return True

    def _judge_chroma(self, image: ImagePixelDescription) -> None:
        """Find out whether native frames in fragments have all the chroma that they should not."""
        all_chroma = WITH_ALL_CHROMA.get(image.photometric_interpretation)
        if all_chroma is None or self._syntax.family not in _OF_NATIVE_FRAMES:
            return
        full = replace(image, photometric_interpretation=all_chroma)
        if self._is_as_stated(full) and not self._is_as_stated(image):
            self._known[tags.PHOTOMETRIC_INTERPRETATION] = all_chroma
            self._read_again()

    def _is_contradicted(self) -> bool:
        """Whether a size that is stated is another than the stream's."""
        number = self._file.data_set.read_number
        return any(number(tag) for tag in self._known if tag in _SIZES)

    def _size_is_sure(self, stream: StreamDescription | None) -> bool:
        frames, image = self._frames.encapsulated, self._image
        if stream is None or frames is None or image is None:
            return False
        return size_is_sure(self._file.data_set, frames, image, stream, self._make_decoder(image))

    def _make_decoder(self, image: ImagePixelDescription) -> streams.Decode:
        decoder = find_decoder(self._syntax)
        return lambda stream: decoder.decode(stream, image).tobytes()

    def _count_frames(self, stream: StreamDescription | None) -> None:
        frames, image = self._frames.encapsulated, self._image
        if frames is None or image is None:
            return
        unstated = tags.NUMBER_OF_FRAMES in self._known
        if self._syntax.fragments_per_frame == 1 and len(frames) == 1 and not unstated:
            ends = array("Q", range(len(frames.starts) + 1))
            frames = replace(frames, first_fragments=ends)
        if len(frames) == image.number_of_frames and not unstated:
            return
        stated = None if unstated else image.number_of_frames
        count = count_frames(self._walked, frames, self._syntax, image, stream, stated)
        if count is not None:
            self._known[tags.NUMBER_OF_FRAMES] = str(count)
            self._read_again()  # the offset table may be right after all
            return
        if self._known.pop(tags.NUMBER_OF_FRAMES, None):
            self._read_again()
        self._split_overlong_frame()

    def _split_overlong_frame(self) -> None:
        """Take each fragment for a frame if together they hold more than the only one.

        The rest would be left out in silence; so Number of Frames is contradicted.
        """
        frames, image = self._frames.encapsulated, self._image
        if frames is None or image is None or len(frames) != 1 or len(frames.starts) < 2:
            return
        if has_other_frames(frames.read(self._source, 0), self._syntax, image):
            ends = array("Q", range(len(frames.starts) + 1))
            frames = replace(frames, first_fragments=ends)
            self._frames = replace(self._frames, encapsulated=frames)

    def _judge_high_bit(self) -> None:
        frames, image = self._frames.encapsulated, self._image
        if frames is None or image is None or self._syntax.family not in OF_WORDS:
            return
        if image.high_bit < image.bits_stored or self._frames.missing:
            return
        limits = self._file.data_set.limits
        with suppress(DicodecError):  # asking for frames will report it
            words = read_frame_words(self._source, frames, self._syntax, image, limits)
            if known := deduce_from_bits(words, image):
                self._known |= known
                self._read_again()

    def _judge_overlays(self) -> None:
        frames, image = self._frames.encapsulated, self._image
        if frames is None or image is None or self._syntax.family not in OF_WORDS:
            return
        data_set = self._file.data_set
        with suppress(DicodecError):  # asking for frames will report it
            words = read_frame_words(self._source, frames, self._syntax, image, data_set.limits)
            if known := deduce_overlay_position(data_set, image, words):
                self._known |= known
                self._read_again()

    def _mend(self, stream: StreamDescription | None) -> None:
        """Find the oddities of the first frame's stream, and the mending of all of them."""
        frames, image = self._frames.encapsulated, self._image
        if frames is None or image is None or self._frames.missing or not len(frames):
            return
        mend: streams.Mend | None = None
        known = {one.id for one in self._file.oddities}
        if OddityId.ODD_FRAGMENT not in known and any(length & 1 for length in frames.lengths):
            self._note(OddityId.ODD_FRAGMENT, "a fragment has an odd length")
        if stream is not None and stream.kind in stream_kinds.CHECK_WHOLE:
            mend = self._make_mender(frames, image, stream)
        elif self._syntax.family == "rle":
            first = _find_first_frame(frames)
            start = frames.starts[frames.first_fragments[first]]
            head = self._source.read(start, rle.HEADER_SIZE)
            if stream_kinds.may_be_rle_header(head, frames.measure_frame(first), image):
                planes = stream_kinds.count_planes(image)
                found = streams.find_rle_oddities(head, start, planes)
                self._oddities += found
                size = stream_kinds.measure_plane(image)
                mend = streams.RleMender(planes, size) if found else None
        elif self._syntax.family == "deflated-frame":
            mend = self._make_unwrapper(frames, image)
        if mend is not None or self._oddities:
            frames = replace(frames, mend=mend, oddities=(*frames.oddities, *self._oddities))
            self._frames = replace(self._frames, encapsulated=frames)

    def _make_unwrapper(
        self, frames: EncapsulatedFrames, image: ImagePixelDescription
    ) -> streams.Mend | None:
        for start in frames.starts:
            if wrapper := find_wrapper(self._source.read(start, DEFLATE_HEAD_SIZE)):
                self._note(
                    OddityId.WRAPPED_DEFLATE, f"a frame has the header of a {wrapper} stream"
                )
                return DeflateMender((image.native_frame_bits + 7) // 8)
        return None

    def _make_mender(
        self, frames: EncapsulatedFrames, image: ImagePixelDescription, stream: StreamDescription
    ) -> streams.Mend | None:
        tables, proven = self._tables, False
        if not tables and streams.lacks_huffman_tables(self._read_head(frames), stream):
            tables, proven = HUFFMAN, True
            self._note(
                OddityId.NO_HUFFMAN_TABLES,
                "the streams have no Huffman tables; those of ISO/IEC 10918-1 Annex K are taken",
            )
        if end := stream.details.get("spectral_end"):
            self._note(
                OddityId.WRONG_SPECTRAL_END,
                f"the scans of lossless JPEG end at {end} of a spectrum that they do not have",
            )
        if stream.details.get("junk_before_start") and stream.kind in stream_kinds.CHECK_WHOLE:
            self._note(OddityId.JUNK_BEFORE_STREAM, "the first stream begins after other bytes")
        junk = any(one.id == OddityId.JUNK_BEFORE_STREAM for one in self._oddities)
        odd = bool(tables) or junk or bool(end)
        if stream.details.get("boxed"):
            self._note(OddityId.BOXED_CODESTREAM, "the codestream is in boxes of a JP2 file")
            odd = True
        else:
            odd = self._judge_end(frames, stream, tables) or odd
        if not odd:
            return None
        return streams.StreamMender(stream.kind, tables, self._make_decoder(image), proven)

    def _read_head(self, frames: EncapsulatedFrames) -> bytes:
        first = _find_first_frame(frames)
        index, *others = frames.find_fragments(first)
        if others:
            return frames.read_stored(self._source, first)
        length = min(frames.lengths[index], stream_kinds.HEAD_SIZE)
        return self._source.read(frames.starts[index], length)

    def _judge_end(
        self, frames: EncapsulatedFrames, stream: StreamDescription, tables: bytes
    ) -> bool:
        """Find out whether the first stream, and the last, end with their last fragments.

        Writers err in all frames or, if they stop too early, in the last one.
        """
        for frame in sorted({_find_first_frame(frames), _find_last_frame(frames)}):
            last = frames.find_fragments(frame)[-1]
            tail = min(frames.lengths[last], 3)
            end = frames.starts[last] + frames.lengths[last]
            if self._source.read(end - tail, tail).endswith(PADDED_ENDS):
                continue
            data = streams.add_tables(frames.read_stored(self._source, frame), tables)
            try:
                _, view = stream_kinds.CHECK_WHOLE[stream.kind](data)
            except FrameError:
                self._note(OddityId.NO_END_MARKER, f"the stream of frame {frame} has no end marker")
                return True
            rest = len(data) - data.find(STREAM_STARTS[stream.kind][0]) - len(view)
            if rest > 1:  # or else a pad byte, though not of the value it should have
                text = f"{rest} bytes come after the end of the stream of frame {frame}"
                self._note(OddityId.BYTES_AFTER_STREAM, text)
                return True
        return False

    def _note(self, identity: OddityId, text: str) -> None:
        self._oddities.append(Oddity(identity, text, self._walked.fragment_starts[1]))

    def _make_result(self) -> DicomFile:
        if self._read is None and not self._oddities:
            return replace(self._file, frames=self._frames)
        kept = list(self._file.oddities)
        if self._read is not None:  # the notes of the first reading are made anew
            stale: list[Oddity] = []
            given = self._given
            with suppress(MalformedFileError):
                find_frames(given, self._frames.span, self._file.syntax, stale)
            kept = [one for one in kept if one not in stale] + self._read
        data_set = self._file.data_set
        found = describe_corrections(data_set, self._known, _BY_STREAM)
        return replace(
            self._file,
            syntax=self._syntax,
            frames=self._frames,
            oddities=(*kept, *found, *self._oddities),
            corrections=(*self._file.corrections, *make_corrections(data_set, self._known)),
        )


def _find_first_frame(frames: EncapsulatedFrames) -> int:
    """Return the first frame that has bytes; 0 if none has."""
    return next((frame for frame in range(len(frames)) if frames.measure_frame(frame)), 0)


def _find_last_frame(frames: EncapsulatedFrames) -> int:
    """Return the last frame that has bytes; 0 if none has."""
    return next((frame for frame in reversed(range(len(frames))) if frames.measure_frame(frame)), 0)
