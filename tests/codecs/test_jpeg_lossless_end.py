"""The end of a scan proves that it is whole, and never where it is not; see jpeg_lossless_end."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec.codecs.jpeg import JpegDecoder
from dicodec.codecs.jpeg_lossless_end import ends_with_last_samples
from dicodec.codecs.jpeg_lossless_size import count_bits, parse_huffman_codes
from dicodec.codecs.streams.jpeg_markers import DHT, EOI, SOS, walk
from dicodec.model.image import ImagePixelDescription
from helpers.codec_images import lossless_jpeg

type Pixels = np.ndarray[Any, Any]

ROWS, COLUMNS = 12, 200


def pixels_of(kind: str, bits: int, samples: int, seed: int = 1) -> Pixels:
    """Return an image whose end is hard to tell from another one, or easy."""
    random = np.random.default_rng(seed)
    top = (1 << bits) - 1
    shape = (ROWS, COLUMNS) if samples == 1 else (ROWS, COLUMNS, samples)
    values = random.integers(0, top, shape, np.uint16, endpoint=True)
    count = np.arange(values.size).reshape(shape)
    if kind == "flat":
        values[:] = 3
    elif kind == "flat end":
        values[-2:] = 3
    elif kind == "flat but for one":
        values[-3:] = 3
        values[-2, COLUMNS // 2] = 4
    elif kind == "ramp":
        values[:] = count % (top + 1)
    elif kind == "stripes":
        values[:] = count // samples % 5 % (top + 1)
    elif kind == "long stripes":
        values[:] = np.resize(random.integers(0, top, 61), values.size).reshape(shape)
    elif kind == "little noise":
        values[:] = random.integers(0, 3, shape)
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


KINDS = (
    "noise", "flat", "flat end", "flat but for one", "ramp", "stripes", "long stripes",
    "little noise",
)  # fmt: skip


def proved(stream: bytes, bits: int, predictor: int) -> bool:
    """Decode a stream, and say whether its end proves that all of it was there."""
    samples = np.asarray(imagecodecs.jpeg8_decode(stream))
    segments = {one.marker: one for one in walk(stream, 0)}
    table = segments[DHT]
    codes = parse_huffman_codes(stream[table.start + 1 : table.end])
    assert codes is not None
    data = memoryview(stream)[segments[SOS].end : segments[EOI].start - 2]
    return ends_with_last_samples(samples, bits, predictor, codes, data)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_whole_scans_of_usual_images_are_proved(bits: int, predictor: int, samples: int) -> None:
    for kind in ("noise", "flat end", "little noise"):
        assert proved(
            lossless_jpeg(pixels_of(kind, bits, samples), bits, predictor), bits, predictor
        )


@settings(deadline=None, max_examples=150)
@given(
    kind=st.sampled_from(KINDS), bits=st.integers(2, 16), samples=st.sampled_from([1, 3]),
    predictor=st.integers(1, 7), seed=st.integers(0, 99), data=st.data(),
)  # fmt: skip
def test_a_cut_scan_is_never_proved(
    kind: str, bits: int, samples: int, predictor: int, seed: int, data: st.DataObject
) -> None:
    stream = lossless_jpeg(pixels_of(kind, bits, samples, seed), bits, predictor)
    segments = {one.marker: one for one in walk(stream, 0)}
    start, end = segments[SOS].end, segments[EOI].start - 2
    cuts = data.draw(st.lists(st.integers(start + 1, end - 1), min_size=4, max_size=12))
    for cut in {*cuts, *range(max(start + 1, end - 8), end)}:
        if stream[cut - 1] == 0xFF:  # it would become a part of the marker
            continue
        assert not proved(stream[:cut] + b"\xff\xd9", bits, predictor), (kind, end - cut)


def cut_by(stream: bytes, count: int) -> bytes:
    return stream[: -2 - count] + b"\xff\xd9"


@pytest.mark.parametrize("columns", range(800, 816))
def test_a_pattern_that_goes_on_as_it_was_cut_is_not_taken_for_whole(columns: int) -> None:
    # Zeros stand for what is missing, and every second difference, 4096, ends in twelve of them:
    # the image comes out right, and the scan lacks two bytes.
    steps = np.resize(np.array([0, 4096], np.uint16), (4, columns)).cumsum(1, dtype=np.uint16)
    stream = lossless_jpeg(steps, 16, 1)
    cut = cut_by(stream, 2)
    assert np.array_equal(imagecodecs.jpeg8_decode(cut), steps) == (columns % 2 == 0)
    assert not proved(cut, 16, 1)


@pytest.mark.parametrize("bits", range(1, 8))
def test_a_run_that_may_be_made_up_proves_nothing(bits: int) -> None:
    # The code of -7 is of zeros alone, which is what libjpeg makes up.
    period = np.array([(1 << bits) - 1, *[-7] * 20])
    rows = np.resize(period, (4, 21 * 12)).cumsum(1).astype(np.uint16)
    stream = lossless_jpeg(rows, 16, 1)
    for count in range(1, 16):
        assert not proved(cut_by(stream, count), 16, 1), count


def test_bits_are_counted_only_where_the_end_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[int] = []
    count = count_bits

    def noted(samples: Pixels, *given: Any) -> int:
        counted.append(samples.size)
        return count(samples, *given)

    monkeypatch.setattr("dicodec._kernels.COMPILED", None)
    monkeypatch.setattr("dicodec.codecs.jpeg_completeness.count_bits", noted)
    image = ImagePixelDescription(ROWS, COLUMNS, 1, "MONOCHROME2", 16, 12, 11, 0)
    for kind, often in (("noise", 0), ("flat end", 0), ("flat", 1), ("stripes", 1)):
        counted.clear()
        pixels = pixels_of(kind, 12, 1)
        assert np.array_equal(JpegDecoder().decode(lossless_jpeg(pixels, 12, 1), image), pixels)
        assert len(counted) == often, kind
