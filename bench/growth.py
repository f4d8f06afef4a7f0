"""Measures how cost grows: with frames in a file, with files in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from peers import tools
from trial import Figure, Trial
from workloads import WORKLOADS, Goal

SYNTAX = "jpeg-ls"
TOOLS = ("dicodec", "gdcmconv", "DCMTK")
COUNTS, SHORT_COUNTS = (1, 10, 100, 1000), (1, 3)


@dataclass(frozen=True, slots=True)
class Growth:
    """What converting so many frames or files took.

    Attributes:
        of: "frames" in one file, or "files" of one frame.
        count: how many.
        way: from what to what.
        figures: of each tool.
    """

    of: str
    count: int
    way: str
    figures: list[Figure]


def growth(folder: Path, *, short: bool = False) -> Iterator[Growth]:
    """Convert ever more frames and files to JPEG-LS and back, once each."""
    peers = [tool for tool in tools() if tool.name in TOOLS]
    for of in ("frames", "files"):
        base = WORKLOADS["ct-300" if of == "frames" else "ct-200"]
        for count in SHORT_COUNTS if short else COUNTS:
            frames, files = (count, 1) if of == "frames" else (1, count)
            sized = replace(base.sized(frames, files), syntaxes=(SYNTAX,), goal=Goal.AHEAD)
            few = count <= 10
            for row in Trial(folder, 3 if few else 1, 120, peers).rows(sized):
                yield Growth(of, count, row.name, row.figures)
