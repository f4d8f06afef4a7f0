"""Files in parts: elements, fragments and offsets, each of which a fault can change alone."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from helpers.data_set_bytes import LONG
from helpers.made import (
    DEFLATED,
    EXPLICIT_BE,
    IMPLICIT_LE,
    PIXEL_DATA,
    encode_elements,
    file_head,
)

type Samples = NDArray[Any]

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.7"
UNDEFINED = 0xFFFFFFFF


@dataclass
class Node:
    """One element, and the ways in which it is written wrongly.

    Attributes:
        tag, vr: what it is.
        value: little endian bytes, as `encode_elements` takes them.
        items: of a sequence; None for another VR.
        undefined: whether sequence and items have undefined length.
        stated: the letters that are written in place of the VR.
        longer: what the stated length has too much, or too little.
        item_longer: the same of a sequence's first item.
        swapped: whether it is in the other byte order than the file.
        implicit: whether it lacks the VR in an explicit file.
        odd: whether the pad byte is left out.
        no_end: whether a sequence of undefined length lacks its delimiter.
        after: bytes behind it.
        raw: the whole element, if it is made already.
    """

    tag: int
    vr: str
    value: bytes = b""
    items: list[list[Node]] | None = None
    undefined: bool = False
    stated: bytes = b""
    longer: int = 0
    item_longer: int = 0
    swapped: bool = False
    implicit: bool = False
    odd: bool = False
    no_end: bool = False
    after: bytes = b""
    raw: bytes | None = None

    def written(self, *, explicit: bool, big: bool) -> bytes:
        """Return the element's bytes, wrong where a fault says so."""
        if self.raw is not None:
            return self.raw
        explicit = explicit and not self.implicit
        big ^= self.swapped
        if self.items is not None:
            return self._sequence(explicit=explicit, big=big) + self.after
        plain = encode_elements([(self.tag, self.vr, self.value)], explicit=True, big_endian=big)
        value = plain[12 if self.vr in LONG else 8 :]
        if self.odd and len(self.value) % 2:
            value = value[:-1]
        return self._header(len(value) + self.longer, explicit, big) + value + self.after

    def _header(self, length: int, explicit: bool, big: bool) -> bytes:
        order = ">" if big else "<"
        start = struct.pack(order + "HH", self.tag >> 16, self.tag & 0xFFFF)
        if not explicit:
            return start + struct.pack(order + "I", length & UNDEFINED)
        letters = self.stated or self.vr.encode()
        if self.vr in LONG or letters.decode("latin-1") in LONG:
            return start + letters + struct.pack(order + "HI", 0, length & UNDEFINED)
        return start + letters + struct.pack(order + "H", length & 0xFFFF)

    def _sequence(self, *, explicit: bool, big: bool) -> bytes:
        assert self.items is not None
        inside = explicit and self.stated != b"UN"  # PS3.5 6.2.2: implicit VR little endian
        big = big and self.stated != b"UN"
        parts = []
        for number, nodes in enumerate(self.items):
            content = b"".join(node.written(explicit=inside, big=big) for node in nodes)
            if self.undefined:
                content = _marker(0xE000, UNDEFINED, big) + content + _marker(0xE00D, 0, big)
            else:
                wrong = self.item_longer if number == 0 else 0
                content = _marker(0xE000, (len(content) + wrong) & UNDEFINED, big) + content
            parts.append(content)
        value = b"".join(parts)
        if not self.undefined:
            return self._header(len(value) + self.longer, explicit, big) + value
        end = b"" if self.no_end else _marker(0xE0DD, 0, big)
        return self._header(UNDEFINED, explicit, big) + value + end


def _marker(element: int, length: int, big: bool) -> bytes:
    return struct.pack(">HHI" if big else "<HHI", 0xFFFE, element, length)


