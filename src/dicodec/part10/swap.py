"""Reversing byte order within units (PS3.5 7.3)."""

from __future__ import annotations

from array import array

_CODES = {2: "H", 4: "I", 8: "Q"}


def swapped(data: bytes, unit: int) -> bytes:
    """Return the bytes with each unit of 2, 4 or 8 bytes reversed; 1 leaves them as they are.

    Bytes behind the last whole unit stay as they are.
    """
    if unit == 1:
        return data
    whole = len(data) // unit * unit
    units = array(_CODES[unit], data[:whole])
    units.byteswap()
    return units.tobytes() + data[whole:]
