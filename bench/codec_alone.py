"""Runs a codec alone on the frames of files, in memory, with all cores: what no converter can beat.

    python bench/codec_alone.py NATIVE_FOLDER COMPRESSED_FOLDER SYNTAX

Prints JSON: seconds to encode and to decode, the best of some runs, reading and writing of files
left out. The codecs are those of imagecodecs with the parameters that dicodec gives them; a
deflated data set is one stream, so that each file of it is bound to one core.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import generate_frames

from syntaxes import NEAR, QUALITY

type Frame = NDArray[Any]

_ENOUGH, _RUNS = 1.5, 5


@dataclass(frozen=True, slots=True)
class Image:
    """What a codec has to know: Bits Stored, whether there are three samples a pixel, bytes."""

    stored: int
    color: bool
    size: int


def main(native: str, compressed: str, syntax: str) -> None:
    """Print how long both ways take."""
    files = sorted(Path(native).glob("*.dcm")), sorted(Path(compressed).glob("*.dcm"))
    head = pydicom.dcmread(files[0][0], stop_before_pixels=True)
    samples = head.SamplesPerPixel
    size = head.Rows * head.Columns * samples * head.BitsAllocated // 8
    image = Image(head.BitsStored, samples > 1, size)
    seconds = {}
    for way, paths, read, codecs in (
        ("encode", files[0], _native, _ENCODERS),
        ("decode", files[1], _streams, _DECODERS),
    ):
        if syntax == "deflated":
            work: list[Any] = [_data_set(path) for path in paths]
        else:
            work = [frame for path in paths for frame in read(path)]
        seconds[way] = _timed(work, image, codecs[syntax])
        work.clear()
    print(json.dumps(seconds))


def _timed(work: list[Any], image: Image, code: Callable[[Any, Image], object]) -> float:
    """Return the seconds of the best run; one is enough where it takes long."""
    seconds: list[float] = []

    def one(frame: Any) -> None:
        code(frame, image)  # and forget it, as the results of all would fill the memory

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        one(work[0])  # loads the library
        while len(seconds) < _RUNS and sum(seconds) < _ENOUGH:
            started = time.perf_counter()
            for _ in pool.map(one, work):
                pass
            seconds.append(time.perf_counter() - started)
    return min(seconds)


def _data_set(path: Path) -> bytes:
    """Return what follows group 2."""
    with path.open("rb") as file:
        head = file.read(144)
        length = int.from_bytes(head[140:144], "little")  # File Meta Information Group Length
        file.seek(144 + length)
        return file.read()


def _native(path: Path) -> Iterator[Frame]:
    """Yield frames as codecs take them: unsigned, packed where they have one bit a sample."""
    head = pydicom.dcmread(path, stop_before_pixels=True)
    count, samples = int(head.get("NumberOfFrames", 1)), head.SamplesPerPixel
    bits = count * head.Rows * head.Columns * samples * head.BitsAllocated
    with path.open("rb") as file:
        file.seek(-(bits // 8), os.SEEK_END)
        pixels = np.frombuffer(file.read(), np.uint8)
    if head.BitsAllocated == 1:
        yield from pixels.reshape(count, head.Rows, -1)
        return
    shape = (head.Rows, head.Columns) + ((samples,) if samples > 1 else ())
    yield from pixels.view(f"<u{head.BitsAllocated // 8}").reshape(count, *shape)


def _streams(path: Path) -> Iterator[bytes]:
    data_set = pydicom.dcmread(path)
    count = int(data_set.get("NumberOfFrames", 1))
    yield from generate_frames(data_set.PixelData, number_of_frames=count)


def _jpeg(frame: Frame, image: Image) -> object:
    coded, out = ("RGB", "YCBCR") if image.color else ("GRAYSCALE", "GRAYSCALE")
    subsampling = "422" if image.color else None
    return imagecodecs.jpeg8_encode(
        frame, QUALITY, colorspace=coded, outcolorspace=out, subsampling=subsampling
    )


def _jpeg_extended(frame: Frame, image: Image) -> object:
    return imagecodecs.jpeg8_encode(
        frame,
        QUALITY,
        colorspace="GRAYSCALE",
        outcolorspace="GRAYSCALE",
        bitspersample=image.stored,
    )


def _jpeg_lossless(frame: Frame, image: Image) -> object:
    coded = "RGB" if image.color else "GRAYSCALE"
    return imagecodecs.jpeg8_encode(
        frame,
        lossless=True,
        predictor=1,
        bitspersample=image.stored,
        colorspace=coded,
        outcolorspace=coded,
    )


def _jpeg_ls(frame: Frame, image: Image, near: int = 0) -> object:
    return imagecodecs.jpegls_encode(frame, near, bitspersample=image.stored, spiff=False)


def _jpeg2000(frame: Frame, image: Image) -> object:
    return imagecodecs.jpeg2k_encode(
        frame,
        None,
        codecformat="J2K",
        planar=False,
        bitspersample=image.stored,
        reversible=True,
        mct=image.color,
        numthreads=1,
    )


def _htj2k(frame: Frame, image: Image) -> object:
    return imagecodecs.htj2k_encode(
        frame,
        None,
        rgb=image.color,
        planar=False,
        bitspersample=image.stored,
        reversible=True,
        tlm=True,
        tilepart="RESOLUTIONS",
        prog_order="RPCL",
    )


def _jpeg_xl(frame: Frame, image: Image) -> object:
    return imagecodecs.jpegxl_encode(
        frame,
        effort=1,
        lossless=True,
        bitspersample=image.stored,
        planar=False,
        numthreads=1,
    )


def _rle(frame: Frame, image: Image) -> object:  # noqa: ARG001
    rows, columns = frame.shape[:2]
    planes = frame.view(np.uint8).reshape(rows, columns, -1)
    return [
        imagecodecs.packbits_encode(planes[:, :, plane].copy(), axis=1)
        for plane in range(planes.shape[2])
    ]


def _from_rle(stream: bytes, image: Image) -> object:
    count, *offsets = struct.unpack_from("<16I", stream)
    if image.stored > 1:
        kind = f"<u{1 if image.color else count}"
        return imagecodecs.dicomrle_decode(stream, kind)
    return imagecodecs.packbits_decode(stream[offsets[0] :])


def _from_jpeg(stream: bytes, image: Image) -> object:
    kind = "YCBCR" if image.color else "GRAYSCALE"
    return imagecodecs.jpeg8_decode(stream, colorspace=kind, outcolorspace=kind)


def _deflated(data: bytes, image: Image) -> bytes:  # noqa: ARG001
    deflater = zlib.compressobj(3, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


def _inflated(data: bytes, image: Image) -> object:  # noqa: ARG001
    inflater = zlib.decompressobj(-15)
    while data and not inflater.eof:
        inflater.decompress(data, 1 << 20)  # in pieces, as nobody holds it all
        data = inflater.unconsumed_tail
    return None


_ENCODERS: dict[str, Callable[[Any, Image], object]] = {
    "jpeg": _jpeg,
    "jpeg-extended": _jpeg_extended,
    "jpeg-lossless": _jpeg_lossless,
    "jpeg-ls": _jpeg_ls,
    "jpeg-ls-near": lambda frame, image: _jpeg_ls(frame, image, NEAR),
    "jpeg2000-lossless": _jpeg2000,
    "htj2k-lossless": _htj2k,
    "jpegxl-lossless": _jpeg_xl,
    "rle": _rle,
    "deflated": _deflated,
    "deflated-frame": lambda frame, _: imagecodecs.deflate_encode(frame, 6, raw=True),
}
_DECODERS: dict[str, Callable[[Any, Image], object]] = {
    "jpeg": _from_jpeg,
    "jpeg-extended": _from_jpeg,
    "jpeg-lossless": _from_jpeg,
    "jpeg-ls": lambda stream, _: imagecodecs.jpegls_decode(stream),
    "jpeg-ls-near": lambda stream, _: imagecodecs.jpegls_decode(stream),
    "jpeg2000-lossless": lambda stream, _: imagecodecs.jpeg2k_decode(
        stream, planar=False, numthreads=1
    ),
    "htj2k-lossless": lambda stream, _: imagecodecs.htj2k_decode(stream, planar=False),
    "jpegxl-lossless": lambda stream, _: imagecodecs.jpegxl_decode(stream, 0, numthreads=1),
    "rle": _from_rle,
    "deflated": _inflated,
    "deflated-frame": lambda stream, image: imagecodecs.deflate_decode(
        stream, raw=True, out=image.size
    ),
}


if __name__ == "__main__":
    main(*sys.argv[1:])
