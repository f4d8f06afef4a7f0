"""Faults of the differential fuzzer that concern pixels: fragments, tables, counts, labels."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

from dicodec.model.transfer_syntax import find_by_name
from differential.drafts import Draft, Node
from differential.made_files import LOSSLESS, NATIVE, cut_anywhere

type Fault = Callable[[Draft, Random], str]
"""Changes a draft and says how; "" if it does not apply."""

FRAMES, BITS_STORED, HIGH_BIT, SIGN = 0x00280008, 0x00280101, 0x00280102, 0x00280103
PHOTOMETRIC, PLANAR = 0x00280004, 0x00280006


def wrong_table(draft: Draft, random: Random) -> str:
    """Put a Basic Offset Table in that is wrong: on fragment borders, or anywhere."""
    pixels = draft.pixels
    if pixels is None:
        return ""
    starts, borders = pixels.starts(), pixels.fragment_starts()
    kind = random.choice(("borders", "fewer", "more", "shifted", "anywhere", "same", "swapped"))
    if kind == "borders":
        inner = borders[1:-1]
        if not inner:
            return ""
        count = min(len(inner), max(1, len(starts) - 1 + random.choice((-1, 0, 1))))
        offsets = [0, *sorted(random.sample(inner, count))]
    elif kind == "fewer":
        offsets = starts[:-1]
    elif kind == "more":
        offsets = [*starts, borders[-1]]
    elif kind == "shifted":
        offsets = [start + random.choice((8, 16, -8)) for start in starts]
    elif kind == "anywhere":
        offsets = sorted(2 * random.randrange(borders[-1]) for _ in starts)
    elif kind == "same":
        offsets = [0] * len(starts)
    else:
        offsets = starts[::-1]
    offsets = [max(0, one) for one in offsets]
    if offsets == starts or not offsets:
        return ""
    pixels.offsets = offsets
    return f"offset table {kind}: {offsets} for {starts}"


def wrong_extended_table(draft: Draft, random: Random) -> str:
    """Make the Extended Offset Table or its lengths wrong, or leave the lengths out."""
    node, lengths = draft.node(0x7FE00001), draft.node(0x7FE00002)
    if node is None or lengths is None or draft.pixels is None:
        return ""
    kind = random.choice(("offsets", "lengths", "no lengths", "beside a basic one"))
    if kind == "offsets":
        found = draft.pixels.starts()
        node.value = struct.pack(f"<{len(found)}Q", *[one + 8 for one in found])
    elif kind == "lengths":
        count = len(lengths.value) // 8
        lengths.value = struct.pack(f"<{count}Q", *(random.randrange(1, 99) for _ in range(count)))
    elif kind == "no lengths":
        draft.nodes.remove(lengths)
    else:
        draft.pixels.offsets = draft.pixels.starts()
    return f"extended offset table: {kind}"


def wrong_frame_count(draft: Draft, random: Random) -> str:
    """State another Number of Frames, or none, or zero."""
    true = len(draft.samples)
    stated = random.choice((true - 1, true + 1, 0, 1, 2 * true, -1))
    if stated == true or (stated == -1 and true == 1):
        return ""
    draft.touched.add(FRAMES)
    node = draft.node(FRAMES)
    if stated == -1 and node is not None:
        draft.nodes.remove(node)
        return "no Number of Frames"
    draft.put(FRAMES, "IS", str(stated).encode())
    draft.ambiguous = draft.ambiguous or draft.pixels is None
    return f"Number of Frames {stated} for {true}"


def cut_fragments(draft: Draft, random: Random) -> str:
    """Cut frames into fragments anywhere, where that is not allowed too."""
    if draft.pixels is None or any(len(frame) > 1 for frame in draft.pixels.frames):
        return ""
    frames = draft.pixels.frames
    if min(len(frame[0]) for frame in frames) < 8:
        return ""
    draft.pixels.frames = [
        cut_anywhere(frame[0], random) if random.random() < 0.7 else frame for frame in frames
    ]
    if random.random() < 0.5:
        draft.pixels.offsets = []
    return f"fragments {[len(frame) for frame in draft.pixels.frames]}"


def empty_fragments(draft: Draft, random: Random) -> str:
    """Put an empty fragment behind one of a frame, or before all."""
    if draft.pixels is None:
        return ""
    frame = random.choice(draft.pixels.frames)
    at = random.randint(1, len(frame))
    frame.insert(at, b"")
    return "an empty fragment"


def padded_fragments(draft: Draft, random: Random) -> str:
    """Put zeros behind each frame's last fragment."""
    if draft.pixels is None:
        return ""
    zeros = bytes(2 * random.randint(1, 10))
    for frame in draft.pixels.frames:
        frame[-1] += b"\0" * (len(frame[-1]) % 2) + zeros
    return f"{len(zeros)} zeros behind each frame"


def no_table_item(draft: Draft, _random: Random) -> str:
    """Leave the item of the offset table out."""
    if draft.pixels is None:
        return ""
    draft.pixels.table_item = False
    return "no item of an offset table"


