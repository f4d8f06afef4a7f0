"""Bit fields of the JPEG XL codestream headers (ISO/IEC 18181-1 6.2)."""

from __future__ import annotations

from dicodec.errors import TruncatedFrameError


class BitReader:
    """Reads bits from the lowest of each byte upwards."""

    def __init__(self, data: bytes, start: int) -> None:
        # Headers without an ICC profile take well under 512 bytes.
        self._data = data[start : start + 512]
        self._value = int.from_bytes(self._data, "little")
        self._at = 0

    def read_bits(self, count: int) -> int:
        """Return the next `count` bits.

        Raises:
            TruncatedFrameError: there are fewer.
        """
        if self._at + count > 8 * len(self._data):
            raise TruncatedFrameError("the JPEG XL stream ends in its headers")
        value = self._value >> self._at & ((1 << count) - 1)
        self._at += count
        return value

    def read_flag(self) -> bool:
        """Return the next bit."""
        return self.read_bits(1) == 1

    def read_u32(self, *choices: tuple[int, int]) -> int:
        """Return a U32 field: two bits choose among (offset, number of bits)."""
        offset, count = choices[self.read_bits(2)]
        return offset + self.read_bits(count)

    def read_u64(self) -> int:
        """Return a U64 field."""
        selector = self.read_bits(2)
        if selector < 3:
            offset, count = ((0, 0), (1, 4), (17, 8))[selector]
            return offset + self.read_bits(count)
        value, shift = self.read_bits(12), 12
        while self.read_flag():
            if shift == 60:
                return value | self.read_bits(4) << shift
            value |= self.read_bits(8) << shift
            shift += 8
        return value

    def read_enum(self) -> int:
        """Return an Enum field."""
        return self.read_u32((0, 0), (1, 0), (2, 4), (18, 6))

    def align(self) -> None:
        """Go to the next byte boundary."""
        self._at = (self._at + 7) // 8 * 8
