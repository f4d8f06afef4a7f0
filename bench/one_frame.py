"""Measures one frame of a large file in each family: dicodec, the codec alone, pydicom.

    python bench/one_frame.py [--megabytes 256] [--repeats 5] [--syntaxes rle jpeg-ls]

Each row is the CPU time of opening the file and reading frame 37, the least of several. The codec
alone decodes the same stream from memory. pydicom reads by `pixel_array(path, index=37, raw=True)`
with its own plugins; "-" is for a family that it does not read.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.pixels.utils import pixel_array

from dicodec import convert, open_image
from dicodec.codecs.table import find_decoder
from dicodec.model.transfer_syntax import find_by_name
from made_file import write_file
from workloads import WORKLOADS

FRAME = 37
SYNTAXES = (
    "explicit-le", "encapsulated-uncompressed", "deflated-frame", "rle", "jpeg-lossless", "jpeg-ls",
    "jpeg2000-lossless", "htj2k-lossless", "jpegxl-lossless", "jpeg",
)  # fmt: skip


def main() -> None:
    """Print a table of milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=256, help="native size of the file")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--syntaxes", nargs="+", choices=SYNTAXES, default=SYNTAXES)
    given = parser.parse_args()
    print(f"{'syntax':26}{'dicodec':>9}{'codec':>9}{'ratio':>7}{'pydicom':>9}  ms of CPU")
    with tempfile.TemporaryDirectory(prefix="dicodec-bench-") as folder:
        source = Path(folder) / "native.dcm"
        write_file(source, WORKLOADS["ct-300"].sized(2 * given.megabytes, 1))  # 0.5 MB a frame
        for name in given.syntaxes:
            place = Path(folder) / f"{name}.dcm"
            convert(source, place, to=name, lossy=True, rescale_to_8bit=name == "jpeg")
            print(measure(place, name, given.repeats), flush=True)
            place.unlink()


def measure(path: Path, name: str, repeats: int) -> str:
    """Return one row."""
    with open_image(path) as image:
        frame = min(FRAME, len(image) - 1)
        stream, described = image.frame_bytes(frame), image.description
        expected = image.read_frame(frame)
    syntax = find_by_name(name)
    assert syntax is not None
    codec = find_decoder(syntax)

    def read() -> None:
        with open_image(path, workers=1) as image:
            image.read_frame(frame)

    ours = least(read, repeats)
    alone = least(lambda: codec.decode(stream, described), repeats)
    try:
        found = pixel_array(path, index=frame, raw=True)
        assert np.array_equal(found, expected) or name == "jpeg"  # its decoders differ by 1
        theirs = f"{least(lambda: pixel_array(path, index=frame, raw=True), repeats):9.1f}"
    except (NotImplementedError, RuntimeError, ValueError, AttributeError):
        theirs = f"{'-':>9}"
    return f"{name:26}{ours:9.1f}{alone:9.1f}{ours / alone:7.2f}{theirs}"


def least(work: Callable[[], object], repeats: int) -> float:
    """Return the least milliseconds of CPU that some work took; it runs once before."""
    work()
    times = []
    for _ in range(repeats):
        before = time.process_time()
        work()
        times.append(time.process_time() - before)
    return 1000 * min(times)


if __name__ == "__main__":
    main()