@dataclass
class Encapsulation:
    """Pixel Data in fragments.

    Attributes:
        frames: the fragments of each frame.
        offsets: the Basic Offset Table; None has it made right, an empty list leaves it empty.
        extended: whether there is an Extended Offset Table; the basic one is then empty.
        table_item: False leaves the table's item out.
        end: False leaves the delimiter out.
    """

    frames: list[list[bytes]]
    offsets: list[int] | None = None
    extended: list[int] | None = None
    lengths: list[int] | None = None
    table_item: bool = True
    end: bytes = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)

    def starts(self) -> list[int]:
        """Return the offset of each frame's first item."""
        found, position = [], 0
        for fragments in self.frames:
            found.append(position)
            position += sum(8 + len(one) + len(one) % 2 for one in fragments)
        return found

    def fragment_starts(self) -> list[int]:
        """Return the offset of every item, and the end."""
        found, position = [], 0
        for one in (fragment for frame in self.frames for fragment in frame):
            found.append(position)
            position += 8 + len(one) + len(one) % 2
        return [*found, position]

    def written(self) -> bytes:
        """Return the element."""
        offsets = self.starts() if self.offsets is None else self.offsets
        if self.extended is not None and self.offsets is None:
            offsets = []
        table = struct.pack(f"<{len(offsets)}I", *offsets)
        parts = [struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, UNDEFINED)]
        if self.table_item:
            parts += [_marker(0xE000, len(table), False), table]
        for fragment in (one for frame in self.frames for one in frame):
            padded = fragment + b"\0" * (len(fragment) % 2)
            parts += [_marker(0xE000, len(padded), False), padded]
        return b"".join(parts) + self.end


@dataclass
class Draft:
    """A file in parts, and what is true of it.

    Attributes:
        family: short name of the transfer syntax that its pixels are in.
        syntax: UID that File Meta Information states.
        nodes: the elements but Pixel Data, in the order they are written in.
        samples: the right samples, (frames, rows, columns[, samples]), in `photometric`.
        lossy: whether the streams are; the samples are then what other readers find in them.
        pixels: in fragments; None if they are native.
        native: the value of native Pixel Data, little endian.
        icon: the samples of the icon; empty without one.
        ambiguous: whether a fault left more than one way to read the samples.
        touched: tags of the first level in which a fault made something wrong or doubtful.
        derailed: whether a fault may lead a reader astray in the elements that follow it.
        cut: bytes that are missing at the end. tail: bytes that follow.
        preamble: False leaves preamble and prefix out.
    """

    family: str
    syntax: str
    nodes: list[Node]
    samples: Samples
    photometric: str
    bits_allocated: int
    lossy: bool = False
    pixels: Encapsulation | None = None
    native: bytes = b""
    pixel_vr: str = "OW"
    stated_pixel_vr: bytes = b""
    icon: bytes = b""
    ambiguous: bool = False
    touched: set[int] = field(default_factory=set)
    derailed: bool = False
    cut: int = 0
    tail: bytes = b""
    preamble: bool = True

    @property
    def encapsulated(self) -> bool:
        """Whether Pixel Data is in fragments."""
        return self.pixels is not None

    def node(self, tag: int) -> Node | None:
        """Return an element of the data set."""
        return next((node for node in self.nodes if node.tag == tag), None)

    def put(self, tag: int, vr: str, value: bytes) -> None:
        """Set an element's value, or add it."""
        if (node := self.node(tag)) is not None:
            node.value = value
            return
        self.nodes.append(Node(tag, vr, value))
        self.nodes.sort(key=lambda one: one.tag)

    def content(self) -> bytes:
        """Return the file."""
        explicit, big = self.syntax != IMPLICIT_LE, self.syntax == EXPLICIT_BE
        before = [node for node in self.nodes if node.tag < PIXEL_DATA]
        after = [node for node in self.nodes if node.tag > PIXEL_DATA]
        pixels = self._pixel_element(explicit=explicit, big=big)
        data_set = b"".join(
            [
                *(node.written(explicit=explicit, big=big) for node in before),
                pixels,
                *(node.written(explicit=explicit, big=big) for node in after),
            ]
        )
        data_set = data_set[: len(data_set) - self.cut] + self.tail
        if self.syntax == DEFLATED:
            deflater = zlib.compressobj(wbits=-15)
            data_set = deflater.compress(data_set) + deflater.flush()
            data_set += b"\0" * (len(data_set) % 2)
        uid = self.node(0x00080018)
        assert uid is not None
        head = file_head(self.syntax, SOP_CLASS, uid.value.decode())
        return (head if self.preamble else head[132:]) + data_set

    def _pixel_element(self, *, explicit: bool, big: bool) -> bytes:
        if self.pixels is not None:
            element = self.pixels.written()
        else:
            element = encode_elements(
                [(PIXEL_DATA, self.pixel_vr, self.native)],
                explicit=explicit,
                big_endian=big,
                ow_unit=2 if self.bits_allocated <= 16 else self.bits_allocated // 8,
            )
        if explicit and self.stated_pixel_vr:
            element = element[:4] + self.stated_pixel_vr + element[6:]
        return element
