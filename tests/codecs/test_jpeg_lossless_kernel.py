"""The kernel of lossless JPEG: held against libjpeg both ways, and against independent readers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import _kernels
from dicodec.codecs.jpeg import JpegDecoder
from dicodec.codecs.jpeg_encoders import LosslessEncoder
from dicodec.codecs.streams import jpeg
from dicodec.errors import CorruptFrameError, DicodecError, SampleRangeError, TruncatedFrameError
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import replace
from helpers.lossless_streams import EVEN, FLAT, STEEP, write_lossless
from helpers.made import IMAGE_KINDS, make_file
from helpers.real_streams import read_real_streams
from helpers.witnesses import Outcome, read_with, require

type Pixels = np.ndarray[Any, Any]

KERNELS: Any = _kernels.COMPILED
MONO, RGB, YBR = "MONOCHROME2", "RGB", "YBR_FULL"


def test_there_are_kernels_to_test() -> None:
    assert KERNELS is not None, "build them: python setup.py build_ext --inplace"


def describe(
    pixels: Pixels, stored: int, photometric: str = MONO, signed: int = 0
) -> ImagePixelDescription:
    rows, columns = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else 3
    allocated = 8 * pixels.itemsize
    return ImagePixelDescription(
        rows, columns, samples, photometric, allocated, stored, stored - 1, signed
    )


def encode_by_library(
    pixels: Pixels, precision: int, predictor: int, photometric: str = MONO
) -> bytes:
    space = {MONO: "GRAYSCALE", RGB: "RGB", YBR: "UNKNOWN"}[photometric]
    return bytes(
        imagecodecs.jpeg8_encode(
            pixels.astype(np.uint8 if precision <= 8 else np.uint16), lossless=True,
            predictor=predictor, bitspersample=precision, colorspace=space, outcolorspace=space,
        )
    )  # fmt: skip


def encode_by_kernel(
    pixels: Pixels, precision: int, predictor: int, photometric: str = MONO
) -> bytes:
    image = describe(pixels, precision, photometric)
    stream = KERNELS.encode_jpeg_lossless(
        pixels.tobytes(), image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
        image.bits_stored, False, precision, predictor, photometric == RGB,
    )  # fmt: skip
    return bytes(stream)


def decode_by_kernel(stream: bytes, image: ImagePixelDescription) -> Pixels | None:
    words = KERNELS.decode_jpeg_lossless(
        stream, image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
        image.bits_stored, image.signed,
    )  # fmt: skip
    return None if words is None else np.frombuffer(words, image.dtype).reshape(image.shape)


def draw_pixels(data: st.DataObject, precision: int, samples: int) -> Pixels:
    """Draw an image of noise, of a smooth surface, of few values or of steps that wrap around."""
    rows, columns = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 40))
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    top = (1 << precision) - 1
    kind = data.draw(st.sampled_from(["noise", "smooth", "few", "edges", "flat"]))
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
    wide = precision > 8 or data.draw(st.booleans())
    return values.clip(0, top).astype("<u2" if wide else "u1")


PHOTOMETRIC = st.sampled_from([MONO, RGB, YBR])


@settings(deadline=None, max_examples=400)
@given(
    precision=st.integers(2, 16), predictor=st.integers(1, 7), photometric=PHOTOMETRIC,
    data=st.data(),
)  # fmt: skip
def test_streams_are_those_of_libjpeg_and_are_read_back(
    precision: int, predictor: int, photometric: str, data: st.DataObject
) -> None:
    pixels = draw_pixels(data, precision, 1 if photometric == MONO else 3)
    expected = encode_by_library(pixels, precision, predictor, photometric)
    assert encode_by_kernel(pixels, precision, predictor, photometric) == expected
    decoded = decode_by_kernel(expected, describe(pixels, precision, photometric))
    assert decoded is not None
    assert decoded.dtype == pixels.dtype
    assert np.array_equal(decoded, pixels)


type Decoded = Pixels | type[DicodecError]


def decode_both_ways(
    stream: bytes, image: ImagePixelDescription
) -> tuple[Decoded, Decoded, Pixels | None]:
    """Return what comes of a stream with the kernel and without it, and what the kernel says."""
    outcomes: list[Decoded] = []
    for kernels in (KERNELS, None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_kernels, "COMPILED", kernels)
            try:
                outcomes.append(JpegDecoder().decode(stream, image))
            except DicodecError as error:
                outcomes.append(type(error))
    try:
        own = decode_by_kernel(stream, image)
    except EOFError:
        own = None
    return outcomes[0], outcomes[1], own


def same(one: Decoded, other: Decoded) -> bool:
    if isinstance(one, type) or isinstance(other, type):
        return one is other
    return one.dtype == other.dtype and np.array_equal(one, other)


@settings(deadline=None, max_examples=300)
@given(
    precision=st.integers(2, 16), predictor=st.integers(1, 7), samples=st.sampled_from([1, 3]),
    transform=st.integers(0, 15), restart_lines=st.integers(0, 5), apart=st.booleans(),
    tables=st.lists(st.sampled_from([EVEN, STEEP, FLAT]), min_size=1, max_size=3),
    fill=st.sampled_from([0, 0, 1, 3]), data=st.data(),
)  # fmt: skip
def test_rare_forms_are_read_as_libjpeg_reads_them(
    precision: int, predictor: int, samples: int, transform: int, restart_lines: int, apart: bool,
    tables: list[tuple[int, ...]], fill: int, data: st.DataObject,
) -> None:  # fmt: skip
    transform = min(transform, precision - 1)
    pixels = draw_pixels(data, precision, samples) >> transform << transform
    stream = write_lossless(
        pixels, precision, predictor, point_transform=transform, restart_lines=restart_lines,
        apart=apart, tables=tables, fill=fill,
    )  # fmt: skip
    ours, libjpegs, own = decode_both_ways(stream, describe(pixels, precision, YBR))
    assert own is not None
    assert same(ours, pixels)
    assert same(libjpegs, pixels)


SMALL = np.random.default_rng(5).integers(0, 4096, (7, 9), np.uint16)
SMALL_STREAMS = {
    "plain": encode_by_library(SMALL, 12, 1),
    "smooth": encode_by_library(SMALL // 1000, 12, 7),
    "restarts": write_lossless(SMALL, 12, 4, restart_lines=2),
    "many restarts": write_lossless(SMALL // 1000, 12, 1, restart_lines=1, tables=(FLAT,)),
    "steep": write_lossless(SMALL // 1000, 12, 6, tables=(STEEP,)),
}


@pytest.mark.parametrize("name", SMALL_STREAMS)
def test_a_stream_cut_anywhere_is_an_error(name: str) -> None:
    stream = SMALL_STREAMS[name]
    image = describe(SMALL, 12)
    for cut in range(len(stream)):
        ours, libjpegs, _ = decode_both_ways(stream[:cut], image)
        assert isinstance(ours, type), cut
        assert ours is libjpegs, cut
        if cut < len(stream) - 2:
            ended = stream[:cut] + b"\xff\xd9"
            ours, libjpegs, own = decode_both_ways(ended, image)
            assert isinstance(ours, type), cut
            assert ours is libjpegs, cut
            assert own is None


@pytest.mark.parametrize("name", ["restarts", "many restarts"])
def test_data_missing_between_restart_markers_are_missed(name: str) -> None:
    stream = SMALL_STREAMS[name]
    start = stream.index(b"\xff\xda") + 10
    markers = [at for at in range(start, len(stream)) if 0xD0 <= stream[at] < 0xD8
               and stream[at - 1] == 0xFF]  # fmt: skip
    assert len(markers) >= 3
    for marker in markers:
        for count in (1, 2, 3):
            shorter = stream[: marker - 1 - count] + stream[marker - 1 :]
            if shorter[marker - 2 - count] == 0xFF:
                continue
            ours, libjpegs, _ = decode_both_ways(shorter, describe(SMALL, 12))
            assert ours is libjpegs is TruncatedFrameError, (marker, count)
        exchanged = bytearray(stream)
        exchanged[marker] = 0xD0 + (exchanged[marker] - 0xD0 + 1) % 8
        ours, libjpegs, _ = decode_both_ways(bytes(exchanged), describe(SMALL, 12))
        assert ours is libjpegs is CorruptFrameError
        joined = stream[: marker - 1] + stream[marker + 1 :]
        ours, libjpegs, _ = decode_both_ways(joined, describe(SMALL, 12))
        assert isinstance(ours, type)
        assert ours is libjpegs


@settings(deadline=None, max_examples=500)
@given(name=st.sampled_from(sorted(SMALL_STREAMS)), data=st.data())
def test_damaged_streams_end_alike_with_and_without_the_kernel(
    name: str, data: st.DataObject
) -> None:
    stream = bytearray(SMALL_STREAMS[name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(2, len(stream) - 3))
        kind = data.draw(st.sampled_from(["bit", "byte", "remove", "insert"]))
        if kind == "bit":
            stream[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "byte":
            stream[at] = data.draw(st.sampled_from([0, 255, 0xD0, 0xD1, 0xDA]))
        elif kind == "remove":
            del stream[at]
        else:
            stream.insert(at, data.draw(st.sampled_from([0, 255, 17])))
    ours, libjpegs, _ = decode_both_ways(bytes(stream), describe(SMALL, 12))
    assert same(ours, libjpegs), bytes(stream).hex()


def encode_both_ways(pixels: Pixels, image: ImagePixelDescription, predictor: int) -> list[Any]:
    results: list[Any] = []
    for kernels in (KERNELS, None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_kernels, "COMPILED", kernels)
            try:
                results.append(bytes(LosslessEncoder(predictor).encode(pixels, image)))
            except DicodecError as error:
                results.append((type(error), str(error)))
    return results


@settings(deadline=None, max_examples=200)
@given(
    allocated=st.sampled_from([8, 16]), stored=st.integers(1, 16), signed=st.booleans(),
    photometric=PHOTOMETRIC, predictor=st.integers(1, 7), data=st.data(),
)  # fmt: skip
def test_images_are_encoded_alike_with_and_without_the_kernel(
    allocated: int, stored: int, signed: bool, photometric: str, predictor: int, data: st.DataObject
) -> None:
    stored, signed = min(stored, allocated), signed and photometric == MONO
    pixels = draw_pixels(data, max(stored, 2), 1 if photometric == MONO else 3)
    image = describe(pixels.astype(f"u{allocated // 8}"), stored, photometric, signed)
    low, high = image.sample_range
    fitting = (pixels.astype(int) % (high - low + 1) + low).astype(image.dtype)
    ours, libjpegs = encode_both_ways(fitting, image, predictor)
    assert isinstance(ours, bytes)
    assert ours == libjpegs
    assert len(ours) <= 128 + 2 * -(-31 * fitting.size // 8)
    assert np.array_equal(JpegDecoder().decode(ours, image), fitting)
    assert JpegDecoder().decode_words(ours, image) == fitting.tobytes()


@pytest.mark.parametrize(("stored", "signed"), [(1, 0), (8, 0), (12, 0), (15, 0), (12, 1), (15, 1)])
@pytest.mark.parametrize("step", [-1, 1])
def test_a_sample_outside_bits_stored_is_an_error(stored: int, signed: int, step: int) -> None:
    pixels = np.zeros((9, 70), "<i2" if signed else "<u2")
    image = describe(pixels, stored, MONO, signed)
    low, high = image.sample_range
    outside = (low if step < 0 else high) + step
    if outside < 0 and not signed:
        outside = 65535
    for place in ((0, 0), (4, 35), (8, 69)):
        pixels[:] = 0
        pixels[place] = outside
        ours, libjpegs = encode_both_ways(pixels, image, 1)
        assert ours == libjpegs
        assert ours[0] is SampleRangeError
        pixels[place] = outside - step if abs(outside) != 65535 else 0
        assert isinstance(encode_both_ways(pixels, image, 1)[0], bytes)


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("precision", [9, 12, 16])
def test_samples_past_bits_stored_are_left_to_the_library(precision: int, signed: int) -> None:
    pixels = np.zeros((9, 70), "<u2")
    pixels[3, 3] = (1 << 8) - 1
    image = describe(pixels, 9, MONO, signed)
    stream = encode_by_library(pixels, precision, 1)
    ours, libjpegs, own = decode_both_ways(stream, image)
    assert own is not None
    assert same(ours, libjpegs)
    pixels[3, 3] = (1 << precision) - 1
    if precision > 9:
        pixels[3, 3] -= 300  # not a sign that is extended
    stream = encode_by_library(pixels, precision, 1)
    ours, libjpegs, own = decode_both_ways(stream, image)
    assert (own is None) == (precision > 9)
    assert same(ours, libjpegs)


def test_other_images_and_streams_are_left_to_the_library() -> None:
    decoder, image, stream = JpegDecoder(), describe(SMALL, 12), SMALL_STREAMS["plain"]
    assert decoder.decode_words(stream, image) == SMALL.tobytes()
    assert decoder.decode_words(stream + b"\0" * 99, image) == SMALL.tobytes()
    assert decoder.decode_words(stream + b"\1", image) == SMALL.tobytes()
    assert decoder.decode_words(stream + stream, image) is None
    assert decoder.decode_words(stream[:-2], image) is None
    assert decoder.decode_words(b"", image) is None
    assert decoder.decode_words(encode_by_library(SMALL, 12, 1)[2:], image) is None
    changes: list[dict[str, Any]] = [
        {"rows": 8}, {"columns": 8}, {"bits_allocated": 32}, {"overlay_bits": 0xF000},
        {"samples_per_pixel": 3}, {"samples_per_pixel": 4}, {"rows": 0}, {"rows": 65501},
    ]  # fmt: skip
    for changed in changes:
        assert decoder.decode_words(stream, replace(image, **changed)) is None, changed
    dct = bytes(imagecodecs.jpeg8_encode((SMALL >> 4).astype(np.uint8), 90))
    assert decoder.decode_words(dct, describe(SMALL.astype(np.uint8), 8)) is None


def test_arguments_that_make_no_sense_are_refused() -> None:
    words = SMALL.tobytes()
    good = [words, 7, 9, 1, 16, 12, False, 12, 1, False]
    assert KERNELS.encode_jpeg_lossless(*good) is not None
    for place, value in (
        (0, words[:-1]), (1, 0), (1, 8), (1, 65536), (2, 0), (3, 2), (4, 8), (4, 32), (5, 0),
        (5, 17), (7, 11), (7, 17), (8, 0), (8, 8),
    ):  # fmt: skip
        with pytest.raises(ValueError):  # noqa: PT011
            KERNELS.encode_jpeg_lossless(*good[:place], value, *good[place + 1 :])
    for place, value in ((1, 0), (2, 65536), (3, 4), (4, 12), (5, 0)):
        arguments: list[Any] = [b"", 7, 9, 1, 16, 12, False]
        arguments[place] = value
        with pytest.raises(ValueError):  # noqa: PT011
            KERNELS.decode_jpeg_lossless(*arguments)


def test_several_threads_code_at_once() -> None:
    streams = [encode_by_library(SMALL, 12, predictor) for predictor in range(1, 8)]
    with ThreadPoolExecutor(4) as pool:
        decoded = pool.map(lambda one: decode_by_kernel(one, describe(SMALL, 12)), streams * 30)
        assert all(one is not None and np.array_equal(one, SMALL) for one in decoded)
        encoded = pool.map(lambda one: encode_by_kernel(SMALL, 12, one), [*range(1, 8)] * 30)
        assert [*encoded] == streams * 30


@pytest.mark.parametrize("witness", ["gdcm", "dcmtk"])
@pytest.mark.parametrize("kind", ["gray-8", "gray-12-in-16", "signed-12-in-16", "rgb-8"])
def test_witnesses_read_the_kernels_streams(tmp_path: Path, witness: str, kind: str) -> None:
    require(witness)
    made = IMAGE_KINDS[kind]
    samples = made.make()[1]
    pixels = samples[0]
    image = describe(pixels, made.bits_stored, made.photometric, made.signed)
    for predictor in range(1, 8):
        stream = LosslessEncoder(predictor).encode(pixels, image)
        path = tmp_path / f"{predictor}.dcm"
        path.write_bytes(
            make_file(
                image.rows, image.columns, image.samples_per_pixel, image.bits_allocated,
                image.bits_stored, image.signed, photometric=made.photometric,
                transfer_syntax="1.2.840.10008.1.2.4.57", streams=[[bytes(stream)]],
            )[0]
        )  # fmt: skip
        result = read_with(witness, path)
        assert result.outcome is Outcome.READ, (predictor, result)
        assert result.samples is not None
        assert np.array_equal(result.samples.reshape(pixels.shape), pixels), predictor


@pytest.mark.filterwarnings("ignore")  # pydicom's, on odd files
def test_real_files_are_read_by_the_kernel(corpus: Path, manifest: list[dict[str, str]]) -> None:
    uids = {f"1.2.840.10008.1.2.4.{one}" for one in (57, 70)}
    served = 0
    for file, frame, image in read_real_streams(corpus, manifest, uids):
        ours, libjpegs, own = decode_both_ways(frame, image)
        assert same(ours, libjpegs), file
        is_lossless = jpeg.describe(frame).predictor is not None
        assert (own is not None) == is_lossless, file
        served += is_lossless
    assert served >= 15
