"""Count the bits that lossless JPEG takes for an image's samples (ISO/IEC 10918-1 H.1.2).

Each sample is predicted, and its difference coded as the Huffman code of a category, which is the
number of bits of the difference's magnitude, and that many bits more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dicodec.codecs.base import Samples
from dicodec.model.late_import import import_late

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")

type _Numbers = NDArray[np.int32]

_LONGEST_CODE = 16
LARGEST_CATEGORY = 16
"""The difference 32768 alone, so no bits follow it (H.1.2.2)."""
_BIAS = 126
"""1, of category 1, has exponent 127 (IEEE 754, binary32)."""

_PREDICTIONS: dict[int, Callable[[_Numbers, _Numbers, _Numbers], _Numbers]] = {
    2: lambda left, above, corner: above,  # noqa: ARG005
    3: lambda left, above, corner: corner,  # noqa: ARG005
    4: lambda left, above, corner: left + above - corner,
    5: lambda left, above, corner: left + (above - corner >> 1),
    6: lambda left, above, corner: above + (left - corner >> 1),
    7: lambda left, above, corner: left + above >> 1,  # noqa: ARG005
}
"""By selection value (Table H.1); 1 is the sample to the left, and has a shorter way."""


def parse_huffman_codes(table: bytes) -> dict[int, str] | None:
    """Return each category's code as ones and zeros, from a table as DHT gives it (B.2.4.2, C.2).

    Args:
        table: 16 counts of codes by length, then the categories.

    Returns:
        None if the table is malformed, or is several tables.
    """
    counts, categories = table[:_LONGEST_CODE], table[_LONGEST_CODE:]
    if len(counts) < _LONGEST_CODE or sum(counts) != len(categories):
        return None
    if any(category > LARGEST_CATEGORY for category in categories):
        return None
    lengths = [length for length, count in enumerate(counts, 1) for _ in range(count)]
    codes: dict[int, str] = {}
    code = before = 0
    for category, length in zip(categories, lengths, strict=True):
        code <<= length - before
        if code >= 1 << length:
            return None
        codes[category] = f"{code:0{length}b}"
        code, before = code + 1, length
    return codes


def count_bits(samples: Samples, precision: int, predictor: int, codes: Mapping[int, str]) -> int:
    """Return the bits of entropy-coded data that samples take, without stuffing and padding.

    Args:
        samples: (rows, columns) or (rows, columns, components), unsigned; all in one scan.
        precision: bits of a sample, 2 to 16.
        predictor: the selection value, 1 to 7.
        codes: of the categories; one table for all components. A difference of another category
            takes more than any code.
    """
    numbers = compute_differences(samples, precision, predictor).astype(np.float32)
    # A number's exponent tells its bits, and bytes are looked up faster than words. The sign is
    # the ninth bit then, and is dropped.
    exponents = (numbers.view(np.uint32) >> 23).astype(np.uint8)
    sizes = exponents.tobytes().translate(_list_sizes(codes))
    return int(np.frombuffer(sizes, np.uint8).sum(dtype=np.uint64))


def _list_sizes(codes: Mapping[int, str]) -> bytes:
    """Return the bits of a sample, by the exponent of its difference as a 32-bit float."""
    sizes = bytearray(b"\xff" * 256)
    for category, code in codes.items():
        exponent = _BIAS + category if category else 0
        sizes[exponent] = len(code) + (category if category != LARGEST_CATEGORY else 0)
    return bytes(sizes)


def compute_differences(samples: Samples, precision: int, predictor: int) -> NDArray[np.int16]:
    """Return the differences from the predictions, modulo 2^16 (H.1.2.1)."""
    words: NDArray[Any] = samples.astype(np.uint16, copy=False)
    found = np.empty(words.shape, np.uint16)
    np.subtract(words[:, 1:], words[:, :-1], out=found[:, 1:])  # the first row, in any case
    np.subtract(words[1:, 0], words[:-1, 0], out=found[1:, 0])
    found[:1, 0] = words[:1, 0] - np.uint16(1 << precision - 1)
    if predictor != 1:
        numbers = words.astype(np.int32)
        left, above, corner = numbers[1:, :-1], numbers[:-1, 1:], numbers[:-1, :-1]
        predicted = _PREDICTIONS[predictor](left, above, corner)
        found[1:, 1:] = (numbers[1:, 1:] - predicted).astype(np.uint16)
    return found.view(np.int16)
