"""Makes right files for the differential fuzzer: an image, its elements, its fragments."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import numpy as np
import pydicom
from pydicom.encaps import generate_frames

from dicodec import convert_bytes
from dicodec.errors import ConversionError
from dicodec.model.transfer_syntax import find_by_name
from differential.drafts import SOP_CLASS, Draft, Encapsulation, Node, Samples
from helpers.made import (
    EXPLICIT_LE,
    IMPLICIT_LE,
    PIXEL_DATA,
    make_file,
    make_samples,
    native_bytes,
)

NATIVE = ("implicit-le", "explicit-le", "explicit-be", "deflated")
LOSSLESS = (
    "encapsulated-uncompressed", "deflated-frame", "rle", "jpeg-lossless-p14", "jpeg-lossless",
    "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless", "htj2k-rpcl", "jpegxl-lossless",
)  # fmt: skip
LOSSY = ("jpeg", "jpeg-extended", "jpeg-ls-near", "jpeg2000", "htj2k", "jpegxl")
ONE_FRAGMENT = {"encapsulated-uncompressed", "deflated-frame", "rle", "jpegxl-lossless", "jpegxl"}
"""Syntaxes whose frames have exactly one fragment (PS3.5 A.4)."""

_TABLES = (0x00281201, 0x00281202, 0x00281203)
ICON, ICON_SIDE = 0x00880200, 8


@dataclass(frozen=True)
class Recipe:
    """The image of a case; fields as in `make_file`."""

    family: str
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    photometric: str
    planar: int
    frames: int
    seed: int


_BITS = ((1, 1), (8, 8), (8, 8), (8, 7), (16, 8), (16, 10), (16, 12), (16, 12), (16, 14), (16, 16),
         (16, 16), (32, 32))  # fmt: skip


def draw_recipe(random: Random) -> Recipe:
    """Draw an image and the family that its file is in."""
    family = random.choice((*NATIVE, *LOSSLESS, *LOSSLESS, *LOSSY))
    samples = random.choice((1, 1, 1, 3))
    allocated, stored = random.choice(_BITS)
    if samples == 3:
        allocated, stored = random.choice(((8, 8), (8, 8), (16, 16), (16, 12)))
    photometric = "RGB"
    if samples == 1:
        photometric = random.choice(("MONOCHROME2", "MONOCHROME2", "MONOCHROME1"))
        if stored == 8 and random.random() < 0.3:
            photometric = "PALETTE COLOR"
    elif stored == 8 and random.random() < 0.3:
        photometric = "YBR_FULL"
    return Recipe(
        family=family,
        rows=random.randint(1, 24),
        columns=random.randint(1, 24),
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        signed=samples == 1 and stored > 1 and photometric[0] == "M" and random.random() < 0.3,
        photometric=photometric,
        planar=int(samples == 3 and random.random() < 0.3),
        frames=random.choice((1, 1, 2, 3, 5)),
        seed=random.randrange(1 << 16),
    )


def draw_draft(random: Random) -> Draft:
    """Draw a right file, with everything a file of its kind may have."""
    recipe = draw_recipe(random)
    plain, samples = _make_plain(recipe, EXPLICIT_LE)
    elements = _elements_of(plain)
    draft = Draft(
        family=recipe.family,
        syntax=_uid(recipe.family),
        nodes=[],
        samples=samples,
        photometric=recipe.photometric,
        bits_allocated=recipe.bits_allocated,
        native=native_bytes(samples, recipe.bits_allocated, recipe.planar),
        pixel_vr="OW" if recipe.bits_allocated > 8 else "OB",
    )
    if recipe.family not in NATIVE:
        try:
            _compress(draft, plain, elements, random)
        except ConversionError:  # this family does not hold such images
            draft.family, draft.syntax = "explicit-le", EXPLICIT_LE
    if draft.syntax == IMPLICIT_LE:
        draft.pixel_vr = "OW"
    draft.nodes = [Node(tag, vr, value) for tag, (vr, value) in sorted(elements.items())]
    for node in _drawn_nodes(random):
        if draft.node(node.tag) is None:
            draft.nodes.append(node)
    if random.random() < 0.4:
        _add_icon(draft, random)
    if draft.pixels is not None and draft.pixels.extended is not None:
        _add_extended(draft)
    draft.nodes.sort(key=lambda node: node.tag)
    return draft


def _uid(name: str) -> str:
    syntax = find_by_name(name)
    assert syntax is not None
    return str(syntax.uid)


def _make_plain(recipe: Recipe, syntax: str) -> tuple[bytes, Samples]:
    fields = {name: value for name, value in vars(recipe).items() if name != "family"}
    return make_file(transfer_syntax=syntax, **fields)


def _elements_of(content: bytes) -> dict[int, tuple[str, bytes]]:
    """Return the elements of a right file but Pixel Data, as pydicom finds them."""
    data_set = pydicom.dcmread(io.BytesIO(content))
    found = {}
    for tag in data_set.keys():  # noqa: SIM118 - elements themselves would be decoded
        raw = data_set.get_item(tag)
        if int(tag) < 0x7FE00000 and raw is not None and raw.VR != "SQ":
            found[int(tag)] = (str(raw.VR), bytes(raw.value or b""))
    return found


def _compress(
    draft: Draft, plain: bytes, elements: dict[int, tuple[str, bytes]], random: Random
) -> None:
    """Have the pixels of a draft in its family: streams, image attributes, fragments."""
    content = convert_bytes(plain, to=draft.family, lossy=draft.family in LOSSY)
    data_set = pydicom.dcmread(io.BytesIO(content))
    count = len(draft.samples)
    streams = list(generate_frames(data_set.PixelData, number_of_frames=count))
    draft.bits_allocated = data_set.BitsAllocated
    if draft.photometric == "PALETTE COLOR" and data_set.SamplesPerPixel == 3:
        tables = [np.frombuffer(elements[tag][1], "<u2") for tag in _TABLES]
        shift = 16 - data_set.BitsStored
        draft.samples = np.stack([table[draft.samples] >> shift for table in tables], axis=-1)
        draft.photometric = "RGB"
    draft.lossy = draft.family in LOSSY
    for tag in [tag for tag in elements if tag >> 16 == 0x0028]:
        del elements[tag]
    elements.update(_elements_of(content))
    draft.pixels = Encapsulation([_fragments(draft.family, one, random) for one in streams])
    kind = random.choice(("basic", "basic", "empty", "extended"))
    if kind == "empty":
        draft.pixels.offsets = []
        if draft.family in ONE_FRAGMENT:
            draft.pixels.frames = [[b"".join(frame)] for frame in draft.pixels.frames]
    elif kind == "extended" and all(len(frame) == 1 for frame in draft.pixels.frames):
        draft.pixels.extended = draft.pixels.starts()
        draft.pixels.lengths = [len(frame[0]) for frame in draft.pixels.frames]


def _fragments(family: str, stream: bytes, random: Random) -> list[bytes]:
    if family in ONE_FRAGMENT or random.random() < 0.5:
        return [stream]
    return cut_anywhere(stream, random)


def cut_anywhere(stream: bytes, random: Random) -> list[bytes]:
    """Return a stream in two to four pieces of even length."""
    inner = range(2, len(stream) - 1, 2)
    cuts = sorted(random.sample(inner, min(len(inner), random.randint(1, 3))))
    borders = [0, *cuts, len(stream)]
    return [stream[a:b] for a, b in pairwise(borders)]


def _add_extended(draft: Draft) -> None:
    assert draft.pixels is not None
    assert draft.pixels.extended is not None
    assert draft.pixels.lengths is not None
    for tag, values in ((0x7FE00001, draft.pixels.extended), (0x7FE00002, draft.pixels.lengths)):
        draft.nodes.append(Node(tag, "OV", struct.pack(f"<{len(values)}Q", *values)))


def _add_icon(draft: Draft, random: Random) -> None:
    pixels = make_samples(ICON_SIDE, ICON_SIDE, 1, 8, False, 1, random.randrange(1 << 16))
    draft.icon = pixels.astype("u1").tobytes()
    nodes = [
        Node(0x00280002, "US", struct.pack("<H", 1)),
        Node(0x00280004, "CS", b"MONOCHROME2"),
        Node(0x00280010, "US", struct.pack("<H", ICON_SIDE)),
        Node(0x00280011, "US", struct.pack("<H", ICON_SIDE)),
        Node(0x00280100, "US", struct.pack("<H", 8)),
        Node(0x00280101, "US", struct.pack("<H", 8)),
        Node(0x00280102, "US", struct.pack("<H", 7)),
        Node(0x00280103, "US", struct.pack("<H", 0)),
        Node(PIXEL_DATA, "OB" if draft.syntax != IMPLICIT_LE else "OW", draft.icon),
    ]
    family = random.choice(("native", draft.family, "rle", "jpeg-lossless", "jpeg-ls"))
    if draft.encapsulated and family not in {"native", *LOSSY, *NATIVE}:
        made, _ = make_file(
            ICON_SIDE, ICON_SIDE, bits_allocated=8, bits_stored=8, pixels=pixels.astype("u1")
        )
        data_set = pydicom.dcmread(io.BytesIO(convert_bytes(made, to=family)))
        stream = next(generate_frames(data_set.PixelData, number_of_frames=1))
        nodes[-1] = Node(PIXEL_DATA, "OB", raw=Encapsulation([[stream]]).written())
        if family != draft.family:
            draft.touched.add(ICON)
    draft.nodes.append(Node(ICON, "SQ", items=[nodes], undefined=random.random() < 0.5))


def _drawn_nodes(random: Random) -> Iterator[Node]:
    """Give elements of many VRs, at the first level and in sequences."""
    text, charset = random.choice(_TEXTS)
    if charset:
        yield Node(0x00080005, "CS", charset)
    yield Node(0x00080020, "DA", b"20261130")
    yield Node(0x00080030, "TM", b"101530.25")
    yield Node(0x00081030, "LO", text)
    yield Node(0x00104000, "LT", text + b"\r\nsecond line")
    yield Node(0x00101020, "DS", b"1.75")
    yield Node(0x00180050, "DS", b"2.50")
    yield Node(0x00200013, "IS", b"12")
    yield Node(0x00200032, "DS", b"-1.5\\2.25\\30")
    yield Node(0x00189073, "FD", struct.pack("<d", 1.5))
    yield Node(0x00189328, "FD", struct.pack("<d", -0.25))
    yield Node(0x00280009, "AT", struct.pack("<HH", 0x0018, 0x1063))
    yield Node(0x00280106, "US", struct.pack("<H", 3))
    yield Node(0x00091002, "OB", b"\1\2\3")
    yield Node(0x00091003, "SS", struct.pack("<h", -77))
    yield Node(0x00091004, "OW", struct.pack("<3H", 1, 513, 770))
    yield Node(0x00091005, "UL", struct.pack("<2I", 1, 70000))
    yield Node(0x00091006, "LO", text)
    yield Node(0x00181411, "DS", b"0.5")
    yield Node(0x00189004, "CS", b"PRODUCT")
    reference = [
        Node(0x00081150, "UI", SOP_CLASS.encode()),
        Node(0x00081155, "UI", b"1.2.826.0.1.3680043.10.1"),
        Node(0x00081160, "IS", b"1"),
    ]
    undefined = random.random() < 0.5
    yield Node(0x00081140, "SQ", items=[list(reference) for _ in range(random.randint(0, 3))],
               undefined=undefined)  # fmt: skip
    code = [Node(0x00080100, "SH", b"T-04000"), Node(0x00080102, "SH", b"SRT"),
            Node(0x00080104, "LO", text)]  # fmt: skip
    inner = Node(0x00082220, "SQ", items=[list(code)], undefined=random.random() < 0.5)
    yield Node(0x00082218, "SQ", items=[[*code, inner]], undefined=random.random() < 0.5)
    private = [Node(0x00090010, "LO", b"DICODEC TESTS"), Node(0x00091001, "US", b"\5\0")]
    yield Node(0x00091007, "SQ", items=[private], undefined=random.random() < 0.5)
    yield Node(0x7FE10010, "LO", b"DICODEC TESTS")
    yield Node(0x7FE11001, "OB", b"\1\2\3\4")


_TEXTS = (
    (b"plain text", b""),
    ("Grüße".encode("latin-1"), b"ISO_IR 100"),
    ("Мороз".encode("iso8859-5"), b"ISO_IR 144"),
    ("Größe 山田".encode(), b"ISO_IR 192"),
    (b"\x1b$B;3ED\x1b(B text", b"\\ISO 2022 IR 87"),
    ("王小东".encode("gb18030"), b"GB18030"),
)
