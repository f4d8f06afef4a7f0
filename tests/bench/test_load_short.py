"""The measuring of load in small: its parts run, and find nothing unexpected."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOAD = Path(__file__).parents[2] / "bench" / "load.py"


def test_every_part_runs(tmp_path: Path) -> None:
    figures = tmp_path / "load.json"
    done = subprocess.run(
        [sys.executable, LOAD, "--folder", tmp_path, "--clients", "2,4", "--seconds", "0.5",
         "--rounds", "1", "--requests", "60", "--count", "5", "--json", figures],
        check=False, stdout=subprocess.PIPE, text=True, timeout=300,
    )  # fmt: skip

    found = json.loads(figures.read_text())

    assert [row["others"] for row in found["uploads"]["rows"]] == [{}, {}]
    assert max(row["share"] for row in found["uploads"]["rows"]) == 1
    assert found["requests"]["rows"][0]["unexpected"] == {}
    assert found["jobs"]["rows"][0]["done"] == 5
    assert all(f"### {part}" in done.stdout for part in found)
