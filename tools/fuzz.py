"""Damage real files in many ways, and demand of each a result or an error that says why not.

Every case runs in a process that may take only so much memory and time; one that crashes or hangs
is replaced. The same seed makes the same cases. A case that fails is kept, and printed with how to
run it again.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pydicom

import case_runs
from dicodec import inspect
from dicodec.conversion.convert import convert_with
from dicodec.errors import DicodecError, InternalError
from dicodec.options import ConversionOptions
from mutations import Anatomy, anatomy_of, mutated

LARGEST = 80_000
"""Bytes of a file that is damaged; smaller ones make more cases a minute."""

_TARGETS = (
    "explicit-le", "implicit-le", "explicit-be", "deflated", "rle", "jpeg-lossless", "jpeg",
    "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless", "jpegxl-lossless", "jpegxl-jpeg",
    "encapsulated-uncompressed", "deflated-frame", "as it is",
)  # fmt: skip


def files() -> list[Path]:
    """Return the small files of the corpus, or those that pydicom ships."""
    corpus = case_runs.ROOT.parent / "shared" / "corpus"
    folder = corpus if corpus.is_dir() else Path(pydicom.__file__).parent / "data" / "test_files"
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in {"", ".dcm"} and 0 < path.stat().st_size <= LARGEST
    ]


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged file and what is asked of it.

    Attributes:
        data: the damaged file.
        source: the file that was damaged.
        done: what was done to it.
        options: of its conversion.
    """

    data: bytes
    source: Path
    done: list[str]
    options: dict[str, Any]

    def describe(self) -> str:
        """Return what was done to which file, and the options."""
        return f"{self.source.name}, {', '.join(self.done)}, {self.options}"


class Cases:
    """All cases of a seed, by number."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._files = files()
        self._anatomies: dict[Path, Anatomy] = {}

    def case(self, number: int) -> Case:
        """Return a case; the same one for the same files, seed and number."""
        random = Random(f"{self._seed}/{number}")  # noqa: S311 - nobody must not guess it
        source, other = random.choice(self._files), random.choice(self._files)
        data, done = mutated(self._anatomy(source), self._anatomy(other), random)
        options: dict[str, Any] = {
            "to": random.choice(_TARGETS),
            "lossy": random.random() < 0.5,
            "verify": random.random() < 0.2,
            "standardize": random.random() < 0.3,
        }
        if random.random() < 0.3:
            options["salvage"] = random.choice(("fill", "drop"))
        return Case(data, source, done, options)

    def _anatomy(self, path: Path) -> Anatomy:
        if path not in self._anatomies:
            self._anatomies[path] = anatomy_of(path.read_bytes())
        return self._anatomies[path]


def outcome(case: Case) -> str:
    """Return what became of a case: "result", or the code of an error.

    Raises:
        Exception: anything but a DicodecError is a finding; so is InternalError.
    """
    try:
        found = inspect(case.data)
        settings = dict(case.options)
        if settings["to"] == "as it is":
            settings["to"] = found.transfer_syntax
        options = ConversionOptions(**{**settings, "to": (settings["to"],), "workers": 1})
        convert_with(case.data, io.BytesIO(), options)
    except InternalError:
        raise
    except DicodecError as error:
        str(error)
        json.dumps(error.as_dict())
        return error.code
    return "result"


def main() -> int:
    """Run what the command line asks for; the exit status is 1 if a case failed."""
    return case_runs.main(
        Path(__file__),
        __doc__ or "",
        lambda seed: Cases(seed).case,
        lambda case: [outcome(case)],
        cases=3000,
        case_seconds=20.0,
    )


if __name__ == "__main__":
    sys.exit(main())
