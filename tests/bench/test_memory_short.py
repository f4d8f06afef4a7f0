"""The memory benchmark in small: what a conversion takes does not grow with its frames."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MEMORY = Path(__file__).parents[2] / "bench" / "memory.py"
SLACK = 12_000_000
"""Bytes that peaks of equal conversions differ by, for allocators and threads have their moods."""


def measured(folder: Path, size_mb: int) -> list[dict[str, Any]]:
    figures = folder / f"{size_mb}.json"
    syntaxes = "jpeg-ls,rle,htj2k-lossless,implicit-le"
    subprocess.run(
        [sys.executable, MEMORY, "--folder", folder, "--size-mb", str(size_mb),
         "--syntaxes", syntaxes, "--json", figures],
        check=True, stdout=subprocess.PIPE, timeout=300,
    )  # fmt: skip
    rows: list[dict[str, Any]] = json.loads(figures.read_text())["rows"]
    return rows


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are counted in other units elsewhere")
def test_peak_memory_does_not_grow_with_the_frames(tmp_path: Path) -> None:
    short, long = measured(tmp_path, 16), measured(tmp_path, 40)

    for one, other in zip(short, long, strict=True):
        for way in ("there", "back"):
            assert other[way]["peak"] < one[way]["peak"] + SLACK, (other["syntax"], way)
