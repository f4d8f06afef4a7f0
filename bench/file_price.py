"""What a further file of a batch costs: the time of 2,000 files minus that of 200, for each.

The start is in both, so it is out of the difference; what is left is the price of a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from measure import table
from trial import Figure, Row
from workloads import WORKLOADS

PAIRS = (("tmpfs", "ct-200-tmpfs", "ct-2000-tmpfs"), ("disk", "ct-200-none", "ct-2000-none"))
"""Where files are, and the workloads of few and of many of them; neither is synced."""

HEAD = ("on", "conversion", "tool", "ms", "CPU ms")


@dataclass(frozen=True, slots=True)
class FilePrice:
    """The price of a file.

    Attributes:
        place: where the files are.
        conversion: from what to what.
        tool: who converts.
        wall, cpu: milliseconds for each further file, all cores together.
    """

    place: str
    conversion: str
    tool: str
    wall: float
    cpu: float

    def cells(self) -> tuple[str, ...]:
        """Return what a line of the table shows."""
        return self.place, self.conversion, self.tool, f"{self.wall:.2f}", f"{self.cpu:.2f}"


def list_file_prices(rows: Sequence[Row]) -> Iterator[FilePrice]:
    """Yield the prices of all tools that converted both few and many files."""
    for place, few, many in PAIRS:
        yield from _compare(rows, place, few, many)


def _compare(rows: Sequence[Row], place: str, few: str, many: str) -> Iterator[FilePrice]:
    files = WORKLOADS[many].files - WORKLOADS[few].files
    of_few = {
        (row.name, figure.tool): figure
        for row in rows
        if row.workload == few
        for figure in row.figures
    }
    for row in rows:
        if row.workload != many:
            continue
        for figure in row.figures:
            less: Figure | None = of_few.get((row.name, figure.tool))
            if less is None or less.failure or figure.failure:
                continue
            wall, cpu = figure.wall - less.wall, figure.cpu - less.cpu
            yield FilePrice(place, row.name, figure.tool, 1000 * wall / files, 1000 * cpu / files)


def show_file_prices(rows: Sequence[Row]) -> str:
    """Return a table for a terminal; "" if no conversion was done with few and many files."""
    cells = [price.cells() for price in list_file_prices(rows)]
    return table([HEAD, *cells]) if cells else ""
