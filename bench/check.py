"""Decodes what tools wrote with another tool than its maker, and compares it with the originals.

    python bench/check.py ORIGINALS --to SYNTAX --bounds 0,0 TOOL=RESULTS...

Prints JSON, by tool: the largest error of a sample, how many top-level elements were lost, and what
is wrong. What dicodec wrote is decoded by pydicom with plugins that use neither imagecodecs nor
dicodec, but for JPEG XL, of which there is one library; what others wrote by imagecodecs. dicodec
itself decodes nothing here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import convert_color_space

from syntaxes import SYNTAXES

type Frame = NDArray[Any]

_PLUGINS = {
    "rle": "pylibjpeg",
    "jpeg": "gdcm",
    "jpeg-lossless": "gdcm",
    "jpeg-ls": "pyjpegls",
    "jpeg-ls-near": "pyjpegls",
    "jpeg2000-lossless": "pylibjpeg",
    "htj2k-lossless": "pylibjpeg",
}
"""Of pydicom, to decode what dicodec wrote."""
_NATIVE = {"explicit-le", "implicit-le", "deflated"}
_SMALL = 20_000_000
"""Bytes that one process may compare."""


def main() -> None:
    """Compare all files of the folders."""
    parser = argparse.ArgumentParser(description="Compare results with their originals.")
    parser.add_argument("originals", type=Path)
    parser.add_argument("results", nargs="+", metavar="TOOL=FOLDER")
    parser.add_argument("--to", required=True, choices=SYNTAXES)
    parser.add_argument("--bounds", required=True, help="largest error, root mean square")
    given = parser.parse_args()
    largest, typical = given.bounds.split(",")
    bounds = int(largest), float(typical)
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores) as pool:
        said = {
            maker: _checked(pool, given.originals, Path(folder), given.to, maker, bounds)
            for maker, _, folder in (result.partition("=") for result in given.results)
        }
    print(json.dumps(said))


@dataclass(frozen=True, slots=True)
class _Part:
    """What one process compares: the frames of a file whose number, by `shares`, leaves `share`."""

    original: Path
    result: Path
    to: str
    maker: str
    share: int
    shares: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What was found in one part of a file."""

    error: int = 0
    squares: float = 0
    samples: int = 0
    lost: int = 0
    note: str = ""
    problem: str = ""


def _checked(
    pool: ProcessPoolExecutor,
    originals: Path,
    results: Path,
    to: str,
    maker: str,
    bounds: tuple[int, float],
) -> dict[str, object]:
    names = sorted(path.name for path in originals.glob("*.dcm"))
    found = sorted(path.name for path in results.glob("*.dcm"))
    if names != found:
        return {"problem": f"writes {len(found)} of {len(names)} files"}
    size = sum((originals / name).stat().st_size for name in names)
    shares = len(os.sched_getaffinity(0)) if len(names) == 1 and size > _SMALL else 1
    parts = [
        _Part(originals / name, results / name, to, maker, share, shares)
        for name in names
        for share in range(shares)
    ]
    outcomes = list(
        map(_compare, parts) if size <= _SMALL else pool.map(_compare, parts, chunksize=4)
    )
    problems = [one.problem for one in outcomes if one.problem]
    error = max(one.error for one in outcomes)
    squares, samples = sum(one.squares for one in outcomes), sum(one.samples for one in outcomes)
    typical = (squares / samples) ** 0.5 if samples else 0.0
    if not problems and (error > bounds[0] or typical > bounds[1]):
        problems = [f"wrong pixels: off by up to {error}, mostly by {typical:.3g}"]
    return {
        "error": error,
        "lost": max(one.lost for one in outcomes),
        "note": outcomes[0].note,
        "problem": problems[0] if problems else "",
    }


def _compare(part: _Part) -> _Outcome:
    try:
        return _compared(part)
    except Exception as error:  # whatever a decoder thinks of it, it is a problem of the result
        return _Outcome(problem=f"not readable: {type(error).__name__}: {error}"[:300])


