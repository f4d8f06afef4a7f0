"""Mend streams that are not as they should be within their frames.

A mender of one frame's stream is a function from bytes to bytes. If missing bytes may
have held something about the pixels, the stream is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from dicodec.codecs.streams import jpeg2000, rle
from dicodec.codecs.streams.jpeg_markers import DHT, DQT, SOI, SOS, find_start, walk
from dicodec.codecs.streams.jpeg_plain import make_plain
from dicodec.errors import CorruptFrameError, FrameError, TruncatedFrameError
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.records import dataclass
from dicodec.model.stream import STREAM_END, STREAM_STARTS, StreamDescription
from dicodec.repair.stream_kinds import CHECK_WHOLE

type Mend = Callable[[bytes], bytes]
"""Makes one frame's stream right.

Raises FrameError if that cannot be done without inventing something.
"""
type Decode = Callable[[bytes], bytes]
"""Returns the samples of a stream, as bytes."""

HUFFMAN = bytes.fromhex(
    # Tables K.3, K.5, K.4 and K.6: DC and AC coefficients of luminance, then of chrominance
    "ffc4001f0000010501010101010100000000000000000102030405060708090a0b"
    "ffc400b5100002010303020403050504040000017d0102030004110512213141061351610722711432"
    "8191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a43444546"
    "4748494a535455565758595a636465666768696a737475767778797a838485868788898a9293949596"
    "9798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1"
    "e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
    "ffc4001f0100030101010101010101010000000000000102030405060708090a0b"
    "ffc400b51100020102040403040705040400010277000102031104052131061241510761711322328108"
    "144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a43444546"
    "4748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495"
    "969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9da"
    "e2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)
"""DHT marker segments for a stream that has none, as Motion JPEG uses them: ISO/IEC 10918-1 K.3."""

_BASELINE = "baseline sequential DCT"
_ONE_SCAN = frozenset({_BASELINE, "extended sequential DCT"})

_TAILS = [
    bytes((first << 4 | 5 * step + first) & 0xFE for step in range(64)) for first in range(16)
]
"""Bytes behind a JPEG stream without EOI, see `_has_all_pixels`."""

_LAST_BYTES = [bytes((0x80 >> bit,)) for bit in range(8)] + [
    bytes((0xFF << bit & 0xFF,)) for bit in range(1, 7)
]
"""Bytes behind a JPEG-LS stream without EOI, see `_has_all_ls_pixels`."""


@dataclass(frozen=True, slots=True)
class StreamMender:
    """Cuts off bytes before and after a JPEG or JPEG 2000 stream, and adds missing segments.

    Attributes:
        kind: of the stream, as in StreamDescription.
        tables: marker segments that come after SOI if the stream has none of their kind.
        decode: decodes a frame, to find out whether anything is missing.
        assumed: whether the tables are assumed, so that each stream has to prove them.
    """

    kind: str
    tables: bytes
    decode: Decode
    assumed: bool = False

    def __call__(self, stream: bytes) -> bytes:
        """Return the bare, whole stream of one frame.

        Raises:
            TruncatedFrameError: the end is missing, and more than the end may be.
            CorruptFrameError: the data is not of the tables that are assumed.
        """
        if self.tables:
            stream = add_tables(stream, self.tables)
            if self.assumed and not is_exactly_filled(stream, self.decode, self.kind):
                raise CorruptFrameError(
                    "the JPEG stream has no Huffman tables, and is not of the usual ones"
                )
        try:
            description, whole = CHECK_WHOLE[self.kind](stream)
            if description.details.get("spectral_end"):
                whole = make_plain(whole, description)
            return bytes(whole)
        except TruncatedFrameError:
            ended = self._complete(stream)
            if ended is None:
                raise
            return ended

    def _complete(self, stream: bytes) -> bytes | None:
        start = stream.find(STREAM_STARTS[self.kind][0])
        if start < 0:
            return None
        # A last zero may be the pad byte, or replace a byte of the stream that was cut off.
        body = stream[start:].removesuffix(b"\0")
        if body.endswith(b"\xff"):
            return None
        proof = _PROOFS[self.kind]
        try:
            return body + STREAM_END if proof(body, self.decode) else None
        except FrameError:
            return None


def _has_all_tile_parts(codestream: bytes, decode: Decode) -> bool:  # noqa: ARG001
    """Whether each tile-part that a codestream announces is there (ISO/IEC 15444-1 A.4.2)."""
    jpeg2000.check_whole(codestream + STREAM_END)
    return jpeg2000.has_all_announced_tile_parts(codestream + STREAM_END)


def _has_all_pixels(stream: bytes, decode: Decode) -> bool:
    """Whether all of a JPEG stream's pixels are there although its EOI is not.

    They are if they stay the same before any bytes. The tails begin with each of the sixteen
    half bytes, so some of them would have given another code to parts that are not coded yet.
    """
    description, _ = CHECK_WHOLE["jpeg"](stream + STREAM_END)
    sequential = description.process in _ONE_SCAN or description.predictor is not None
    if not sequential or description.details.get("scans") != 1:
        return False
    return len({decode(stream + tail + STREAM_END) for tail in _TAILS}) == 1


def _has_all_ls_pixels(stream: bytes, decode: Decode) -> bool:
    """Whether all of a JPEG-LS stream's pixels are there although its EOI is not.

    The decoder takes bits that are missing for zeros, and refuses bits that are left over unless
    they are zeros. So pixels that another byte would give are those of a stream that was cut.
    """
    expected = decode(stream + STREAM_END)
    for last in _LAST_BYTES:
        try:
            if decode(stream + last + STREAM_END) != expected:
                return False
        except FrameError:
            continue
    return True


_PROOFS: dict[str, Callable[[bytes, Decode], bool]] = {
    "jpeg": _has_all_pixels, "jpeg-ls": _has_all_ls_pixels,
    "jpeg2000": _has_all_tile_parts, "htj2k": _has_all_tile_parts,
}  # fmt: skip


def is_exactly_filled(stream: bytes, decode: Decode, kind: str) -> bool:
    """Whether a whole JPEG stream's data ends with its last pixel: not before, and not after.

    So a size, or tables, that came from elsewhere are shown to be those of the stream.
    """
    try:
        _, view = CHECK_WHOLE[kind](stream)
        body = bytes(view)[: -len(STREAM_END)].rstrip(b"\xff")
        if not _PROOFS[kind](body, decode):
            return False
        if kind == "jpeg-ls":
            return True  # the decoder itself refuses bytes left over
        whole = decode(body + STREAM_END)
        shorter = body[: -max(8, len(body) // 100)]
        try:
            return decode(shorter + b"\0" * 8 + STREAM_END) != whole
        except TruncatedFrameError:  # the decoder itself misses the bytes cut off
            return True
    except FrameError:
        return False


def add_tables(stream: bytes, tables: bytes) -> bytes:
    """Return a JPEG stream with tables of which it has none (ISO/IEC 10918-1 B.5).

    Args:
        stream: from SOI, or with other bytes before it.
        tables: DQT and DHT marker segments; those of a kind that the stream has are left out.
    """
    if not tables:
        return stream
    try:
        start = find_start(stream)
        own = find_table_kinds(stream[start:])
    except FrameError:
        return stream
    added = b"".join(segment for marker, segment in split_tables(tables) if marker not in own)
    return stream[start : start + 2] + added + stream[start + 2 :]


def find_table_kinds(stream: bytes) -> set[int]:
    """Return which of DQT and DHT come before the first scan.

    Raises:
        FrameError: the stream ends before, or is none.
    """
    own = set()
    for segment in walk(stream, 0):
        if segment.marker == SOS:
            break
        if segment.marker in {DHT, DQT}:
            own.add(segment.marker)
    return own


def split_tables(tables: bytes) -> list[tuple[int, bytes]]:
    """Return each marker segment with its marker."""
    found = []
    at = 0
    while at + 4 <= len(tables):
        (length,) = struct.unpack_from(">H", tables, at + 2)
        found.append((tables[at + 1], tables[at : at + 2 + length]))
        at += 2 + length
    return found


def extract_tables(stream: bytes) -> bytes:
    """Return the tables of an abbreviated stream that has nothing else; b"" if it has more.

    ISO/IEC 10918-1 B.5: SOI, tables, EOI.
    """
    if not stream.startswith(bytes((0xFF, SOI))):
        return b""
    found = b""
    try:
        for segment in walk(stream, 0):
            if segment.marker in {DHT, DQT}:
                found += bytes((0xFF, segment.marker)) + stream[segment.start - 2 : segment.end]
            elif segment.marker in range(0xC0, 0xD0) or segment.marker == SOS:
                return b""
    except FrameError:
        return b""
    return found


@dataclass(frozen=True, slots=True)
class RleMender:
    """Lays the segments of RLE frames out as they should be: in order, each of even length.

    Attributes:
        planes: how many segments a frame has to have; others that hold no plane are left out.
        size: bytes of a plane.
    """

    planes: int
    size: int

    def __call__(self, stream: bytes) -> bytes:
        """Return the frame with the same segments.

        Raises:
            FrameError: the segments, or their order, are not sure.
        """
        planes = rle.find_planes(stream, self.planes, self.size)
        return rle.join_segments([bytes(plane) for plane in planes])


def find_rle_oddities(head: bytes, offset: int, planes: int) -> list[Oddity]:
    """Return the oddities of the header of an RLE frame (PS3.5 G.3, G.5).

    Args:
        head: the header.
        offset: of the header.
        planes: how many segments the frame has to have, and has at least.
    """
    count, offsets = rle.read_header(head)
    used = offsets[:planes]
    found = []
    if count > planes or any(offsets[planes:]):
        text = f"the RLE header has {max(count, planes)} segments, but {planes} hold the image"
        if count == planes:
            text = "the RLE header has offsets of segments that it does not count"
        found.append(Oddity(OddityId.SPARE_RLE_SEGMENTS, text, offset))
    if min(used) == 0:
        text = "the offsets of the RLE segments count from the end of the header"
        found.append(Oddity(OddityId.WRONG_RLE_OFFSETS, text, offset))
    elif used != sorted(used):
        text = "the RLE segments do not lie in the order of their offsets"
        found.append(Oddity(OddityId.WRONG_RLE_OFFSETS, text, offset))
    if any(one % 2 for one in used):
        found.append(Oddity(OddityId.UNPADDED_RLE_SEGMENTS, "RLE segments of odd length", offset))
    return found


def lacks_huffman_tables(head: bytes, stream: StreamDescription) -> bool:
    """Whether a baseline stream leaves its Huffman tables out, as Motion JPEG does."""
    if stream.process != _BASELINE or stream.precision != 8:
        return False
    try:
        return DHT not in find_table_kinds(head[find_start(head) :])
    except FrameError:
        return False
