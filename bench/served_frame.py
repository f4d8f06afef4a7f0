"""Measures frames of a large file over DICOMweb: what a viewer waits for each of them.

    python bench/served_frame.py [--megabytes 2100] [--requests 100] [--syntaxes rle]

A file of frames of 512 x 512 is made, which repeats 64 of them, and is removed afterwards. `dicodec
serve --dicomweb` serves its folder with one process that converts; one client asks for frames from
all over the file, over one connection. Each row has milliseconds: of the first request, which opens
the file, and half and 95 % of those behind it.
"""

from __future__ import annotations

import argparse
import http.client
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from pydicom import dcmread

from dicodec import convert
from dicodec.model.transfer_syntax import find_by_name
from made_file import write_file
from one_frame import REPEATED, repeat
from workloads import WORKLOADS

FRAME_SIZE = 512 * 512 * 2
SYNTAXES = (
    "explicit-le", "rle", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless",
)  # fmt: skip


def main() -> None:
    """Print a table of milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=2100, help="size of the file")
    parser.add_argument("--requests", type=int, default=100, help="of each transfer syntax")
    parser.add_argument("--syntaxes", nargs="+", choices=SYNTAXES, default=SYNTAXES)
    given = parser.parse_args()
    frames = max(REPEATED, given.megabytes * 1_000_000 // FRAME_SIZE)
    with tempfile.TemporaryDirectory(prefix="dicodec-bench-") as folder:
        images = Path(folder, "images")
        images.mkdir()
        write_file(Path(folder, "few"), WORKLOADS["ct-300"].sized(REPEATED, 1))
        place = images / "many.dcm"
        convert(Path(folder, "few"), place, to="explicit-le")
        repeat(place, frames, table=False)
        print(f"{place.stat().st_size / 1e6:.0f} MB, {frames} frames", flush=True)
        with subprocess.Popen(
            [sys.executable, "-m", "dicodec.cli.main", "serve", "--port", "0", "--jobs", "1",
             "--rate", "0", "--data", str(Path(folder, "data")), "--dicomweb", str(images)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        ) as server:  # fmt: skip
            try:
                assert server.stdout is not None
                address = urlsplit(server.stdout.readline().strip()).netloc
                measure(address, find_path(place), frames, given.requests, given.syntaxes)
            finally:
                server.terminate()


def find_path(place: Path) -> str:
    """Return the path of the instance in a file."""
    found = dcmread(place, stop_before_pixels=True)
    return (
        f"/dicom-web/studies/{found.StudyInstanceUID}/series/{found.SeriesInstanceUID}"
        f"/instances/{found.SOPInstanceUID}"
    )


def measure(address: str, path: str, frames: int, requests: int, syntaxes: list[str]) -> None:
    """Print a row for each transfer syntax."""
    print(f"{'syntax':20}{'first':>10}{'half':>10}{'95 %':>10}{'kB':>10}", flush=True)
    client = http.client.HTTPConnection(address, timeout=120)
    chosen = random.Random(1)
    for name in syntaxes:
        syntax = find_by_name(name)
        assert syntax is not None
        accept = f"application/octet-stream; transfer-syntax={syntax.uid}"
        taken, size = [], 0
        for _ in range(requests):
            frame = chosen.randrange(frames) + 1
            started = time.perf_counter()
            client.request("GET", f"{path}/frames/{frame}", headers={"Accept": accept})
            answer = client.getresponse()
            size = len(answer.read())
            taken.append(1000 * (time.perf_counter() - started))
            assert answer.status == http.client.OK, answer.status
        first, *others = taken
        others.sort()
        half, most = (others[int(share * (len(others) - 1))] for share in (0.5, 0.95))
        numbers = (first, half, most, size / 1000)
        print(f"{name:20}" + "".join(f"{one:10.1f}" for one in numbers), flush=True)


if __name__ == "__main__":
    main()