def _compared(part: _Part) -> _Outcome:
    original, expected = _original(part.original)
    result = pydicom.dcmread(part.result, defer_size=1 << 16)
    if result.file_meta.TransferSyntaxUID != SYNTAXES[part.to].uid:
        return _Outcome(problem=f"writes {result.file_meta.TransferSyntaxUID.name}")
    for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"):
        if result[keyword].value != original[keyword].value:
            return _Outcome(problem=f"wrong pixels: {keyword} is {result[keyword].value}")
    count = int(original.get("NumberOfFrames", 1))
    if int(result.get("NumberOfFrames", 1)) != count:
        return _Outcome(problem=f"wrong pixels: {result.NumberOfFrames} of {count} frames")
    lost = len(set(original.keys()) - set(result.keys()))
    numbers = range(part.share, count, part.shares)
    largest, squares, samples = 0, 0.0, 0
    for number, frame in zip(numbers, _frames(result, part, numbers), strict=True):
        wanted = expected(number)
        if frame.shape != wanted.shape:
            return _Outcome(problem=f"wrong pixels: frame {number} is {frame.shape}")
        if not np.array_equal(frame, wanted):
            difference = frame.astype(np.int64) - wanted.astype(np.int64)
            largest = max(largest, int(np.abs(difference).max()))
            squares += float(np.square(difference).sum())
        samples += wanted.size
    return _Outcome(largest, squares, samples, lost, _note(result, part))


@lru_cache(maxsize=256)
def _original(path: Path) -> tuple[pydicom.Dataset, Callable[[int], Frame]]:
    """Return an original and what gives its frames, against which all results are held."""
    data_set = pydicom.dcmread(path, defer_size=1 << 16)
    return data_set, _native_frames(data_set, path)


def _note(result: pydicom.Dataset, part: _Part) -> str:
    """Return what is odd in a result whose pixels are right once one knows."""
    if part.to == "jpeg" and result.PhotometricInterpretation == "RGB":
        return "YCbCr named RGB"
    return ""


def _native_frames(data_set: pydicom.Dataset, path: Path) -> Callable[[int], Frame]:
    """Return what gives a frame of native Pixel Data, by its number; colors as RGB."""
    shape = (data_set.Rows, data_set.Columns, data_set.SamplesPerPixel)
    bits = data_set.BitsAllocated * data_set.SamplesPerPixel * data_set.Rows * data_set.Columns
    size = bits // 8
    element: Any = data_set.get_item("PixelData")
    if element.value is None:  # it was left in the file
        place = {"offset": element.value_tell, "shape": (element.length,)}
        pixels: Frame = np.memmap(path, np.uint8, "r", **place)
    else:
        pixels = np.frombuffer(element.value, np.uint8)

    def frame(number: int) -> Frame:
        found = pixels[number * size : (number + 1) * size]
        if data_set.BitsAllocated == 1:
            return np.asarray(found)
        sign = "i" if data_set.PixelRepresentation else "u"
        samples: Frame = np.frombuffer(found.tobytes(), f"<{sign}{data_set.BitsAllocated // 8}")
        if data_set.SamplesPerPixel == 1:
            return samples.reshape(shape[:2])
        if data_set.PlanarConfiguration:
            planes = samples.reshape(shape[2], *shape[:2])
            samples = np.moveaxis(planes, 0, 2)
        return _rgb(samples.reshape(shape), data_set.PhotometricInterpretation)

    return frame


def _rgb(samples: Frame, photometric: str) -> Frame:
    if photometric.startswith("YBR_FULL"):
        return convert_color_space(samples, "YBR_FULL", "RGB")
    return samples


