"""The tool that shows colors before and after conversions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np

from helpers.corpus import ROOT
from helpers.made import IMAGE_KINDS
from helpers.photometric_files import made, shades
from helpers.samples import colors


def test_a_sheet_shows_each_color_file_five_times(tmp_path: Path) -> None:
    folder, output = tmp_path / "files", tmp_path / "sheets"
    folder.mkdir()
    palette, indices = IMAGE_KINDS["palette"].make()
    (folder / "a.dcm").write_bytes(palette)
    (folder / "b.dcm").write_bytes(made("RGB", shades()))
    (folder / "c.dcm").write_bytes(IMAGE_KINDS["gray-8"].make()[0])
    (folder / "d.txt").write_text("no DICOM")

    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "contact_sheet.py", folder, output],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    lines = run.stdout.splitlines()
    assert [line.split(":")[:2] for line in lines] == [
        ["sheet 01 row 1", " a.dcm"], ["sheet 01 row 2", " b.dcm"],
    ]  # fmt: skip
    assert "SHIFTED" not in run.stdout
    (sheet,) = output.iterdir()
    picture = np.asarray(imagecodecs.png_decode(sheet.read_bytes()))
    assert picture.shape == (2 * 192, 5 * 192 + 4 * 4, 3)
    for column, error in enumerate((0, 40, 12, 0, 0)):
        start = column * 196
        for row, expected in ((0, colors(indices)[0]), (192, shades()[0])):
            shown = picture[row + 1 : row + 192, start + 1 : start + 192]
            times = 192 // max(expected.shape[:2])
            seen = shown[: expected.shape[0] * times : times, : expected.shape[1] * times : times]
            assert np.abs(seen.astype(float) - expected).mean() <= error
