"""The part of the benchmark that reads one frame of a large file."""

from __future__ import annotations

import subprocess
import sys

from helpers.corpus import ROOT


def test_it_times_dicodec_its_codec_and_pydicom() -> None:
    run = subprocess.run(
        [
            sys.executable, ROOT / "bench" / "one_frame.py", "--megabytes", "2", "--repeats", "1",
            "--syntaxes", "jpeg", "jpegxl-lossless",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split() for line in run.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ["jpeg", "jpegxl-lossless"]
    assert all(float(number) > 0 for number in (*rows[0][1:], *rows[1][1:4]))
    assert rows[1][4] == "-"
