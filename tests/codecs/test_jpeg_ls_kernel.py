"""The kernel of JPEG-LS: held against CharLS both ways, and against independent readers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import _kernels
from dicodec.codecs.jpeg_ls import JpegLsDecoder, JpegLsEncoder
from dicodec.codecs.streams.jpeg_ls_presets import FEWEST_BITS, insert_preset, make_preset
from dicodec.errors import SampleRangeError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import replace
from helpers.jpeg_ls_streams import write_jpeg_ls
from helpers.kernels import outcome_of, without_kernels
from helpers.made import IMAGE_KINDS, make_file
from helpers.real_streams import read_real_streams
from helpers.witnesses import Outcome, read_with, require

type Pixels = np.ndarray[Any, Any]

KERNELS: Any = _kernels.COMPILED
MONO, RGB = "MONOCHROME2", "RGB"


def test_there_are_kernels_to_test() -> None:
    assert KERNELS is not None, "build them: python setup.py build_ext --inplace"


def describe(pixels: Pixels, stored: int, signed: int = 0) -> ImagePixelDescription:
    rows, columns = pixels.shape[:2]
    photometric, samples = (MONO, 1) if pixels.ndim == 2 else (RGB, 3)
    allocated = 8 * pixels.itemsize
    return ImagePixelDescription(
        rows, columns, samples, photometric, allocated, stored, stored - 1, signed
    )


def encode_by_library(pixels: Pixels, precision: int, near: int = 0) -> bytes:
    samples = pixels.astype(np.uint8 if precision <= 8 else np.uint16)
    room = 9 * samples.nbytes + 4096
    stream = bytes(
        imagecodecs.jpegls_encode(samples, near, bitspersample=precision, spiff=False, out=room)
    )
    if precision >= FEWEST_BITS:
        return stream
    return insert_preset(stream, make_preset(precision, near))


def encode_by_kernel(pixels: Pixels, precision: int, near: int = 0) -> bytes:
    image = describe(pixels, precision)
    stream: bytes = KERNELS.encode_jpeg_ls(
        pixels.tobytes(), image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
        image.bits_stored, False, precision, near,
    )  # fmt: skip
    return stream


def decode_by_kernel(stream: bytes, image: ImagePixelDescription) -> Pixels | None:
    words = KERNELS.decode_jpeg_ls(
        stream, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
        image.bits_stored, image.signed,
    )  # fmt: skip
    return None if words is None else np.frombuffer(words, image.dtype).reshape(image.shape)


def draw_pixels(data: st.DataObject, precision: int, samples: int) -> Pixels:
    """Draw an image of noise, of a smooth surface, of few values, of steps, of runs that end."""
    rows, columns = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 60))
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    top = (1 << precision) - 1
    kind = data.draw(st.sampled_from(["noise", "smooth", "few", "edges", "flat", "runs"]))
    if kind == "noise":
        values = random.integers(0, top, shape, endpoint=True)
    elif kind == "smooth":
        values = random.integers(-1, 1, shape, endpoint=True).cumsum(axis=1) + top // 2
    elif kind == "few":
        values = random.integers(0, min(top, 2), shape, endpoint=True)
    elif kind == "edges":
        values = random.choice([0, top, top // 2, top // 2 + 1], shape)
    else:
        values = np.full(shape, data.draw(st.integers(0, top)))
        if kind == "runs":
            ends = random.random(shape) < 0.04
            values[ends] = random.integers(0, top, shape, endpoint=True)[ends]
    wide = precision > 8 or data.draw(st.booleans())
    return values.clip(0, top).astype("<u2" if wide else "u1")


def draw_near(data: st.DataObject, precision: int) -> int:
    most = min(255, ((1 << precision) - 1) // 2)
    return min(most, data.draw(st.sampled_from([0, 0, 1, 2, 3, 7, 40, most])))


SAMPLES = st.sampled_from([1, 3])


@settings(deadline=None, max_examples=500)
@given(precision=st.integers(2, 16), samples=SAMPLES, data=st.data())
def test_streams_are_those_of_charls_and_are_read_back(
    precision: int, samples: int, data: st.DataObject
) -> None:
    pixels, near = draw_pixels(data, precision, samples), draw_near(data, precision)
    expected = encode_by_library(pixels, precision, near)
    assert encode_by_kernel(pixels, precision, near) == expected
    decoded = decode_by_kernel(expected, describe(pixels, precision))
    assert decoded is not None
    assert decoded.dtype == pixels.dtype
    assert np.array_equal(decoded, imagecodecs.jpegls_decode(expected))
    assert np.abs(decoded.astype(int) - pixels).max() <= near


@settings(deadline=None, max_examples=200)
@given(
    precision=st.integers(2, 16), samples=SAMPLES, interleave=st.integers(0, 2),
    stated=st.booleans(), fill=st.sampled_from([0, 0, 1, 3]), data=st.data(),
)  # fmt: skip
def test_rare_forms_are_read_as_the_standard_has_them(
    precision: int, samples: int, interleave: int, stated: bool, fill: int, data: st.DataObject
) -> None:
    """Components apart or by line, other thresholds, fill bytes."""
    pixels, near = draw_pixels(data, precision, samples)[:4], draw_near(data, precision)
    top = (1 << precision) - 1
    thresholds = [0, 0, 0]
    if stated and near < top:
        listed = st.lists(st.integers(near + 1, top), min_size=3, max_size=3)
        thresholds = sorted(data.draw(listed))
    stream = write_jpeg_ls(
        pixels, precision, near, interleave=interleave, thresholds=thresholds, fill=fill
    )
    image = describe(pixels, precision)
    own = decode_by_kernel(stream, image)
    assert (own is None) == (precision < FEWEST_BITS and not any(thresholds))
    with without_kernels():
        expected = outcome_of(lambda: JpegLsDecoder().decode(stream, image))
    if own is not None:
        assert np.abs(own.astype(int) - pixels).max() <= near
        assert isinstance(expected, np.ndarray)
        assert np.array_equal(own, expected)


SMALL = np.random.default_rng(5).integers(0, 4096, (7, 9), np.uint16)
COLOR = np.random.default_rng(6).integers(0, 3, (5, 8, 3), np.uint8)
SMALL_STREAMS = {
    "plain": (SMALL, 12, encode_by_library(SMALL, 12)),
    "smooth": (SMALL, 12, encode_by_library(SMALL // 1000, 12)),
    "near": (SMALL, 12, encode_by_library(SMALL, 12, 5)),
    "wide": (SMALL, 16, encode_by_library(SMALL * 16, 16)),
    "few bits": (SMALL, 4, encode_by_library(SMALL >> 8, 4)),
    "color": (COLOR, 8, encode_by_library(COLOR, 8)),
    "color by line": (COLOR, 8, write_jpeg_ls(COLOR, 8, interleave=1)),
    "color apart": (COLOR, 8, write_jpeg_ls(COLOR, 8, interleave=0, thresholds=(3, 7, 22))),
}


def decode_both_ways(stream: bytes, image: ImagePixelDescription) -> list[object]:
    """Return what comes of a stream with the kernel and without it."""

    def decode() -> object:
        samples = JpegLsDecoder().decode(stream, image)
        return samples.dtype.str, samples.tolist()

    with_kernel = outcome_of(decode)
    with without_kernels():
        return [with_kernel, outcome_of(decode)]


@pytest.mark.parametrize("name", SMALL_STREAMS)
def test_a_stream_cut_anywhere_is_the_same_error(name: str) -> None:
    pixels, precision, stream = SMALL_STREAMS[name]
    image = describe(pixels, precision)
    assert decode_by_kernel(stream, image) is not None
    for cut in range(len(stream)):
        for end in (b"", b"\xff\xd9"):
            shorter = stream[:cut] + end
            ours, charls = decode_both_ways(shorter, image)
            assert ours == charls, cut
            if cut < len(stream) - 2:
                assert decode_by_kernel(shorter, image) is None, cut


@settings(deadline=None, max_examples=600)
@given(name=st.sampled_from(sorted(SMALL_STREAMS)), data=st.data())
def test_damaged_streams_end_alike_with_and_without_the_kernel(
    name: str, data: st.DataObject
) -> None:
    pixels, precision, whole = SMALL_STREAMS[name]
    stream = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(2, len(stream) - 2))
        kind = data.draw(st.sampled_from(["bit", "byte", "remove", "insert"]))
        if kind == "bit":
            stream[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "byte":
            stream[at] = data.draw(st.sampled_from([0, 255, 0xD0, 0xDA, 0x7F]))
        elif kind == "remove":
            del stream[at]
        else:
            stream.insert(at, data.draw(st.sampled_from([0, 255, 17])))
    ours, charls = decode_both_ways(bytes(stream), describe(pixels, precision))
    assert ours == charls, bytes(stream).hex()


def encode_both_ways(pixels: Pixels, image: ImagePixelDescription, near: int) -> list[object]:
    def encode() -> object:
        return bytes(JpegLsEncoder(near).encode(pixels, image))

    with_kernel = outcome_of(encode)
    with without_kernels():
        return [with_kernel, outcome_of(encode)]


@settings(deadline=None, max_examples=300)
@given(
    allocated=st.sampled_from([8, 16]), stored=st.integers(1, 16), signed=st.booleans(),
    samples=SAMPLES, data=st.data(),
)  # fmt: skip
def test_images_are_encoded_alike_with_and_without_the_kernel(
    allocated: int, stored: int, signed: bool, samples: int, data: st.DataObject
) -> None:
    stored, signed = min(stored, allocated), signed and samples == 1
    near = draw_near(data, stored)
    pixels = draw_pixels(data, max(stored, 2), samples)
    image = describe(pixels.astype(f"u{allocated // 8}"), stored, signed)
    low, high = image.sample_range
    fitting = (pixels.astype(int) % (high - low + 1) + low).astype(image.dtype)
    ours, charls = encode_both_ways(fitting, image, near)
    assert ours == charls
    if not isinstance(ours, bytes):
        assert near
        assert signed
        return
    decoded = JpegLsDecoder().decode(ours, image)
    assert np.abs(decoded.astype(int) - fitting).max() <= near
    if not near:
        assert JpegLsDecoder().decode_words(ours, image) == fitting.tobytes()


@pytest.mark.parametrize(("stored", "signed"), [(1, 0), (8, 0), (12, 0), (15, 0), (12, 1), (15, 1)])
@pytest.mark.parametrize("near", [0, 3])
@pytest.mark.parametrize("step", [-1, 1])
def test_a_sample_outside_bits_stored_is_an_error(
    stored: int, signed: int, near: int, step: int
) -> None:
    near = min(near, ((1 << stored) - 1) // 2)
    pixels = np.zeros((9, 70), "<i2" if signed else "<u2")
    image = describe(pixels, stored, signed)
    low, high = image.sample_range
    if signed:
        low, high = low + near, high - near
    outside = (low if step < 0 else high) + step
    if outside < 0 and not signed:
        outside = 65535
    for place in ((0, 0), (4, 35), (8, 69)):
        pixels[:] = 0
        pixels[place] = outside
        ours, charls = encode_both_ways(pixels, image, near)
        assert ours == charls
        assert isinstance(ours, tuple)
        assert ours[0] is SampleRangeError
        pixels[place] = outside - step if outside != 65535 else 0
        assert isinstance(encode_both_ways(pixels, image, near)[0], bytes)


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("precision", [9, 12, 16])
def test_samples_past_bits_stored_are_left_to_the_library(precision: int, signed: int) -> None:
    pixels = np.zeros((9, 70), "<u2")
    pixels[3, 3] = (1 << 8) - 1
    image = describe(pixels, 9, signed)
    stream = encode_by_library(pixels, precision)
    ours, charls = decode_both_ways(stream, image)
    assert decode_by_kernel(stream, image) is not None
    assert ours == charls
    pixels[3, 3] = (1 << precision) - 1
    if precision > 9:
        pixels[3, 3] -= 300  # not a sign that is extended
    stream = encode_by_library(pixels, precision)
    ours, charls = decode_both_ways(stream, image)
    assert (decode_by_kernel(stream, image) is None) == (precision > 9)
    assert ours == charls


def test_other_images_and_streams_are_left_to_the_library() -> None:
    decoder, image, stream = JpegLsDecoder(), describe(SMALL, 12), SMALL_STREAMS["plain"][2]
    assert decoder.decode_words(stream, image) == SMALL.tobytes()
    assert decoder.decode_words(stream + b"\0" * 99, image) == SMALL.tobytes()
    assert decoder.decode_words(stream + b"\1", image) == SMALL.tobytes()
    changes: list[dict[str, Any]] = [
        {"rows": 8}, {"columns": 8}, {"bits_allocated": 32}, {"overlay_bits": 0xF000},
        {"samples_per_pixel": 3}, {"samples_per_pixel": 4}, {"rows": 0}, {"rows": 65536},
    ]  # fmt: skip
    for changed in changes:
        assert decoder.decode_words(stream, replace(image, **changed)) is None, changed
    scan = stream.index(b"\xff\xda")
    color = SMALL_STREAMS["color"][2]
    transformed = color[:2] + b"\xff\xe8\0\7mrfx\1" + color[2:]
    assert decoder.decode_words(transformed, describe(COLOR, 8)) is None
    for other in (
        stream + stream, stream[:-2], b"", stream[2:], stream.replace(b"\xff\xf7", b"\xff\xc3"),
        stream[:-2] + b"\0\xff\xd9",  # data left over
        stream[:scan] + b"\xff\xdd\0\4\0\1" + stream[scan:],  # a restart interval
        stream[:scan] + stream[scan:].replace(b"\1\1\0", b"\1\1\1", 1),  # a mapping table
        insert_preset(stream, b"\xff\xf8\0\x0d\1\x0f\xfe" + bytes(8)),  # another MAXVAL
        insert_preset(stream, b"\xff\xf8\0\x0d\1" + bytes(8) + b"\0\x20"),  # another RESET
        insert_preset(stream, b"\xff\xf8\0\x0d\1\0\0\0\x20\0\x10" + bytes(4)),  # T2 below T1
        encode_by_library(SMALL >> 8, 4)[:17] + encode_by_library(SMALL >> 8, 4)[32:],  # no preset
    ):  # fmt: skip
        assert decoder.decode_words(other, image) is None, other.hex()


def test_arguments_that_make_no_sense_are_refused() -> None:
    words = SMALL.tobytes()
    good = [words, 7, 9, 1, 16, 12, False, 12, 0]
    assert KERNELS.encode_jpeg_ls(*good) is not None
    for place, value in (
        (0, words[:-1]), (1, 0), (1, 8), (1, 65536), (2, 0), (3, 2), (4, 8), (4, 32), (5, 0),
        (5, 17), (7, 11), (7, 17), (8, 256),
    ):  # fmt: skip
        with pytest.raises(ValueError):  # noqa: PT011
            KERNELS.encode_jpeg_ls(*good[:place], value, *good[place + 1 :])
    with pytest.raises(ValueError):  # noqa: PT011
        KERNELS.encode_jpeg_ls(words, 7, 9, 1, 16, 3, False, 16, 4)
    for place, value in ((1, 0), (2, 65536), (3, 4), (4, 12), (5, 0)):
        arguments: list[Any] = [b"", 7, 9, 1, 16, 12, False]
        arguments[place] = value
        with pytest.raises(ValueError):  # noqa: PT011
            KERNELS.decode_jpeg_ls(*arguments)


@pytest.mark.parametrize("shape", [(1, 65535), (65535, 1), (1, 65535, 3), (300, 300)])
def test_long_lines_and_runs_are_coded(shape: tuple[int, ...]) -> None:
    for pixels in (np.zeros(shape, np.uint16), np.random.default_rng(1).integers(0, 65536, shape)):
        words = pixels.astype("<u2")
        words.flat[words.size // 3 * 2] ^= 1
        stream = encode_by_library(words, 16)
        assert encode_by_kernel(words, 16) == stream
        decoded = decode_by_kernel(stream, describe(words, 16))
        assert decoded is not None
        assert np.array_equal(decoded, words)


def test_several_threads_code_at_once() -> None:
    streams = [encode_by_library(SMALL, 12, near) for near in range(7)]
    expected = [np.asarray(imagecodecs.jpegls_decode(stream)) for stream in streams]
    with ThreadPoolExecutor(4) as pool:
        decoded = pool.map(lambda one: decode_by_kernel(one, describe(SMALL, 12)), streams * 30)
        for one, wanted in zip(decoded, expected * 30, strict=True):
            assert one is not None
            assert np.array_equal(one, wanted)
        encoded = pool.map(lambda near: encode_by_kernel(SMALL, 12, near), [*range(7)] * 30)
        assert [*encoded] == streams * 30


@pytest.mark.parametrize("witness", ["gdcm", "dcmtk", "pyjpegls"])
@pytest.mark.parametrize("kind", ["gray-8", "gray-12-in-16", "signed-12-in-16", "rgb-8"])
def test_witnesses_read_the_kernels_streams(tmp_path: Path, witness: str, kind: str) -> None:
    made = IMAGE_KINDS[kind]
    pixels = made.make()[1][0]
    image = describe(pixels, made.bits_stored, made.signed)
    for near in (0, 3):
        if near and made.signed:
            continue
        stream = JpegLsEncoder(near).encode_words(pixels.tobytes(), image)
        assert stream is not None
        if witness == "pyjpegls":
            read = np.asarray(import_module("jpeg_ls").decode(np.frombuffer(stream, np.uint8)))
            samples = read.reshape(pixels.shape).astype(pixels.dtype)
        else:
            require(witness)
            path = tmp_path / f"{near}.dcm"
            path.write_bytes(
                make_file(
                    image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
                    image.bits_stored, image.signed, photometric=made.photometric,
                    transfer_syntax=f"1.2.840.10008.1.2.4.{81 if near else 80}",
                    streams=[[bytes(stream)]],
                )[0]
            )  # fmt: skip
            result = read_with(witness, path)
            assert result.outcome is Outcome.READ, (near, result)
            assert result.samples is not None
            samples = result.samples.reshape(pixels.shape)
        assert np.abs(samples.astype(int) - pixels).max() <= near


@pytest.mark.filterwarnings("ignore")  # pydicom's, on odd files
def test_real_files_are_read_by_the_kernel(corpus: Path, manifest: list[dict[str, str]]) -> None:
    uids = {f"1.2.840.10008.1.2.4.{one}" for one in (80, 81)}
    served = 0
    for file, frame, image in read_real_streams(corpus, manifest, uids):
        ours, charls = decode_both_ways(frame, image)
        assert ours == charls, file
        served += decode_by_kernel(frame, image) is not None
    assert served >= 10
