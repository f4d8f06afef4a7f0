"""Read and convert values whose stated VR is of another kind than the dictionary's.

Some writers state FD if the dictionary has DS, or IS if it has US. The stated VR decides the value.
If VRs leave, readers go by the dictionary, so the value has to be converted.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable

from dicodec.errors import MalformedFileError
from dicodec.part10.encoding import IMPLICIT_LITTLE, DataSetEncoding
from dicodec.part10.values import NUMBER_CODES, parse_values
from dicodec.part10.vr import VALUE_REPRESENTATIONS

_FLOATS = frozenset({"FL", "FD"})
_TEXTS_OF_NUMBERS = frozenset({"DS", "IS", "CS", "LO", "LT", "SH", "ST", "UC", "UT"})
"""VRs of text that may hold a number as it is written."""
_DECIMAL = r"[+-]?(\d+\.?\d*|\.\d+)([Ee][+-]?\d+)?"
_LONGEST_DECIMAL = 16
_INTEGER_STRINGS = range(-(2**31), 2**31)
_MOST_VALUES = 1 << 16
"""A longer list is no attribute that some writers state otherwise."""


def is_of_another_kind(stated: str, known: str) -> bool:
    """Whether bytes of one VR make no sense as values of another.

    Text is of one kind, and so are whole numbers of one size. Bytes, words, sequences and UN may be
    anything.

    Args:
        stated: a VR that there is.
        known: the same.
    """
    one, two = _find_kind(stated), _find_kind(known)
    return bool(one and two) and one != two


def _find_kind(vr: str) -> str:
    if vr in NUMBER_CODES:
        return vr if vr in _FLOATS else f"whole numbers of {VALUE_REPRESENTATIONS[vr].swap_unit}"
    row = VALUE_REPRESENTATIONS.get(vr)
    return "text" if row is not None and row.text else ""


def read_stated_number(vr: str, raw: bytes, encoding: DataSetEncoding) -> int | None:
    """Return the first value of an element as a whole number; None if it is not one.

    Args:
        vr: as stated; bytes, words and elements without VR are taken for US.
        raw: the value.
        encoding: of the element; UN is in little endian whatever it is (PS3.5 6.2.2).
    """
    if vr == "UN":
        encoding = IMPLICIT_LITTLE
    if not _find_kind(vr):
        return struct.unpack_from(encoding.order + "H", raw)[0] if len(raw) >= 2 else None
    try:
        first = _read_numbers(vr, raw, encoding)[0]
    except (MalformedFileError, IndexError):
        return None
    return int(first) if math.isfinite(first) and first == int(first) else None


def read_stated_text(vr: str, raw: bytes, encoding: DataSetEncoding) -> str:
    """Return a value as text: bytes above ASCII as Latin-1, binary numbers as they are written.

    Args:
        vr: as stated; "" if none is.
        raw: the value.
        encoding: of the element.
    """
    if vr in NUMBER_CODES:
        try:
            return "\\".join(_format_decimals(vr, _read_numbers(vr, raw, encoding)))
        except MalformedFileError:
            pass
    return raw.strip(b"\0 ").decode("latin-1")


def convert_value(
    raw: bytes, stated: str, known: str, source: DataSetEncoding, target: DataSetEncoding
) -> bytes:
    """Return a value of one VR as a value of another, padded.

    Args:
        raw: the value.
        stated: its VR.
        known: the VR that it gets; of another kind.
        source: encoding of `raw`.
        target: encoding of the result.

    Raises:
        MalformedFileError: the other VR cannot hold it.
    """
    if len(raw) > _MOST_VALUES:
        raise MalformedFileError(f"{len(raw)} bytes of VR {stated} are too many for VR {known}")
    numbers = _read_numbers(stated, raw, source)
    if known not in NUMBER_CODES:
        return _as_text(stated, known, numbers)
    if known not in _FLOATS:
        numbers = tuple(map(_require_whole, numbers))
    try:
        return struct.pack(f"{target.order}{len(numbers)}{NUMBER_CODES[known]}", *numbers)
    except (struct.error, OverflowError) as cause:
        raise MalformedFileError(f"VR {known} cannot hold {numbers}") from cause


def _as_text(stated: str, known: str, numbers: tuple[int | float, ...]) -> bytes:
    if known not in _TEXTS_OF_NUMBERS:
        raise MalformedFileError(f"VR {known} cannot hold numbers")
    if known == "IS":
        numbers = tuple(map(_require_whole, numbers))
        if any(number not in _INTEGER_STRINGS for number in numbers):
            raise MalformedFileError(f"VR IS cannot hold {numbers}")
    text = "\\".join(_format_decimals(stated, numbers)).encode("ascii")
    return text + b" " * (len(text) % 2)


def _read_numbers(vr: str, raw: bytes, encoding: DataSetEncoding) -> tuple[int | float, ...]:
    """Return the values of a VR as numbers.

    Raises:
        MalformedFileError: they are none.
    """
    if vr in NUMBER_CODES:
        return tuple(one for one in parse_values(vr, raw, encoding) if not isinstance(one, str))
    texts = raw.strip(b"\0 ").decode("latin-1").split("\\")
    bare = [text.strip(" \0") for text in texts]
    if bare == [""]:
        return ()
    if not all(map(re.compile(_DECIMAL).fullmatch, bare)):
        raise MalformedFileError(f"a value of VR {vr} is not a number")
    return tuple(int(text) if text.lstrip("+-").isdigit() else float(text) for text in bare)


def _require_whole(number: float) -> int:
    if not math.isfinite(number) or number != int(number):
        raise MalformedFileError(f"{number} is not a whole number")
    return int(number)


def _format_decimals(vr: str, numbers: Iterable[int | float]) -> list[str]:
    """Return numbers as DS has them: the nearest to each that 16 characters can write.

    Raises:
        MalformedFileError: a number is infinite, or not one.
    """
    return [str(one) if isinstance(one, int) else _format_decimal(vr, one) for one in numbers]


def _format_decimal(vr: str, number: float) -> str:
    if not math.isfinite(number):
        raise MalformedFileError(f"{number} cannot be written as text")
    if number == int(number) and abs(number) < 10 ** (_LONGEST_DECIMAL - 1):
        return str(int(number))
    if vr == "FL":  # the fewest digits that give the same 32 bits
        same = struct.pack("<f", number)
        for digits in range(6, 10):
            text = f"{number:.{digits}g}"
            if struct.pack("<f", float(text)) == same:
                return text
    candidates = [repr(number), *(f"{number:.{digits}g}" for digits in range(17, 0, -1))]
    return next(text for text in candidates if len(text) <= _LONGEST_DECIMAL)
