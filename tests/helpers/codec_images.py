"""The images that codec tests draw from: all kinds a syntax may hold, and patterns for them."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from dicodec.codecs.base import Decoder, Encoder
from dicodec.codecs.table import find_decoder, find_encoder
from dicodec.model.encoder_settings import DEFAULT_SETTINGS, EncoderSettings
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import TransferSyntax, find_by_name

Samples = NDArray[Any]


def describe_image(
    allocated: int = 16,
    stored: int = 16,
    signed: int = 0,
    samples: int = 1,
    pi: str = "MONOCHROME2",
    rows: int = 24,
    columns: int = 17,
) -> ImagePixelDescription:
    return ImagePixelDescription(rows, columns, samples, pi, allocated, stored, stored - 1, signed)


# fmt: off
KINDS: dict[str, dict[str, Any]] = {
    "1":           {"allocated": 1, "stored": 1},
    "8/1":         {"allocated": 8, "stored": 1},
    "8/6":         {"allocated": 8, "stored": 6},
    "8":           {"allocated": 8, "stored": 8},
    "8 signed":    {"allocated": 8, "stored": 8, "signed": 1},
    "16/8":        {"allocated": 16, "stored": 8},
    "16/8 signed": {"allocated": 16, "stored": 8, "signed": 1},
    "16/10":       {"allocated": 16, "stored": 10},
    "16/12":       {"allocated": 16, "stored": 12, "pi": "MONOCHROME1"},
    "16/12 signed": {"allocated": 16, "stored": 12, "signed": 1},
    "16":          {"allocated": 16, "stored": 16},
    "16 signed":   {"allocated": 16, "stored": 16, "signed": 1},
    "32/12":       {"allocated": 32, "stored": 12},
    "32/23":       {"allocated": 32, "stored": 23},
    "32/25 signed": {"allocated": 32, "stored": 25, "signed": 1},
    "32":          {"allocated": 32, "stored": 32},
    "32 signed":   {"allocated": 32, "stored": 32, "signed": 1},
    "64":          {"allocated": 64, "stored": 64},
    "palette 8":   {"allocated": 8, "stored": 8, "pi": "PALETTE COLOR"},
    "rgb 8":       {"allocated": 8, "stored": 8, "samples": 3, "pi": "RGB"},
    "rgb 16/12":   {"allocated": 16, "stored": 12, "samples": 3, "pi": "RGB"},
    "rgb 16":      {"allocated": 16, "stored": 16, "samples": 3, "pi": "RGB"},
    "rgb 32":      {"allocated": 32, "stored": 32, "samples": 3, "pi": "RGB"},
    "rgb 8 signed": {"allocated": 8, "stored": 8, "signed": 1, "samples": 3, "pi": "RGB"},
    "ybr 8":       {"allocated": 8, "stored": 8, "samples": 3, "pi": "YBR_FULL"},
}
_16 = {"8/1", "8/6", "8", "8 signed", "16/8", "16/8 signed", "16/10", "16/12", "16/12 signed",
       "16", "16 signed", "rgb 8", "rgb 16/12", "rgb 16"}
_J2K = _16 | {"1", "32/12", "32/23", "32/25 signed", "palette 8", "ybr 8"}
ACCEPTED: dict[str, set[str]] = {
    "implicit-le": set(KINDS),
    "explicit-be": set(KINDS),
    "encapsulated-uncompressed": set(KINDS),
    "deflated-frame": set(KINDS),
    "rle": set(KINDS) - {"rgb 8 signed"},
    "jpeg": {"8/6", "8", "16/8", "rgb 8", "ybr 8"},
    "jpeg-extended": {"8/6", "8", "16/8", "16/10", "16/12", "32/12"},
    "jpeg-lossless-p14": _16 | {"palette 8", "ybr 8"},
    "jpeg-lossless": _16 | {"palette 8", "ybr 8"},
    "jpeg-ls": _16 | {"palette 8", "ybr 8"},
    "jpeg-ls-near": _16 - {"8/1"} | {"ybr 8"},
    "jpeg2000-lossless": _J2K,
    "jpeg2000": _16 - {"8/1"} | {"32/12", "ybr 8"},
    "htj2k-lossless": _J2K | {"32", "32 signed", "rgb 32"},
    "htj2k-rpcl": _J2K | {"32", "32 signed", "rgb 32"},
    "htj2k": _16 - {"8/1"} | {"32/12", "ybr 8"},
    "jpegxl-lossless": _16,
    "jpegxl": {"8/6", "8", "16/8", "16/10", "16/12", "16", "rgb 8", "rgb 16/12", "rgb 16"},
}
"""Which kinds each syntax takes as they are; all others it must refuse."""
# fmt: on

LOSSLESS = (
    "implicit-le", "explicit-be", "encapsulated-uncompressed", "deflated-frame", "rle",
    "jpeg-lossless-p14", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless",
    "htj2k-rpcl", "jpegxl-lossless",
)  # fmt: skip
SIZES = ((1, 1), (1, 7), (9, 1), (2, 3), (3, 4), (17, 16), (16, 24), (64, 65), (130, 33))
PATTERNS = ("lowest", "highest", "noise", "ramp", "checkers", "runs", "extremes")


def syntax_named(name: str) -> TransferSyntax:
    syntax = find_by_name(name)
    assert syntax is not None
    return syntax


def codec_for(name: str, settings: EncoderSettings = DEFAULT_SETTINGS) -> tuple[Encoder, Decoder]:
    return find_encoder(syntax_named(name), settings), find_decoder(syntax_named(name))


def fill(image: ImagePixelDescription, pattern: str, seed: int = 0) -> Samples:
    """Return samples within Bits Stored."""
    random = np.random.default_rng(seed)
    shape, dtype = image.shape, np.dtype(image.dtype)
    low, high = (np.array(value, dtype) for value in image.sample_range)
    places = np.indices(shape).sum(axis=0)
    if pattern in {"lowest", "highest"}:
        return np.full(shape, low if pattern == "lowest" else high)
    if pattern == "noise":
        return random.integers(low, high, shape, dtype=dtype, endpoint=True)
    if pattern == "checkers":
        return np.where(places % 2, low, high)
    if pattern == "extremes":
        return np.where(random.random(shape) < 0.5, low, high)
    if pattern == "ramp":
        last = max(int(places.max()), 1)
        ramp = [int(low) + step * (int(high) - int(low)) // last for step in range(last + 1)]
        return np.array(ramp, object).astype(dtype)[places]
    values = random.integers(low, high, (places.size // 9 + 2,), dtype=dtype, endpoint=True)
    return np.repeat(values, 9)[: places.size].reshape(shape)


def smooth(image: ImagePixelDescription) -> Samples:
    """Return a picture-like ramp over the middle of the range, for lossy codecs."""
    low, high = image.sample_range
    rows, columns = np.indices(image.shape[:2])
    wave = 0.5 + 0.3 * np.sin(rows / 9.0) * np.cos(columns / 7.0)
    gray = low + wave * (high - low)
    if image.samples_per_pixel == 3:
        gray = np.stack([gray, gray * 0.8, gray * 0.5 + 20], axis=-1)
    picture: Samples = np.rint(gray).astype(image.dtype)
    return picture


def frames(kinds: set[str]) -> st.SearchStrategy[tuple[ImagePixelDescription, Samples]]:
    """Draw an image of one of the kinds, and its samples."""

    def build(
        kind: str, size: tuple[int, int], pattern: str, seed: int
    ) -> tuple[ImagePixelDescription, Samples]:
        image = describe_image(**KINDS[kind], rows=size[0], columns=size[1])
        return image, fill(image, pattern, seed)

    return st.builds(
        build,
        st.sampled_from(sorted(kinds)),
        st.sampled_from(SIZES),
        st.sampled_from(PATTERNS),
        st.integers(0, 1000),
    )


def lossless_jpeg(pixels: Samples, bits: int, predictor: int = 1) -> bytes:
    """Return a stream of JPEG lossless, in one scan with one table."""
    space = "GRAYSCALE" if pixels.ndim == 2 else "RGB"
    return bytes(
        imagecodecs.jpeg8_encode(
            pixels, lossless=True, predictor=predictor, bitspersample=bits,
            colorspace=space, outcolorspace=space,
        )
    )  # fmt: skip
