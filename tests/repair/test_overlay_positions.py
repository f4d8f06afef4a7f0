"""Overlays that are said to lie in bits of the samples themselves."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from dicodec import compare, convert, convert_bytes
from dicodec.errors import ContradictionError
from helpers.made import Element, make_file
from helpers.odd_files import found
from helpers.samples import native_samples

ROWS, COLUMNS = 9, 7
TARGETS = ["explicit-le", "implicit-le", "explicit-be", "rle", "jpeg-ls", "jpeg2000-lossless",
           "deflated-frame", "encapsulated-uncompressed"]  # fmt: skip


def overlay(group: int, position: int) -> list[Element]:
    high = group << 16
    return [
        (high | 0x10, "US", struct.pack("<H", ROWS)),
        (high | 0x11, "US", struct.pack("<H", COLUMNS)),
        (high | 0x40, "CS", b"G"),
        (high | 0x50, "SS", struct.pack("<hh", 1, 1)),
        (high | 0x100, "US", struct.pack("<H", 16)),
        (high | 0x102, "US", struct.pack("<H", position)),
    ]


def made(
    planes: dict[int, int], *, frames: int = 1, bits: int = 12, high_bit: int = 11
) -> tuple[bytes, NDArray[Any], dict[int, NDArray[Any]]]:
    """Return a file, its samples and its planes: stated position by the bit that a plane is in."""
    random = np.random.default_rng(frames)
    shape = (frames, ROWS, COLUMNS)
    samples = random.integers(0, 1 << bits, shape).astype("<u2")
    drawn = {bit: random.integers(0, 2, shape).astype("<u2") for bit in planes}
    words = samples << (high_bit + 1 - bits)
    for bit, plane in drawn.items():
        words = words | plane << bit
    extra: list[Element] = [(0x00280102, "US", struct.pack("<H", high_bit))]
    for n, position in enumerate(planes.values()):
        extra += overlay(0x6000 + 2 * n, position)
    data, _ = make_file(
        ROWS, COLUMNS, bits_stored=bits, frames=frames, pixels=words.astype("<u2"), extra=extra
    )
    return data, samples, drawn


def check(data: bytes, samples: NDArray[Any], planes: list[NDArray[Any]]) -> None:
    native = convert_bytes(convert_bytes(data, to="jpeg-ls", verify=True), to="explicit-le")
    assert np.array_equal(native_samples(native), samples)
    dataset = pydicom.dcmread(io.BytesIO(native))
    for n, plane in enumerate(planes):
        assert np.array_equal(dataset.overlay_array(0x6000 + 2 * n).reshape(plane.shape), plane)


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(("stated", "bit"), [(0, 12), (11, 12), (5, 15), (0, 14)])
def test_the_one_bit_beside_the_samples_is_the_overlays(
    stated: int, bit: int, frames: int, to: str
) -> None:
    data, samples, planes = made({bit: stated}, frames=frames)
    assert found(data) == ["wrong-attribute"]

    result = convert_bytes(data, to=to, verify=True)

    assert found(result) == []
    assert compare(data, result).equal
    check(result, samples, [planes[bit]])
    with pytest.raises(ContradictionError, match=f"OverlayBitPosition is {stated}"):
        convert_bytes(data, to=to, strict=True)


@pytest.mark.parametrize("middle", ["explicit-be", "encapsulated-uncompressed", "rle"])
def test_from_other_sources(middle: str) -> None:
    wide, samples, planes = made({12: 12})
    if middle == "rle":  # words as they are, as others leave them in RLE
        wide = wide.replace(struct.pack("<HH2sHH", 0x28, 0x101, b"US", 2, 12),
                            struct.pack("<HH2sHH", 0x28, 0x101, b"US", 2, 16))  # fmt: skip
        wide = wide.replace(struct.pack("<HH2sHH", 0x28, 0x102, b"US", 2, 11),
                            struct.pack("<HH2sHH", 0x28, 0x102, b"US", 2, 15))  # fmt: skip
        wide = wide.replace(struct.pack("<HH2sH", 0x6000, 0x100, b"US", 2),
                            struct.pack("<HH2sH", 0x6000, 0x101, b"US", 2))  # fmt: skip
    order = ">" if middle == "explicit-be" else "<"
    data = convert_bytes(wide, to=middle)
    for group, element, old, new in (
        (0x6000, 0x102, 12, 0), (0x28, 0x101, 16, 12), (0x28, 0x102, 15, 11),
    ):  # fmt: skip
        head = struct.pack(f"{order}HH2sH", group, element, b"US", 2)
        data = data.replace(head + struct.pack(f"{order}H", old),
                            head + struct.pack(f"{order}H", new))  # fmt: skip
    data = data.replace(struct.pack("<HH2sH", 0x6000, 0x101, b"US", 2),
                        struct.pack("<HH2sH", 0x6000, 0x100, b"US", 2))  # fmt: skip

    assert "wrong-attribute" in found(data)
    check(data, samples, [planes[12]])


@pytest.mark.parametrize("to", ["explicit-be", "rle", "jpeg-ls", "implicit-le"])
def test_a_real_overlay_stays_beside_one_that_is_none(to: str) -> None:
    """Bit 12 is stated right, and nothing else is set: the other overlay is nowhere."""
    data, samples, planes = made({12: 12})
    data = data.replace(
        struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 2 * samples.size),
        b"".join(
            struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value
            for tag, vr, value in overlay(0x6002, 3)
            if tag != 0x60020040
        )
        + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 2 * samples.size),
    )
    assert found(data) == ["overlay-in-samples"]
    out = io.BytesIO()

    report = convert(data, out, to=to, verify=True)

    assert compare(data, out.getvalue()).equal
    native = convert_bytes(convert_bytes(out.getvalue(), to="jpeg-ls"), to="explicit-le")
    dataset = pydicom.dcmread(io.BytesIO(native))
    assert np.array_equal(dataset.overlay_array(0x6000).reshape(planes[12].shape), planes[12])
    assert np.array_equal(native_samples(native), samples)
    assert (0x6002, 0x3000) not in dataset
    if to in {"rle", "jpeg-ls"}:
        assert any("(6002,xxxx) should lie in bit 3" in one for one in report.warnings)
    with pytest.raises(ContradictionError):
        convert_bytes(data, to=to, strict=True)


@pytest.mark.parametrize("bits", [12, 16])
def test_bits_of_samples_become_no_overlay(bits: int, tmp_path: Path) -> None:
    data, samples, _ = made({}, bits=bits, high_bit=bits - 1)
    extra = overlay(0x6000, 0)
    data, _ = make_file(ROWS, COLUMNS, bits_stored=bits, pixels=samples, extra=extra)
    path = tmp_path / "image.dcm"
    path.write_bytes(data)

    report = convert(path, path, to="rle", overwrite=True)

    assert any("no overlay is taken from it" in one for one in report.warnings)
    dataset = pydicom.dcmread(path)
    assert np.array_equal(dataset.pixel_array, samples[0])
    assert (0x6000, 0x3000) not in dataset
    with pytest.raises(ContradictionError):
        convert_bytes(data, to="rle", strict=True)


def test_two_bits_beside_the_samples_leave_it_open() -> None:
    data, samples, _ = made({12: 0})
    words = samples | np.uint16(1 << 12) | np.uint16(1 << 14)
    data, _ = make_file(ROWS, COLUMNS, bits_stored=12, pixels=words, extra=overlay(0x6000, 0))

    assert found(data) == ["overlay-in-samples"]
    out = io.BytesIO()
    report = convert(data, out, to="rle")
    assert any("bits set above their High Bit" in one for one in report.warnings)
    assert np.array_equal(native_samples(convert_bytes(out.getvalue(), to="explicit-le")), samples)


def test_signed_samples_show_nothing_above_them() -> None:
    samples = np.arange(-30, 33, dtype="<i2").reshape(1, ROWS, COLUMNS)
    data, _ = make_file(
        ROWS, COLUMNS, bits_stored=12, signed=True, pixels=samples, extra=overlay(0x6000, 0)
    )

    assert found(data) == ["overlay-in-samples"]
    assert np.array_equal(
        native_samples(convert_bytes(convert_bytes(data, to="rle"), to="explicit-le")), samples
    )
