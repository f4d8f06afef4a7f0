"""Measures one frame of a large file in each family: dicodec, the codec alone, pydicom.

    python bench/one_frame.py [--megabytes 64] [--frames 10000] [--table empty] [--syntaxes rle]

Of each family a file of `--megabytes` is made, and one of `--frames` frames of 200 kB, which
repeats the streams of 64. Each row has milliseconds of CPU, the least of several, tried in turn:

    open, frame   opening the file and reading frame 37
    frame         reading frame 37 of an image that is open
    codec         the codec alone, which decodes the same stream from memory
    pydicom       `pixel_array(path, index=37, raw=True)` with its own plugins; "-" if it does not
                  read the family

The ratio is that of a frame of an open image to the codec; what opening costs more is the same for
files of any size, and stands in a column of its own.
"""

from __future__ import annotations

import argparse
import struct
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np
from pydicom.pixels.utils import pixel_array

from dicodec import convert, open_image
from dicodec.codecs.table import find_decoder
from made_file import write_file
from workloads import WORKLOADS

FRAME = 37
REPEATED = 64
SYNTAXES = (
    "explicit-le", "encapsulated-uncompressed", "deflated-frame", "rle", "jpeg-lossless", "jpeg-ls",
    "jpeg2000-lossless", "htj2k-lossless", "jpegxl-lossless", "jpeg",
)  # fmt: skip
_ITEM = b"\xfe\xff\x00\xe0"


def main() -> None:
    """Print a table of milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=64, help="native size of the first file")
    parser.add_argument("--frames", type=int, default=10000, help="of the second; 0 for none")
    parser.add_argument("--table", choices=("basic", "empty"), default="basic")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--syntaxes", nargs="+", choices=SYNTAXES, default=SYNTAXES)
    given = parser.parse_args()
    columns = ("MB", "frames", "open, frame", "frame", "codec", "ratio", "opening", "pydicom")
    print(f"{'syntax':26}" + "".join(f"{name:>12}" for name in columns), flush=True)
    with tempfile.TemporaryDirectory(prefix="dicodec-bench-") as folder:
        first, second = Path(folder) / "first.dcm", Path(folder) / "second.dcm"
        workload = WORKLOADS["ct-300"]
        write_file(first, workload.sized(2 * given.megabytes, 1))  # 0.5 MB a frame
        write_file(second, replace(workload.sized(REPEATED, 1), rows=320, columns=320))
        for name in given.syntaxes:
            for source, frames in ((first, 0), (second, given.frames)):
                place = Path(folder) / f"{name}.dcm"
                if source is second and not frames:
                    continue
                convert(
                    source, place, to=name, lossy=True, rescale_to_8bit=name == "jpeg",
                    offset_table=given.table,
                )  # fmt: skip
                if frames:
                    repeat(place, frames, table=given.table == "basic")
                print(measure(place, name, given.repeats), flush=True)
                place.unlink()


def repeat(path: Path, frames: int, *, table: bool) -> None:
    """Make a file of many frames out of one of few, by repeating its streams."""
    content = path.read_bytes()
    with open_image(path, trust_table=False) as image:
        streams = [image.frame_bytes(frame) for frame in range(len(image))]
        native = image.transfer_syntax.native
    start = content.rindex(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OB" if not native else b"OW"))
    number = f"{frames} "[: len(str(frames)) + len(str(frames)) % 2].encode()
    at = content.index(struct.pack("<HH2s", 0x0028, 0x0008, b"IS"))
    (length,) = struct.unpack_from("<H", content, at + 6)
    head = (
        content[: at + 6] + struct.pack("<H", len(number)) + number
        + content[at + 8 + length : start]
    )  # fmt: skip
    order = [streams[frame % len(streams)] for frame in range(frames)]
    with path.open("wb") as out:
        out.write(head)
        if native:
            out.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, sum(map(len, order))))
            out.writelines(order)
            return
        out.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF))
        offsets = [*accumulate((len(one) + 8 for one in order), initial=0)][:-1]
        listed = struct.pack(f"<{frames}I", *offsets) if table else b""
        for one in (listed, *order):
            out.write(_ITEM + struct.pack("<I", len(one)) + one)
        out.write(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))


def measure(path: Path, name: str, repeats: int) -> str:
    """Return one row."""
    with open_image(path, workers=1) as image:
        frame = min(FRAME, len(image) - 1)
        stream, described = image.frame_bytes(frame), image.description
        expected = image.read_frame(frame)
        codec = find_decoder(image.transfer_syntax)

        def read() -> None:
            with open_image(path, workers=1) as opened:
                opened.read_frame(frame)

        works: list[Callable[[], object]] = [
            read,
            lambda: image.read_frame(frame),
            lambda: codec.decode(stream, described),
        ]
        try:
            found = pixel_array(path, index=frame, raw=True)
            assert np.array_equal(found, expected) or name == "jpeg"  # its decoders differ by 1
            works.append(lambda: pixel_array(path, index=frame, raw=True))
        except (NotImplementedError, RuntimeError, ValueError, AttributeError):
            pass
        both, one, alone, *theirs = find_least(works, repeats)
        numbers = [both, one, alone, one / alone, both - one, *theirs]
        size = path.stat().st_size / 1e6
        text = f"{name:26}{size:12.0f}{len(image):12}" + "".join(f"{x:12.2f}" for x in numbers)
        return text if theirs else f"{text}{'-':>12}"


def find_least(works: list[Callable[[], object]], repeats: int) -> list[float]:
    """Return the least milliseconds of CPU that each work took; all run once before, in turn."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(repeats + 1):
        for work, taken in zip(works, times, strict=True):
            before = time.process_time()
            work()
            if turn:
                taken.append(time.process_time() - before)
    return [1000 * min(taken) for taken in times]


if __name__ == "__main__":
    main()
