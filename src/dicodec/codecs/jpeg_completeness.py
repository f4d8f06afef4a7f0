"""Check that a JPEG stream had data for all of its pixels, because libjpeg does not tell.

If a scan's data ends early, libjpeg goes on as if nothing changed any more: blocks of the DCT
come out flat, in the middle of the range, and samples of a lossless process repeat the one before.
The kernel of lossless JPEG counts bits while it decodes; libjpeg decodes the rest.

The last bits of lossless samples have to be the last bits of the scan; or all the bits that the
samples take are counted, and the scan has to have as many. Other frames that end so are decoded
once more, with other data behind each scan, which does not change a whole frame. In lossless JPEG
the other data stand before each restart marker, too, and these have to be all there; data of the
DCT missing between two restart markers is not found.

Arithmetic coding cannot be checked, because an encoder leaves out the zeros at the end of its data,
and a decoder assumes as many as it takes (ISO/IEC 10918-1 D.1.8): up to 40 bytes in flat images
of 100 x 100 pixels. So data that ends early is the whole data of an image that is flatter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from dicodec.codecs.base import Samples
from dicodec.codecs.jpeg_lossless_end import ends_with_last_samples
from dicodec.codecs.jpeg_lossless_size import count_bits, parse_huffman_codes
from dicodec.codecs.streams.jpeg_markers import DHT, DRI, EOI, RST0, SOS, Segment, walk
from dicodec.errors import CorruptFrameError, TruncatedFrameError
from dicodec.model.late_import import import_late
from dicodec.model.stream import StreamDescription

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np
else:
    np = import_late("numpy")

type Decode = Callable[[bytes], Samples]

_FILLERS = (bytes(range(1, 129)), bytes(range(254, 126, -1)), b"\x55" * 64, b"\xaa" * 64)
"""Data that changes samples under any Huffman tables; no byte of it begins a marker.

libjpeg takes zeros for missing bits, so a code that is cut may need a 1 to come out otherwise.
"""
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_BLOCK = 8
MISSING = "the JPEG stream's data ends before its last pixel"
"""Message of the error."""


def decode_complete(whole: memoryview, description: StreamDescription, decode: Decode) -> Samples:
    """Decode a frame, and check that it had data up to its last pixel.

    Args:
        whole: the stream, from SOI to EOI.
        description: of the stream, from its headers.
        decode: the library: from a stream to samples, rows first.

    Raises:
        TruncatedFrameError: the data ended earlier.
        CorruptFrameError: restart markers of a lossless process are not in order.
    """
    stream = bytes(whole)
    if description.predictor is not None:
        _check_restarts(stream, description)
    samples = decode(stream)
    if "arithmetic" in description.process:
        return samples
    if _ends_suspiciously(samples, description) and not _has_all_bits(samples, stream, description):
        for filler in _FILLERS:
            longer = _lengthen(stream, filler, restarts=description.predictor is not None)
            if not np.array_equal(decode(longer), samples):
                raise TruncatedFrameError(MISSING)
    return samples


def _ends_suspiciously(samples: Samples, description: StreamDescription) -> bool:
    if description.predictor is not None or "progressive" in description.process:
        return True
    rows, columns = samples.shape[:2]
    block = samples[(rows - 1) // _BLOCK * _BLOCK :, (columns - 1) // _BLOCK * _BLOCK :]
    flat = block.reshape(-1, description.components or 1) == 1 << (description.precision or 8) - 1
    ends = flat.all(axis=0)
    # If one scan holds all components, all are flat at its end, and the first one is soon tested.
    return bool(ends[0] if description.details.get("scans") == 1 else ends.any())


def _has_all_bits(samples: Samples, stream: bytes, description: StreamDescription) -> bool:
    """Return whether the scan has all bits of lossless samples; False if that is not known.

    It is known if one scan holds all samples, coded with one table and without restarts.
    """
    details = description.details
    if (
        description.predictor not in range(1, 8)
        or details.keys() & {"restart_interval", "point_transform"}
        or details.get("scans") != 1
        or set(description.subsampling) != {(1, 1)}
    ):
        return False
    segments = [*walk(stream, 0)]
    tables = [stream[one.start + 1 : one.end] for one in segments if one.marker == DHT]
    codes = parse_huffman_codes(tables[0]) if len(tables) == 1 else None
    if codes is None:
        return False
    ((start, end),) = _find_scans(segments)
    end = _strip_fill(stream, end)
    precision, predictor = description.precision or 0, description.predictor or 0
    data = memoryview(stream)[start:end]
    if ends_with_last_samples(samples, precision, predictor, codes, data):
        return True
    stuffed = stream.count(b"\xff\0", start, end)
    return count_bits(samples, precision, predictor, codes) <= 8 * (len(data) - stuffed)


def _check_restarts(stream: bytes, description: StreamDescription) -> None:
    """Check that a lossless stream has all restart markers, numbered as they follow (B.2.1)."""
    interval = 0
    for segment, end in _find_ends(walk(stream, 0)):
        if segment.marker == DRI:
            interval = int.from_bytes(stream[segment.start : segment.end])
        elif segment.marker == SOS:
            found = [stream[one.start() + 1] for one in _RESTART.finditer(stream, segment.end, end)]
            if any(marker != RST0 + number % 8 for number, marker in enumerate(found)):
                raise CorruptFrameError("the JPEG stream's restart markers are not in order")
            if not interval or set(description.subsampling) != {(1, 1)}:
                continue
            pixels = (description.rows or 0) * (description.columns or 0)
            if len(found) < (pixels - 1) // interval:
                raise TruncatedFrameError(MISSING)


def _lengthen(stream: bytes, filler: bytes, *, restarts: bool) -> bytes:
    """Return a stream with filler behind each of its scans, or also before restart markers."""
    parts: list[bytes] = []
    done = 0
    for start, scan_end in _find_scans(walk(stream, 0)):
        found = _RESTART.finditer(stream, start, scan_end) if restarts else ()
        for limit in (*(one.start() for one in found), scan_end):
            end = _strip_fill(stream, limit)
            parts += [stream[done:end], filler]
            done = end
    return b"".join([*parts, stream[done:]])


def _strip_fill(stream: bytes, end: int) -> int:
    """Return the end of data without bytes FF, which belong to the marker behind (B.1.1.2)."""
    while stream[end - 1] == 0xFF:
        end -= 1
    return end


def _find_ends(segments: Iterable[Segment]) -> Iterator[tuple[Segment, int]]:
    """Yield each segment of a whole stream with the end of the data that follow it."""
    before = None
    for segment in segments:
        if before is not None:
            yield before, segment.start - (2 if segment.marker == EOI else 4)
        before = segment


def _find_scans(segments: Iterable[Segment]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the entropy-coded data of each scan of a whole stream."""
    for segment, end in _find_ends(segments):
        if segment.marker == SOS:
            yield segment.end, end
