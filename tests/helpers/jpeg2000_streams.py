"""JPEG 2000 streams with all the parameters that OpenJPEG's own library writes."""

from __future__ import annotations

import ctypes
import tempfile
from ctypes import POINTER, Structure, c_char, c_char_p, c_float, c_int, c_uint32, c_void_p
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from helpers.installed import end_without

type Pixels = np.ndarray[Any, Any]

LIBRARY = "libopenjp2.so.7"
PROGRESSIONS = ("LRCP", "RLCP", "RPCL", "PCRL", "CPRL")
BYPASS, RESET, TERMINATE, CAUSAL, PREDICTABLE, SYMBOLS = 1, 2, 4, 8, 16, 32
_ENDS = BYPASS | TERMINATE | PREDICTABLE | SYMBOLS
_LEVELS_AT_MOST, _TEXT = 33, 4096


class _Progression(Structure):
    _fields_ = (("numbers", c_uint32 * 37),)


class _Parameters(Structure):
    """`opj_cparameters_t` of openjpeg.h 2.5."""

    _fields_ = (
        ("tile_size_on", c_int), ("tile_x0", c_int), ("tile_y0", c_int), ("tile_width", c_int),
        ("tile_height", c_int), ("by_rate", c_int), ("fixed_alloc", c_int), ("by_quality", c_int),
        ("matrix", c_void_p), ("comment", c_char_p), ("coding_style", c_int),
        ("progression", c_int), ("changes", _Progression * 32), ("change_count", c_uint32),
        ("layers", c_int), ("rates", c_float * 100), ("psnr", c_float * 100),
        ("resolutions", c_int), ("block_width", c_int), ("block_height", c_int),
        ("block_style", c_int), ("irreversible", c_int), ("roi", c_int), ("roi_shift", c_int),
        ("precinct_count", c_int), ("precinct_widths", c_int * _LEVELS_AT_MOST),
        ("precinct_heights", c_int * _LEVELS_AT_MOST), ("infile", c_char * _TEXT),
        ("outfile", c_char * _TEXT), ("index_on", c_int), ("index", c_char * _TEXT),
        ("image_x0", c_int), ("image_y0", c_int), ("dx", c_int), ("dy", c_int),
        ("decoder_format", c_int), ("encoder_format", c_int), ("wireless", c_int * 118),
        ("cinema", c_int), ("most_of_component", c_int), ("capabilities", c_int),
        ("parts_on", c_char), ("parts_at", c_char), ("mct", c_char), ("jpip", c_int),
        ("mct_data", c_void_p), ("most_of_stream", c_int), ("rsiz", ctypes.c_uint16),
        ("spare", c_char * 256),
    )  # fmt: skip


class _ComponentParameters(Structure):
    _fields_ = tuple(
        (name, c_uint32)
        for name in ("dx", "dy", "w", "h", "x0", "y0", "precision", "depth", "signed")
    )


class _Component(Structure):
    _fields_ = (
        ("numbers", c_uint32 * 11), ("data", POINTER(ctypes.c_int32)), ("alpha", ctypes.c_uint16),
    )  # fmt: skip


class _Image(Structure):
    _fields_ = (
        ("x0", c_uint32), ("y0", c_uint32), ("x1", c_uint32), ("y1", c_uint32),
        ("count", c_uint32), ("space", c_int), ("components", POINTER(_Component)),
    )  # fmt: skip


@dataclass(frozen=True)
class Style:
    """How a stream is written; the fields are those of COD and SIZ."""

    lossless: bool = True
    resolutions: int = 3
    block: tuple[int, int] = (64, 64)
    block_style: int = 0
    precincts: tuple[tuple[int, int], ...] = ()
    """From the highest resolution down; the last one counts for all below."""
    progression: str = "LRCP"
    rates: tuple[float, ...] = (0,)
    """Of each layer; 0 is all that is left."""
    mct: bool = False
    sop: bool = False
    eph: bool = False
    tile: tuple[int, int] | None = None
    tile_offset: tuple[int, int] = (0, 0)
    image_offset: tuple[int, int] = (0, 0)
    parts: str = ""
    """Letter at which tile-parts begin: R, L or C."""
    extras: tuple[str, ...] = field(default=())
    """Such as "PLT=YES" and "TLM=YES"."""


