"""The matrix: every kind of image from every transfer syntax to every other, and read by others."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dicodec import convert, convert_bytes
from dicodec.errors import LossyNotAllowedError, SampleRangeError, UnsupportedImageError
from dicodec.model.transfer_syntax import find_by_name
from helpers.made import IMAGE_KINDS, ImageKind, Samples
from helpers.matrix import ALL, LOSSLESS, LOSSY, LOWEST_PSNR, NATIVE, NEAR, holds
from helpers.samples import colors, native_samples, psnr
from helpers.witnesses import WITNESSES, Outcome, read_with, require

KINDS = list(IMAGE_KINDS.values())
REFUSALS = (UnsupportedImageError, SampleRangeError)


@cache
def made(name: str) -> tuple[bytes, Samples]:
    """Return an explicit-le file of a kind, and its samples."""
    return IMAGE_KINDS[name].make()


@cache
def converted(name: str, syntax: str) -> bytes:
    """Return the file of a kind in a transfer syntax."""
    if syntax == "jpegxl-jpeg":
        return convert_bytes(converted(name, "jpeg"), to=syntax)
    return convert_bytes(made(name)[0], to=syntax, lossy=True)


def rgb(samples: NDArray[Any]) -> NDArray[Any]:
    """Return YBR_FULL samples of 8 bits as RGB, in floating point (PS3.3 C.7.6.3.1.2)."""
    y, cb, cr = (samples[..., index].astype(np.float64) for index in range(3))
    cb, cr = cb - 128, cr - 128
    channels = (y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb)
    return np.clip(np.stack(channels, axis=-1), 0, 255)


COLORED = replace(
    IMAGE_KINDS["palette"], samples=3, bits_allocated=8, bits_stored=8, photometric="RGB"
)


def assert_close(
    found: NDArray[Any], expected: NDArray[Any], kind: ImageKind, syntax: str, color: str
) -> None:
    """Check samples against the promise of a transfer syntax; colors are compared as RGB."""
    jumps = 0.0
    if kind.photometric == "PALETTE COLOR" and color != "PALETTE COLOR":
        kind, expected = COLORED, colors(expected)
        jumps = 3.0  # one of the ramps breaks off, and halved chroma blurs where
    assert found.shape == expected.shape
    color_of_kind = kind.photometric
    if color != color_of_kind and "YBR_FULL" in {color[:8], color_of_kind}:
        found = rgb(found) if color.startswith("YBR_FULL") else found
        expected = rgb(expected) if color_of_kind == "YBR_FULL" else expected
        assert psnr(found, expected, 8) >= min(LOWEST_PSNR.get(syntax, 40.0), 40.0) - jumps
    elif syntax in LOSSLESS:
        assert np.array_equal(found, expected)
    elif syntax == "jpeg-ls-near":
        assert np.abs(found.astype(np.int64) - expected.astype(np.int64)).max() <= NEAR
    else:
        assert psnr(found, expected, kind.bits_stored) >= LOWEST_PSNR[syntax] - jumps


def color_of(data: bytes) -> str:
    """Return the Photometric Interpretation that a file states."""
    import io

    import pydicom

    stated = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).PhotometricInterpretation
    return str(stated)


@pytest.mark.parametrize("syntax", ALL)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_image_goes_to_every_syntax_that_holds_it(kind: ImageKind, syntax: str) -> None:
    data, samples = made(kind.name)
    if not holds(syntax, kind):
        with pytest.raises(REFUSALS):
            convert_bytes(data, to=syntax, lossy=True)
        return

    back = convert_bytes(converted(kind.name, syntax), to="explicit-le")

    assert_close(native_samples(back), samples, kind, syntax, color_of(back))


@pytest.mark.parametrize("source", [*LOSSLESS, *LOSSY, "jpegxl-jpeg"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_syntax_goes_to_every_other(kind: ImageKind, source: str) -> None:
    if not holds(source, kind) and not (source == "jpegxl-jpeg" and holds("jpeg", kind)):
        with pytest.raises(REFUSALS):
            convert_bytes(made(kind.name)[0], to=source, lossy=True)
        return
    data = converted(kind.name, source)
    native = convert_bytes(data, to="explicit-le")
    expected, color = native_samples(native), color_of(native)
    for target in ALL:
        if target in LOSSY or target == "jpegxl-jpeg" or not holds(target, kind):
            continue
        if (target, color) == ("jpegxl-lossless", "YBR_FULL"):  # it holds RGB, which rounds
            with pytest.raises(REFUSALS):
                convert_bytes(data, to=target)
            continue
        back = convert_bytes(convert_bytes(data, to=target), to="explicit-le")
        if (color, color_of(back)) == ("PALETTE COLOR", "RGB"):
            assert target == "jpegxl-lossless"
            assert np.array_equal(native_samples(back), colors(expected))
        else:
            assert color_of(back) == color, target
            assert np.array_equal(native_samples(back), expected), target


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_others_read_the_same_samples(kind: ImageKind, witness: str, tmp_path: Path) -> None:
    require(witness)
    read: list[str] = []
    for syntax in ALL:
        if not holds(syntax, kind) or (witness, syntax, kind.name) in WRONG_WITNESS:
            continue
        path = tmp_path / f"{syntax}.dcm"
        path.write_bytes(converted(kind.name, syntax))
        result = read_with(witness, path)
        if result.outcome is not Outcome.READ or result.samples is None:
            continue
        read.append(syntax)
        color = str(result.facts["photometric_interpretation"])
        ours = native_samples(convert_bytes(converted(kind.name, syntax), to="explicit-le"))
        found = result.samples
        if color in {"YBR_RCT", "YBR_ICT"}:
            color = "RGB"
        assert_close(found, made(kind.name)[1], kind, syntax, color)
        if syntax in LOSSLESS:
            assert np.array_equal(found, ours), syntax
    assert set(NATIVE) - {"deflated"} <= set(read) or witness != "pydicom"


WRONG_WITNESS = {
    # GDCM takes the six segments of 16-bit RGB in another order than PS3.5 G.2.
    ("gdcm", "rle", "rgb-16"),
    # 32-bit samples in OW and big endian: pydicom, and the files there are, exchange the bytes of a
    # sample; GDCM and DCMTK those of each 16-bit word, as PS3.5 7.3 has it for OW.
    *(
        (name, "explicit-be", kind)
        for name in ("gdcm", "dcmtk")
        for kind in ("gray-32", "signed-32")
    ),
}
"""Files that a witness is known to read otherwise, each looked at."""


@pytest.mark.parametrize("syntax", LOSSY)
def test_a_lossy_syntax_needs_permission(syntax: str) -> None:
    data, _ = made("gray-8")

    with pytest.raises(LossyNotAllowedError) as caught:
        convert_bytes(data, to=syntax)

    assert caught.value.code == "lossy-not-allowed"
    assert "`lossy=True`" in (caught.value.hint or "")


@pytest.mark.parametrize("syntax", ALL)
def test_one_worker_or_many_give_the_same_bytes(syntax: str, tmp_path: Path) -> None:
    kind = "rgb-8-frames" if syntax in {"jpeg", "jpegxl-jpeg"} else "multi-frame"
    source = tmp_path / "source.dcm"
    source.write_bytes(converted(kind, "jpeg") if syntax == "jpegxl-jpeg" else made(kind)[0])
    one, many = tmp_path / "one.dcm", tmp_path / "many.dcm"
    for target, workers in ((one, 1), (many, 7)):
        convert(source, target, to=syntax, lossy=True, keep_uid=True, workers=workers)

    assert one.read_bytes() == many.read_bytes()


def test_the_table_of_the_matrix_is_the_table_of_the_package() -> None:
    names = {syntax.name for name in ALL if (syntax := find_by_name(name)) is not None}
    from dicodec.model.transfer_syntax import list_writable

    assert names == {syntax.name for syntax in list_writable()}
