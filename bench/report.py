"""Writes the tables of docs/performance.md and the charts from results.json; measures nothing.

python bench/report.py
python bench/report.py --newer PART.json     # puts a later, partial run's figures in first
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from file_price import HEAD, list_file_prices
from judging import Verdict, verdict
from measure import table
from memory import shown as memory_shown
from results import DOCS, RESULTS, Results
from trial import Figure, Row
from workloads import MB, WORKLOADS

PEERS = ("gdcmconv", "DCMTK", "python-gdcm", "pydcm", "pydicom", "dicom-rs", "dcmjs-codecs")
PAGE = DOCS / "performance.md"
START, END = "<!-- figures: made by bench/report.py -->", "<!-- end of figures -->"
CHARTS = (
    ("ratios", "How many times as long as dicodec the fastest peer takes, by conversion"),
    ("growth", "Seconds by frames in a file and by files in a folder"),
    ("memory", "Peak memory by size of file"),
)


def main() -> None:
    """Write tables and charts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--newer", type=Path, action="append", default=[])
    given = parser.parse_args()
    results = Results.read(given.results)
    for part in given.newer:
        results = results.with_newer(Results.read(part))
    if given.newer:
        results.write(given.results)
    write_report(given.results, given.page)


def write_report(results: Path, page: Path) -> None:
    """Put the tables between their markers in the page, the charts beside the results."""
    charts = Path(__file__).with_name("charts.py")
    subprocess.run([sys.executable, charts, results, results.parent], check=True)
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    made = "\n".join(_page(Results.read(results)))
    page.write_text(f"{before}{START}\n\n{made}\n{END}{after}", encoding="utf-8")


def _page(results: Results) -> Iterator[str]:
    here = ", ".join(f"{name}: {text}" for name, text in results.machine.items())
    yield f"Measured on {here}."
    versions = (f"{name} {text or 'not installed'}" for name, text in results.versions.items())
    yield f"{', '.join(versions)}.\n"
    found = {"ratios": results.rows, "growth": results.growth, "memory": results.memory}
    for name, title in CHARTS:
        if found[name]:
            yield f"![{title}](performance/{name}.svg)\n"
    yield "## Rows below their goal\n"
    yield from _below(results.rows)
    for name, workload in WORKLOADS.items():
        rows = [row for row in results.rows if row.workload == name]
        if rows:
            yield f"## {workload.title[0].upper()}{workload.title[1:]}\n"
            yield f"Goal: {workload.goal.value}.\n"
            yield from _rows_table(rows)
    prices = [price.cells() for price in list_file_prices(results.rows)]
    if prices:
        yield "## The price of a file\n"
        yield "Time of 2,000 CT files on tmpfs minus that of 200, by 1,800; wall and CPU.\n"
        yield from _markdown(HEAD, prices)
    yield from _growth_table(results)
    yield from _memory_table(results)
    yield "## Small things\n"
    small = [row.cells() for row in results.start_up]
    yield from _markdown(("call", "best", "median", "goal, ms"), small)


def _below(rows: Sequence[Row]) -> Iterator[str]:
    below = [(row, verdict(row)) for row in rows]
    below = [(row, found) for row, found in below if not found.met]
    if not below:
        yield "None.\n"
        return
    cells = [
        (row.workload, row.name, row.own.failure or f"{row.own.wall:.2f}", *_standing(found))
        for row, found in sorted(below, key=lambda pair: pair[1].times)
    ]
    head = (
        "workload", "conversion", "dicodec s", "fastest peer", "times", "of codec", "of cp",
        "wanted s", "least s",
    )  # fmt: skip
    yield from _markdown(head, cells)


def _standing(found: Verdict) -> tuple[str, ...]:
    return (
        found.fastest.tool if found.fastest else "none",
        f"{found.times:.2f}" if found.fastest else "",
        _share(found.of_codec),
        _share(found.of_copy),
        f"{found.wanted:.2f}" if found.wanted else "",
        f"{found.least:.2f}",
    )


