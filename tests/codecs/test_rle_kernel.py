"""The RLE kernel beside the library: the same bytes, the same samples, the same errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.pixels.decoders.rle import _rle_decode_frame

from dicodec.codecs.rle import RleDecoder, RleEncoder
from dicodec.codecs.streams import rle as headers
from dicodec.errors import TruncatedFrameError
from dicodec.model.image import ImagePixelDescription
from helpers.codec_images import ACCEPTED, KINDS, PATTERNS, Samples, describe_image, fill, frames
from helpers.kernels import kernels, outcome_of, without_kernels

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _decode(stream: bytes, image: ImagePixelDescription) -> object:
    def decode() -> tuple[Any, bytes]:
        samples = RleDecoder().decode(stream, image)
        return (samples.dtype, samples.shape), samples.tobytes()

    return outcome_of(decode)


def _assert_same_without_kernels(stream: bytes, image: ImagePixelDescription) -> None:
    found = _decode(stream, image)
    with without_kernels():
        assert _decode(stream, image) == found


def _encode(samples: Samples, image: ImagePixelDescription) -> bytes:
    return bytes(RleEncoder().encode(samples, image))


@given(data=st.data())
@SLOW
def test_frames_are_the_library_s_byte_by_byte(data: st.DataObject) -> None:
    image, samples = data.draw(frames(ACCEPTED["rle"]))
    stream = _encode(samples, image)
    with without_kernels():
        assert _encode(samples, image) == stream

    assert np.array_equal(RleDecoder().decode(stream, image), samples)
    _assert_same_without_kernels(stream, image)


@given(
    columns=st.integers(1, 700),
    rows=st.integers(1, 3),
    kind=st.sampled_from(["8", "16", "rgb 8", "32"]),
    values=st.integers(2, 5),
    seed=st.integers(0, 1000),
    stay=st.floats(0, 1),
)
@SLOW
def test_runs_of_all_lengths_are_the_library_s(
    columns: int, rows: int, kind: str, values: int, seed: int, stay: float
) -> None:
    """Two equal bytes among others, runs of 128 and more, rows that would grow."""
    image = describe_image(**KINDS[kind], rows=rows, columns=columns)
    random = np.random.default_rng(seed)
    drawn = random.integers(0, values, image.shape)
    changes = random.random(image.shape) > stay
    places = np.maximum.accumulate(np.where(changes, np.indices(image.shape)[1], 0), axis=1)
    samples = np.take_along_axis(drawn, places, axis=1).astype(image.dtype)
    stream = _encode(samples, image)
    with without_kernels():
        assert _encode(samples, image) == stream

    assert np.array_equal(RleDecoder().decode(stream, image), samples)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("kind", ["8", "16 signed", "rgb 8", "rgb 16/12", "32"])
def test_pydicom_reads_the_frames(kind: str, pattern: str) -> None:
    for rows, columns in ((1, 1), (3, 127), (5, 129), (2, 300)):
        image = describe_image(**KINDS[kind], rows=rows, columns=columns)
        samples = fill(image, pattern)
        decoded = _rle_decode_frame(
            _encode(samples, image), rows, columns, image.samples_per_pixel, image.bits_allocated
        )
        planes = np.frombuffer(decoded, image.dtype).reshape(-1, rows, columns)
        expected = samples.reshape(rows, columns, -1)

        assert np.array_equal(np.moveaxis(planes, 0, -1), expected)


@pytest.mark.parametrize("kind", ["1", "8", "16", "32", "rgb 8", "rgb 16"])
def test_a_cut_anywhere_is_told_alike(kind: str) -> None:
    image = describe_image(**KINDS[kind], rows=7, columns=16)
    for pattern in ("runs", "noise"):
        samples = fill(image, pattern)
        stream = _encode(samples, image)
        for cut in range(len(stream)):
            found = _decode(stream[:cut], image)
            with without_kernels():
                assert _decode(stream[:cut], image) == found
            if cut < len(stream) - 1:
                assert isinstance(found, tuple)
                assert found[0] is TruncatedFrameError


_RUNS = st.one_of(
    st.binary(min_size=1, max_size=128).map(lambda data: bytes([len(data) - 1]) + data),
    st.tuples(st.integers(129, 255), st.integers(0, 255)).map(bytes),
    st.just(b"\x80"),
    st.binary(max_size=3),
)
_SEGMENT = st.lists(_RUNS, max_size=12).map(b"".join)


@given(segments=st.lists(_SEGMENT, min_size=1, max_size=4), pixels=st.integers(1, 400))
@SLOW
def test_any_segments_give_the_same_samples_or_errors(segments: list[bytes], pixels: int) -> None:
    for count in (1, 2, 3, 4):
        fields = {1: KINDS["8"], 2: KINDS["16/12 signed"], 3: KINDS["rgb 8"], 4: KINDS["32"]}[count]
        image = describe_image(**fields, rows=1, columns=pixels)
        _assert_same_without_kernels(headers.join_segments((segments * 4)[:count]), image)


@given(
    st.sampled_from(["1", "8", "16/12", "16 signed", "rgb 8", "32", "64"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=5),
    st.integers(0, 40),
    st.booleans(),
)
@SLOW
def test_damaged_frames_give_the_same_samples_or_errors(
    kind: str, changes: list[tuple[float, int]], cut: int, in_header: bool
) -> None:
    image = describe_image(**KINDS[kind], rows=6, columns=24)
    stream = bytearray(_encode(fill(image, "runs"), image))
    for place, value in changes:
        stream[int(place * (64 if in_header else len(stream)))] = value
    _assert_same_without_kernels(bytes(stream[: len(stream) - cut]), image)


def test_planes_of_many_blocks_come_back() -> None:
    """The kernel decodes a plane in blocks; runs reach across their ends."""
    for kind in ("8", "16", "rgb 8", "rgb 32", "64"):
        image = describe_image(**KINDS[kind], rows=97, columns=131)
        for seed, pattern in enumerate(PATTERNS):
            samples = fill(image, pattern, seed)
            stream = _encode(samples, image)
            assert np.array_equal(RleDecoder().decode(stream, image), samples)
            joined = headers.join_segments([_repack(s) for s in _segments(stream, image)])
            assert np.array_equal(RleDecoder().decode(joined, image), samples)


def _segments(stream: bytes, image: ImagePixelDescription) -> list[bytes]:
    planes = image.samples_per_pixel * image.bits_allocated // 8
    found = headers.find_planes(stream, planes, image.rows * image.columns)
    return [bytes(segment) for segment in found]


def _repack(segment: bytes) -> bytes:
    """Return a segment with codes that stand for nothing, and bytes behind its runs."""
    packed, at = bytearray(), 0
    while at < len(segment) - 1:
        size = segment[at] + 2 if segment[at] < 128 else 2
        packed += b"\x80" + segment[at : at + size]
        at += size
    return bytes(packed) + b"\x80\0junk"


def test_arguments_that_cannot_be_are_refused() -> None:
    compiled = kernels()
    wrong: list[tuple[Any, ...]] = [
        (compiled.encode_rle, bytes(4), 0, 4, 1, 1), (compiled.encode_rle, bytes(4), 4, 0, 1, 1),
        (compiled.encode_rle, bytes(4), -2, -2, 1, 1), (compiled.encode_rle, bytes(4), 2, 2, 1, 2),
        (compiled.encode_rle, bytes(4), 1, 5, 1, 1), (compiled.encode_rle, bytes(5), 1, 4, 1, 1),
        (compiled.encode_rle, bytes(4), 2, 2, 0, 1), (compiled.encode_rle, bytes(4), 2, 2, 1, -1),
        (compiled.encode_rle, bytes(16), 1, 1, 16, 1), (compiled.encode_rle, bytes(16), 1, 1, 4, 4),
        (compiled.encode_rle, b"", 1 << 31, 1 << 31, 4, 2),
        (compiled.encode_rle, b"", (1 << 63) - 1, (1 << 63) - 1, 1, 1),
        (compiled.decode_rle, [], 4, 1), (compiled.decode_rle, [b"\xfd\0"], -1, 1),
        (compiled.decode_rle, [b"\xfd\0"], 4, 0), (compiled.decode_rle, [b"\xfd\0"], 4, 2),
        (compiled.decode_rle, [b"\xfd\0"] * 16, 4, 1),
        (compiled.decode_rle, [b"\xfd\0"] * 2, (1 << 63) - 1, 1),
    ]  # fmt: skip
    for function, *arguments in wrong:
        with pytest.raises(ValueError, match=r"segments|words|large"):
            function(*arguments)
    with pytest.raises(TypeError):
        compiled.decode_rle(["text"], 4, 1)
    with pytest.raises(TypeError):
        compiled.decode_rle([b"\xfd\0", None], 4, 1)
    with pytest.raises(EOFError):
        compiled.decode_rle([b"\xfd\0"], 5, 1)
    assert compiled.decode_rle([b"\xfd\0"], 4, 1) == bytes(4)
