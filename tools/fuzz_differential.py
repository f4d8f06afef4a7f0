"""Convert made files with faults along chains of transfer syntaxes; other readers judge the end.

Each case is made from its number: an image of any kind in any transfer syntax, one to three faults
of the catalogue (differential/), and one to three conversions. pydicom with its
plugins, GDCM and DCMTK read the source and the result. An exit without an error but with other
samples or elements is a finding, and so are a crash, an internal error, and a result that dicodec
does not read again. Refusals are counted by their code.

Every tenth case is a cell of the bit matrix instead: a right image in a lossless syntax, which
every reader at hand has to read right.
"""

from __future__ import annotations

import sys
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import case_runs
from dicodec import convert
from dicodec.errors import DicodecError, InternalError, ReadError
from differential.bit_matrix import Cell, draw_cell
from differential.chains import Hop, draw_chain
from differential.header_faults import CHARACTER_SET, HEADER_FAULTS
from differential.judgement import Case, Judgement
from differential.made_files import draw_draft
from differential.pixel_faults import PIXEL_FAULTS
from helpers.witnesses import available, find_more

CASES = 2000
CELL_EVERY = 10


def make_case(seed: int, number: int) -> Case | Cell:
    """Return a case; the same one for the same seed and number."""
    random = Random(f"{seed}/{number}")  # noqa: S311 - nobody must not guess it
    turn, place = divmod(number, CELL_EVERY)
    if place == CELL_EVERY - 1:
        return draw_cell(turn, random)
    return make_faulty(random)


def make_faulty(random: Random) -> Case:
    """Return a file with faults, and a chain of conversions."""
    draft = draw_draft(random)
    right = draft.content()
    faults: list[str] = []
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3))):
        fault = random.choice(random.choice((PIXEL_FAULTS, HEADER_FAULTS)))
        if said := fault(draft, random):
            faults.append(said)
    chain = draw_chain(random)
    return Case(draft.content(), right, draft, faults, chain, random.random() < 0.25)


def outcomes(case: Case | Cell) -> list[str]:
    """Run a case, and return what became of it, as `case_runs` counts it."""
    folder = Path(_folder().name)
    if isinstance(case, Cell):
        return case.outcomes(folder, [*available(), *find_more()])
    return _Run(case, folder).outcomes()


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of this process; each case writes over the files of the last one."""
    return tempfile.TemporaryDirectory(prefix="differential-")


class _Run:
    """One case: the chain, and the judgement of its end."""

    def __init__(self, case: Case, folder: Path) -> None:
        self._case = case
        self._folder = folder
        self._found: list[str] = []

    def outcomes(self) -> list[str]:
        source = self._folder / "source.dcm"
        source.write_bytes(self._case.data)
        judgement = Judgement(self._case, source, self._folder)
        current = source
        done: list[Hop] = []
        for number, hop in enumerate(self._case.chain):
            try:
                current = self._convert(current, hop, number)
            except InternalError as error:
                return [*self._found, f"!internal error: {error}"]
            except DicodecError as error:
                self._refused(error, hop, judgement, first=not done)
                break
            done.append(hop)
            self._found.append("conversion")
        if done:
            self._found += judgement.of_result(current, done)
        self._found.append("case with a result" if done else "case refused")
        return self._found

    def _convert(self, source: Path, hop: Hop, number: int) -> Path:
        target = self._folder / f"{number}.dcm"
        options: dict[str, Any] = dict(hop.options)
        if hop.in_place:
            target.write_bytes(source.read_bytes())
            convert(target, target, to=hop.to, workers=1, overwrite=True, **options)
        else:
            target.unlink(missing_ok=True)
            convert(source, target, to=hop.to, workers=1, **options)
        return target

    def _refused(self, error: DicodecError, hop: Hop, judgement: Judgement, *, first: bool) -> None:
        self._found.append(f"refused: {error.code}")
        draft = self._case.draft
        doubtful = draft.derailed or draft.ambiguous
        if "charset" in hop.options:  # only then is the text read
            doubtful |= CHARACTER_SET in draft.touched
        if error.code in {"verification-failed", "read-error"}:
            self._found.append(f"!refused with {error.code}: {error}")
        elif not first and isinstance(error, ReadError) and not doubtful:
            self._found.append(f"!own result refused with {error.code}: {error}")
        elif first and isinstance(error, ReadError) and judgement.readers_agree():
            self._found.append(f"?read by all others, refused: {error.code}")


def main() -> int:
    """Run what the command line asks for; the exit status is 1 if a case is a finding."""
    return case_runs.main(
        Path(__file__),
        __doc__ or "",
        lambda seed: lambda number: make_case(seed, number),
        outcomes,
        cases=CASES,
        case_seconds=120.0,
    )


if __name__ == "__main__":
    sys.exit(main())