@cache
def library() -> ctypes.CDLL:
    """Return OpenJPEG's library; the test ends here if there is none."""
    try:
        loaded = ctypes.CDLL(LIBRARY)
    except OSError:
        end_without("libopenjp2-7")
    loaded.opj_image_create.restype = POINTER(_Image)
    for name in ("opj_create_compress", "opj_stream_create_default_file_stream"):
        getattr(loaded, name).restype = c_void_p
    return loaded


def write(pixels: Pixels, precision: int, style: Style) -> bytes:
    """Return the codestream of an image of one or three components.

    Raises:
        ValueError: the library refuses the parameters.
    """
    opened = library()
    parameters = _make_parameters(style)
    image = _make_image(opened, pixels, precision, style)
    codec = c_void_p(opened.opj_create_compress(0))
    extras = (c_char_p * (len(style.extras) + 1))(*(text.encode() for text in style.extras), None)
    with tempfile.NamedTemporaryFile(suffix=".j2k") as file:
        stream = c_void_p(opened.opj_stream_create_default_file_stream(file.name.encode(), 0))
        done = (
            opened.opj_setup_encoder(codec, ctypes.byref(parameters), image)
            and (not style.extras or opened.opj_encoder_set_extra_options(codec, extras))
            and opened.opj_start_compress(codec, image, stream)
            and opened.opj_encode(codec, stream)
            and opened.opj_end_compress(codec, stream)
        )
        opened.opj_stream_destroy(stream)
        opened.opj_destroy_codec(codec)
        opened.opj_image_destroy(image)
        if not done:
            raise ValueError(f"OpenJPEG writes no such stream: {style}")
        return Path(file.name).read_bytes()


def _make_parameters(style: Style) -> _Parameters:
    parameters = _Parameters()
    library().opj_set_default_encoder_parameters(ctypes.byref(parameters))
    parameters.by_rate = 1
    parameters.layers = len(style.rates)
    for index, rate in enumerate(style.rates):
        parameters.rates[index] = rate
    parameters.irreversible = not style.lossless
    parameters.resolutions = style.resolutions
    parameters.block_width, parameters.block_height = style.block
    parameters.block_style = style.block_style
    parameters.progression = PROGRESSIONS.index(style.progression)
    parameters.coding_style = bool(style.precincts) | bool(style.sop) << 1 | bool(style.eph) << 2
    parameters.precinct_count = len(style.precincts)
    for index, (width, height) in enumerate(style.precincts):
        parameters.precinct_widths[index], parameters.precinct_heights[index] = width, height
    parameters.mct = bytes([style.mct])
    if style.tile is not None:
        parameters.tile_size_on = 1
        parameters.tile_width, parameters.tile_height = style.tile
        parameters.tile_x0, parameters.tile_y0 = style.tile_offset
    parameters.image_x0, parameters.image_y0 = style.image_offset
    if style.parts:
        parameters.parts_on, parameters.parts_at = b"\1", style.parts.encode()
    return parameters


def _make_image(opened: ctypes.CDLL, pixels: Pixels, precision: int, style: Style) -> Any:
    rows, columns = pixels.shape[:2]
    planes = pixels.reshape(rows, columns, -1)
    x0, y0 = style.image_offset
    signed = pixels.dtype.kind == "i"
    one = _ComponentParameters(1, 1, columns, rows, x0, y0, precision, precision, signed)
    count = planes.shape[2]
    image = opened.opj_image_create(
        count, (_ComponentParameters * count)(*[one] * count), 2 if count == 1 else 1
    )
    image[0].x0, image[0].y0, image[0].x1, image[0].y1 = x0, y0, x0 + columns, y0 + rows
    for index in range(count):
        samples = np.ascontiguousarray(planes[..., index], np.int32)
        ctypes.memmove(image[0].components[index].data, samples.ctypes.data, samples.nbytes)
    return image


