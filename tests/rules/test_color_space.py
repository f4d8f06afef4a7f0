"""Which color space a stream is really in: every row of the procedure, and what decides first."""

from __future__ import annotations

from typing import Any

import pytest

from dicodec.model.image import ImagePixelDescription
from dicodec.model.stream import StreamDescription
from dicodec.rules.color_space import decide_color_space

FULL = ((1, 1), (1, 1), (1, 1))
HALF = ((2, 1), (1, 1), (1, 1))
NAMED_RGB = (82, 71, 66)
NUMBERED = (1, 2, 3)


def decide(stated: str, kind: str = "jpeg", samples: int = 3, **stream: Any) -> tuple[str, bool]:
    image = ImagePixelDescription(8, 8, samples, stated, 8, 8, 7, 0)
    facts = {"subsampling": FULL, "component_ids": NUMBERED, **stream}
    decided = decide_color_space(image, StreamDescription(kind, "process", **facts))
    return decided.photometric_interpretation, bool(decided.reason)


@pytest.mark.parametrize(
    ("stated", "stream", "coded", "contradicts"),
    [
        # Data set and stream agree.
        ("RGB", {"component_ids": NAMED_RGB}, "RGB", False),
        ("RGB", {}, "RGB", False),
        ("RGB", {"adobe_transform": 0}, "RGB", False),
        ("YBR_FULL", {}, "YBR_FULL", False),
        ("YBR_FULL_422", {"subsampling": HALF, "jfif": True}, "YBR_FULL_422", False),
        ("YBR_FULL_422", {"jfif": True}, "YBR_FULL_422", False),
        ("YBR_FULL", {"adobe_transform": 1}, "YBR_FULL", False),
        # RGB is claimed over YCbCr: PITFALLS 8.
        ("RGB", {"subsampling": HALF}, "YBR_FULL_422", True),
        ("RGB", {"subsampling": HALF, "component_ids": NAMED_RGB}, "YBR_FULL_422", True),
        ("RGB", {"adobe_transform": 1}, "YBR_FULL", True),
        ("RGB", {"jfif": True, "lossless": False}, "YBR_FULL", True),
        ("RGB", {"jfif": True, "lossless": True}, "RGB", False),
        ("RGB", {"jfif": True, "lossless": False, "component_ids": NAMED_RGB}, "RGB", False),
        ("RGB", {"jfif": True, "lossless": False, "adobe_transform": 0}, "RGB", False),
        # YCbCr is claimed over RGB: PITFALLS 9.
        ("YBR_FULL", {"component_ids": NAMED_RGB}, "RGB", True),
        ("YBR_FULL_422", {"component_ids": NAMED_RGB, "lossless": True}, "RGB", True),
        ("YBR_FULL_422", {"component_ids": NAMED_RGB, "subsampling": HALF}, "YBR_FULL_422", False),
        ("YBR_FULL", {"adobe_transform": 0}, "RGB", True),
        # The range of video is that of JFIF and Adobe nowhere.
        ("YBR_PARTIAL_422", {}, "YBR_PARTIAL_422", False),
        ("YBR_PARTIAL_422", {"jfif": True, "lossless": True}, "YBR_PARTIAL_422", False),
        ("YBR_PARTIAL_422", {"jfif": True, "lossless": False}, "YBR_FULL", True),
        ("YBR_PARTIAL_420", {"adobe_transform": 1, "lossless": False}, "YBR_FULL", True),
        ("YBR_PARTIAL_422", {"adobe_transform": 0, "lossless": False}, "RGB", True),
    ],
)  # fmt: skip
def test_jpeg(stated: str, stream: dict[str, Any], coded: str, contradicts: bool) -> None:
    assert decide(stated, **stream) == (coded, contradicts)


@pytest.mark.parametrize("kind", ["jpeg2000", "htj2k"])
@pytest.mark.parametrize(
    ("stated", "transform", "lossless", "coded", "contradicts"),
    [
        ("YBR_RCT", True, True, "YBR_RCT", False),
        ("YBR_ICT", True, False, "YBR_ICT", False),
        ("RGB", False, True, "RGB", False),
        ("YBR_FULL", False, True, "YBR_FULL", False),
        ("RGB", True, True, "YBR_RCT", True),
        ("RGB", True, False, "YBR_ICT", True),
        ("YBR_FULL", True, False, "YBR_ICT", True),
        ("YBR_ICT", True, True, "YBR_RCT", True),
        ("YBR_RCT", False, True, "RGB", True),
        ("YBR_ICT", False, False, "RGB", True),
    ],
)
def test_jpeg_2000(
    kind: str, stated: str, transform: bool, lossless: bool, coded: str, contradicts: bool
) -> None:
    found = decide(stated, kind, component_transform=transform, lossless=lossless)
    assert found == (coded, contradicts)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg2000", "htj2k", "jpeg-ls", "rle", "native"])
def test_one_sample_has_no_color(kind: str) -> None:
    for stated in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"):
        found = decide(stated, kind, samples=1, jfif=True, component_transform=True)
        assert found == (stated, False)


@pytest.mark.parametrize("kind", ["jpeg-ls", "rle", "deflate", "native", "jpegxl"])
def test_other_streams_say_nothing_of_color(kind: str) -> None:
    for stated in ("RGB", "YBR_FULL"):
        assert decide(stated, kind) == (stated, False)
