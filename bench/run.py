"""Measures dicodec beside what its users would pick instead, in one run: `make bench`.

    python bench/run.py --workloads ct-300,slide --only jpeg-ls
    python bench/run.py --selection kernels --json kernels.json    # a quarter of an hour
    python bench/run.py --short          # tiny files: to see that all works

Prints every figure. A full run writes docs/performance/results.json, and from it the tables of
docs/performance.md and the charts; a partial one writes what `--json` names.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from file_price import show_file_prices
from growth import growth
from judging import verdict
from machine import machine, versions
from measure import FailedError, own_peak
from memory import LIMIT, SIZES, SYNTAXES, highest_own, memory
from memory import shown as memory_shown
from peers import tools
from report import PAGE, printed, write_report
from results import RESULTS, Results
from start_up import shown as start_up_shown
from start_up import start_up_rows
from trial import Row, Trial
from workloads import MB, SELECTIONS, WORKLOADS

SHORT_SIZES = (8.0, 16.0)
PARTS = ("growth", "memory", "start-up")


def main() -> int:
    """Run the command; return 0, or 1 where dicodec fails or takes too much memory."""
    given = _arguments()
    names = [name for name in given.workloads.split(",") if name]
    if given.selection:
        names = names or [*SELECTIONS[given.selection]]
    wanted = names or [*WORKLOADS, *PARTS]
    full = not (names or given.only or given.short or given.peers is not None)
    with tempfile.TemporaryDirectory(prefix="dicodec-bench-", dir=given.folder) as name:
        folder = Path(name)
        results = Results(machine(), versions(), [], [], [], [])
        print("  ".join(f"{key} {text}" for key, text in results.machine.items()))
        print("  ".join(f"{key} {text or '-'}" for key, text in results.versions.items()))
        _workloads(given, wanted, folder / "rows", results)
        if prices := show_file_prices(results.rows):
            print(f"\nthe price of a file\n{prices}", flush=True)
        if "growth" in wanted:
            for one in growth(folder / "growth", short=given.short):
                results.growth.append(one)
                walls = (f"{f.tool} {f.failure or f'{f.wall:.2f} s'}" for f in one.figures)
                print(f"{one.count} {one.of}, {one.way}: {', '.join(walls)}", flush=True)
        if "memory" in wanted:
            sizes = SHORT_SIZES if given.short else SIZES
            place = folder / "memory"
            place.mkdir()
            results.memory.extend(memory(place, sizes, SYNTAXES))
            print(f"\n{memory_shown(results.memory)}", flush=True)
        if "start-up" in wanted:
            results.start_up.extend(start_up_rows(folder, 5 if given.short else 15))
            print(f"\n{start_up_shown(results.start_up)}")
    _written(results, given.json, full=full)
    return int(_failed(results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--folder", type=Path, help="where there is room for 8 GB")
    add(
        "--workloads",
        default="",
        metavar="A,B,C",
        help=f"of {', '.join((*WORKLOADS, *PARTS))} (default: all)",
    )
    add(
        "--selection",
        choices=SELECTIONS,
        help="rows that belong together: 'kernels' are those of large files and of many that our "
        "kernels and the price of a file decide",
    )
    add("--only", default="", metavar="TEXT", help="conversions whose names have it")
    add(
        "--peers",
        metavar="A,B,C",
        help="only these beside dicodec; with '' none, only its lower bounds (default: all)",
    )
    add("--repeats", type=int, default=3, help="runs of what takes less than 4 s (default 3)")
    add("--timeout", type=float, default=60, help="seconds that a run may take (default 60)")
    add("--short", action="store_true", help="tiny files: to see that all works")
    add("--json", type=Path, metavar="FILE", help="write the figures there")
    given = parser.parse_args()
    unknown = set(filter(None, given.workloads.split(","))) - {*WORKLOADS, *PARTS}
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}")
    return given


def _workloads(given: argparse.Namespace, wanted: list[str], folder: Path, into: Results) -> None:
    folder.mkdir()
    doers = tools()
    if given.peers is not None:
        doers = [tool for tool in doers if tool.ours or tool.name in given.peers.split(",")]
    trial = Trial(folder, 1 if given.short else given.repeats, given.timeout, doers)
    for name, workload in WORKLOADS.items():
        if name not in wanted:
            continue
        sized = workload.sized(*workload.short) if given.short else workload
        if given.selection:
            sized = replace(sized, syntaxes=SELECTIONS[given.selection].get(name, sized.syntaxes))
        print(f"\n{sized.title}; to reach: {sized.goal.value}", flush=True)
        rows: list[Row] = []
        for row in trial.rows(sized, given.only):
            rows.append(row)
            print(printed([row]), flush=True)
        into.rows.extend(rows)


def _written(results: Results, json: Path | None, *, full: bool) -> None:
    if json is not None:
        results.write(json)
    if full:
        results.write(RESULTS)
        write_report(RESULTS, PAGE)
        print(f"\nwritten: {os.path.relpath(RESULTS)}, {os.path.relpath(PAGE)}, charts")


def _failed(results: Results) -> bool:
    failed = [row for row in results.rows if row.own.failure]
    for row in failed:
        print(f"FAILED: {row.workload}, {row.name}: {row.own.failure}", file=sys.stderr)
    below = sum(not verdict(row).met for row in results.rows)
    print(f"{len(results.rows)} rows, {below} below what was to be reached")
    if not results.memory:
        return bool(failed)
    highest = highest_own(results.memory)
    if highest <= own_peak():
        raise FailedError("what measures is larger than what is measured")
    return bool(failed) or highest >= LIMIT * MB


if __name__ == "__main__":
    sys.exit(main())
