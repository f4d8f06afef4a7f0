"""Prove that a scan of lossless JPEG ends with its image's last samples, from its end alone.

To count the bits of all samples (jpeg_lossless_size) takes half as long as to decode them. Coding
the last few anew and finding just those bits at the end of the scan proves the same: had the scan
ended early, its last bits would be those of earlier samples. If that proves nothing, for example
because samples repeat themselves, the bits have to be counted.
"""

from __future__ import annotations

from collections.abc import Mapping

from dicodec.codecs.base import Samples
from dicodec.codecs.jpeg_lossless_size import LARGEST_CATEGORY, compute_differences
from dicodec.model.late_import import import_late

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    import numpy as np
else:
    np = import_late("numpy")

_CODED = 64
"""Number of samples coded anew, before those that repeat the last one."""
_LAST = 8
"""Number of them that show that they were not made up."""
_MOST_REPEATED = 1 << 16
"""Largest number of samples at the end equal to their predictions; more are counted faster."""
_PAD = 7
"""Bits that fill up the last byte, at most (ISO/IEC 10918-1 F.1.2.3)."""


def ends_with_last_samples(
    samples: Samples, precision: int, predictor: int, codes: Mapping[int, str], data: memoryview
) -> bool:
    """Return True if it is proved that the scan holds all samples; False means nothing.

    Args:
        samples: (rows, columns) or (rows, columns, components), as decoded; all in one scan.
        precision: bits of a sample, 2 to 16.
        predictor: the selection value, 1 to 7.
        codes: the Huffman code of each category, as ones and zeros; one table for all components.
        data: the entropy-coded data, stuffed, up to its last byte.

    If a scan is cut, libjpeg makes up one difference from the bits that are left, then, to the end
    of the row, the one that zeros are the code of, then no differences. The last samples
    that differ from their predictions are not of that form, so some of the coded ones are real,
    those of `first` among them. If others behind them were made up, the bits of `first` would stand
    a second time in the scan, nearer to its end. They do not.
    """
    found = _find_last_differences(samples, precision, predictor)
    if found is None:
        return False
    coded, repeated = found
    written = {difference: _encode_difference(difference, codes) for difference in set(coded)}
    if len(set(coded[1 - _LAST :])) < 2 or "" in written.values():
        return False
    bits = [written[difference] for difference in coded]
    first = "".join(bits[:-_LAST])
    all_bits = first + "".join(bits[-_LAST:]) + codes.get(0, "") * repeated
    end = _read_last_bits(data, len(all_bits) + _PAD)
    at = end.find(first)
    return at >= 0 and end.startswith(all_bits, at) and end.find(first, at + 1) < 0


def _find_last_differences(
    samples: Samples, precision: int, predictor: int
) -> tuple[list[int], int] | None:
    """Return the last differences up to one that is not 0, and the number of zeros after it."""
    rows = 1
    while rows < len(samples):
        # The row above serves predictions only; as the first row it is predicted otherwise.
        tail = compute_differences(samples[-rows - 1 :], precision, predictor)[1:].reshape(-1)
        different = np.flatnonzero(tail)
        if different.size and (end := int(different[-1]) + 1) >= _CODED:
            return tail[end - _CODED : end].tolist(), tail.size - end
        if tail.size > _MOST_REPEATED:
            return None
        rows *= 4
    return None


def _encode_difference(difference: int, codes: Mapping[int, str]) -> str:
    """Return the code of a difference, and the bits that follow it (H.1.2.2); "" without a code."""
    category = abs(difference).bit_length()
    code = codes.get(category, "")
    if not code or category in {0, LARGEST_CATEGORY}:
        return code
    value = difference if difference > 0 else difference + (1 << category) - 1
    return f"{code}{value:0{category}b}"


def _read_last_bits(data: memoryview, count: int) -> str:
    """Return the last bits of entropy-coded data, without stuffing, or all if there are fewer."""
    size = count // 8 + 1
    # Half of the bytes are stuffing at most. A pair torn at the start is not among the last bits.
    plain = bytes(data[-2 * size :]).replace(b"\xff\0", b"\xff")[-size:]
    return f"{int.from_bytes(plain):0{8 * len(plain)}b}"[-count:]
