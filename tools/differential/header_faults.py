"""Faults of the differential fuzzer that concern elements: VRs, lengths, order, character sets."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from random import Random

from differential.drafts import Draft, Node
from differential.pixel_faults import Fault
from helpers.made import EXPLICIT_BE, IMPLICIT_LE

CHARACTER_SET = 0x00080005
_STRUCTURAL = {0x00080016, 0x00080018, CHARACTER_SET, 0x0020000D, 0x0020000E}
_TEXT = ("SH", "LO", "LT", "ST", "UT", "CS", "PN", "UC")


def _all(nodes: list[Node], path: tuple[int, ...] = ()) -> Iterator[tuple[Node, int]]:
    """Give every element with the first tag of its path."""
    for node in nodes:
        first = path[0] if path else node.tag
        yield node, first
        for inner in node.items or ():
            yield from _all(inner, (first,))


def _pick(draft: Draft, random: Random, *vrs: str) -> Node | None:
    """Choose an element of one of the VRs, at any depth, and note it as touched."""
    found = [
        (node, first)
        for node, first in _all(draft.nodes)
        if (not vrs or node.vr in vrs)
        and first >> 16 not in {0x0028, 0x0088, 0x7FE0}
        and node.tag not in _STRUCTURAL
        and node.raw is None
    ]
    if not found:
        return None
    node, first = random.choice(found)
    draft.touched.add(first)
    return node


def other_vr(draft: Draft, random: Random) -> str:
    """State a VR of another kind, with a value that fits the VR stated."""
    node = _pick(draft, random, "DS", "IS", "FD", "US", "SH", "LO", "LT", "CS")
    if node is None or draft.syntax == IMPLICIT_LE:
        return ""
    old = node.vr
    if old in {"DS", "IS"} and b"\\" not in node.value:
        number = float(node.value)
        node.vr = random.choice(("FD", "FL", "SL") if number == int(number) else ("FD", "FL"))
        forms = {"FD": "<d", "FL": "<f", "SL": "<l"}
        whole = node.vr == "SL"
        node.value = struct.pack(forms[node.vr], int(number) if whole else number)
    elif old == "FD":
        node.vr, node.value = "DS", str(struct.unpack("<d", node.value)[0]).encode()
    elif old == "US" and len(node.value) == 2:
        node.vr, node.value = "IS", str(struct.unpack("<H", node.value)[0]).encode()
    elif old in _TEXT:
        node.vr = random.choice([one for one in _TEXT if one != old])
    else:
        return ""
    return f"{node.tag:08x} as {node.vr} for {old}"


def no_vr(draft: Draft, random: Random) -> str:
    """State letters that are no VR."""
    node = _pick(draft, random)
    if node is None or draft.syntax == IMPLICIT_LE:
        return ""
    node.stated = random.choice((b"??", b"\0\0", b"XX", b"OX", b"  ", node.vr.lower().encode()))
    return f"{node.tag:08x} as {node.stated!r}"


def as_un(draft: Draft, random: Random) -> str:
    """State UN for an element whose VR is known."""
    node = _pick(draft, random)
    if node is None or draft.syntax == IMPLICIT_LE:
        return ""
    if node.items is not None:
        node.stated = b"UN"
    elif draft.syntax == EXPLICIT_BE and node.vr not in {*_TEXT, "DS", "IS", "UI", "DA", "TM"}:
        return ""
    else:
        node.vr = "UN"
    return f"{node.tag:08x} as UN"


def wrong_length(draft: Draft, random: Random) -> str:
    """State a length that is too short or too long, of an element, item or sequence."""
    node = _pick(draft, random, *random.choice((("SQ",), ())))
    if node is None:
        return ""
    draft.derailed = True
    wrong = random.choice((-24, -16, -8, -2, 2, 8, 24))
    if node.items is not None:
        node.undefined = False
        if node.items and random.random() < 0.5:
            node.item_longer = wrong
        else:
            node.longer = wrong
    else:
        node.longer = wrong
    return f"{node.tag:08x} length {wrong:+d}"


def odd_length(draft: Draft, random: Random) -> str:
    """Leave a pad byte out."""
    node = _pick(draft, random, *_TEXT, "OB", "IS", "DS")
    if node is None or len(node.value) % 2 == 0:
        return ""
    node.odd = True
    return f"{node.tag:08x} of odd length"


def other_order(draft: Draft, random: Random) -> str:
    """Write one element in the other byte order, or all from one on."""
    if draft.syntax == IMPLICIT_LE:
        return ""
    node = _pick(draft, random)
    if node is None:
        return ""
    node.swapped = True
    draft.derailed = True
    return f"{node.tag:08x} in the other byte order"


def without_vr(draft: Draft, random: Random) -> str:
    """Write an element of an explicit file in implicit VR."""
    node = _pick(draft, random)
    if node is None or draft.syntax == IMPLICIT_LE:
        return ""
    node.implicit = True
    draft.derailed = True
    return f"{node.tag:08x} in implicit VR"


def stray_delimiter(draft: Draft, random: Random) -> str:
    """Put a delimiter behind an element."""
    node = _pick(draft, random)
    if node is None:
        return ""
    big = draft.syntax == EXPLICIT_BE
    draft.derailed = True
    element = random.choice((0xE00D, 0xE0DD))
    node.after = struct.pack(">HHI" if big else "<HHI", 0xFFFE, element, 0)
    return f"{element:04x} behind {node.tag:08x}"


def no_delimiter(draft: Draft, random: Random) -> str:
    """Leave the delimiter of a sequence out."""
    node = _pick(draft, random, "SQ")
    if node is None or not node.undefined:
        return ""
    node.no_end = True
    draft.derailed = True
    return f"{node.tag:08x} without its delimiter"


def wrong_character_set(draft: Draft, random: Random) -> str:
    """State another character set, or none, or one that is none."""
    value = random.choice((b"ISO_IR 999", b"ISO_IR 100", b"utf-8", b"ISO_IR 192", b""))
    draft.put(CHARACTER_SET, "CS", value)
    draft.touched.update({0x00081030, 0x00104000, 0x00091006, 0x00082218, CHARACTER_SET})
    return f"Specific Character Set {value.decode()!r}"


def unordered(draft: Draft, random: Random) -> str:
    """Put an element before the others, or give one twice."""
    movable = [node for node in draft.nodes if 0x00100000 < node.tag < 0x00280000]
    if not movable:
        return ""
    node = random.choice(movable)
    if random.random() < 0.5:
        draft.nodes.remove(node)
        draft.nodes.insert(0, node)
        return f"{node.tag:08x} comes first"
    draft.nodes.insert(draft.nodes.index(node), node)
    return f"{node.tag:08x} twice"


def group_length(draft: Draft, random: Random) -> str:
    """Put a retired group length in."""
    group = random.choice((0x0008, 0x0010, 0x0020))
    draft.put(group << 16, "UL", struct.pack("<I", random.randrange(5000)))
    draft.touched.add(group << 16)
    return f"a group length of {group:04x}"


def no_preamble(draft: Draft, _random: Random) -> str:
    """Leave preamble and prefix out."""
    draft.preamble = False
    return "no preamble"


def trailing(draft: Draft, random: Random) -> str:
    """Put bytes behind the data set."""
    draft.tail = random.choice((bytes(8), bytes(700), b"\r\n", b"\xff" * 12))
    return f"{len(draft.tail)} bytes behind the data set"


HEADER_FAULTS: tuple[Fault, ...] = (
    other_vr, other_vr, no_vr, as_un, as_un, wrong_length, wrong_length, odd_length, other_order,
    without_vr, stray_delimiter, no_delimiter, wrong_character_set, unordered, group_length,
    no_preamble, trailing,
)  # fmt: skip
