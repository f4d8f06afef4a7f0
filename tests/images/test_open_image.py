"""Frames as arrays: each alone, all in order, and nothing but their own bytes."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels.utils import pixel_array

from dicodec import convert_bytes, convert_dataset, open_image
from dicodec.conversion.frames import window as in_flight
from dicodec.errors import (
    CorruptFrameError,
    DicodecError,
    FrameError,
    InvalidOptionError,
    MissingFrameError,
    SourceUnavailableError,
    TruncatedFrameError,
    UnsupportedImageError,
    UnsupportedSourceError,
)
from dicodec.images.image import Image
from helpers.made import IMAGE_KINDS, make_file
from helpers.ranges import RangedSource
from helpers.samples import colors

JPEG = "1.2.840.10008.1.2.4.50"
SYNTAXES = ("explicit-le", "implicit-le", "explicit-be", "deflated", "encapsulated-uncompressed",
            "deflated-frame", "rle", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless",
            "htj2k-lossless", "jpegxl-lossless")  # fmt: skip
FRAMES, SAMPLES = IMAGE_KINDS["multi-frame"].make()


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_each_frame_alone_and_all_in_order_are_the_samples(syntax: str) -> None:
    with open_image(convert_bytes(FRAMES, to=syntax)) as image:
        assert len(image) == 5
        assert image.transfer_syntax.name == syntax
        for frame in (3, 0, 4):
            samples = image.read_frame(frame)
            assert samples.dtype == image.description.dtype
            assert np.array_equal(samples, SAMPLES[frame])
        assert all(np.array_equal(*pair) for pair in zip(image, SAMPLES, strict=True))


@pytest.mark.parametrize("kind", [kind for kind in IMAGE_KINDS if kind != "multi-frame"])
def test_any_kind_of_image_is_read_as_it_was_made(kind: str) -> None:
    content, samples = IMAGE_KINDS[kind].make()
    with open_image(content, workers=1) as image:
        assert image.description.shape == samples.shape[1:]
        for frame, expected in enumerate(samples):
            assert np.array_equal(image.read_frame(frame), expected)


@pytest.mark.parametrize("table", ["basic", "extended", "empty"])
def test_a_frame_costs_its_own_bytes(table: str) -> None:
    content, samples = make_file(256, 256, 1, 16, 16, frames=9)
    packed = convert_bytes(content, to="jpeg-ls", offset_table=table)
    source = RangedSource(packed)
    with Image(source) as image:
        source.ranges.clear()
        assert np.array_equal(image.read_frame(5), samples[5])
        read = sum(length for _, length in source.ranges)
        # Headers of items, and how this stream and the next one begin and end.
        assert len(image.frame_bytes(5)) <= read <= len(image.frame_bytes(5)) + 32
    with open_image(RangedSource(packed)) as image:  # headers of items are read, not what they hold
        assert isinstance(image.file.source, RangedSource)
        read = sum(length for _, length in image.file.source.ranges)
        assert read < len(packed) / 2


def test_frames_in_any_order_and_again() -> None:
    with open_image(FRAMES) as image:
        read = [*image.read_frames([4, 0, 0, 2])]
    assert np.array_equal(read, SAMPLES[[4, 0, 0, 2]])


def test_few_frames_are_in_flight_however_slow_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(in_flight, "BYTES_IN_FLIGHT", 6 * 256 * 256)
    content, samples = make_file(256, 256, 1, 8, 8, frames=40)
    source = RangedSource(content)
    with open_image(source, workers=2) as image:
        frames = image.read_frames()
        source.ranges.clear()
        taken = [*islice(frames, 10)]
        assert np.array_equal(taken, samples[:10])
        assert len(source.ranges) < 20


def test_iterating_may_stop_at_any_frame_and_the_image_be_closed() -> None:
    with open_image(FRAMES, workers=3) as image:
        for samples in image:
            assert np.array_equal(samples, SAMPLES[0])
            break
    with pytest.raises(SourceUnavailableError, match="the image is closed"):
        image.read_frame(0)
    with pytest.raises(SourceUnavailableError, match="the image is closed"):
        image.read_frames()


@pytest.mark.parametrize("frame", [-1, 5, 1 << 40])
def test_there_are_no_other_frames(frame: int) -> None:
    with open_image(FRAMES) as image:
        for call in (image.read_frame, image.frame_bytes, lambda n: image.read_frames([n])):
            with pytest.raises(InvalidOptionError, match="frames are 0 to 4"):
                call(frame)


def test_the_stream_is_as_it_is() -> None:
    packed = convert_bytes(FRAMES, to="htj2k-lossless")
    with open_image(packed) as image:
        for frame in range(5):
            stream = image.frame_bytes(frame)
            assert stream in packed
            assert np.array_equal(imagecodecs.jpeg2k_decode(stream), SAMPLES[frame])
    with open_image(FRAMES) as image:
        assert image.frame_bytes(3) == SAMPLES[3].astype("<u2").tobytes()


def test_sources_are_paths_streams_buffers_and_data_sets(tmp_path: Path) -> None:
    path = tmp_path / "five.dcm"
    path.write_bytes(FRAMES)
    dataset = pydicom.dcmread(path)
    packed = convert_dataset(dataset, to="jpegxl-lossless")
    bare = pydicom.Dataset()
    bare.update({element.tag: element for element in dataset})
    for source in (path, str(path), io.BytesIO(FRAMES), memoryview(FRAMES), dataset, packed, bare):
        with open_image(source) as image:
            assert np.array_equal(image.read_frame(2), SAMPLES[2])
    with path.open("rb") as stream, open_image(stream) as image:
        assert np.array_equal(image.read_frame(4), SAMPLES[4])


def test_a_photometric_interpretation_is_converted_to() -> None:
    content, indices = IMAGE_KINDS["palette"].make()
    with open_image(content) as image:
        assert np.array_equal(image.read_frame(0), indices[0])
        shown = image.read_frame(0, photometric="RGB")
        assert shown.dtype == np.uint8  # the tables repeat it in 16 bits
        assert np.array_equal(image.read_frame(0, window="auto"), colors(indices)[0])
        with pytest.raises(UnsupportedImageError, match="cannot be converted to MONOCHROME2"):
            image.read_frame(0, photometric="MONOCHROME2")
    assert np.array_equal(shown, colors(indices)[0])
    content, gray = IMAGE_KINDS["inverted"].make()
    with open_image(content) as image:
        assert np.array_equal(image.read_frame(0, photometric="MONOCHROME2"), 4095 - gray[0])


def encode_jpeg(rgb: Any, level: int, **options: Any) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(rgb, level, **options))


def test_a_frame_of_another_color_space_comes_in_that_of_the_first() -> None:
    rgb = colors(IMAGE_KINDS["palette"].make()[1])[0]
    as_ybr = encode_jpeg(rgb, 95, colorspace="rgb", outcolorspace="ycbcr",
                                      subsampling="444")  # fmt: skip
    as_rgb = encode_jpeg(rgb, 95, colorspace="rgb", outcolorspace="rgb")
    content, _ = make_file(48, 64, 3, 8, 8, photometric="YBR_FULL", frames=3,
                           transfer_syntax=JPEG, streams=[[as_ybr], [as_rgb], [as_ybr]],
                           pixels=np.stack([rgb] * 3))  # fmt: skip
    with open_image(content) as image:
        assert image.description.photometric_interpretation == "YBR_FULL"
        for order in ((1, 0, 2), (0, 1, 2)):
            shown = [image.read_frame(n, photometric="RGB").astype(int) for n in order]
            assert all(np.abs(one - rgb).mean() < 12 for one in shown)
        assert all(np.abs(one.astype(int) - image.read_frame(0)).mean() < 12 for one in image)


def cut(content: bytes, left: int) -> bytes:
    return content[: len(content) - left]


def test_of_a_file_that_is_cut_off_whole_frames_are_read_and_no_others() -> None:
    packed = convert_bytes(FRAMES, to="jpeg-lossless")
    with open_image(cut(packed, 108)) as image:
        assert np.array_equal([image.read_frame(n) for n in range(4)], SAMPLES[:4])
        for call in (image.read_frame, image.frame_bytes):
            with pytest.raises(TruncatedFrameError, match="bytes before the frame does") as raised:
                call(4)
            assert raised.value.frame == 4
        taken = image.read_frames()
        assert len([*islice(taken, 4)]) == 4
        with pytest.raises(TruncatedFrameError):
            next(taken)
    with open_image(cut(FRAMES, 10)) as image:
        assert np.array_equal(image.read_frame(3), SAMPLES[3])
        with pytest.raises(TruncatedFrameError):
            image.read_frame(4)


def test_a_file_whose_frames_cannot_be_numbered_is_not_opened() -> None:
    with open_image(convert_bytes(FRAMES, to="jpeg-ls")) as image:
        streams = [[image.frame_bytes(n)] for n in range(4)]
    groups = (0x52009230, "SQ", 5 * struct.pack("<HHI", 0xFFFE, 0xE000, 0))
    content, _ = IMAGE_KINDS["multi-frame"].make(
        streams=streams, transfer_syntax="1.2.840.10008.1.2.4.80", extra=[groups]
    )
    with pytest.raises(MissingFrameError, match="NumberOfFrames is 5") as raised:
        open_image(content)
    assert raised.value.hint


def test_a_file_without_pixels_is_an_error(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(io.BytesIO(FRAMES))
    del dataset.PixelData
    with pytest.raises(UnsupportedSourceError, match="no pixels"):
        open_image(dataset)
    path = tmp_path / "no.dcm"
    path.write_bytes(b"no DICOM" * 40)
    with pytest.raises(DicodecError) as raised:
        open_image(path)
    assert raised.value.path == str(path)


def test_errors_name_the_file_and_the_frame(tmp_path: Path) -> None:
    packed = bytearray(convert_bytes(FRAMES, to="jpeg-ls"))
    with open_image(bytes(packed)) as image:
        start = bytes(packed).index(image.frame_bytes(2))
    packed[start : start + 2] = b"\0\0"
    path = tmp_path / "hurt.dcm"
    path.write_bytes(packed)
    with open_image(path) as image:
        with pytest.raises(CorruptFrameError) as raised:
            image.read_frame(2)
        assert (raised.value.path, raised.value.frame) == (str(path), 2)
        assert np.array_equal(image.read_frame(3), SAMPLES[3])


@given(st.data())
def test_damaged_files_give_the_samples_or_an_error(data: Any) -> None:
    packed = bytearray(convert_bytes(FRAMES, to="rle"))
    place = data.draw(st.integers(len(packed) - 9000, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    with suppress(DicodecError), open_image(bytes(packed)) as image:
        for frame in range(len(image)):
            with suppress(FrameError):
                assert image.read_frame(frame).shape == image.description.shape


REAL = ("multiframe/SC_rgb_32bit_2frame.dcm", "bitdepth/liver.dcm")


@pytest.mark.parametrize("name", REAL)
def test_real_frames_are_those_of_pydicom(name: str, corpus: Path) -> None:
    path = corpus / name
    with open_image(path) as image:
        for frame in range(len(image)):
            assert np.array_equal(image.read_frame(frame), pixel_array(path, index=frame, raw=True))


def test_odd_windows_are_wrong() -> None:
    with open_image(FRAMES) as image:
        for window in ("wide", (1, 0), (1, float("nan")), (1, 2, 3), 5, (1, "x")):
            with pytest.raises(InvalidOptionError, match="window"):
                image.read_frame(0, window=window)  # type: ignore[arg-type]
        with pytest.raises(InvalidOptionError, match="YBR_FULL is not shown"):
            image.read_frame(0, photometric="YBR_FULL", window="auto")
        with pytest.raises(InvalidOptionError, match="0 threads"):
            open_image(FRAMES, workers=0)


def test_one_bit_begins_with_the_first_bit() -> None:
    content, samples = make_file(3, 3, 1, 1, 1, frames=3)
    with open_image(content) as image:
        assert np.array_equal([*image], samples)
        (bits,) = struct.unpack("<H", image.frame_bytes(1))
        assert [bits >> n & 1 for n in range(9)] == samples[1].ravel().tolist()
