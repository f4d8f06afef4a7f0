"""The files that made.py makes are what they say, by the word of every witness."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from helpers import made
from helpers.witnesses import available, read_with, same_samples

SYNTAXES = {
    "implicit-le": made.IMPLICIT_LE,
    "explicit-le": made.EXPLICIT_LE,
    "explicit-be": made.EXPLICIT_BE,
    "deflated": made.DEFLATED,
}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("kind", made.IMAGE_KINDS)
def test_witnesses_read_what_was_made(kind: str, syntax: str, tmp_path: Path) -> None:
    content, samples = made.IMAGE_KINDS[kind].make(transfer_syntax=SYNTAXES[syntax])
    path = tmp_path / "made.dcm"
    path.write_bytes(content)
    for name in available():
        # 32-bit samples in big endian are read in two ways: pydicom's (by the sample) and theirs.
        if syntax == "explicit-be" and "32" in kind and name != "pydicom":
            continue
        result = read_with(name, path)
        assert same_samples(result.samples, samples), (name, result.outcome, result.detail)


@pytest.mark.parametrize("kind", made.IMAGE_KINDS.values(), ids=made.IMAGE_KINDS)
def test_samples_reach_both_ends_of_the_range(kind: made.ImageKind) -> None:
    _, samples = kind.make()
    low = -(1 << (kind.bits_stored - 1)) if kind.signed else 0
    high = low + (1 << kind.bits_stored) - 1
    assert samples.max() == high
    assert samples.min() == (low if samples.size > 1 else high)


def test_frames_and_seeds_differ() -> None:
    kind = made.IMAGE_KINDS["multi-frame"]
    content, samples = kind.make()
    assert not np.array_equal(samples[0], samples[1])
    assert kind.make()[0] == content
    assert kind.make(seed=2)[0] != content


def test_elements_can_be_added_and_replaced() -> None:
    extra = [(0x00100010, "PN", b"Another"), (0x7FE11001, "OB", b"after the pixels")]
    content, _ = made.IMAGE_KINDS["gray-8"].make(extra=extra)
    data_set = pydicom.dcmread(io.BytesIO(content))
    assert data_set.PatientName == "Another"
    assert data_set[0x7FE11001].value == b"after the pixels"
    assert len(data_set.file_meta) == 6
