"""What a run of the benchmark found, and its form as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from growth import Growth
from memory import Peak
from start_up import StartUpRow
from trial import Figure, Row
from workloads import WORKLOADS

DOCS = Path(__file__).resolve().parent.parent / "docs"
RESULTS = DOCS / "performance" / "results.json"


@dataclass(frozen=True, slots=True)
class Results:
    """All figures of one run.

    Attributes:
        machine, versions: where it ran.
        rows: conversions by all tools.
        growth: cost by frames and files.
        memory: peaks by size of file.
        start_up: small things.
    """

    machine: dict[str, str]
    versions: dict[str, str]
    rows: list[Row]
    growth: list[Growth]
    memory: list[Peak]
    start_up: list[StartUpRow]

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(_rounded(asdict(self)), indent=1) + "\n")

    def with_newer(self, newer: Results) -> Results:
        """Return these with what a later run of a part has found in the place of their own."""
        found = {(row.workload, row.name): row for row in newer.rows}
        rows = [found.pop((row.workload, row.name), row) for row in self.rows]
        rows += found.values()
        names = [*WORKLOADS]
        first = self.machine["date"].partition(" to ")[0]
        date = {"date": " to ".join(dict.fromkeys((first, newer.machine["date"])))}
        return Results(
            newer.machine | date,
            self.versions | newer.versions,
            sorted(rows, key=lambda row: names.index(row.workload)),
            newer.growth or self.growth,
            newer.memory or self.memory,
            newer.start_up or self.start_up,
        )

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read what `write` wrote."""
        found = json.loads(path.read_text())
        return cls(
            found["machine"],
            found["versions"],
            [Row(**row | {"figures": _figures(row["figures"])}) for row in found["rows"]],
            [Growth(**one | {"figures": _figures(one["figures"])}) for one in found["growth"]],
            [Peak(**peak) for peak in found["memory"]],
            [StartUpRow(**row) for row in found["start_up"]],
        )


def _figures(found: list[dict[str, object]]) -> list[Figure]:
    return [Figure(**figure) for figure in found]  # type: ignore[arg-type]


def _rounded(value: object) -> object:
    """Keep four digits of what was measured: the others are chance."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value
