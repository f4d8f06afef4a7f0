"""The matrix of bits: every lossless syntax x bits x sign x samples, read by every reader at hand.

A cell is a made image that dicodec writes in one syntax. Every reader that takes the syntax has to
get the very words, unused bits too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from random import Random

from dicodec import convert_bytes
from dicodec.model.transfer_syntax import find_by_name
from differential.judges import Samples
from differential.known_faults import Facts, find_known_fault
from helpers.made import make_file
from helpers.witnesses import Outcome, read_with, same_samples

BITS = ((8, 7), (8, 8), (16, 8), (16, 10), (16, 12), (16, 14), (16, 16))
"""Bits Allocated and Bits Stored."""
FORMS = ((False, 1), (True, 1), (False, 3))
"""Whether samples are signed, and Samples per Pixel."""

_NATIVE = ("pydicom", "gdcm", "dcmtk", "pydcm", "dicom-rs")
_JPEG = ("gdcm", "dcmtk", "pydcm", "dicom-rs")
_JPEG_2000 = ("pydicom", "gdcm", "pydcm", "dicom-rs")
READERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("implicit-le", "explicit-le", "explicit-be", "deflated"), _NATIVE),
    "encapsulated-uncompressed": ("pydicom", "pydcm", "dicom-rs"),
    "deflated-frame": ("pydicom", "dicom-rs"),
    "rle": _NATIVE,
    "jpeg-ls": _NATIVE,
    **dict.fromkeys(("jpeg-lossless-p14", "jpeg-lossless"), _JPEG),
    **dict.fromkeys(("jpeg2000-lossless", "htj2k-lossless", "htj2k-rpcl"), _JPEG_2000),
    "jpegxl-lossless": ("pydcm", "dicom-rs"),
}
"""Who takes each lossless syntax, on any machine that has them all."""
CELLS = tuple(product(READERS, BITS, FORMS))
_TRUSTED = 2
"""Readers that have to be right if another one's known fault spoils a reading."""


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix, with an image of some size."""

    target: str
    bits_allocated: int
    bits_stored: int
    signed: bool
    samples: int
    rows: int
    columns: int
    frames: int
    planar: int
    seed: int

    @property
    def data(self) -> bytes:
        """The native source."""
        return self._made[0]

    def describe(self) -> str:
        """Return target and image in one line."""
        sign = "signed" if self.signed else "unsigned"
        shape = (self.frames, self.rows, self.columns, self.samples)
        return f"bits {self.bits_stored} in {self.bits_allocated}, {sign}, {shape}; {self.target}"

    def outcomes(self, folder: Path, at_hand: Sequence[str]) -> list[str]:
        """Have readers read the result, and return the findings, as `case_runs` counts.

        Args:
            folder: takes the result.
            at_hand: names of the readers that may be asked.
        """
        path = folder / "cell.dcm"
        path.write_bytes(convert_bytes(self.data, to=self.target))
        found, right, spoilt = ["cell of the bit matrix"], 0, []
        for reader in READERS[self.target]:
            if reader not in at_hand:
                continue
            result = read_with(reader, path)
            refused = result.outcome is not Outcome.READ
            if same_samples(result.given, self._made[1]):
                right += 1
            elif find_known_fault(reader, self._facts, refused=refused):
                spoilt.append(reader)
            else:
                what = f"{result.outcome}, {result.detail[-300:]}" if refused else "other samples"
                found.append(f"!{reader}: {what}")
        if spoilt and right < _TRUSTED:
            names = " and ".join(spoilt)
            found.append(f"?known faults of {names}, and {right} other reader of {self.target}")
        return found

    @cached_property
    def _made(self) -> tuple[bytes, Samples]:
        return make_file(
            self.rows,
            self.columns,
            self.samples,
            self.bits_allocated,
            self.bits_stored,
            signed=self.signed,
            frames=self.frames,
            planar=self.planar,
            photometric="RGB" if self.samples == 3 else "MONOCHROME2",
            seed=self.seed,
        )

    @property
    def _facts(self) -> Facts:
        syntax = find_by_name(self.target)
        assert syntax is not None
        return {
            "transfer_syntax": str(syntax.uid),
            "rows": self.rows,
            "columns": self.columns,
            "number_of_frames": self.frames,
            "samples_per_pixel": self.samples,
            "photometric_interpretation": "RGB" if self.samples == 3 else "MONOCHROME2",
            "bits_allocated": self.bits_allocated,
            "bits_stored": self.bits_stored,
            "pixel_representation": int(self.signed),
            "planar_configuration": self.planar,
        }


def draw_cell(number: int, random: Random) -> Cell:
    """Return a cell of the matrix, in turn, with an image of any size."""
    target, (allocated, stored), (signed, samples) = CELLS[number % len(CELLS)]
    return Cell(
        target,
        allocated,
        stored,
        signed,
        samples,
        rows=random.randint(1, 40),
        columns=random.randint(1, 40),
        frames=random.choice((1, 1, 2, 3)),
        planar=int(samples == 3 and random.random() < 0.3),
        seed=random.randrange(1 << 16),
    )