def _rows_table(rows: Sequence[Row]) -> Iterator[str]:
    peers = [name for name in PEERS if any(_of(row, name) for row in rows)]
    head = ("conversion", "s", "CPU s", "peak MB", "MB", *peers)
    cells = []
    for row in rows:
        own, found = row.own, verdict(row)
        figures = (
            (own.failure, "", "", "")
            if own.failure
            else (f"{own.wall:.2f}", f"{own.cpu:.2f}", _mb(own.peak), f"{own.size / MB:.1f}")
        )
        cells.append(
            (
                row.name,
                *figures,
                *(_peer(_of(row, name)) for name in peers),
                _share(found.of_codec),
                f"{_share(found.of_copy)}, {_share(found.of_synced)}",
                found.bound,
                "met" if found.met else "below",
            )
        )
    yield from _markdown((*head, "of codec", "of cp, with sync", "bound by", "goal"), cells)


def _peer(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.failure:
        return figure.failure.partition(":")[0]
    marks = "".join(
        mark for mark, marked in (("\u00b9", figure.lost), ("\u00b2", figure.note)) if marked
    )
    size = f"{figure.size / MB:.1f}"
    times = f"{figure.wall_ratio:.2f}, {figure.cpu_ratio:.2f}"
    return f"{times}, {figure.cpu:.2f}, {_mb(figure.peak)}, {size}{marks}"


def _growth_table(results: Results) -> Iterator[str]:
    if not results.growth:
        return
    yield "## Growth\n"
    cells = []
    for one in results.growth:
        walls = {f.tool: f.failure.partition(":")[0] or f"{f.wall:.2f}" for f in one.figures}
        tools = ("dicodec", "gdcmconv", "DCMTK")
        cells.append((f"{one.count} {one.of}", one.way, *(walls.get(name, "") for name in tools)))
    yield from _markdown(("of", "conversion", "dicodec s", "gdcmconv s", "DCMTK s"), cells)


def _memory_table(results: Results) -> Iterator[str]:
    if results.memory:
        yield "## Memory by size\n"
        yield f"```\n{memory_shown(results.memory)}\n```\n"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def printed(rows: Sequence[Row]) -> str:
    """Return rows as a table for a terminal: a line for each tool, with all it took."""
    cells: list[tuple[str, ...]] = [
        ("conversion", "tool", "s", "CPU s", "peak MB", "MB", "times s", "times CPU", "")
    ]
    for row in rows:
        found = verdict(row)
        for figure in row.figures:
            name = row.name if figure is row.own else ""
            if figure.failure:
                text = figure.failure.replace("\n", " ")[:60]
                cells.append((name, figure.tool, text, "", "", "", "", "", ""))
                continue
            ratios = (f"{figure.wall_ratio:.2f}", f"{figure.cpu_ratio:.2f}")
            lost = f"{figure.lost} elements lost" if figure.lost else ""
            cells.append(
                (
                    name,
                    figure.tool,
                    f"{figure.wall:.3f}",
                    f"{figure.cpu:.2f}",
                    _mb(figure.peak),
                    f"{figure.size / MB:.1f}",
                    *(("", "met" if found.met else "BELOW") if name else ratios),
                    ", ".join(filter(None, (figure.note, lost))),
                )
            )
        if found.bound:
            cells.append(("", "bound by", found.bound, "", "", "", "", "", ""))
        bounds = (("codec alone", row.codec), ("cp", row.copied), ("cp + sync", row.synced))
        for name, seconds in bounds:
            if seconds:
                share = _share(seconds / row.own.wall) if row.own.wall else ""
                cells.append(("", name, f"{seconds:.3f}", "", "", "", share, "", ""))
    return table(cells)


def _of(row: Row, tool: str) -> Figure | None:
    return next((figure for figure in row.figures if figure.tool == tool), None)


def _share(share: float) -> str:
    return f"{100 * share:.0f} %" if share else ""


def _mb(size: int) -> str:
    return f"{size / MB:.0f}"


if __name__ == "__main__":
    main()
