"""Whether a JPEG stream had data for all of its pixels, which libjpeg does not tell.

Where a scan's data ends early, libjpeg goes on as if nothing changed any more: blocks of the DCT
come out flat, in the middle of the range, and samples of a lossless process repeat the one before.
Frames that end so are decoded once more, with other data behind each scan: a whole one does not
change by that. Data that is missing between two restart markers is not found in this way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dicodec.codecs.base import Samples
from dicodec.codecs.streams.jpeg_markers import EOI, SOS, walk
from dicodec.errors import TruncatedFrameError
from dicodec.model.stream import StreamDescription

_FILLER = bytes(range(1, 129))
"""Data that changes samples, whatever the Huffman tables; no byte of it begins a marker."""
_BLOCK = 8


def check_complete(
    samples: Samples,
    whole: memoryview,
    description: StreamDescription,
    decode: Callable[[bytes], Samples],
) -> None:
    """Check that a decoded frame had data up to its last pixel.

    Args:
        samples: as the library decoded them.
        whole: the stream, from SOI to EOI.
        description: what it says of itself.
        decode: decodes another stream in the same way.

    Raises:
        TruncatedFrameError: it had not.
    """
    if not _ends_suspiciously(samples, description):
        return
    longer = _lengthened(bytes(whole))
    if not np.array_equal(decode(longer), samples):
        raise TruncatedFrameError("the JPEG stream's data ends before its last pixel")


def _ends_suspiciously(samples: Samples, description: StreamDescription) -> bool:
    if description.predictor is not None:
        last = samples[-1, -_BLOCK:].reshape(-1, description.components or 1)
        return description.predictor != 1 or bool((last == last[0]).all(axis=0).any())
    if "progressive" in description.process:
        return True
    rows, columns = samples.shape[:2]
    block = samples[(rows - 1) // _BLOCK * _BLOCK :, (columns - 1) // _BLOCK * _BLOCK :]
    flat = block.reshape(-1, description.components or 1) == 1 << (description.precision or 8) - 1
    ends = flat.all(axis=0)
    # One scan holds all components: where it ends, all are flat, and the first one is soon tested.
    return bool(ends[0] if description.details.get("scans") == 1 else ends.any())


def _lengthened(stream: bytes) -> bytes:
    """Return a stream with more data behind each of its scans."""
    parts: list[bytes] = []
    done, scan = 0, False
    for segment in walk(stream, 0):
        if scan:
            end = segment.start - (2 if segment.marker == EOI else 4)
            parts += [stream[done:end], _FILLER]
            done = end
        scan = segment.marker == SOS
    return b"".join([*parts, stream[done:]])
