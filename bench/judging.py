"""Holds rows against what was to be reached."""

from __future__ import annotations

from dataclasses import dataclass

from syntaxes import NATIVE, SYNTAXES
from trial import Figure, Row
from workloads import WORKLOADS, Goal

TIMES, SHARE_OF_CODEC, SHARE_OF_COPY, SMALL = 3.0, 0.9, 0.5, 0.3


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a row stands.

    Attributes:
        fastest: the fastest peer with right pixels, or None.
        times: how many times as long as dicodec it took, 0 where there is none.
        of_codec: the share of the codec's speed, alone on all cores, that dicodec has; 0 where the
            row has no codec.
        of_copy, of_synced: of the speed of `cp`, and of `cp` that also reaches the disk.
        wanted: seconds in which the fastest peer would be left behind as far as is to be reached;
            0 where there is none.
        least: seconds that the codec alone takes, or `cp` until the copy is on the disk, whichever
            is more: nothing that writes such a result is sooner done.
        met: whether what was to be reached is.
        bound: what takes the largest share of the time, and that share; "" where dicodec fails.
    """

    fastest: Figure | None
    times: float
    of_codec: float
    of_copy: float
    of_synced: float
    wanted: float
    least: float
    met: bool
    bound: str = ""


def verdict(row: Row) -> Verdict:
    """Judge one row."""
    own = row.own
    right = [figure for figure in row.figures[1:] if not figure.failure]
    fastest = min(right, key=lambda figure: figure.wall_ratio, default=None)
    times = fastest.wall_ratio if fastest else 0.0
    if own.failure:
        return Verdict(fastest, 0, 0, 0, 0, 0, 0, met=False)
    of_codec, of_copy, of_synced = (
        bound / own.wall for bound in (row.codec, row.copied, row.synced)
    )
    syntax = SYNTAXES[row.made_to if row.made_of == NATIVE else row.made_of]
    near = of_codec >= SHARE_OF_CODEC if syntax.codec else of_synced >= SHARE_OF_COPY
    goal = WORKLOADS[row.workload].goal
    if goal is Goal.SMALL:
        met = own.wall < SMALL
    elif goal is Goal.TIMES:
        met = near or times >= TIMES
    else:
        met = near or fastest is None or times >= 1
    wanted = times * own.wall / (TIMES if goal is Goal.TIMES else 1)
    least = max(row.codec, row.synced)
    bound = _name_bound(row, of_codec, of_copy, of_synced)
    return Verdict(fastest, times, of_codec, of_copy, of_synced, wanted, least, met, bound)


def _name_bound(row: Row, of_codec: float, of_copy: float, of_synced: float) -> str:
    """Return what a row mostly waits for: the codec, the copy of its bytes, the disk, or Python."""
    workload = WORKLOADS[row.workload]
    rest = "start" if workload.files == 1 else "steps of each file"
    if of_codec > 1:  # it is a library's, and our kernel is faster by nobody knows how much
        of_codec, rest = 0.0, f"our kernel and {rest}"
    shares = {"codec": of_codec, "copying": of_copy}
    if workload.durability != "none" and not workload.in_memory:
        shares["disk"] = of_synced - of_copy
    shares[rest] = 1 - of_codec - max(of_copy, shares.get("disk", 0) + of_copy)
    name = max(shares, key=lambda one: shares[one])
    return f"{name} {100 * min(shares[name], 1):.0f} %"
