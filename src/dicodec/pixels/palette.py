"""Palette Color Lookup Tables (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6, C.7.9.2) and their application."""

from __future__ import annotations

from collections.abc import Sequence

from dicodec.errors import MalformedFileError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass
from dicodec.pixels.photometric import PhotometricStep

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")

PALETTE_COLOR = "PALETTE COLOR"
_COLORS = ("red", "green", "blue")
_ALL_ENTRIES = 1 << 16


@dataclass(frozen=True, slots=True)
class ColorTable:
    """One of the three tables, expanded.

    Attributes:
        first_mapped: the sample that the first entry is for; smaller samples get that entry too,
            and samples past the last entry get the last.
        entries: 0 to 255 or 0 to 65535.
    """

    first_mapped: int
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Palette:
    """The tables of a data set.

    Attributes:
        tables: red, green, blue.
        bits: of the entries, 8 or 16.
        notes: sentences: each oddity of the tables, and the reading taken.
    """

    tables: tuple[ColorTable, ColorTable, ColorTable]
    bits: int
    notes: tuple[str, ...] = ()

    def reduce(self) -> Palette:
        """Return the tables with the upper 8 of 16 bits."""
        red, green, blue = (
            ColorTable(table.first_mapped, tuple(entry >> 8 for entry in table.entries))
            for table in self.tables
        )
        return Palette((red, green, blue), 8, self.notes)

    @property
    def reducible(self) -> bool:
        """Whether 8 bits hold all of the entries: their lower byte is 0 or repeats the upper.

        All entries in the same way, because 8-bit values were scaled by 256 or by 257.
        """
        entries = [entry for table in self.tables for entry in table.entries]
        return not any(entry & 0xFF for entry in entries) or all(
            entry & 0xFF == entry >> 8 for entry in entries
        )


def make_color_table(
    color: str,
    descriptor: tuple[int, int, int],
    words: Sequence[int],
    data: bytes,
    *,
    segmented: bool,
) -> tuple[ColorTable, int, str]:
    """Return a table, the bits of its entries, and a note on its oddity; "" if it has none.

    Args:
        color: its name, for messages.
        descriptor: number of entries (0 for 65536), first mapped sample, bits of an entry.
        words: the data as 16-bit numbers.
        data: the same as bytes, the lower one of each word first.
        segmented: whether the data are segments.

    Raises:
        MalformedFileError: the table is empty, or a segment is malformed.
    """
    entries, first, bits = descriptor
    entries = entries or _ALL_ENTRIES
    numbers: Sequence[int]
    if segmented:
        wide = bits > 8
        numbers = _expand(words if wide else data, color, 2 if wide else 1)
    else:
        packed = len(data) in {entries, entries + 1}  # a byte each, and one to fill a word
        wide = len(data) >= 2 * entries or (bits > 8 and not packed)
        numbers = words if wide else data
    note = ""
    if len(numbers) < entries:
        note = f"the {color} table has {len(numbers)} of {entries} entries; the last is repeated"
    if not numbers:
        raise MalformedFileError(f"the {color} Palette Color Lookup Table is empty")
    table = ColorTable(first, tuple(numbers[:entries]))
    return table, 16 if (wide and bits > 8) or max(table.entries) > 0xFF else 8, note


def make_palette(tables: Sequence[tuple[ColorTable, int, str]], bits_said: int) -> Palette:
    """Put three tables together; entries in the lower bytes only have 8 bits in any case.

    Args:
        tables: as `make_color_table` returns them: red, green, blue.
        bits_said: bits of an entry as the descriptors say.
    """
    notes = [note for _, _, note in tables if note]
    bits = max(bits for _, bits, _ in tables)
    red, green, blue = (table for table, _, _ in tables)
    largest = max(max(table.entries) for table in (red, green, blue))
    if bits == 16 and largest <= 0xFF:
        bits = 8
        notes.append(f"the tables are said to have {bits_said} bits and have 8")
    elif bits == 16 and 8 < bits_said < 16 and largest < 1 << bits_said:
        red, green, blue = (
            ColorTable(one.first_mapped, tuple(e << (16 - bits_said) for e in one.entries))
            for one in (red, green, blue)
        )
    elif bits == 16 and bits_said <= 8:
        notes.append(f"the tables are said to have {bits_said} bits and have 16")
    return Palette((red, green, blue), bits, tuple(notes))


