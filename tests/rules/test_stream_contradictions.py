"""Sizes, sign and precision that stream and data set disagree about: reported, or an error.

PITFALLS of others: 17 (the sign of JPEG 2000 streams), 20, 23 (precision).
"""

from __future__ import annotations

import io
import re
from typing import Any

import imagecodecs
import numpy as np
import pytest

from dicodec import convert, convert_bytes, inspect
from dicodec.errors import ContradictionError, FrameMismatchError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.stream import StreamDescription
from dicodec.rules.stream_contradictions import find_contradictions
from helpers.corpus import find_corpus, read_manifest
from helpers.made import IMAGE_KINDS, make_file
from helpers.matrix import ALL, holds
from helpers.real_files import OUTCOMES, real_files
from helpers.samples import native_samples

DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
J2K_LOSSLESS = "1.2.840.10008.1.2.4.90"
RAMP = np.arange(48, dtype="<u2").reshape(6, 8) * 70  # up to 3290


@pytest.mark.parametrize(
    ("stream", "attributes"),
    [
        ({}, []),
        ({"rows": 6, "columns": 8, "components": 1, "precision": 12, "signed": False}, []),
        ({"rows": 7}, ["Rows"]),
        ({"columns": 9}, ["Columns"]),
        ({"components": 3}, ["SamplesPerPixel"]),
        ({"signed": True}, ["PixelRepresentation"]),
        ({"precision": 11}, ["BitsStored"]),
        ({"precision": 16}, ["BitsStored"]),
        ({"rows": 7, "signed": True, "precision": 16},
         ["Rows", "PixelRepresentation", "BitsStored"]),
    ],
)  # fmt: skip
def test_each_attribute(stream: dict[str, Any], attributes: list[str]) -> None:
    image = ImagePixelDescription(6, 8, 1, "MONOCHROME2", 16, 12, 11, 0)

    found = find_contradictions(image, StreamDescription("jpeg2000", "process", **stream))

    assert [one.attribute for one in found] == attributes
    sizes = {"Rows", "Columns", "SamplesPerPixel"}
    assert all(bool(one.reading) != (one.attribute in sizes) for one in found)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg-ls", "jpegxl"])
@pytest.mark.parametrize("lossless", [True, None, False])
def test_lossless_processes_may_code_whole_words(kind: str, lossless: bool | None) -> None:
    image = ImagePixelDescription(6, 8, 1, "MONOCHROME2", 16, 12, 11, 1)
    for precision, contradicts in ((11, True), (12, False), (13, False), (16, False)):
        stream = StreamDescription(kind, "process", precision=precision, lossless=lossless)
        found = [one.attribute for one in find_contradictions(image, stream)]
        lossy = lossless is False and kind != "jpeg-ls"
        wrong = contradicts or (precision > 12 and lossy)
        assert found == (["BitsStored"] if wrong else [])


def lying(*, signed: bool = False, bits: int = 12, coded: Any = RAMP, precision: int = 12) -> bytes:
    """Return a JPEG 2000 file whose data set says so, and whose stream holds something else."""
    stream = imagecodecs.jpeg2k_encode(
        coded, level=0, reversible=True, bitspersample=precision, codecformat="J2K"
    )
    return make_file(
        6, 8, 1, 16, bits, signed=signed, transfer_syntax=J2K_LOSSLESS, streams=[[bytes(stream)]],
        pixels=coded[np.newaxis],
    )[0]  # fmt: skip


def decided(data: bytes, to: str = "explicit-le") -> tuple[Any, list[str]]:
    out = io.BytesIO()
    report = convert(data, out, to=to, verify=True)
    return native_samples(out.getvalue())[0], report.decisions


def test_bits_coded_unsigned_are_read_as_the_data_set_says() -> None:
    samples, decisions = decided(lying(signed=True))

    expected = np.where(RAMP >= 2048, RAMP.astype(int) - 4096, RAMP)
    assert np.array_equal(samples, expected)
    (decision,) = decisions
    assert decision == (
        "the stream's samples are unsigned, and Pixel Representation is 1: their 12 bits are read "
        "as two's complement"
    )


def test_bits_coded_signed_are_read_as_the_data_set_says() -> None:
    below = (RAMP.astype(int) - 2048).astype("<i2")
    samples, decisions = decided(lying(coded=below))

    assert np.array_equal(samples, np.where(below < 0, below.astype(int) + 4096, below))
    assert decisions[0].startswith("the stream's samples are signed, and Pixel Representation is 0")


@pytest.mark.parametrize(("bits", "precision"), [(12, 16), (16, 12), (12, 14)])
def test_another_precision_leaves_values_and_bits_stored(bits: int, precision: int) -> None:
    samples, decisions = decided(lying(bits=bits, precision=precision))

    assert np.array_equal(samples, RAMP)
    assert decisions[0].startswith(
        f"the stream's samples have {precision} bits, and Bits Stored is {bits}: values are read"
    )


