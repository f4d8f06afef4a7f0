"""Files of every Photometric Interpretation, and the tables of docs/photometric.md.

Samples are held against formulas written down here, in floating point.
"""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from dicodec import convert, convert_bytes
from dicodec.report import ConversionReport
from helpers.corpus import ROOT
from helpers.made import make_file
from helpers.matrix import LOSSLESS
from helpers.samples import colors, native_samples, psnr

ROWS, COLUMNS = 32, 48
PARTIAL_MATRIX = np.array(
    [[0.2568, 0.5041, 0.0979], [-0.1482, -0.2910, 0.4392], [0.4392, -0.3678, -0.0714]]
)
"""RGB to YBR_PARTIAL_422 (PS3.3 C.7.6.3.1.2), but for the offset."""
PARTIAL_OFFSET = np.array([16, 128, 128])
Pixels = NDArray[Any]


def tables() -> list[list[list[str]]]:
    """Return the tables of docs/photometric.md, each as rows of cells."""
    lines = (ROOT / "docs" / "photometric.md").read_text(encoding="utf-8").splitlines()
    found: list[list[list[str]]] = []
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            if not line.startswith("|---"):
                found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
    return found


BY_TARGET, BY_WISH = tables()[:2]
LOSSY_SOURCES = {"YBR_FULL_422, in JPEG", "RGB, in JPEG", "YBR_ICT"}
NO_COLORS = ("HSV", "ARGB", "CMYK", "YBR_PARTIAL")
"""Of which no colors are computed here: they stay as they are, byte for byte, or become RGB."""

TARGETS = [
    (column, name if name != "native" else native)
    for column, names in enumerate(BY_TARGET[0][1:], 1)
    for name in names.split(", ")
    for native in (("implicit-le", "explicit-be", "deflated") if name == "native" else ("",))
]


