"""Verdicts on a converter's result, from right to the worst."""

from __future__ import annotations

from dicodec.model.records import StrEnum, dataclass


class Verdict(StrEnum):
    """What became of a case.

    Of a sound file, RIGHT and OTHER_HEADER have the right pixels. Of a file that is damaged past
    repair, RIGHT is a refusal, and SALVAGED has told of the damage and kept what is whole.
    """

    RIGHT = "right"
    SALVAGED = "salvaged, told"
    OTHER_HEADER = "other header"
    REFUSED = "refused"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    UNREADABLE = "unreadable result"
    WRONG_PIXELS = "wrong pixels"
    NOT_OFFERED = "not offered"


SILENT = (Verdict.UNREADABLE, Verdict.WRONG_PIXELS)
"""Exit status 0 without a right image: the worst that a converter can do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on one case.

    Attributes:
        case: its name.
        group, kind: see `Case`.
        verdict: what became of it.
        why: in words, of what is not right; the converter's own last words if it refused.
        seconds: that the converter took.
    """

    case: str
    group: str
    kind: str
    verdict: Verdict
    why: tuple[str, ...] = ()
    seconds: float = 0.0
