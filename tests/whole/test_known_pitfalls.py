"""What went wrong in other converters, each row with the number it has among PITFALLS.

Headers are read by pydicom, samples by whichever witness knows the transfer syntax. More of them
are in test_photometric_witnesses.py (1 to 4, 7, 11, 12, 15, 16), test_stream_contradictions.py
(17, 20, 23), test_lossy_bookkeeping.py (35 to 38, 43) and test_iod_errors.py (13, 35 to 38, 41).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicodec import convert, convert_bytes
from dicodec.errors import ConversionError, UnsupportedImageError
from helpers.data_set_bytes import element, item, sequence
from helpers.made import IMAGE_KINDS, make_file, make_samples
from helpers.matrix import LOSSLESS, LOSSY, MONO, NATIVE
from helpers.samples import native_samples
from helpers.witnesses import Outcome, available, read_with, same_samples


def header(data: bytes) -> Any:
    return pydicom.dcmread(io.BytesIO(data))


def check_by_witnesses(data: bytes, expected: Any, folder: Path, syntax: str) -> None:
    """Every witness that reads the file at all reads these samples; ours does in any case."""
    assert np.array_equal(native_samples(convert_bytes(data, to="explicit-le")), expected), syntax
    path = folder / f"{syntax}.dcm"
    path.write_bytes(data)
    for witness in available():
        seen = read_with(witness, path)
        if seen.outcome is Outcome.READ:
            assert same_samples(seen.samples, expected), (witness, syntax)


def test_5_all_frames_have_the_colors_that_each_has() -> None:
    frames = make_samples(16, 24, 3, 8, False, 3, 5).astype(np.uint8)
    many = convert_bytes(
        make_file(16, 24, 3, 8, 8, photometric="RGB", frames=3, pixels=frames)[0],
        to="jpeg", quality=95,
    )  # fmt: skip
    assert header(many).PhotometricInterpretation == "YBR_FULL_422"
    together = native_samples(convert_bytes(many, to="explicit-le", photometric="RGB"))
    for number, frame in enumerate(frames):
        one = convert_bytes(
            make_file(16, 24, 3, 8, 8, photometric="RGB", pixels=frame[np.newaxis])[0],
            to="jpeg", quality=95,
        )  # fmt: skip
        alone = native_samples(convert_bytes(one, to="explicit-le", photometric="RGB"))
        assert np.array_equal(together[number], alone[0])


@pytest.mark.parametrize("target", LOSSY)
def test_13_a_palette_goes_to_lossy_syntaxes_through_its_colors(target: str) -> None:
    data, _ = IMAGE_KINDS["palette"].make()
    if target == "jpeg-extended":
        with pytest.raises(UnsupportedImageError):
            convert(data, None, to=target, lossy=True)
        return
    report = convert(data, io.BytesIO(), to=target, lossy=True)

    assert any("PALETTE COLOR is converted to RGB" in one for one in report.decisions)


@pytest.mark.parametrize("syntax", ["rle", "jpeg-lossless", "jpeg2000-lossless", "jpeg-ls"])
@pytest.mark.parametrize("planar", [0, 1])
def test_15_and_16_planes_are_where_the_header_has_them(
    syntax: str, planar: int, tmp_path: Path
) -> None:
    data, pixels = IMAGE_KINDS["rgb-8"].make(planar=planar)
    result = convert_bytes(data, to=syntax)

    assert header(result).PlanarConfiguration == 0
    check_by_witnesses(result, pixels, tmp_path, f"{syntax}-{planar}")


@pytest.mark.parametrize("stored", [6, 7, 8, 9, 12, 15, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_18_to_21_signs_and_unused_bits_survive_every_codec(
    stored: int, signed: bool, tmp_path: Path
) -> None:
    """18: signed JPEG 2000; 19, 20: JPEG-LS of few bits, signed; 21: JPEG XL of fewer bits."""
    pixels = make_samples(24, 20, 1, stored, signed, 1, stored).astype("<i2" if signed else "<u2")
    data, _ = make_file(24, 20, 1, 16, stored, signed, pixels=pixels)

    for syntax in LOSSLESS:
        result = convert_bytes(data, to=syntax, verify=True)
        after = header(result)
        assert (after.BitsStored, after.HighBit) == (stored, stored - 1)
        assert after.PixelRepresentation == signed
        check_by_witnesses(result, pixels, tmp_path, syntax)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_22_bits_above_bits_stored_never_reach_an_encoder(syntax: str, tmp_path: Path) -> None:
    clean = make_samples(24, 20, 1, 12, False, 1, 22).astype("<u2")
    noise = np.random.default_rng(22).integers(0, 16, clean.shape).astype("<u2") << 12
    data, _ = make_file(24, 20, 1, 16, 12, pixels=clean | noise)

    result = convert_bytes(data, to=syntax)

    if syntax in {"jpeg-ls", "rle", "jpeg2000-lossless", "jpeg-lossless", "htj2k-lossless"}:
        assert len(result) < len(convert_bytes(
            make_file(24, 20, 1, 16, 16, pixels=clean | noise)[0], to=syntax
        ))  # fmt: skip
    path = tmp_path / "result.dcm"
    path.write_bytes(result)
    found = native_samples(convert_bytes(result, to="explicit-le")) & 0xFFF
    assert np.array_equal(found, clean)


@pytest.mark.parametrize("stored", [9, 10, 11])
def test_23_jpeg_extended_of_9_to_11_bits_is_one_of_12(stored: int) -> None:
    result = header(
        convert_bytes(make_file(24, 20, 1, 16, stored)[0], to="jpeg-extended", lossy=True)
    )

    assert (result.BitsAllocated, result.BitsStored, result.HighBit) == (16, 12, 11)


@pytest.mark.parametrize("target", [*LOSSLESS, *LOSSY])
def test_39_and_41_the_vr_and_the_syntax_are_what_was_asked_for(target: str) -> None:
    data, _ = IMAGE_KINDS["gray-8"].make()
    after = header(convert_bytes(data, to=target, lossy=True))

    if target not in NATIVE:
        assert after["PixelData"].VR == "OB"
        assert after["PixelData"].is_undefined_length
    assert convert(data, None, to=target, lossy=True).target_syntax == target


@pytest.mark.parametrize("target", LOSSY)
def test_41_what_a_lossy_syntax_cannot_hold_is_refused_not_replaced(target: str) -> None:
    data, _ = IMAGE_KINDS["gray-32"].make()

    with pytest.raises(ConversionError):
        convert(data, None, to=target, lossy=True)


@pytest.mark.parametrize("target", ["rle", "jpeg2000-lossless", "explicit-be", "deflated"])
def test_40_a_data_set_without_pixels_is_named_what_it_is(target: str) -> None:
    made = header(IMAGE_KINDS["gray-8"].make()[0])
    del made.PixelData
    source = io.BytesIO()
    made.save_as(source)

    out = io.BytesIO()
    report = convert(source.getvalue(), out, to=target)

    syntax = header(out.getvalue()).file_meta.TransferSyntaxUID
    assert not syntax.is_encapsulated
    assert report.target_syntax == (
        target if target in {"explicit-be", "deflated"} else "explicit-le"
    )
    told = any("no pixels to store" in warning for warning in report.warnings)
    assert told == (report.target_syntax != target)


def icon() -> bytes:
    words = ((0x00280002, 1), (0x00280010, 2), (0x00280011, 2), (0x00280100, 8),
             (0x00280101, 8), (0x00280102, 7), (0x00280103, 0))  # fmt: skip
    inner = b"".join(
        [
            element(0x00280002, "US", b"\1\0"),
            element(0x00280004, "CS", b"MONOCHROME2 "),
            *(element(tag, "US", value.to_bytes(2, "little")) for tag, value in words[1:]),
            element(0x7FE00010, "OB", b"\1\2\3\4"),
        ]
    )
    return sequence(0x00880200, item(inner))[12:]


@pytest.mark.parametrize("target", ["rle", "jpeg2000-lossless", "htj2k-lossless", "jpeg"])
def test_42_a_native_icon_stays_readable_in_an_encapsulated_file(target: str) -> None:
    data, _ = IMAGE_KINDS["gray-8"].make(extra=[(0x00880200, "SQ", icon())])

    result = convert_bytes(data, to=target, lossy=True)
    back = convert_bytes(result, to="explicit-le")

    for one in (result, back):
        (found,) = header(one).IconImageSequence
        assert found.PixelData == b"\1\2\3\4"
        assert found["PixelData"].is_undefined_length is False


def test_43_decompressing_never_takes_a_loss_back() -> None:
    data, _ = IMAGE_KINDS["gray-8"].make()
    for target in LOSSY:
        lossy = convert_bytes(data, to=target, lossy=True)
        for native in ("explicit-le", "implicit-le", "jpeg-ls"):
            after = header(convert_bytes(lossy, to=native))
            assert after.LossyImageCompression == "01"
            assert after.LossyImageCompressionMethod == header(lossy).LossyImageCompressionMethod
            assert after.PhotometricInterpretation in MONO