def shades() -> Pixels:
    """Return smooth colors, one frame."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    waves = [np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 11)]
    return np.rint(128 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)[np.newaxis]


def made(photometric: str, pixels: Pixels, **fields: Any) -> bytes:
    samples = pixels.shape[3] if pixels.ndim == 4 else 1
    return make_file(
        pixels.shape[1], pixels.shape[2], samples, 8, 8, photometric=photometric, pixels=pixels,
        **fields,
    )[0]  # fmt: skip


def subsampled(photometric: str, quads: bytes, columns: int = COLUMNS) -> bytes:
    """Return a native file whose pairs of pixels share their chroma."""
    empty = np.zeros((1, ROWS, columns, 3), np.uint8)
    return made(photometric, empty, extra=[(0x7FE00010, "OB", quads)])


def to_ybr(rgb: Pixels) -> Pixels:
    """RGB to YBR_FULL as PS3.3 C.7.6.3.1.2 writes it, rounded."""
    red, green, blue = (rgb[..., plane].astype(float) for plane in range(3))
    y = 0.2990 * red + 0.5870 * green + 0.1140 * blue
    cb = -0.1687 * red - 0.3313 * green + 0.5000 * blue + 128
    cr = 0.5000 * red - 0.4187 * green - 0.0813 * blue + 128
    return np.clip(np.rint(np.stack([y, cb, cr], axis=-1)), 0, 255).astype(np.uint8)


def to_rgb(ybr: Pixels) -> Pixels:
    y, cb, cr = (ybr[..., plane].astype(float) for plane in range(3))
    cb, cr = cb - 128, cr - 128
    rgb = [y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb]
    return np.clip(np.stack(rgb, axis=-1), 0, 255)


def to_partial(rgb: Pixels) -> Pixels:
    """RGB to the range of YBR_PARTIAL_422, rounded."""
    partial: Pixels = np.rint(rgb @ PARTIAL_MATRIX.T + PARTIAL_OFFSET).astype(np.uint8)
    return partial


def of_partial(partial: Pixels) -> Pixels:
    """Return the RGB of samples in the range of YBR_PARTIAL_422, not rounded."""
    rgb: Pixels = (partial - PARTIAL_OFFSET) @ np.linalg.inv(PARTIAL_MATRIX).T
    return np.clip(rgb, 0, 255)


def pairs(ybr: Pixels) -> Pixels:
    """Return Y1 Y2 Cb Cr of each pair, the chroma that of the first."""
    return np.stack(
        [ybr[:, :, 0::2, 0], ybr[:, :, 1::2, 0], ybr[:, :, 0::2, 1], ybr[:, :, 0::2, 2]], axis=-1
    )


def unpaired(quads: Pixels, columns: int = COLUMNS) -> Pixels:
    values = quads.reshape(1, ROWS, columns // 2, 4)
    full = np.empty((1, ROWS, columns, 3), np.uint8)
    full[:, :, 0::2, 0], full[:, :, 1::2, 0] = values[..., 0], values[..., 1]
    full[..., 1:] = np.repeat(values[..., 2:], 2, axis=2)
    return full


@cache
def source(name: str) -> tuple[bytes, Pixels]:
    """Return a file of a row of the tables, and its colors (or gray levels) as numbers."""
    rgb = shades()
    gray = rgb[..., 0]
    if name.startswith("MONOCHROME"):
        return made(name, gray), gray
    if name == "PALETTE COLOR":
        return made(name, gray), colors(gray)
    if name == "RGB":
        return made(name, rgb), rgb
    ybr = to_ybr(rgb)
    if name == "YBR_FULL":
        return made(name, ybr), to_rgb(ybr)
    if name == "YBR_FULL_422, native":
        return subsampled("YBR_FULL_422", pairs(ybr).tobytes()), to_rgb(unpaired(pairs(ybr)))
    if name == "YBR_PARTIAL_422, native":
        partial = pairs(to_partial(rgb))
        return subsampled("YBR_PARTIAL_422", partial.tobytes()), of_partial(unpaired(partial))
    if name == "YBR_PARTIAL_420, native":
        return subsampled("YBR_PARTIAL_420", bytes(ROWS * COLUMNS * 3 // 2)), rgb
    if name in {"HSV", "ARGB", "CMYK"}:
        pixels = rgb if name == "HSV" else np.repeat(rgb[..., :1], 4, axis=-1)
        return made(name, pixels), pixels
    if name == "YBR_PARTIAL_422, in JPEG-LS":
        partial = to_partial(rgb)
        stream = convert_bytes(made("YBR_FULL", partial), to="jpeg-ls")
        wrong = stream.replace(b"CS\x08\0YBR_FULL", b"CS\x10\0YBR_PARTIAL_422 ", 1)
        return wrong, of_partial(partial)
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "YBR_FULL_422, in JPEG": ("jpeg", {"quality": 95}),
        "RGB, in JPEG": ("jpeg", {"quality": 95, "photometric": "RGB"}),
        "YBR_RCT": ("jpeg2000-lossless", {}),
        "YBR_ICT": ("jpeg2000", {"lossy": True}),
    }
    to, options = ways[name]
    return convert_bytes(source("RGB")[0], to=to, **options), rgb


def run(data: bytes, **options: Any) -> tuple[bytes, ConversionReport]:
    out = io.BytesIO()
    report = convert(data, out, verify=True, **options)
    return out.getvalue(), report


def shown(data: bytes) -> Pixels:
    """Return the colors or gray levels that a file holds; its own decoding is tested elsewhere."""
    native = convert_bytes(data, to="explicit-le")
    dataset = pydicom.dcmread(io.BytesIO(native))
    photometric = dataset.PhotometricInterpretation
    if photometric in {"YBR_FULL_422", "YBR_PARTIAL_422"}:
        full = unpaired(np.frombuffer(dataset.PixelData, np.uint8), dataset.Columns)
        return to_rgb(full) if photometric == "YBR_FULL_422" else full
    samples = native_samples(native)
    if photometric == "PALETTE COLOR":
        return colors(samples)
    return to_rgb(samples) if photometric == "YBR_FULL" else samples


def stated(data: bytes) -> str:
    dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    return str(dataset.PhotometricInterpretation)


def native_value(data: bytes) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(convert_bytes(data, to="explicit-le")))
    return bytes(dataset.PixelData)


def check_colors(source: str, result: str, target: str, found: Pixels, expected: Pixels) -> None:
    """Hold colors against those that went in: equal where no step on the way rounds."""
    assert found.shape == expected.shape
    if target in LOSSLESS and source not in LOSSY_SOURCES:
        # Formulas above are not rounded; the samples are.
        rounded = source.startswith("YBR") and source != "YBR_RCT" and result in {"RGB", "YBR_RCT"}
        assert np.abs(found.astype(float) - expected).max() <= (0.6 if rounded else 0)
    else:
        assert psnr(found, expected, 8) > (24 if source == "PALETTE COLOR" else 34)
