"""Words: the range of samples, their byte order, and frames that are words as they are."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dicodec.codecs.native import NativeDecoder, NativeEncoder
from dicodec.codecs.sample_notes import SampleNotes
from dicodec.errors import SampleRangeError, UnsupportedImageError
from dicodec.model.image import ImagePixelDescription
from dicodec.pixels import bits
from helpers.codec_images import ACCEPTED, KINDS, Samples, codec_for, describe_image, fill, frames
from helpers.kernels import kernels, outcome_of, without_kernels

BY_WORDS = {"implicit-le", "explicit-be", "encapsulated-uncompressed", "rle"}
"""Syntaxes whose codecs read and write words."""


def _arrays() -> st.SearchStrategy[Samples]:
    types = st.sampled_from(["u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8"])
    return types.flatmap(lambda dtype: arrays.arrays(dtype, st.integers(0, 100)))


@given(_arrays(), st.data())
def test_the_range_of_words_is_that_of_their_smallest_and_largest(
    words: Samples, data: st.DataObject
) -> None:
    signed = words.dtype.kind == "i"
    stored = data.draw(st.integers(1, 8 * words.itemsize))
    low, high = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    if data.draw(st.booleans()):
        words = np.clip(words, low, high)
    expected = all(low <= int(word) <= high for word in words)

    assert kernels().fit_words(words, words.itemsize, stored, signed) is expected


@pytest.mark.parametrize("place", [0, 1, 15, 16, 31, 32, 998, 999])
@pytest.mark.parametrize("dtype", ["u1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8"])
def test_one_word_too_large_is_found_anywhere(dtype: str, place: int) -> None:
    words = np.zeros(1000, dtype)
    signed = words.dtype.kind == "i"
    for value, stored in ((64, 7 if signed else 6), (-65, 7)):
        if value > 0 or signed:
            words[place] = value
            assert not kernels().fit_words(words, words.itemsize, stored, signed)
            assert kernels().fit_words(words, words.itemsize, stored + 1, signed)


@given(st.binary(max_size=200), st.sampled_from([1, 2, 4, 8]))
def test_swapped_words_are_those_of_numpy(data: bytes, size: int) -> None:
    whole = data[: len(data) - len(data) % size]
    expected = np.frombuffer(whole, f"<u{size}").byteswap().tobytes()

    assert kernels().swap_words(whole, size) == expected


def test_arguments_that_cannot_be_are_refused() -> None:
    compiled = kernels()
    wrong: list[tuple[Any, ...]] = [
        (compiled.fit_words, b"abc", 2, 12, False), (compiled.fit_words, b"abc", 3, 12, False),
        (compiled.fit_words, b"ab", 2, 0, False), (compiled.fit_words, b"ab", 2, 17, True),
        (compiled.swap_words, b"abc", 2), (compiled.swap_words, b"abc", 0),
        (compiled.swap_words, b"abc", -1),
    ]  # fmt: skip
    for function, *arguments in wrong:
        with pytest.raises(ValueError, match="words"):
            function(*arguments)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_range_check_is_the_same_without_kernels(kind: str) -> None:
    image = describe_image(**KINDS[kind])
    for samples in (fill(image, "extremes"), np.full(image.shape, -1).astype(image.dtype)):
        check = partial(bits.check_range, samples, image)
        found = outcome_of(check)
        with without_kernels():
            assert outcome_of(check) == found


@pytest.mark.parametrize("name", sorted(BY_WORDS))
@given(data=st.data())
def test_words_are_the_samples_of_decode_and_encode(name: str, data: st.DataObject) -> None:
    image, samples = data.draw(frames(ACCEPTED[name]))
    encoder, decoder = codec_for(name)
    stored = encoder.describe_encoded(image)
    with without_kernels():
        stream = bytes(encoder.encode(samples, image))
        expected = decoder.decode(stream, stored)
        assert decoder.decode_words(stream, stored) is None  # type: ignore[attr-defined]
        assert encoder.encode_words(expected.tobytes(), image) is None  # type: ignore[attr-defined]

    words = decoder.decode_words(stream, stored)  # type: ignore[attr-defined]
    assert (words is not None) == (image.bits_allocated in {8, 16})
    if words is not None:
        assert bytes(words) == expected.tobytes()
        encoded = encoder.encode_words(words, image)  # type: ignore[attr-defined]
        assert bytes(encoded) == stream
    assert np.array_equal(decoder.decode(stream, stored), expected)
    assert bytes(encoder.encode(samples, image)) == stream


@pytest.mark.parametrize("name", sorted(BY_WORDS))
@pytest.mark.parametrize("kind", ["8/6", "16/12", "16/12 signed"])
def test_a_sample_past_bits_stored_is_left_to_the_ordinary_way(name: str, kind: str) -> None:
    image = describe_image(**KINDS[kind])
    encoder, decoder = codec_for(name)
    samples = fill(image, "noise")
    samples[3, 4] = np.array(0x5123).astype(image.dtype) | 64
    whole = replace(image, bits_stored=image.bits_allocated)
    stream = encoder.encode(samples, whole)

    assert encoder.encode_words(samples.tobytes(), image) is None  # type: ignore[attr-defined]
    with pytest.raises(SampleRangeError):
        encoder.encode(samples, image)
    assert decoder.decode_words(stream, image) is None  # type: ignore[attr-defined]
    notes = SampleNotes()
    decoded = decoder.decode(stream, image, notes)
    assert notes.masked == 1
    with without_kernels():
        assert np.array_equal(decoder.decode(stream, image, SampleNotes()), decoded)


def test_a_native_frame_of_words_is_not_copied() -> None:
    image = describe_image(**KINDS["16/12"])
    frame = fill(image, "noise").tobytes()
    kernels()

    assert NativeDecoder().decode_words(frame, image) is frame
    assert NativeEncoder().encode_words(frame, image) is frame


def test_a_frame_with_other_bytes_behind_it() -> None:
    image = describe_image(**KINDS["16/12"])
    frame = fill(image, "noise").tobytes()
    kernels()
    padded = NativeDecoder().decode_words(frame + b"\0\0", image)

    assert padded is not None
    assert bytes(padded) == frame
    assert NativeDecoder().decode_words(frame + frame, image) is None, "it is to be noted"
    assert NativeDecoder().decode_words(frame[:-1], image) is None


def _others() -> list[ImagePixelDescription]:
    gray, color = describe_image(**KINDS["16/12"]), describe_image(**KINDS["rgb 8"], columns=18)
    return [
        replace(gray, high_bit=15), replace(gray, overlay_bits=0x8000), replace(gray, high_bit=3),
        replace(gray, bits_stored=17, high_bit=16), replace(gray, bits_stored=0, high_bit=-1),
        replace(gray, bits_allocated=12), replace(color, planar_configuration=1),
        replace(color, photometric_interpretation="YBR_FULL_422"),
        replace(color, photometric_interpretation="YBR_PARTIAL_420"),
        replace(gray, bits_allocated=32, bits_stored=32, high_bit=31, floating=True),
    ]  # fmt: skip


@pytest.mark.parametrize("image", _others(), ids=str)
@pytest.mark.parametrize("big_endian", [False, True])
def test_a_native_frame_that_is_not_words(image: ImagePixelDescription, big_endian: bool) -> None:
    decoder = NativeDecoder(big_endian)
    stream = bytes(image.native_frame_bits // 8)
    kernels()

    assert decoder.decode_words(stream, image) is None
    found = outcome_of(lambda: decoder.decode(stream, image).tobytes())
    with without_kernels():
        assert outcome_of(lambda: decoder.decode(stream, image).tobytes()) == found


@pytest.mark.parametrize("name", sorted(BY_WORDS))
def test_an_image_that_cannot_be_encoded_is_refused_for_words_too(name: str) -> None:
    for kind, fields in KINDS.items():
        image = replace(describe_image(**fields), photometric_interpretation="YBR_PARTIAL_420")
        encoder: Any = codec_for(name)[0]
        if name != "rle" and image.samples_per_pixel == 1:
            continue  # Photometric Interpretation says nothing then
        for work in (
            partial(encoder.encode, fill(image, "noise"), image),
            partial(encoder.encode_words, fill(image, "noise").tobytes(), image),
        ):
            found = outcome_of(work)
            assert found is None or cast("Any", found)[0] is UnsupportedImageError, kind
