"""What follows from a new image description, and in which units bytes change their order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dicodec.model import tags
from dicodec.model.edits import RemoveAttribute, SetAttribute
from dicodec.model.image import ImagePixelDescription
from dicodec.rules.image_edits import (
    choose_native_vr,
    choose_swap_unit,
    make_image_edits,
    make_statistics_edits,
)

GRAY = ImagePixelDescription(4, 4, 1, "MONOCHROME2", 16, 12, 11, 0)
COLOR = ImagePixelDescription(4, 4, 3, "RGB", 8, 8, 7, 0, 1)


def said(image: ImagePixelDescription) -> dict[int, int | str | None]:
    """Return what a data set says that describes an image."""
    return {
        tags.SAMPLES_PER_PIXEL: image.samples_per_pixel,
        tags.PHOTOMETRIC_INTERPRETATION: image.photometric_interpretation,
        tags.PLANAR_CONFIGURATION: image.planar_configuration
        if image.samples_per_pixel > 1
        else None,
        tags.BITS_ALLOCATED: image.bits_allocated,
        tags.BITS_STORED: image.bits_stored,
        tags.HIGH_BIT: image.high_bit,
        tags.PIXEL_REPRESENTATION: image.pixel_representation,
    }


@pytest.mark.parametrize("image", [GRAY, COLOR])
def test_what_stays_is_not_edited(image: ImagePixelDescription) -> None:
    assert make_image_edits(said(image), image) == ()


@pytest.mark.parametrize("image", [GRAY, COLOR])
def test_what_was_assumed_is_written(image: ImagePixelDescription) -> None:
    everything = said(image)
    for tag, value in everything.items():
        edits = make_image_edits({**everything, tag: None}, image)
        assert [edit.tag for edit in edits] == ([] if value is None else [tag])


def test_planar_configuration_leaves_with_the_colors() -> None:
    edits = make_image_edits(said(COLOR), replace(GRAY, bits_allocated=8))
    kept = make_image_edits({**said(GRAY), tags.PLANAR_CONFIGURATION: 0}, GRAY)

    assert RemoveAttribute(tags.PLANAR_CONFIGURATION) in edits
    assert kept == ()


def test_floating_samples_have_no_bits_to_write() -> None:
    image = replace(GRAY, bits_allocated=32, bits_stored=32, high_bit=31, floating=True)
    lacking = dict.fromkeys((tags.BITS_STORED, tags.HIGH_BIT, tags.PIXEL_REPRESENTATION))

    assert make_image_edits({**said(image), **lacking}, image) == ()


@pytest.mark.parametrize(
    ("image", "changes", "expected"),
    [
        (GRAY, {"bits_stored": 16, "high_bit": 15},
         {tags.BITS_STORED: ("US", (16,)), tags.HIGH_BIT: ("US", (15,))}),
        (GRAY, {"pixel_representation": 1}, {tags.PIXEL_REPRESENTATION: ("US", (1,))}),
        (GRAY, {"photometric_interpretation": "MONOCHROME1"},
         {tags.PHOTOMETRIC_INTERPRETATION: ("CS", "MONOCHROME1")}),
        (COLOR, {"planar_configuration": 0}, {tags.PLANAR_CONFIGURATION: ("US", (0,))}),
        (COLOR, {"photometric_interpretation": "YBR_RCT", "planar_configuration": 0},
         {tags.PHOTOMETRIC_INTERPRETATION: ("CS", "YBR_RCT"),
          tags.PLANAR_CONFIGURATION: ("US", (0,))}),
        (GRAY, {"samples_per_pixel": 3, "photometric_interpretation": "RGB"},
         {tags.SAMPLES_PER_PIXEL: ("US", (3,)), tags.PHOTOMETRIC_INTERPRETATION: ("CS", "RGB"),
          tags.PLANAR_CONFIGURATION: ("US", (0,))}),
    ],
)  # fmt: skip
def test_what_changes_is_edited(
    image: ImagePixelDescription, changes: dict[str, Any], expected: dict[int, Any]
) -> None:
    edits = make_image_edits(said(image), replace(image, **changes))

    assert {edit.tag: (edit.vr, edit.value) for edit in edits if isinstance(edit, SetAttribute)} \
        == expected  # fmt: skip
    assert len(edits) == len(expected)


def test_statistics_of_samples_leave_with_them() -> None:
    edits = make_statistics_edits()

    assert all(isinstance(edit, RemoveAttribute) for edit in edits)
    assert {edit.tag for edit in edits} == {0x00280106, 0x00280107, 0x00280108, 0x00280109}


@pytest.mark.parametrize(
    ("bits", "stated", "vr"),
    [
        (8, "", "OB"), (8, "OB", "OB"), (8, "OW", "OW"), (8, "UN", "OB"),
        (1, "OW", "OW"), (1, "", "OB"),
        (16, "OB", "OW"), (16, "", "OW"), (32, "OW", "OW"), (64, "", "OW"),
    ],
)  # fmt: skip
def test_native_pixel_data_has_the_vr_of_its_bits(bits: int, stated: str, vr: str) -> None:
    image = replace(GRAY, bits_allocated=bits, bits_stored=bits)

    assert choose_native_vr(image, stated) == vr


@pytest.mark.parametrize(("bits", "vr"), [(32, "OF"), (64, "OD")])
def test_floating_point_has_a_vr_of_its_own(bits: int, vr: str) -> None:
    image = replace(GRAY, bits_allocated=bits, floating=True)

    assert choose_native_vr(image, "OW") == vr
    assert choose_swap_unit(image, vr) == bits // 8


@pytest.mark.parametrize(
    ("bits", "vr", "unit"),
    [(1, "OB", 1), (1, "OW", 2), (8, "OB", 1), (8, "OW", 2), (8, "", 1), (16, "OW", 2),
     (16, "OB", 2), (32, "OW", 4), (64, "OW", 8)],
)  # fmt: skip
def test_bytes_change_order_by_sample_or_by_word(bits: int, vr: str, unit: int) -> None:
    assert choose_swap_unit(replace(GRAY, bits_allocated=bits), vr) == unit
