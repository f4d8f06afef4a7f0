"""Samples of made files, read and measured with nothing of dicodec's in the way."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def native_samples(data: bytes) -> NDArray[Any]:
    """Return the samples of an explicit-le file, with nothing of dicodec's in the way."""
    import io

    import pydicom
    from pydicom.pixels.utils import pixel_array

    dataset = pydicom.dcmread(io.BytesIO(data))
    samples = pixel_array(dataset, raw=True)
    return samples if dataset.get("NumberOfFrames", 1) > 1 else samples[np.newaxis]


def psnr(one: NDArray[Any], other: NDArray[Any], bits_stored: int) -> float:
    """Return the peak signal-to-noise ratio in dB, infinite for equal samples."""
    error = np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else 10 * np.log10(float((1 << bits_stored) - 1) ** 2 / error)


def colors(indices: NDArray[Any]) -> NDArray[Any]:
    """Return the colors of a made palette's samples: three ramps of 256 steps."""
    ramp = np.arange(256, dtype=np.uint8)
    return np.stack([table[indices] for table in (ramp, ramp[::-1], np.roll(ramp, 85))], axis=-1)
