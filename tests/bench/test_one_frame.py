"""The part of the benchmark that reads one frame of a large file."""

from __future__ import annotations

import subprocess
import sys

from helpers.corpus import ROOT


def test_it_times_dicodec_its_codec_and_pydicom() -> None:
    run = subprocess.run(
        [
            sys.executable, ROOT / "bench" / "one_frame.py", "--megabytes", "2", "--repeats", "1",
            "--frames", "300", "--syntaxes", "jpeg", "jpegxl-lossless",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split() for line in run.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ["jpeg", "jpeg", "jpegxl-lossless", "jpegxl-lossless"]
    assert [row[2] for row in rows] == ["4", "300", "4", "300"]
    assert all(float(number) > 0 for row in rows for number in row[3:7])
    assert [row[-1] == "-" for row in rows] == [False, False, True, True]
