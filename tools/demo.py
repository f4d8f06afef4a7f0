"""Convert real files to several transfer syntaxes and back, and compare the pixels.

The files are those that the pydicom package ships; pydicom also reads the results, so that the
comparison is not dicodec's own.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from pathlib import Path

import pydicom
from pydicom.pixels.utils import pixel_array

from dicodec import convert
from dicodec.errors import DicodecError

FILES = {
    "CT_small.dcm": "CT, 16 bits signed",
    "MR_small_bigendian.dcm": "MR, big endian",
    "MR_small_RLE.dcm": "MR, RLE",
    "examples_ybr_color.dcm": "ultrasound, 30 frames of JPEG baseline, YBR_FULL_422",
    "examples_jpeg2k.dcm": "ultrasound, JPEG 2000",
    "SC_rgb_rle_16bit_2frame.dcm": "color, 16 bits, 2 frames in RLE",
    "examples_palette.dcm": "ultrasound, palette color",
    "liver_1frame.dcm": "segmentation, 1 bit",
    "rtdose.dcm": "dose, 32 bits, 15 frames",
}
TARGETS = (
    "implicit-le", "deflated", "rle", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless",
    "htj2k-lossless", "htj2k-rpcl", "jpegxl-lossless",
)  # fmt: skip


def main() -> int:
    """Convert, compare and print; the exit status is 1 if any pixel differs."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    wrong = done = 0
    with tempfile.TemporaryDirectory(prefix="dicodec-demo-") as work:
        for name, what in FILES.items():
            source = folder / name
            native = Path(work) / "native.dcm"
            # JPEG XL holds RGB alone: where the stream is YCbCr, that is where all begin.
            color = "RGB" if "YBR" in what else "auto"
            report = convert(source, native, to="explicit-le", photometric=color, overwrite=True)
            expected = digest(native)
            print(f"\n{name}: {what}, {report.source_syntax}, {source.stat().st_size:,} bytes")
            for target in TARGETS:
                outcome = round_trip(native, Path(work), target, expected)
                wrong += "DIFFER" in outcome
                done += "same pixels" in outcome
                print(f"  {target:<18} {outcome}")
    print(f"\n{done} conversions there and back with the same pixels, {wrong} with others")
    return 1 if wrong or not done else 0


def round_trip(native: Path, work: Path, target: str, expected: str) -> str:
    """Convert a native file to a transfer syntax and back, and say what came of it."""
    there, back = work / "there.dcm", work / "back.dcm"
    started = time.perf_counter()
    try:
        convert(native, there, to=target, overwrite=True)
        convert(there, back, to="explicit-le", overwrite=True)
    except DicodecError as error:
        return f"not possible: {error.message}"
    milliseconds = (time.perf_counter() - started) * 1000
    verdict = "same pixels" if digest(back) == expected else "PIXELS DIFFER"
    if palette_was_applied(native, back):  # JPEG XL holds no palette: the colors have to be right
        colors = work / "colors.dcm"
        convert(native, colors, to="explicit-le", photometric="RGB", overwrite=True)
        verdict = "same pixels, in RGB" if digest(back) == digest(colors) else "PIXELS DIFFER"
    ratio = native.stat().st_size / there.stat().st_size
    size = there.stat().st_size
    return f"{size:>9,} bytes  {ratio:5.2f} : 1  {milliseconds:6.1f} ms there and back  {verdict}"


def palette_was_applied(before: Path, after: Path) -> bool:
    """Whether an image of PALETTE COLOR has become one of RGB."""
    found = [
        pydicom.dcmread(path, stop_before_pixels=True).PhotometricInterpretation
        for path in (before, after)
    ]
    return found == ["PALETTE COLOR", "RGB"]


def digest(path: Path) -> str:
    """Return a digest of the samples of a native file, as pydicom reads them."""
    samples = pixel_array(pydicom.dcmread(path), raw=True)
    return hashlib.sha256(repr(samples.shape).encode() + samples.tobytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
