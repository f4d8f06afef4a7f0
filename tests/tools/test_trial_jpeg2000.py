"""`make trial-jpeg2000`: streams are compared, and a wrong sample is a failure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

import trial_jpeg2000
from helpers.jpeg2000_streams import library
from helpers.kernels import kernels


@pytest.fixture(autouse=True)
def both_codecs() -> None:
    kernels()
    library()


def test_rounds_compare_streams_of_both_encoders() -> None:
    counts: Counter[str] = Counter()
    trial_jpeg2000.run_rounds(100, 12, 60, counts)
    assert counts["streams of the kernel, reversible"] == 12
    assert counts["streams of the kernel, irreversible"] == 12
    theirs = sum(count for what, count in counts.items() if what.startswith("streams of OpenJPEG"))
    assert 0 < theirs <= 12


def test_a_wrong_sample_ends_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    right = trial_jpeg2000.decode_by_kernel

    def decode(*arguments: Any) -> Any:
        samples = right(*arguments)
        if samples is None:
            return None
        changed = np.array(samples).reshape(-1)
        changed[-1] ^= 2
        return changed.reshape(samples.shape)

    monkeypatch.setattr(trial_jpeg2000, "decode_by_kernel", decode)
    with pytest.raises(trial_jpeg2000.TrialError, match=r"round 100: .*samples differ by"):
        trial_jpeg2000.run_rounds(100, 12, 60, Counter())