def other_end(draft: Draft, random: Random) -> str:
    """Have no Sequence Delimitation Item, or another thing in its place."""
    if draft.pixels is None:
        return ""
    end = random.choice((b"", bytes(8), struct.pack("<HHI", 0xFFFE, 0xE00D, 0)))
    draft.pixels.end = end
    if end != struct.pack("<HHI", 0xFFFE, 0xE00D, 0):
        _drop_last(draft)
    return f"fragments end in {end.hex() or 'nothing'}"


def _drop_last(draft: Draft) -> None:
    """Leave out what follows Pixel Data."""
    draft.nodes = [node for node in draft.nodes if node.tag < 0x7FE10000]
    draft.touched.update({0x7FE10010, 0x7FE11001})


def cut_file(draft: Draft, random: Random) -> str:
    """Cut the end of the file off."""
    draft.cut = random.choice((1, 2, 7, 20, 60))
    draft.ambiguous = True
    _drop_last(draft)
    return f"{draft.cut} bytes cut off"


def native_length(draft: Draft, random: Random) -> str:
    """Give native Pixel Data a few bytes more or less."""
    if draft.pixels is not None:
        return ""
    more = random.choice((-2, -1, 1, 2, 40))
    if more < 0:
        draft.native = draft.native[:more]
        draft.ambiguous = True
    else:
        frame = draft.samples[0].size * draft.bits_allocated
        draft.native += bytes(more)
        draft.ambiguous |= len(draft.native) * 8 >= frame * (len(draft.samples) + 1)
    return f"Pixel Data {more:+d} bytes"


def pixel_vr(draft: Draft, random: Random) -> str:
    """State another VR for Pixel Data."""
    letters = random.choice((b"OB", b"OW", b"UN", b"OX", b"??"))
    if letters == draft.pixel_vr.encode() or (draft.syntax.endswith(".2.2") and letters != b"OW"):
        return ""
    draft.stated_pixel_vr = letters
    # Bytes of OB are in pairs, in big endian those of OW the other way round (PS3.5 7.3).
    draft.ambiguous |= draft.syntax.endswith(".2.2") and draft.bits_allocated <= 8
    return f"Pixel Data as {letters.decode()}"


def wrong_label(draft: Draft, random: Random) -> str:
    """State another transfer syntax of the same kind of data set."""
    name = random.choice((*LOSSLESS, "jpeg", "explicit-le")) if draft.pixels else "rle"
    if name == draft.family or draft.family in NATIVE[:1] + NATIVE[2:]:
        return ""
    syntax = find_by_name(name)
    assert syntax is not None
    draft.syntax = str(syntax.uid)
    draft.ambiguous = True
    return f"labelled {name} for {draft.family}"


def wrong_bits(draft: Draft, random: Random) -> str:
    """State other Bits Stored, High Bit or Pixel Representation."""
    node = draft.node(random.choice((BITS_STORED, HIGH_BIT, SIGN)))
    if node is None:
        return ""
    old = struct.unpack("<H", node.value)[0]
    new = 1 - old if node.tag == SIGN else max(0, old + random.choice((-4, -1, 1, 4)))
    node.value = struct.pack("<H", new)
    draft.touched.add(node.tag)
    draft.ambiguous = True
    return f"{node.tag:08x} {new} for {old}"


def wrong_photometric(draft: Draft, random: Random) -> str:
    """State another Photometric Interpretation, or a Planar Configuration that streams have not."""
    node = draft.node(PHOTOMETRIC)
    assert node is not None
    if draft.samples.ndim == 4 and random.random() < 0.3 and draft.pixels is not None:
        draft.put(PLANAR, "US", b"\1\0")
        draft.touched.add(PLANAR)
        if draft.family in {"encapsulated-uncompressed", "deflated-frame"}:
            draft.ambiguous = True
        return "Planar Configuration 1"
    kinds = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", "YBR_PARTIAL_422")
    new = random.choice(kinds if draft.samples.ndim == 4 else ("MONOCHROME1", "RGB", "YBR_FULL"))
    old = node.value.decode().strip()
    if new == old:
        return ""
    node.value = new.encode()
    draft.touched.add(PHOTOMETRIC)
    draft.ambiguous = True
    return f"Photometric Interpretation {new} for {old}"


def icon_short(draft: Draft, random: Random) -> str:
    """Make the lengths of the icon's item or sequence short, or the icon empty."""
    node = draft.node(0x00880200)
    if node is None or node.items is None:
        return ""
    kind = random.choice(("item", "sequence", "both", "empty"))
    if kind == "empty":
        node.items[0][-1] = Node(node.items[0][-1].tag, "OB", b"")
        draft.icon = b""
        draft.touched.add(node.tag)
        return "an empty icon"
    node.undefined = False
    wrong = random.choice((-8, -16, -24, 8))
    if kind in {"item", "both"}:
        node.item_longer = wrong
    if kind in {"sequence", "both"}:
        node.longer = wrong
    draft.touched.add(node.tag)
    draft.derailed = True
    return f"icon: {kind} {wrong:+d} bytes"


PIXEL_FAULTS: tuple[Fault, ...] = (
    wrong_table, wrong_table, wrong_extended_table, wrong_frame_count, cut_fragments,
    empty_fragments, padded_fragments, no_table_item, other_end, cut_file, native_length, pixel_vr,
    wrong_label, wrong_bits, wrong_photometric, icon_short,
)  # fmt: skip
