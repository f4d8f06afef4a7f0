"""Native frames in every order of bytes, bits and planes, and the bits of samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec.codecs.native import NativeDecoder, NativeEncoder
from dicodec.errors import (
    FrameMismatchError,
    SampleRangeError,
    TruncatedFrameError,
    UnsupportedImageError,
    UnsupportedSourceError,
)
from dicodec.model.image import ImagePixelDescription
from dicodec.pixels import bits
from helpers.codec_images import KINDS, describe_image, fill

DECODER = NativeDecoder()
NOTHING = DECODER.describe(b"")


@given(st.integers(1, 200), st.integers(0, 7), st.integers(0, 100))
def test_packed_bits_come_back_from_any_bit(count: int, first_bit: int, seed: int) -> None:
    samples = np.random.default_rng(seed).integers(0, 2, count).astype(np.uint8)
    packed = bits.pack(samples, first_bit)

    assert len(packed) == (first_bit + count + 7) // 8
    assert np.array_equal(bits.unpack(packed, count, first_bit), samples)
    assert not bits.unpack(packed, first_bit).any()


def test_the_first_bit_is_the_lowest() -> None:
    assert bits.pack(np.array([1, 0, 0, 0, 0, 0, 0, 0, 1], np.uint8)) == b"\x01\x01"
    assert bits.pack(np.array([1, 1], np.uint8), first_bit=3) == b"\x18"


def test_signs_are_drawn_from_the_highest_stored_bit() -> None:
    words = np.array([0x0FFF, 0x0800, 0x07FF, 0xF7FF], "<u2")

    assert bits.extend_sign(words, 12, "<i2").tolist() == [-1, -2048, 2047, 2047]
    assert bits.extend_sign(np.array([0xFFFF], "<u2"), 16, "<i2").tolist() == [-1]
    assert bits.extend_sign(np.array([3, 1], "u1"), 2, "<i2").tolist() == [-1, 1]


def test_masks_show_codecs_the_coded_bits_alone() -> None:
    samples = np.array([-1, -2048, 2047], "<i2")

    assert bits.mask(samples, 12).tolist() == [0x0FFF, 0x0800, 0x07FF]
    assert bits.mask(samples, 16).tolist() == [0xFFFF, 0xF800, 0x07FF]
    assert bits.mask(np.array([-1], "<i2"), 8).dtype == np.uint8


@pytest.mark.parametrize("kind", ["8/6", "16/12", "16/12 signed", "32/25 signed"])
def test_the_range_check_knows_both_ends(kind: str) -> None:
    image = describe_image(**KINDS[kind])
    low, high = image.sample_range
    samples = fill(image, "extremes")
    bits.check_range(samples, image)
    for value in (low - 1, high + 1):
        if value < np.iinfo(samples.dtype).min:
            continue
        samples[0, 0] = value
        with pytest.raises(SampleRangeError):
            bits.check_range(samples, image)


def test_planes_become_pixels() -> None:
    image = replace(describe_image(**KINDS["rgb 8"], rows=2, columns=2), planar_configuration=1)
    decoded = DECODER.decode(bytes(range(12)), image)

    assert decoded[0, 0].tolist() == [0, 4, 8]
    assert decoded[1, 1].tolist() == [3, 7, 11]
    assert DECODER.describe_decoded(NOTHING, image).planar_configuration == 0
    assert NativeEncoder().describe_encoded(image).planar_configuration == 0


def test_big_endian_samples() -> None:
    image = describe_image(rows=1, columns=2)

    assert NativeDecoder(big_endian=True).decode(b"\x01\x02\x03\x04", image).tolist() == [
        [0x0102, 0x0304]
    ]
    assert NativeEncoder(big_endian=True).encode(np.array([[1, 2]], "<u2"), image) == b"\0\1\0\2"


def test_a_high_bit_above_bits_stored() -> None:
    image = replace(describe_image(stored=12, rows=1, columns=2), high_bit=15)
    stream = np.array([0x1230, 0xFFF0], "<u2").tobytes()

    assert DECODER.decode(stream, image).tolist() == [[0x123, 0xFFF]]
    signed = replace(image, pixel_representation=1)
    assert DECODER.decode(stream, signed).tolist() == [[0x123, -1]]
    assert DECODER.describe_decoded(NOTHING, image).high_bit == 11


def test_bits_below_the_samples_are_overlays_or_an_error() -> None:
    image = replace(describe_image(stored=12, rows=1, columns=2), high_bit=15)
    stream = np.array([0x1233, 0xFFF0], "<u2").tobytes()

    assert DECODER.decode(stream, replace(image, overlay_bits=3)).tolist() == [[0x123, 0xFFF]]
    for others in (0, 1):
        with pytest.raises(FrameMismatchError, match="leave out bits at the low end"):
            DECODER.decode(stream, replace(image, overlay_bits=others))


def test_bits_above_high_bit_are_dropped_or_become_the_sign() -> None:
    image = describe_image(stored=12, rows=1, columns=2)
    stream = np.array([0xF123, 0x0FFF], "<u2").tobytes()

    assert DECODER.decode(stream, image).tolist() == [[0x123, 0xFFF]]
    signed = replace(image, pixel_representation=1)
    assert DECODER.decode(stream, signed).tolist() == [[0x123, -1]]


def test_frames_of_one_bit_that_begin_inside_a_byte() -> None:
    image = describe_image(**KINDS["1"], rows=3, columns=3)
    frames = [fill(image, "noise", seed) for seed in range(4)]
    joined = bytearray(5)
    for index, frame in enumerate(frames):
        packed = NativeEncoder(first_bit=9 * index % 8).encode(frame, image)
        for place, byte in enumerate(packed):
            joined[9 * index // 8 + place] |= byte

    for index, frame in enumerate(frames):
        start = 9 * index
        part = bytes(joined[start // 8 : (start + 16) // 8])
        assert np.array_equal(NativeDecoder(first_bit=start % 8).decode(part, image), frame)


def test_nothing_is_copied_where_nothing_changes() -> None:
    image = describe_image(rows=64, columns=64)
    stream = bytearray(image.native_frame_bits // 8)
    decoded = DECODER.decode(stream, image)
    stream[0] = 7

    assert decoded[0, 0] == 7


def _subsampled(pi: str, columns: int) -> ImagePixelDescription:
    return describe_image(allocated=8, stored=8, samples=3, pi=pi, rows=1, columns=columns)


def test_chroma_of_422_belongs_to_both_pixels() -> None:
    image = _subsampled("YBR_FULL_422", 4)
    decoded = DECODER.decode(bytes([1, 2, 100, 200, 3, 4, 101, 201]), image)

    assert decoded.tolist() == [[[1, 100, 200], [2, 100, 200], [3, 101, 201], [4, 101, 201]]]
    assert DECODER.describe_decoded(NOTHING, image).photometric_interpretation == "YBR_FULL"


def test_422_of_an_odd_width() -> None:
    decoded = DECODER.decode(
        bytes([1, 2, 100, 200, 3, 0, 101, 201]), _subsampled("YBR_FULL_422", 3)
    )

    assert decoded.shape == (1, 3, 3)
    assert decoded[0, 2].tolist() == [3, 101, 201]


def test_the_video_range_is_kept() -> None:
    image = _subsampled("YBR_PARTIAL_422", 4)
    decoded = DECODER.decode(bytes([16, 235, 128, 128, 16, 16, 16, 240]), image)

    assert decoded.tolist() == [[[16, 128, 128], [235, 128, 128], [16, 16, 240], [16, 16, 240]]]
    described = DECODER.describe_decoded(NOTHING, image)
    assert described.photometric_interpretation == "YBR_PARTIAL"
    with pytest.raises(UnsupportedImageError, match="chroma for each pixel"):
        NativeEncoder().describe_encoded(described)


@pytest.mark.parametrize("pi", ["YBR_FULL_422", "YBR_PARTIAL_422"])
def test_422_is_written_as_it_was_read(pi: str) -> None:
    image, stored = _subsampled(pi, 4), bytes([1, 2, 100, 200, 3, 4, 101, 201])

    assert NativeEncoder().encode(DECODER.decode(stored, image), image) == stored


def test_what_has_no_order_of_samples_is_refused() -> None:
    with pytest.raises(UnsupportedSourceError):
        DECODER.decode(bytes(100), _subsampled("YBR_PARTIAL_420", 4))
    with pytest.raises(UnsupportedImageError):
        NativeEncoder().describe_encoded(_subsampled("YBR_PARTIAL_420", 4))


def test_422_of_an_odd_width_is_not_written() -> None:
    with pytest.raises(UnsupportedImageError, match="even number of columns") as caught:
        NativeEncoder().describe_encoded(_subsampled("YBR_FULL_422", 3))

    assert caught.value.hint


def test_floating_point_samples() -> None:
    for allocated, dtype in ((32, "<f4"), (64, "<f8")):
        image = ImagePixelDescription(
            2, 3, 1, "MONOCHROME2", allocated, allocated, allocated - 1, 0, floating=True
        )
        samples = np.array([[0.5, -1e30, np.inf], [0, 1, 2]], dtype)
        for big_endian in (False, True):
            stream = NativeEncoder(big_endian).encode(samples, image)
            assert np.array_equal(NativeDecoder(big_endian).decode(stream, image), samples)


def test_a_short_frame_is_truncated() -> None:
    with pytest.raises(TruncatedFrameError):
        DECODER.decode(bytes(7), describe_image(rows=2, columns=2))
    with pytest.raises(TruncatedFrameError):
        NativeDecoder(first_bit=7).decode(b"\0", describe_image(**KINDS["1"], rows=1, columns=2))


def test_a_high_bit_that_cannot_be() -> None:
    for high_bit in (16, 10):
        with pytest.raises(FrameMismatchError):
            DECODER.decode(bytes(816), replace(describe_image(stored=12), high_bit=high_bit))


def test_bits_allocated_that_numpy_has_no_type_for() -> None:
    with pytest.raises(UnsupportedSourceError):
        DECODER.decode(bytes(100), describe_image(allocated=24, stored=24, rows=1, columns=1))