def test_values_past_bits_stored_are_refused() -> None:
    with pytest.raises(FrameMismatchError, match="past Bits Stored"):
        convert_bytes(lying(bits=10, precision=16), to="explicit-le")


def test_another_size_is_that_of_the_stream_or_an_error_where_strict() -> None:
    coded = np.arange(60, dtype="<u2").reshape(6, 10)
    data = lying(coded=coded)

    assert np.array_equal(decided(data)[0].reshape(6, 10), coded)
    with pytest.raises(ContradictionError, match="Columns is 8; by its streams it is 10"):
        convert(data, None, to="jpeg2000-lossless", strict=True)


def test_another_size_is_an_error_where_frames_differ() -> None:
    streams = [
        [convert_bytes(make_file(6, columns)[0], to="jpeg2000-lossless")] for columns in (10, 8)
    ]
    bare = [[one[0][one[0].index(b"\xff\x4f\xff\x51") :][: -len(DELIMITER)]] for one in streams]
    data, _ = make_file(6, 8, frames=2, transfer_syntax=J2K_LOSSLESS, streams=bare)

    with pytest.raises(
        FrameMismatchError, match="the stream's Columns is 10, the data set's 8"
    ) as caught:
        convert(data, None, to="rle")
    assert (caught.value.attribute, caught.value.frame) == ("Columns", 0)


@pytest.mark.parametrize(
    ("data", "attribute"),
    [
        (lying(signed=True), "PixelRepresentation"),
        (lying(precision=16), "BitsStored"),
        (lying(bits=16), "BitsStored"),
    ],
)
def test_strict_refuses_them_even_where_streams_only_move(data: bytes, attribute: str) -> None:
    for to in ("explicit-le", "rle", "jpeg2000-lossless", "jpeg2000"):
        with pytest.raises(ContradictionError) as caught:
            convert(data, None, to=to, strict=True)
        assert caught.value.attribute == attribute
    assert not convert(lying(), None, to="rle", strict=True).decisions


@pytest.mark.parametrize("name", IMAGE_KINDS)
def test_no_result_of_ours_contradicts_itself(name: str) -> None:
    kind = IMAGE_KINDS[name]
    for syntax in ALL:
        if not holds(syntax, kind):
            continue
        result = convert_bytes(kind.make()[0], to=syntax, lossy=True)
        report = convert(result, None, to="explicit-le", strict=True)
        assert not [one for one in report.decisions if "the stream" in one], syntax


@pytest.mark.parametrize("syntax", ["jpeg-lossless", "jpeg2000-lossless", "rle"])
def test_one_bit_in_a_stream_of_two_contradicts_nothing(syntax: str) -> None:
    data, _ = make_file(6, 8, 1, 8, 1)
    result = convert_bytes(data, to=syntax)

    assert not convert(result, None, to="explicit-le", strict=True).decisions


LIES = {"prec!=bits_stored": "BitsStored", "sign!=pixrep": "PixelRepresentation"}
"""What other programs found in real streams, as the corpus' manifest has it, by attribute."""

PYDICOM_LIES = {
    "693_J2KI.dcm": ["BitsStored"],
    "J2K_pixelrep_mismatch.dcm": ["PixelRepresentation"],
    "JPEG2000.dcm": [],
    "JPEGLSNearLossless_16.dcm": [],
    "SC_rgb_small_odd_jpeg.dcm": [],
}


def real_streams() -> dict[str, list[str]]:
    """Return the attributes about which real files contradict their streams, by file."""
    folder = find_corpus()
    if folder is None:
        return PYDICOM_LIES
    return {
        row["file"]: [attribute for words, attribute in LIES.items() if words in row["notes"]]
        for row in read_manifest(folder)
        if re.search(r"(prec|sgn)=", row["notes"]) and row["file"] not in OUTCOMES
    }


@pytest.mark.parametrize(("name", "attributes"), real_streams().items())
def test_real_files_that_lie(name: str, attributes: list[str]) -> None:
    path = real_files()[name]
    stream, image = inspect(path).stream, inspect(path).image
    assert stream is not None
    assert image is not None
    if stream.kind == "jpeg-ls" or (stream.kind == "jpeg" and stream.lossless):
        wider = (stream.precision or 0) > image.bits_stored
        attributes = [one for one in attributes if one != "BitsStored" or not wider]

    report = convert(path, None, to="explicit-le")

    said = [one for one in report.decisions if "the stream's samples" in one]
    assert len(said) == len(attributes)
    assert set(said) <= set(inspect(path).problems)
    if attributes and not report.oddities:
        with pytest.raises(ContradictionError) as caught:
            convert(path, None, to=report.source_syntax, strict=True)
        # What departs from the standard elsewhere is found first, and has no attribute.
        assert caught.value.attribute in {attributes[0], None}