def make_palette_steps(tables: Palette) -> tuple[PhotometricStep, ...]:
    """Return the steps from PALETTE COLOR to RGB, the exact one first."""
    if tables.bits == 8:
        return (_make_step(tables, rounds=False, how=""),)
    if tables.reducible:
        how = "the tables' 16 bits hold no more"
        return (_make_step(tables.reduce(), rounds=False, how=how),)
    how = "the upper half of the tables' 16 bits"
    return (
        _make_step(tables, rounds=False, how=""),
        _make_step(tables.reduce(), rounds=True, how=how),
    )


def _make_step(tables: Palette, *, rounds: bool, how: str) -> PhotometricStep:
    return PhotometricStep(PALETTE_COLOR, "RGB", rounds, _Lookup(tables), tables.bits, how)


@dataclass(frozen=True, slots=True)
class _Lookup:
    """Turns samples into colors."""

    palette: Palette

    def __call__(self, samples: NDArray[Any], _: ImagePixelDescription) -> NDArray[Any]:

        colors = np.empty((*samples.shape, 3), f"<u{self.palette.bits // 8}")
        wide = samples.astype(np.int64)
        for plane, table in enumerate(self.palette.tables):
            entries = np.array(table.entries, colors.dtype)
            places = np.clip(wide - table.first_mapped, 0, len(entries) - 1)
            colors[..., plane] = entries[places]
        return colors


def _interpolate(start: int, end: int, count: int) -> list[int]:
    """Return `count` entries after `start` on a straight line to `end`, rounded to nearest."""
    return [start + (2 * (end - start) * n + count) // (2 * count) for n in range(1, count + 1)]


def _expand(numbers: Sequence[int], color: str, size: int) -> list[int]:
    """Return the entries that segments stand for (C.7.9.2); a number has `size` bytes."""
    expansion = _Expansion(numbers, color, size)
    expansion.run(0, None, nested=False)
    return expansion.entries


class _Expansion:
    """Expands segments; an indirect segment repeats others, which may not be indirect."""

    def __init__(self, numbers: Sequence[int], color: str, size: int) -> None:
        self._numbers = numbers
        self._color = color
        self._size = size
        self.entries: list[int] = []

    def run(self, place: int, segments: int | None, *, nested: bool) -> None:
        """Expand so many segments from a place on, or all; a single last number is padding."""
        while segments != 0 and place + 2 <= len(self._numbers):
            opcode, count = self._numbers[place], self._numbers[place + 1]
            place += 2
            if opcode == 0:
                self._take(self._read(place, count))
                place += count
            elif opcode == 1 and self.entries:
                self._take(_interpolate(self.entries[-1], self._read(place, 1)[0], count))
                place += 1
            elif opcode == 2 and not nested:
                place = self._repeat(place, count)
            else:
                raise self._make_error(f"a segment of kind {opcode} at {place - 2}")
            segments = None if segments is None else segments - 1
        if segments:
            raise self._make_error("an indirect segment that reaches past the end")

    def _repeat(self, place: int, count: int) -> int:
        """Expand earlier segments again; the offset counts bytes, its lower part comes first."""
        parts = self._read(place, 4 // self._size)
        offset = sum(part << 8 * self._size * n for n, part in enumerate(parts))
        if count:
            self.run(offset // self._size, count, nested=True)
        return place + len(parts)

    def _read(self, place: int, count: int) -> Sequence[int]:
        found = self._numbers[place : place + count]
        if len(found) < count:
            raise self._make_error("a segment that is cut short")
        return found

    def _take(self, entries: Sequence[int]) -> None:
        self.entries += entries
        if len(self.entries) > _ALL_ENTRIES:
            raise self._make_error("more entries than a table can have")

    def _make_error(self, fault: str) -> MalformedFileError:
        return MalformedFileError(
            f"the segmented {self._color} Palette Color Lookup Table has {fault}"
        )