def _frames(data_set: pydicom.Dataset, part: _Part, numbers: range) -> Iterator[Frame]:
    """Yield the frames of a result that have these numbers; colors as RGB."""
    if not numbers:
        return
    if part.to in _NATIVE:
        native = _native_frames(data_set, part.result)
        for number in numbers:
            yield native(number)
        return
    if part.maker == "dicodec" and part.to in _PLUGINS and data_set.BitsAllocated > 1:
        decoder, plugin = get_decoder(SYNTAXES[part.to].uid), _PLUGINS[part.to]
        data_set.PixelData  # noqa: B018  # the decoder takes what has been read
        for samples, _ in decoder.iter_array(data_set, indices=numbers, decoding_plugin=plugin):
            yield samples
        return
    if part.maker == "dicodec" and part.to == "jpeg-extended":
        yield from _by_dcmtk(part.result, numbers)
        return
    count = int(data_set.get("NumberOfFrames", 1))
    decode = partial(_decoded, part.to, data_set)
    for number, stream in enumerate(generate_frames(data_set.PixelData, number_of_frames=count)):
        if number in numbers:
            yield decode(stream)


def _by_dcmtk(path: Path, numbers: range) -> Iterator[Frame]:
    """Yield frames of 12-bit JPEG, which none of pydicom's plugins takes."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        native = Path(folder, "native")
        subprocess.run(["dcmdjpeg", path, native], check=True, capture_output=True)
        frame = _native_frames(pydicom.dcmread(native), native)
        for number in numbers:
            yield frame(number)


def _decoded(syntax: str, data_set: pydicom.Dataset, stream: bytes) -> Frame:
    """Decode a frame with imagecodecs; packed where it has one bit a sample."""
    shape = (data_set.Rows, data_set.Columns, data_set.SamplesPerPixel)
    kind = f"{'i' if data_set.PixelRepresentation else 'u'}{max(data_set.BitsAllocated // 8, 1)}"
    if data_set.BitsAllocated == 1:
        size = shape[0] * shape[1] // 8
        if syntax == "rle":
            start = int.from_bytes(stream[4:8], "little")
            return np.frombuffer(imagecodecs.packbits_decode(stream[start:]), np.uint8)[:size]
        return np.frombuffer(zlib.decompress(stream, -15), np.uint8)[:size]
    if syntax == "rle":
        planes = np.frombuffer(imagecodecs.dicomrle_decode(stream, f"<{kind}"), f"<{kind}")
        return np.moveaxis(planes.reshape(shape[2], *shape[:2]), 0, 2).reshape(_squeezed(shape))
    if syntax == "deflated-frame":
        return np.frombuffer(zlib.decompress(stream, -15), f"<{kind}").reshape(_squeezed(shape))
    samples = np.asarray(_STREAMS[syntax](stream, data_set))
    if samples.dtype.itemsize == np.dtype(kind).itemsize:
        samples = samples.view(kind)
    return samples


def _squeezed(shape: tuple[int, int, int]) -> tuple[int, ...]:
    return shape if shape[2] > 1 else shape[:2]


def _jpeg(stream: bytes, data_set: pydicom.Dataset) -> Any:
    if data_set.SamplesPerPixel == 1:
        return imagecodecs.jpeg8_decode(stream, colorspace="GRAYSCALE", outcolorspace="GRAYSCALE")
    # Whatever the data set says: some write "RGB" above streams of YCbCr, see _note.
    return imagecodecs.jpeg8_decode(stream, colorspace="YCBCR", outcolorspace="RGB")


def _jpeg_lossless(stream: bytes, data_set: pydicom.Dataset) -> Any:
    kind = "GRAYSCALE" if data_set.SamplesPerPixel == 1 else "YCBCR"
    return imagecodecs.jpeg8_decode(stream, colorspace=kind, outcolorspace=kind)


_STREAMS: dict[str, Callable[[bytes, pydicom.Dataset], Any]] = {
    "jpeg": _jpeg,
    "jpeg-extended": _jpeg,
    "jpeg-lossless": _jpeg_lossless,
    "jpeg-ls": lambda stream, _: imagecodecs.jpegls_decode(stream),
    "jpeg-ls-near": lambda stream, _: imagecodecs.jpegls_decode(stream),
    "jpeg2000-lossless": lambda stream, _: imagecodecs.jpeg2k_decode(stream, planar=False),
    "htj2k-lossless": lambda stream, _: imagecodecs.htj2k_decode(stream, planar=False),
    "jpegxl-lossless": lambda stream, _: imagecodecs.jpegxl_decode(stream, 0),
}


if __name__ == "__main__":
    main()
