"""Lossless JPEG and JPEG-LS in several scans: each has its own predictor, point transform, NEAR."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pydicom
import pytest

from dicodec import convert_bytes
from dicodec.codecs.streams import jpeg
from helpers.made import make_file

ROWS, COLUMNS = 12, 15
PLANES = np.random.default_rng(2).integers(0, 64, (3, ROWS, COLUMNS)).astype(np.uint8) * 4


def scans_of(stream: bytes) -> tuple[bytes, bytes, bytes]:
    """Return a stream's tables, its scan header's parameters, and its entropy-coded data."""
    start = stream.index(b"\xff\xda")
    length = int.from_bytes(stream[start + 2 : start + 4])
    frame = stream.index(b"\xff\xc3") if b"\xff\xc3" in stream else stream.index(b"\xff\xf7")
    end = frame + 2 + int.from_bytes(stream[frame + 2 : frame + 4])
    tables = stream[end:start] if b"\xff\xc4" in stream[end:start] else b""
    if not tables and b"\xff\xc4" in stream:
        at = stream.index(b"\xff\xc4")
        tables = stream[at : at + 2 + int.from_bytes(stream[at + 2 : at + 4])]
    return tables, stream[start + 4 : start + 2 + length], stream[start + 2 + length : -2]


def in_three_scans(streams: list[bytes], marker: int, low_bits: list[int]) -> bytes:
    """Return three gray streams as one of three components, a scan each.

    Args:
        streams: of one component each.
        marker: of the frame header, its second byte.
        low_bits: the point transform to state for each scan.
    """
    frame = bytes([8]) + ROWS.to_bytes(2) + COLUMNS.to_bytes(2) + b"\3"
    frame += b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    parts = [b"\xff\xd8\xff", bytes([marker]), (len(frame) + 2).to_bytes(2), frame]
    for number, (stream, point) in enumerate(zip(streams, low_bits, strict=True), 1):
        tables, header, data = scans_of(stream)
        header = header[:1] + bytes([number]) + header[2:-1] + bytes([point])
        parts += [tables, b"\xff\xda", (len(header) + 2).to_bytes(2), header, data]
    return b"".join([*parts, b"\xff\xd9"])


def lossless(predictors: tuple[int, ...], low_bits: tuple[int, ...]) -> bytes:
    planes = [
        imagecodecs.jpeg8_encode(
            plane >> bits, lossless=True, predictor=predictor, bitspersample=8 - bits,
            colorspace="GRAYSCALE", outcolorspace="GRAYSCALE",
        )
        for plane, predictor, bits in zip(PLANES, predictors, low_bits, strict=True)
    ]  # fmt: skip
    return in_three_scans([bytes(plane) for plane in planes], 0xC3, list(low_bits))


def near_lossless(nears: tuple[int, ...]) -> bytes:
    planes = [bytes(imagecodecs.jpegls_encode(p, n)) for p, n in zip(PLANES, nears, strict=True)]
    return in_three_scans(planes, 0xF7, [0, 0, 0])


def native_of(stream: bytes, syntax: str) -> pydicom.Dataset:
    content, _ = make_file(
        ROWS, COLUMNS, 3, bits_allocated=8, bits_stored=8, photometric="RGB", frames=2,
        transfer_syntax=f"1.2.840.10008.1.2.4.{syntax}", streams=[[stream], [stream]],
    )  # fmt: skip
    return pydicom.dcmread(io.BytesIO(convert_bytes(content, to="explicit-le", verify=True)))


@pytest.mark.parametrize("low_bits", [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 2), (2, 2, 2)])
@pytest.mark.parametrize("predictors", [(1, 1, 1), (1, 7, 4)])
def test_a_point_transform_of_any_scan_is_a_loss(
    low_bits: tuple[int, ...], predictors: tuple[int, ...]
) -> None:
    stream = lossless(predictors, low_bits)
    described = jpeg.describe(stream)
    assert described == jpeg.check_whole(stream)[0]
    assert described.lossless is not any(low_bits)
    assert described.details.get("point_transform", 0) == max(low_bits)
    assert described.predictor == max(predictors)
    assert described.details["scans"] == 3

    data_set = native_of(stream, "57")
    assert data_set.get("LossyImageCompression") == ("01" if any(low_bits) else None)
    assert np.array_equal(np.moveaxis(data_set.pixel_array[1], -1, 0), PLANES)


@pytest.mark.parametrize("nears", [(0, 0, 0), (2, 0, 0), (0, 3, 0), (0, 0, 1)])
def test_a_near_of_any_scan_is_a_loss(nears: tuple[int, ...]) -> None:
    stream = near_lossless(nears)
    described = jpeg.describe(stream)
    assert described.lossless is not any(nears)
    assert described.near == max(nears)

    data_set = native_of(stream, "80" if not any(nears) else "81")
    assert data_set.get("LossyImageCompression") == ("01" if any(nears) else None)
    error = np.abs(np.moveaxis(data_set.pixel_array[1], -1, 0).astype(int) - PLANES)
    assert tuple(int(plane.max()) <= near for plane, near in zip(error, nears, strict=True)) == (
        True, True, True,
    )  # fmt: skip