def draw_pixels(random: Random) -> tuple[Pixels, int]:
    """Return an image of a drawn kind, and its precision."""
    precision = random.choice((1, 2, 4, 7, 8, 8, 9, 11, 12, 12, 13, 15, 16, 16))
    count = random.choice((1, 1, 3))
    signed = random.random() < 0.3
    largest = random.choice((5, 20, 70, 150))
    rows = random.randint(1, largest)
    # The library writes past its memory with images of a few pixels of many bits.
    columns = max(random.randint(1, largest), -(-64 // rows))
    numbers = np.random.default_rng(random.getrandbits(32))
    top = (1 << precision) - 1
    kind = random.choice(("noise", "smooth", "few", "edges", "flat"))
    shape = (rows, columns, count)
    if kind == "noise":
        values = numbers.integers(0, top, shape, endpoint=True)
    elif kind == "smooth":
        steps = numbers.normal(0, max(top / 400, 0.3), shape).cumsum(axis=0).cumsum(axis=1)
        values = (top / 2 + steps / 8).astype(int)
    elif kind == "few":
        values = numbers.integers(0, min(top, 2), shape, endpoint=True)
    elif kind == "edges":
        values = numbers.choice([0, top, top // 2, top // 2 + 1], shape)
    else:
        values = np.full(shape, random.randint(0, top))
    values = values.clip(0, top) - (signed << (precision - 1))
    letter = "i" if signed else "u"
    wide = precision > 8 or random.random() < 0.2
    pixels = values.astype(f"<{letter}{2 if wide else 1}")
    return (pixels[..., 0] if count == 1 else pixels), precision


def draw_style(random: Random, pixels: Pixels, *, lossless: bool) -> Style:
    """Return a drawn way to write an image; not in tile-parts, of which the library loses count."""
    color = pixels.ndim == 3
    resolutions = random.randint(1, 6)
    exponents = [(a, b) for a in range(2, 7) for b in range(2, 7)]  # of blocks
    width, height = random.choice([*exponents, (6, 6), (6, 6), (5, 5)])
    precincts: tuple[tuple[int, int], ...] = ()
    if random.random() < 0.4:
        count = random.randint(1, resolutions)
        precincts = tuple(
            (2 ** random.randint(2, 8), 2 ** random.randint(2, 8)) for _ in range(count)
        )
    tile, tile_offset, image_offset = None, (0, 0), (0, 0)
    if random.random() < 0.35:
        image_offset = random.randint(0, 40), random.randint(0, 40)
    if random.random() < 0.4:
        rows, columns = pixels.shape[:2]
        tile_offset = random.randint(0, image_offset[0]), random.randint(0, image_offset[1])
        tile = (
            _draw_tile(random, image_offset[0] - tile_offset[0], columns),
            _draw_tile(random, image_offset[1] - tile_offset[1], rows),
        )
    if not lossless:  # the library's encoder ends the process for lines of a single coefficient
        tile, tile_offset = None, (0, 0)
        smallest = min(pixels.shape[:2])
        if all(size % 64 == 0 or size % 64 >= 32 for size in pixels.shape[:2]):
            tile, image_offset = random.choice(((64, 64), None)), (0, 0)
            smallest = 32
        resolutions = min(resolutions, smallest.bit_length())
        precincts = precincts[:resolutions]
    layers = random.choice((1, 1, 1, 2, 4))
    rates = tuple(sorted((random.uniform(2, 60) for _ in range(layers - 1)), reverse=True))
    rates += (0.0,) if lossless or random.random() < 0.5 else (random.uniform(1.1, 2),)
    style = 0
    if random.random() < 0.4:
        style = random.getrandbits(6)
    if style & _ENDS:
        # The library has too little room for the ends of many passes of few samples.
        if all(16 <= size <= 64 for size in pixels.shape[:2]):
            width = height = 6
            resolutions, precincts = min(resolutions, 2), ()
            tile, tile_offset, image_offset = None, (0, 0), (0, 0)
        else:
            style &= ~_ENDS
    return Style(
        lossless=lossless, resolutions=resolutions, block=(1 << width, 1 << height),
        block_style=style, precincts=precincts, progression=random.choice(PROGRESSIONS),
        rates=rates, mct=color and random.random() < 0.6, sop=random.random() < 0.2,
        eph=random.random() < 0.2, tile=tile, tile_offset=tile_offset, image_offset=image_offset,
        extras=("PLT=YES",) if random.random() < 0.2 else (),
    )  # fmt: skip


def _draw_tile(random: Random, before: int, size: int) -> int:
    """Return the edge of tiles, the first of which begins some columns before the image."""
    return random.randint(max(before + 1, size // 4), size + 60)
