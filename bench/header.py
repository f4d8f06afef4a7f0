"""Measures the header work for one file, in its own process: walking, planning. Prints JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from statistics import median

from dicodec import convert
from dicodec.part10.dicom_file import open_dicom

REPEATS = 400


def main(path: str) -> None:
    """Print rows of what was done and how many milliseconds it took."""
    with open_dicom(path) as file:
        elements = len(file.data_set.elements) + len(file.head.elements)

    def open_only() -> None:
        with open_dicom(path):
            pass

    def plan() -> None:
        convert(path, None, to="jpeg-ls")

    rows = [
        {
            "what": f"open a CT file of {elements} elements, in a process",
            **_milliseconds(open_only),
        },
        {"what": "the same, and plan its conversion to jpeg-ls", **_milliseconds(plan)},
    ]
    print(json.dumps(rows))


def _milliseconds(work: Callable[[], None]) -> dict[str, float]:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - started))
    return {"best": min(times), "median": median(times)}


if __name__ == "__main__":
    main(sys.argv[1])
