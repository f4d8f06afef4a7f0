"""Attributes of encapsulated Pixel Data that are wrong, or stand where Pixel Data is native."""

from __future__ import annotations

import io
import struct
from functools import cache

import numpy as np
import pydicom
import pytest

from dicodec import convert, convert_bytes, inspect
from helpers.made import IMAGE_KINDS
from helpers.samples import native_samples

FRAMES = 3
KEYWORDS = (
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "EncapsulatedPixelDataValueTotalLength",
)  # fmt: skip
NATIVE = ("explicit-le", "implicit-le", "explicit-be", "deflated")
STRAY, TOTAL = "stray-offset-table", "wrong-total-length"


@cache
def coded(syntax: str, table: str = "basic") -> pydicom.Dataset:
    data, _ = IMAGE_KINDS["gray-8"].make(frames=FRAMES)
    file = convert_bytes(data, to=syntax, offset_table="auto" if syntax in NATIVE else table)
    return pydicom.dcmread(io.BytesIO(file))


def odd(syntax: str, oddity: str) -> bytes:
    """Return a file with one of the attributes wrong."""
    dataset = pydicom.dcmread(
        io.BytesIO(written(coded(syntax, "extended" if oddity == "half" else "basic")))
    )
    if oddity == "total":
        dataset.EncapsulatedPixelDataValueTotalLength = 10
    elif oddity == "half":
        del dataset.ExtendedOffsetTableLengths
    else:
        dataset.ExtendedOffsetTable = struct.pack("<3Q", 0, 2, 4)
        dataset.ExtendedOffsetTableLengths = struct.pack("<3Q", 2, 2, 2)
    return written(dataset)


def written(dataset: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=False)
    return out.getvalue()


ODD = [
    *((syntax, "table", STRAY) for syntax in (*NATIVE[:3], "rle", "jpeg-ls")),
    *((syntax, "total", TOTAL) for syntax in (*NATIVE[::2], "rle", "jpeg-ls")),
    *((syntax, "half", STRAY) for syntax in ("rle", "jpeg2000-lossless")),
]


@pytest.mark.parametrize("to", ["explicit-le", "implicit-le", "rle", "jpeg-ls", "same"])
@pytest.mark.parametrize(("syntax", "oddity", "name"), ODD)
def test_a_result_has_no_wrong_table(syntax: str, oddity: str, name: str, to: str) -> None:
    source = odd(syntax, oddity)
    assert [one.id for one in inspect(source).oddities if one.id in {STRAY, TOTAL}] == [name]

    result = convert_bytes(
        source,
        to=syntax if to == "same" else to,
        set_attributes={"PatientID": "1"},
        verify=True,
    )

    dataset = pydicom.dcmread(io.BytesIO(result))
    assert not [keyword for keyword in KEYWORDS if keyword in dataset]
    assert not [one.id for one in inspect(result).oddities if one.id in {STRAY, TOTAL}]
    expected = native_samples(convert_bytes(written(coded(syntax)), to="explicit-le"))
    assert np.array_equal(native_samples(convert_bytes(result, to="explicit-le")), expected)


@pytest.mark.parametrize(("syntax", "oddity", "name"), ODD[:3])
def test_a_strict_conversion_refuses_it(syntax: str, oddity: str, name: str) -> None:
    with pytest.raises(Exception, match="Extended Offset Table"):
        convert(odd(syntax, oddity), io.BytesIO(), to="rle", strict=True)


@pytest.mark.parametrize("padding", [0, 1])
def test_a_right_total_is_no_oddity(padding: int) -> None:
    dataset = pydicom.dcmread(io.BytesIO(written(coded("jpeg-ls"))))
    lengths = [len(one) for one in pydicom.encaps.generate_fragments(dataset.PixelData)][1:]
    dataset.EncapsulatedPixelDataValueTotalLength = sum(lengths) - padding

    assert not inspect(written(dataset)).oddities
