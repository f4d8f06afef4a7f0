"""The suite: run a converter over all cases, and collect the findings."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dicodec.conformance.cases import Case, list_matrix, select
from dicodec.conformance.converters import Converter
from dicodec.conformance.faults import list_fault_cases
from dicodec.conformance.judging import Judge
from dicodec.conformance.running import run_converter
from dicodec.conformance.verdicts import Finding, Verdict
from dicodec.errors import InvalidOptionError
from dicodec.model.records import dataclass

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT = 30.0
"""Seconds that a converter may take over one file."""

MEMORY = 2 << 30
"""Bytes of data that a converter may have."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What a converter did with all cases.

    Attributes:
        converter: its name.
        version: of the converter, "" if it did not say.
        missing: the program that this machine lacks; "" if the converter ran.
        findings: one for each case, in order.
    """

    converter: str
    version: str = ""
    missing: str = ""
    findings: tuple[Finding, ...] = ()

    def count(self, group: str, verdict: Verdict) -> int:
        """Return how many cases of a group have a verdict."""
        return sum(one.group == group and one.verdict is verdict for one in self.findings)


def examine(
    converter: Converter,
    *,
    only: Sequence[str] = (),
    timeout: float = TIMEOUT,
    memory: int = MEMORY,
    independent: bool = False,
    tell: Callable[[Finding], None] | None = None,
) -> Examination:
    """Run a converter over the suite, one file after the other.

    Args:
        converter: see `make_converter` and `load_converters`.
        only: patterns of names of cases, such as "faults/*" or "matrix/rgb-8: *"; none for all.
        timeout: seconds that a conversion may take, above 0.
        memory: bytes of data that a process of the converter may have.
        independent: whether GDCM, if it is installed, decodes right results too. It is always
            asked before a result counts as wrong.
        tell: called with each finding as soon as it is there.

    Returns:
        The findings. If the machine lacks the converter, there are none, and `missing` names it.

    Raises:
        InvalidOptionError: no case has such a name.
    """
    cases = select_cases(only)
    if converter.missing:
        return Examination(converter.name, missing=converter.missing)
    judge = Judge(independent=independent)
    findings = []
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        for case in cases:
            finding = _examine_case(case, converter, Path(name), judge, timeout, memory)
            findings.append(finding)
            if tell is not None:
                tell(finding)
    return Examination(converter.name, converter.ask_version(), "", tuple(findings))


def list_cases() -> Iterator[Case]:
    """List all cases: sound files first."""
    return itertools.chain(list_matrix(), list_fault_cases())


def select_cases(only: Sequence[str]) -> list[Case]:
    """Return the cases of these patterns.

    Raises:
        InvalidOptionError: no case has such a name.
    """
    cases = select(list_cases(), list(only))
    if not cases:
        raise InvalidOptionError(
            f"no case is called {' or '.join(only)}",
            hint="names are like matrix/rgb-8: rle to explicit-le",
        )
    return cases


def _examine_case(
    case: Case, converter: Converter, folder: Path, judge: Judge, timeout: float, memory: int
) -> Finding:
    source, result = folder / "in" / "case.dcm", folder / "out" / "case.dcm"
    for place in (source, result):
        place.parent.mkdir(exist_ok=True)
    command = converter.find_command(case.made_of, case.made_to, source, result)
    if command is None:
        return Finding(case.name, case.group, case.kind, Verdict.NOT_OFFERED)
    content, right_content = case.make()
    right = folder / "right.dcm"
    source.write_bytes(content)
    right.write_bytes(right_content)
    for old in result.parent.iterdir():
        old.unlink()
    run = run_converter(
        command, folder, timeout=timeout, memory=memory, variables=converter.variables
    )
    verdict, why = judge.judge(case, run, right, result)
    why = [_hide(one, folder) for one in why if one]
    return Finding(case.name, case.group, case.kind, verdict, tuple(why), round(run.seconds, 3))


def _hide(text: str, folder: Path) -> str:
    """Return words without the folder, which is another one each time."""
    return text.replace(f"{folder}/", "")
