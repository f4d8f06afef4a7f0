"""Draws what results.json has, as SVG and PNG: charts.py RESULTS FOLDER.

Backgrounds are clear and lines gray, so that the charts can be read on light and on dark pages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot

from judging import TIMES, verdict
from memory import LIMIT
from results import Results
from syntaxes import NATIVE
from trial import Row
from workloads import MB, WORKLOADS

GRAY, FAINT = "#7d8590", "#7d859055"
OURS, GDCM, DCMTK = "#2f81f7", "#d97706", "#9a6dd7"
GOOD, FAIR, POOR = "#2f9e63", "#2f81f7", "#d9480f"
TICKS = (0.1, 0.3, 1, 3, 10, 30)
LEAST, MOST = TICKS[0], TICKS[-1]
COLORS = {"dicodec": OURS, "gdcmconv": GDCM, "DCMTK": DCMTK}
STYLE = {
    "axes.edgecolor": FAINT,
    "axes.labelcolor": GRAY,
    "axes.titlecolor": GRAY,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "xtick.color": GRAY,
    "ytick.color": GRAY,
    "text.color": GRAY,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "font.size": 8,
    "font.sans-serif": ["DejaVu Sans"],
    "legend.frameon": False,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "dicodec",
}


def main(results: str, folder: str) -> None:
    """Draw all charts."""
    found = Results.read(Path(results))
    mpl.use("Agg")
    mpl.rcParams.update(STYLE)
    for name, draw in CHARTS.items():
        figure = draw(found)
        if figure is None:
            continue
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
        Path(folder, f"{name}.svg").write_text(_smaller(drawn.getvalue()), encoding="utf-8")
        figure.savefig(Path(folder, f"{name}.png"), dpi=120, metadata={"Software": None})
        pyplot.close(figure)


def _smaller(svg: str) -> str:
    """Return the same without comments, indents, empty groups and digits that nobody sees."""
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"|<g id="[^"]*"/>', "", svg)
    svg = re.sub(r"\s*\n\s*", "\n", svg)
    return re.sub(r"(\d+\.\d)\d+", r"\1", svg)


def _ratios(results: Results) -> Any:
    """Draw a panel for each workload: a line for each transfer syntax, a mark for each way."""
    names = [name for name in WORKLOADS if any(row.workload == name for row in results.rows)]
    if not names:
        return None
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure, axes = pyplot.subplots(
        lines, columns, figsize=(3.6 * columns, 2.6 * lines + 0.5), sharex=True, squeeze=False
    )
    for panel in axes.flat[len(names) :]:
        panel.set_visible(False)
    for panel, name in zip(axes.flat, names, strict=False):
        _ratio_panel(panel, name, [row for row in results.rows if row.workload == name])
    handles = [
        pyplot.Line2D([], [], color=GRAY, marker=marker, linestyle="", label=label)
        for marker, label in ((">", f"{NATIVE} to it"), ("<", "and back"), ("x", "no peer does it"))
    ]
    figure.legend(handles=handles, loc="upper right", ncols=3)
    figure.suptitle(
        "How many times as long as dicodec the fastest peer takes; 3 is to be reached where many\n"
        "frames or files are converted, or the speed of the codec alone",
        x=0.01, ha="left", fontsize=10, color=GRAY,
    )  # fmt: skip
    figure.tight_layout(rect=(0, 0, 1, 0.99))
    return figure


def _ratio_panel(panel: Any, name: str, rows: Sequence[Row]) -> None:
    syntaxes = list(WORKLOADS[name].syntaxes)
    marks: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        there = row.made_of == NATIVE
        at = syntaxes.index(row.made_to if there else row.made_of) + (-0.17 if there else 0.17)
        found = verdict(row)
        if found.fastest is None:
            marks.setdefault(("x", GRAY), []).append((1, at))
            continue
        color = GOOD if found.times >= TIMES else FAIR if found.times >= 1 else POOR
        shown = min(max(found.times, LEAST), MOST)
        marks.setdefault((">" if there else "<", color), []).append((shown, at))
    for (marker, color), points in marks.items():  # few objects make a small SVG
        times, heights = [point[0] for point in points], [point[1] for point in points]
        panel.hlines(heights, 1, times, color=color, linewidth=1.4, alpha=0.6)
        panel.plot(times, heights, linestyle="", marker=marker, color=color, markersize=4.5)
    panel.set_xscale("log")
    panel.set_xlim(LEAST, MOST)
    panel.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    panel.tick_params(labelbottom=True)
    panel.minorticks_off()
    panel.set_yticks(range(len(syntaxes)), syntaxes)
    panel.set_ylim(len(syntaxes) - 0.5, -0.5)
    panel.grid(visible=False, axis="y")
    panel.axvline(1, color=GRAY, linewidth=1)
    panel.axvline(TIMES, color=GOOD, linewidth=1, linestyle=(0, (3, 3)))
    panel.set_title(WORKLOADS[name].label)


def _growth(results: Results) -> Any:
    """Draw seconds by frames and by files, there and back."""
    panels = list(dict.fromkeys((one.of, one.way) for one in results.growth))
    if not panels:
        return None
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(2.9 * len(panels), 3), sharey=True, squeeze=False
    )
    for panel, (of, way) in zip(axes.flat, panels, strict=True):
        for tool, color in COLORS.items():
            points = [
                (one.count, figure_.wall)
                for one in results.growth
                for figure_ in one.figures
                if (one.of, one.way) == (of, way) and figure_.tool == tool and not figure_.failure
            ]
            counts, walls = [point[0] for point in points], [point[1] for point in points]
            panel.plot(counts, walls, marker="o", markersize=3.5, color=color, label=tool)
        panel.set(xscale="log", yscale="log", xlabel=of)
        panel.set_title(way)
        panel.minorticks_off()
        panel.xaxis.set_major_formatter("{x:,.0f}")
        panel.yaxis.set_major_formatter("{x:g}")
    axes.flat[0].set_ylabel("seconds")
    axes.flat[0].legend(loc="upper left")
    figure.tight_layout()
    return figure


def _memory(results: Results) -> Any:
    """Draw peaks by size of file: dicodec's for each conversion, two peers' for one."""
    if not results.memory:
        return None
    figure, panel = pyplot.subplots(figsize=(6.4, 3.6))
    labeled: set[str] = set()
    for tool, made_of, made_to in dict.fromkeys(
        (peak.tool, peak.made_of, peak.made_to) for peak in results.memory
    ):
        points = [
            (peak.native / MB, peak.peak / MB)
            for peak in results.memory
            if (peak.tool, peak.made_of, peak.made_to) == (tool, made_of, made_to)
        ]
        label = "dicodec, every conversion" if tool == "dicodec" else f"{tool}, to {made_to}"
        panel.plot(
            [point[0] for point in points],
            [point[1] for point in points],
            marker="o",
            markersize=3,
            linewidth=1.2,
            color=COLORS[tool],
            label=None if label in labeled else label,
        )
        labeled.add(label)
    panel.axhline(LIMIT, color=GRAY, linewidth=1, linestyle=(0, (3, 3)))
    panel.annotate(f"to stay under {LIMIT:.0f} MB", (0.99, LIMIT * 1.08), ha="right",
                   xycoords=("axes fraction", "data"))  # fmt: skip
    panel.set(xscale="log", yscale="log", xlabel="MB of samples", ylabel="peak memory, MB")
    panel.xaxis.set_major_formatter("{x:,.0f}")
    panel.yaxis.set_major_formatter("{x:,.0f}")
    sizes = sorted({peak.native / MB for peak in results.memory})
    panel.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
    panel.minorticks_off()
    panel.legend(loc="upper left")
    figure.tight_layout()
    return figure


CHARTS: dict[str, Callable[[Results], Any]] = {
    "ratios": _ratios,
    "growth": _growth,
    "memory": _memory,
}


if __name__ == "__main__":
    main(*sys.argv[1:])
