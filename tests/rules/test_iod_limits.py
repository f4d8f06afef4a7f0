"""Warnings where an IOD does not know what was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dicodec import convert
from dicodec.model.image import ImagePixelDescription
from dicodec.rules.iod_limits import iod_departures
from helpers.made import make_file

CT, MR_ENHANCED, US = (f"1.2.840.10008.5.1.4.1.1.{last}" for last in ("2", "4.1", "6.1"))
GRAY = ImagePixelDescription(4, 4, 1, "MONOCHROME2", 16, 12, 11, 0)
COLOR = ImagePixelDescription(4, 4, 3, "YBR_FULL_422", 8, 8, 7, 0)


@pytest.mark.parametrize(
    ("sop_class", "source", "changes", "target", "found"),
    [
        (CT, GRAY, {}, "rle", 0),
        (CT, GRAY, {"bits_allocated": 8}, "rle", 1),
        (CT, replace(GRAY, bits_allocated=8), {}, "rle", 0),  # was so before
        (CT, GRAY, {"photometric_interpretation": "MONOCHROME1"}, "rle", 0),
        (MR_ENHANCED, GRAY, {"photometric_interpretation": "MONOCHROME1"}, "rle", 1),
        (US, COLOR, {"photometric_interpretation": "YBR_FULL"}, "explicit-le", 1),
        (US, COLOR, {"photometric_interpretation": "YBR_FULL"}, "rle", 0),
        (US, COLOR, {"photometric_interpretation": "RGB"}, "explicit-le", 0),
        ("1.2.840.10008.5.1.4.1.1.7", GRAY, {"bits_allocated": 8}, "rle", 0),
        ("2", GRAY, {"bits_allocated": 8}, "rle", 0),
        ("", GRAY, {"bits_allocated": 8}, "rle", 0),
    ],
)
def test_rows(
    sop_class: str, source: ImagePixelDescription, changes: dict[str, Any], target: str, found: int
) -> None:
    result = replace(source, **changes)

    assert len(iod_departures(sop_class, source, result, target)) == found


def test_a_ct_of_8_bits_is_made_and_warned_of() -> None:
    data, _ = make_file(4, 4, 1, 16, 12, extra=[(0x00080016, "UI", CT.encode())])
    report = convert(data, None, to="rle", rescale_to_8bit=True)

    assert report.warnings == [
        "Bits Allocated 8 is not among the values that PS3.3 C.8.2.1 allows for CT Image Storage"
    ]
