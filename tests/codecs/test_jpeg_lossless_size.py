"""Frames of lossless JPEG that end early are found, wherever they end; see jpeg_completeness."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec.codecs import jpeg
from dicodec.codecs.jpeg_lossless_size import count_bits, parse_huffman_codes
from dicodec.codecs.streams.jpeg_markers import DHT, EOI, SOS, walk
from dicodec.errors import CorruptFrameError, TruncatedFrameError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from helpers.codec_images import lossless_jpeg

DECODER = jpeg.JpegDecoder()

type Pixels = np.ndarray[Any, Any]


def pixels_of(kind: str, bits: int, samples: int) -> Pixels:
    random = np.random.default_rng(3)
    shape = (24, 31) if samples == 1 else (24, 31, samples)
    top = (1 << bits) - 1
    values = random.integers(0, top, shape, np.uint8 if bits == 8 else np.uint16, endpoint=True)
    if kind == "black around":
        values[:4] = values[-4:] = 0
        values[:, -6:] = 0
    elif kind == "flat":
        values[:] = 7
    elif kind == "steps":
        values[:] = (np.arange(values.size) // 97 % (top + 1)).reshape(shape)
    return values


def described(pixels: Pixels, bits: int) -> ImagePixelDescription:
    rows, columns, samples = (*pixels.shape, 1)[:3]
    color = "MONOCHROME2" if samples == 1 else "RGB"
    return ImagePixelDescription(
        rows, columns, samples, color, 8 * pixels.itemsize, bits, bits - 1, 0
    )


def scan_of(stream: bytes) -> tuple[int, int]:
    segments = {one.marker: one for one in walk(stream, 0)}
    return segments[SOS].end, segments[EOI].start - 2


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("kind", ["black around", "flat", "steps", "noise"])
def test_a_cut_frame_is_found_wherever_it_is_cut(kind: str, bits: int, samples: int) -> None:
    pixels = pixels_of(kind, bits, samples)
    stream = lossless_jpeg(pixels, bits)
    description = described(pixels, bits)
    assert np.array_equal(DECODER.decode(stream, description), pixels)
    start, end = scan_of(stream)
    step = max(1, (end - start) // 150)
    for cut in [*range(start, end - 40, step), *range(max(start, end - 40), end)]:
        with pytest.raises((TruncatedFrameError, CorruptFrameError)):
            DECODER.decode(stream[:cut] + b"\xff\xd9", description)


def test_frames_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    plain = imagecodecs.jpeg8_decode

    def counted(data: bytes, **given: Any) -> Any:
        decoded.append(len(data))
        return plain(data, **given)

    monkeypatch.setattr("dicodec._kernels.COMPILED", None)
    monkeypatch.setattr(import_late("imagecodecs"), "jpeg8_decode", counted)
    for kind in ("black around", "noise", "flat"):
        for predictor in range(1, 8):
            pixels = pixels_of(kind, 12, 1)
            decoded.clear()
            DECODER.decode(lossless_jpeg(pixels, 12, predictor), described(pixels, 12))
            assert len(decoded) == 1, (kind, predictor)


def test_two_tables_in_one_stream_are_decoded_rightly() -> None:
    pixels = pixels_of("black around", 8, 1)
    stream = lossless_jpeg(pixels, 8)
    (table,) = (one for one in walk(stream, 0) if one.marker == DHT)
    doubled = stream[: table.end] + stream[table.start - 4 :]
    assert np.array_equal(DECODER.decode(doubled, described(pixels, 8)), pixels)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 12), columns=st.integers(1, 12), bits=st.integers(2, 16),
    samples=st.sampled_from([1, 3]), predictor=st.integers(1, 7), seed=st.integers(0, 99),
    spread=st.integers(0, 16),
)  # fmt: skip
def test_bits_are_counted_as_the_encoder_wrote_them(
    rows: int, columns: int, bits: int, samples: int, predictor: int, seed: int, spread: int
) -> None:
    top = (1 << bits) - 1
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    random = np.random.default_rng(seed)
    pixels = random.integers(0, min(top, 1 << spread), shape, np.uint16, endpoint=True)
    pixels = pixels.astype(np.uint8 if bits <= 8 else np.uint16)
    stream = lossless_jpeg(pixels, bits, predictor)
    (table,) = (one for one in walk(stream, 0) if one.marker == DHT)
    codes = parse_huffman_codes(stream[table.start + 1 : table.end])
    assert codes is not None
    start, end = scan_of(stream)
    there = 8 * (end - start - stream.count(b"\xff\0", start, end))
    assert 0 <= there - count_bits(pixels, bits, predictor, codes) < 8


@pytest.mark.parametrize("table", [b"", bytes(15), bytes([1] + [0] * 15), b"\xff" * 40])
def test_malformed_tables_have_no_codes(table: bytes) -> None:
    assert parse_huffman_codes(table) is None


def test_a_category_without_a_code_takes_more_than_any() -> None:
    assert count_bits(np.zeros((2, 2), np.uint8), 8, 1, {0: "0"}) == 255 + 3
