"""Images stored in other ways are compared as they are shown: inverted gray, palettes, colors."""

from __future__ import annotations

import base64
import re
import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from dicodec import compare, convert_bytes
from dicodec.comparison.compare import Comparison
from dicodec.errors import InvalidOptionError, MalformedFileError
from helpers.made import IMAGE_KINDS, Element, make_file
from helpers.real_files import real_files
from helpers.samples import colors

GRAY = [(0x00281050, "DS", b"1000"), (0x00281051, "DS", b"400"), (0x00281041, "SS", b"\1\0"),
        (0x00280120, "US", b"\5\0"), (0x00280106, "US", b"\5\0"), (0x00280107, "US", b"\x10\0"),
        (0x20500020, "CS", b"IDENTITY")]  # fmt: skip
PALETTE, INDICES = IMAGE_KINDS["palette"].make()


def made(name: str, **changes: Any) -> bytes:
    return IMAGE_KINDS[name].make(**changes)[0]


def unexpected(found: Comparison) -> list[str]:
    return [change.keyword for change in found.unexpected]


@pytest.mark.parametrize("kind", ["gray-8", "gray-12-in-16", "signed-16", "multi-frame"])
def test_inverted_gray_levels_are_the_same_image(kind: str) -> None:
    data = made(kind, extra=() if kind == "signed-16" else GRAY)
    inverted = convert_bytes(data, to="rle", photometric="MONOCHROME1")

    for one, two in ((data, inverted), (inverted, data)):
        found = compare(one, two)
        assert found.pixels is not None
        assert found.pixels.equal
        assert found.pixels.photometric_interpretation == "MONOCHROME2"
        assert unexpected(found) == []
        assert found.equal


def test_gray_levels_that_are_only_renamed_are_not_the_same() -> None:
    found = compare(made("gray-8"), made("gray-8", photometric="MONOCHROME1"))

    assert found.pixels is not None
    assert not found.pixels.equal
    assert found.pixels.largest_error == 255


@pytest.mark.parametrize("target", ["explicit-le", "rle", "jpegxl-lossless"])
def test_a_palette_that_was_applied_is_the_same_image(target: str) -> None:
    found = compare(PALETTE, convert_bytes(PALETTE, to=target, photometric="RGB"))

    assert found.pixels is not None
    assert found.pixels.equal
    assert found.pixels.notes == ("PALETTE COLOR and RGB: compared as RGB",)
    assert unexpected(found) == []


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_is_compared_at_the_bits_that_the_other_has(bits: int) -> None:
    """The tables need 16 bits; what a target of 8 bits gets is their upper half."""
    entries = (np.arange(256) * 251).astype("<u2")
    extra = [(0x00281201 + n, "OW", entries.tobytes()) for n in range(3)]
    palette = made("palette", extra=extra)
    applied = np.repeat(entries[INDICES][..., np.newaxis], 3, axis=-1)
    pixels = (applied >> 16 - bits).astype(f"<u{bits // 8}")
    data, _ = make_file(48, 64, 3, bits, bits, photometric="RGB", pixels=pixels)

    found = compare(palette, data)

    assert found.pixels is not None
    assert found.pixels.equal
    assert not any("Bits Stored" in note for note in found.pixels.notes)


def test_wrong_colors_are_found_and_measured() -> None:
    right, wrong = (
        make_file(48, 64, 3, 8, 8, photometric="RGB", pixels=pixels)[0]
        for pixels in (colors(INDICES), np.ascontiguousarray(colors(INDICES)[..., ::-1]))
    )

    for data, error in ((right, 0), (wrong, 171)):
        found = compare(PALETTE, data)
        assert found.pixels is not None
        assert found.pixels.largest_error == error


def test_a_lossy_palette_is_as_far_off_as_its_colors_are() -> None:
    data = convert_bytes(PALETTE, to="jpeg", quality=95)
    found = compare(PALETTE, data)

    assert found.pixels is not None
    assert found.pixels.photometric_interpretation == "RGB"
    assert found.pixels.psnr is not None
    assert found.pixels.psnr > 25
    assert unexpected(found) == []


def test_a_palette_without_tables_cannot_be_compared_with_colors() -> None:
    empty: list[Element] = [(0x00281101, "US", struct.pack("<3H", 0, 0, 0))]
    with pytest.raises(MalformedFileError):
        compare(
            made("palette", extra=[*empty, (0x00281201, "OW", b"")]),
            made("rgb-8"),
        )


@pytest.mark.parametrize(("stored", "target"), [(7, "jpeg"), (10, "jpeg-extended")])
def test_lossy_jpeg_may_be_as_wide_as_its_streams(stored: int, target: str) -> None:
    data, _ = make_file(48, 64, 1, 8 if stored < 8 else 16, stored)

    found = compare(data, convert_bytes(data, to=target, lossy=True), tolerance=1 << stored)

    assert "BitsStored" in {change.keyword for change in found.attributes if change.allowed}
    assert found.equal


def panes(path: Path, width: int) -> list[NDArray[np.uint8]]:
    picture = np.asarray(imagecodecs.png_decode(path.read_bytes()))
    return [picture[:, start : start + width] for start in range(0, 3 * (width + 4), width + 4)]


def test_the_picture_shows_palettes_in_their_colors(tmp_path: Path) -> None:
    path = tmp_path / "palette.png"
    compare(PALETTE, convert_bytes(PALETTE, to="jpeg", quality=95), picture=path)

    one, two, difference = panes(path, 64)
    expected = colors(INDICES)[0].astype(float)
    assert np.abs(one - expected).max() <= 1
    assert np.abs(two.astype(float) - expected).mean() < 12
    assert difference.any()


def test_the_picture_shows_two_palettes_and_a_broken_one_gray(tmp_path: Path) -> None:
    path = tmp_path / "palettes.png"
    compare(PALETTE, made("palette", extra=[(0x00281201, "OW", b"")]), picture=path)

    one, two, difference = panes(path, 64)
    assert np.array_equal(one, colors(INDICES)[0])
    assert np.array_equal(two[..., 0], two[..., 1])
    assert not difference.any()


@pytest.mark.parametrize(
    "name", [name for name, path in real_files().items() if "alette" in path.name or "OBXX" in name]
)
def test_real_palettes_are_what_they_become(name: str) -> None:
    path = real_files()[name]
    found = compare(path, convert_bytes(path.read_bytes(), to="rle", photometric="RGB"))

    assert found.equal, found.unexpected


def test_the_page_has_both_frames_under_a_slider_and_needs_no_other_file(tmp_path: Path) -> None:
    names = [tmp_path / "a <b>.dcm", tmp_path / "near.dcm"]
    names[0].write_bytes(made("gray-8"))
    names[1].write_bytes(convert_bytes(made("gray-8"), to="jpeg-ls-near", near=3))
    picture, page = tmp_path / "both.png", tmp_path / "both.html"

    found = compare(*names, picture=picture, html=page)

    assert found.html == str(page)
    text = page.read_text(encoding="utf-8")
    assert "a &lt;b&gt;.dcm" in text
    assert "<b>" not in text
    assert "largest error 3" in text
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text)
    shown = [base64.b64decode(one) for one in re.findall(r"data:image/png;base64,([^\"]+)", text)]
    joined = panes(picture, 64)
    for one, expected in zip(shown, joined, strict=True):
        assert np.array_equal(np.asarray(imagecodecs.png_decode(one)), expected)
    with pytest.raises(InvalidOptionError, match="a page is HTML"):
        compare(*names, html=tmp_path / "page.png")
