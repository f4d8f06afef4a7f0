"""The part of the benchmark that asks for frames over DICOMweb."""

from __future__ import annotations

import subprocess
import sys

from helpers.corpus import ROOT


def test_it_times_frames_of_a_file_in_several_transfer_syntaxes() -> None:
    run = subprocess.run(
        [
            sys.executable, ROOT / "bench" / "served_frame.py", "--megabytes", "40",
            "--requests", "3", "--syntaxes", "explicit-le", "rle",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    size, _, *rows = [line.split() for line in run.stdout.splitlines()]
    assert size[2:] == ["76", "frames"]
    assert [row[0] for row in rows] == ["explicit-le", "rle"]
    assert all(float(number) > 0 for row in rows for number in row[1:])
    assert float(rows[0][-1]) == 524.3
