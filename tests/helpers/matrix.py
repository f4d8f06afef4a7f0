"""What the conversion matrix expects, as the suite for converters has it."""

from __future__ import annotations

from dicodec.conformance.expectations import (
    ALL,
    ANY,
    FRAMED,
    LOSSLESS,
    LOSSY,
    LOWEST_PSNR,
    MONO,
    NATIVE,
    NEAR,
    holds,
)

__all__ = [
    "ALL", "ANY", "FRAMED", "LOSSLESS", "LOSSY", "LOWEST_PSNR", "MONO", "NATIVE", "NEAR", "holds",
]  # fmt: skip
