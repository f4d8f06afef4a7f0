"""The memory benchmark in small: what a conversion takes does not grow with its frames."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MEMORY = Path(__file__).parents[2] / "bench" / "memory.py"
SLACK = 12_000_000
"""Bytes that peaks of equal conversions differ by, for allocators and threads have their moods."""


def measured(folder: Path, *sizes_mb: int) -> list[dict[tuple[str, str], int]]:
    """Return dicodec's peaks by conversion, for each size of file."""
    figures = folder / "figures.json"
    syntaxes = "jpeg-ls,rle,htj2k-lossless,implicit-le"
    subprocess.run(
        [sys.executable, MEMORY, "--folder", folder, "--sizes-mb", ",".join(map(str, sizes_mb)),
         "--syntaxes", syntaxes, "--json", figures],
        check=True, stdout=subprocess.PIPE, timeout=300,
    )  # fmt: skip
    rows = [row for row in json.loads(figures.read_text())["rows"] if row["tool"] == "dicodec"]
    return [
        {(row["made_of"], row["made_to"]): row["peak"] for row in rows if row["native"] == native}
        for native in sorted({row["native"] for row in rows})
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are counted in other units elsewhere")
def test_peak_memory_does_not_grow_with_the_frames(tmp_path: Path) -> None:
    short, long = measured(tmp_path, 16, 40)

    assert len(short) == len(long) == 8
    for way, peak in long.items():
        assert peak < short[way] + SLACK, way
