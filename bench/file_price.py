"""What a further file of a batch costs: the time of 2,000 files minus that of 200, for each.

The start is in both, so it is out of the difference; what is left is the price of a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from measure import table
from trial import Figure, Row
from workloads import WORKLOADS

FEW, MANY = "ct-200-tmpfs", "ct-2000-tmpfs"
HEAD = ("conversion", "tool", "ms", "CPU ms")


@dataclass(frozen=True, slots=True)
class FilePrice:
    """The price of a file.

    Attributes:
        conversion: from what to what.
        tool: who converts.
        wall, cpu: milliseconds for each further file, all cores together.
    """

    conversion: str
    tool: str
    wall: float
    cpu: float

    def cells(self) -> tuple[str, ...]:
        """Return what a line of the table shows."""
        return self.conversion, self.tool, f"{self.wall:.2f}", f"{self.cpu:.2f}"


def list_file_prices(rows: Sequence[Row]) -> Iterator[FilePrice]:
    """Yield the prices of all tools that converted both few and many files."""
    more = WORKLOADS[MANY].files - WORKLOADS[FEW].files
    few = {
        (row.name, figure.tool): figure
        for row in rows
        if row.workload == FEW
        for figure in row.figures
    }
    for row in rows:
        if row.workload != MANY:
            continue
        for many in row.figures:
            less: Figure | None = few.get((row.name, many.tool))
            if less is None or less.failure or many.failure:
                continue
            wall, cpu = many.wall - less.wall, many.cpu - less.cpu
            yield FilePrice(row.name, many.tool, 1000 * wall / more, 1000 * cpu / more)


def show_file_prices(rows: Sequence[Row]) -> str:
    """Return a table for a terminal; "" if no conversion was done with few and many files."""
    cells = [price.cells() for price in list_file_prices(rows)]
    return table([HEAD, *cells]) if cells else ""
