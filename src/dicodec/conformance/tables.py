"""Tables of examinations, in Markdown and as values for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from dicodec.conformance.cases import FAULTS, MATRIX
from dicodec.conformance.faults import CATALOGUE
from dicodec.conformance.suite import Examination
from dicodec.conformance.verdicts import SILENT, Verdict
from dicodec.model.records import asdict

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_SOUND = (
    Verdict.RIGHT, Verdict.OTHER_HEADER, Verdict.REFUSED, Verdict.CRASHED, Verdict.TIMED_OUT,
    Verdict.UNREADABLE, Verdict.WRONG_PIXELS,
)  # fmt: skip
_DAMAGED = (Verdict.RIGHT, Verdict.SALVAGED, *_SOUND[1:])
_BEST_FIRST = (Verdict.RIGHT, Verdict.SALVAGED, *_SOUND[1:], Verdict.NOT_OFFERED)


_OF_SYNTAXES = """\
Right of those tried, to and from Explicit VR Little Endian; in brackets those with exit status 0
and wrong or unreadable pixels.
"""


def as_values(found: Sequence[Examination]) -> list[dict[str, Any]]:
    """Return examinations as values that JSON can hold."""
    return [asdict(one) for one in found]


def make_tables(found: Sequence[Examination]) -> str:
    """Return the tables of examinations in Markdown: counts, transfer syntaxes, faults."""
    ran = [one for one in found if not one.missing]
    blocks = [
        _format_title("Sound files", 2),
        *_format_counts(ran, MATRIX, _SOUND),
        _format_title("Files with faults", 2),
        *_format_counts(ran, FAULTS, _DAMAGED),
        _format_title("By transfer syntax", 2),
        _OF_SYNTAXES,
        *_format_by_syntax(ran),
        _format_title("By fault", 2),
        "The worst of what became of the targets of a fault.\n",
        *_format_by_fault(ran),
    ]
    lacking = [
        f"- {one.converter}: this machine lacks `{one.missing}`" for one in found if one.missing
    ]
    if lacking:
        blocks += [_format_title("Not run", 2), *lacking]
    return "\n".join(blocks) + "\n"


def describe_counts(found: Examination) -> list[str]:
    """Return lines with the counts of one examination."""
    lines = []
    for group, title in ((MATRIX, "sound files"), (FAULTS, "files with faults")):
        counts = Counter(one.verdict for one in found.findings if one.group == group)
        words = ", ".join(f"{counts[one]} {one}" for one in _BEST_FIRST if counts[one])
        if words:
            lines.append(f"{found.converter} {found.version}: {title}: {words}")
    return lines


def has_silent_faults(found: Examination) -> bool:
    """Whether a result was wrong with exit status 0."""
    return any(one.verdict in SILENT for one in found.findings)


def _format_counts(
    found: Sequence[Examination], group: str, verdicts: Sequence[Verdict]
) -> Iterator[str]:
    heads = [str(one) for one in verdicts]
    yield from _format_head(["converter", "version", "tried", *heads])
    for one in found:
        counts = [one.count(group, verdict) for verdict in verdicts]
        yield _format_row([one.converter, one.version, str(sum(counts)), *map(str, counts)])


def _format_by_syntax(found: Sequence[Examination]) -> Iterator[str]:
    yield from _format_head(["transfer syntax", *(one.converter for one in found)])
    kinds = dict.fromkeys(
        finding.kind for one in found for finding in one.findings if finding.group == MATRIX
    )
    for kind in kinds:
        yield _format_row([kind, *(_format_share(one, kind) for one in found)])


def _format_share(found: Examination, kind: str) -> str:
    verdicts = [one.verdict for one in found.findings if one.group == MATRIX and one.kind == kind]
    tried = [one for one in verdicts if one is not Verdict.NOT_OFFERED]
    if not tried:
        return ""
    right = sum(one in {Verdict.RIGHT, Verdict.OTHER_HEADER} for one in tried)
    silent = sum(one in SILENT for one in tried)
    return f"{right} of {len(tried)}" + (f" ({silent})" if silent else "")


def _format_by_fault(found: Sequence[Examination]) -> Iterator[str]:
    yield from _format_head(["fault", "right is", *(one.converter for one in found)])
    for fault in CATALOGUE:
        worst = [_find_worst(one, fault.name) for one in found]
        if any(worst):
            wanted = "refused, or salvaged and told" if fault.refused else "the image"
            yield _format_row([fault.words, wanted, *worst])


def _find_worst(found: Examination, fault: str) -> str:
    verdicts = {
        one.verdict for one in found.findings if one.group == FAULTS and one.kind == fault
    } - {Verdict.NOT_OFFERED}
    return str(max(verdicts, key=_BEST_FIRST.index)) if verdicts else ""


def _format_title(text: str, level: int) -> str:
    return f"\n{'#' * level} {text}\n"


def _format_head(cells: Sequence[str]) -> Iterator[str]:
    yield _format_row(cells)
    yield "|" + "---|" * len(cells)


def _format_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
