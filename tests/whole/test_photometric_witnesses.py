"""Each cell of the table of targets once more, by what pydicom, GDCM and DCMTK read in the results.

Header and samples of a result have to be right together: whoever takes the one by the other sees
the colors that went in. PITFALLS of others: 1, 2, 3, 4, 7, 11, 12, 15, 16.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.photometric_files import (
    BY_TARGET,
    NO_COLORS,
    TARGETS,
    Pixels,
    check_colors,
    run,
    source,
    to_rgb,
)
from helpers.samples import colors
from helpers.witnesses import WITNESSES, Outcome, read_with, require

NOT_READ: dict[str, set[str]] = {
    # no decoder; pydicom's own for lossless JPEG is GDCM's, which is asked itself
    "pydicom": {"jpeg-lossless", "jpegxl-lossless", "jpegxl"},
    "gdcm": {"encapsulated-uncompressed", "deflated-frame", "jpegxl-lossless", "jpegxl"},
    "dcmtk": {
        "encapsulated-uncompressed", "deflated-frame", "jpeg2000-lossless", "jpeg2000",
        "htj2k-lossless", "htj2k-rpcl", "htj2k", "jpegxl-lossless", "jpegxl",
    },
}  # fmt: skip
"""Transfer syntaxes that a witness refuses."""

SUBSAMPLED_FRAMES = {"encapsulated-uncompressed", "deflated-frame"}
"""In which the witness for pydicom, which reads them by itself, knows no subsampled samples."""


def reads(witness: str, photometric: str, target: str) -> bool:
    subsampled = photometric == "YBR_FULL_422" and target in SUBSAMPLED_FRAMES
    return target not in NOT_READ[witness] and not subsampled


CELLS = [
    pytest.param(witness, row[0], row[column], target, id=f"{witness}-{row[0]}-{target}")
    for witness in WITNESSES
    for row in BY_TARGET[1:]
    for column, target in TARGETS
    if row[column] != "-" and not row[column].startswith(NO_COLORS)
    if reads(witness, row[column], target)
]


def in_rgb(samples: Pixels, photometric: str) -> Pixels:
    """Return the colors of samples, as their Photometric Interpretation says."""
    if photometric in {"YBR_FULL", "YBR_FULL_422"}:
        return to_rgb(samples)
    return colors(samples) if photometric == "PALETTE COLOR" else samples


@pytest.mark.parametrize(("witness", "before", "after", "target"), CELLS)
def test_a_witness_sees_the_colors_that_went_in(
    witness: str, before: str, after: str, target: str, tmp_path: Path
) -> None:
    require(witness)
    data, expected = source(before)
    path = tmp_path / "result.dcm"
    path.write_bytes(run(data, to=target, lossy=True)[0])

    seen = read_with(witness, path)

    assert seen.outcome is Outcome.READ, seen.detail
    assert seen.samples is not None
    found = in_rgb(seen.samples, seen.facts["photometric_interpretation"])
    check_colors(before, after, target, found, expected)


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize("wanted", ["MONOCHROME1", "MONOCHROME2"])
def test_a_witness_sees_inverted_samples(witness: str, wanted: str, tmp_path: Path) -> None:
    require(witness)
    other = "MONOCHROME2" if wanted == "MONOCHROME1" else "MONOCHROME1"
    data, gray = source(other)
    path = tmp_path / "result.dcm"
    path.write_bytes(run(data, to="rle", photometric=wanted)[0])

    seen = read_with(witness, path)

    assert seen.samples is not None
    assert seen.facts["photometric_interpretation"] == wanted
    assert np.array_equal(seen.samples, 255 - gray)
