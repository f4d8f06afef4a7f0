"""Native frames: where each begins, bits that do not end on a byte, words in big endian."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec import convert, convert_bytes
from dicodec.errors import DicodecError, TruncatedFrameError
from dicodec.model.image import ImagePixelDescription
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.native_frames import BitJoiner, NativeFrames, shift_bits
from dicodec.part10.source import BytesSource
from helpers.data_set_bytes import data_set_of
from helpers.made import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMAGE_KINDS,
    IMPLICIT_LE,
    Samples,
    encode_elements,
    in_ge_private,
    make_file,
)
from helpers.samples import native_samples

ODD_KINDS = [
    "one-bit",
    "one-bit-frames",
    "odd-size",
    "odd-size-frames",
    "one-pixel",
    "rgb-8-frames",
]


def describe(bits: int, rows: int, columns: int, frames: int) -> ImagePixelDescription:
    return ImagePixelDescription(
        rows, columns, 1, "MONOCHROME2", bits, bits, bits - 1, 0, number_of_frames=frames
    )


def native(
    value: bytes, bits: int, rows: int, columns: int, frames: int, *, swapped: bool = False
) -> tuple[NativeFrames, BytesSource]:
    span = ElementSpan(0x7FE00010, "OW", 0, 12, len(value), 12 + len(value), False)
    image = describe(bits, rows, columns, frames)
    return NativeFrames(span, image, swapped), BytesSource(bytes(12) + value)


@given(st.integers(1, 40), st.integers(1, 6), st.data())
def test_bits_of_frames_are_found_and_joined_again(
    pixels: int, number: int, data: st.DataObject
) -> None:
    bits = [data.draw(st.lists(st.integers(0, 1), min_size=pixels, max_size=pixels))
            for _ in range(number)]  # fmt: skip
    value = np.packbits(np.array(bits, "u1").reshape(-1), bitorder="little").tobytes()
    frames, source = native(value, 1, 1, pixels, number)

    assert (len(frames), frames.image.native_size) == (number, len(value))
    joiner = BitJoiner(pixels)
    joined = b""
    for frame in range(number):
        alone = frames.read(source, frame)
        assert len(alone) == (pixels + 7) // 8
        found = np.unpackbits(np.frombuffer(alone, "u1"), bitorder="little")
        assert found.tolist() == bits[frame] + [0] * (-pixels % 8)
        joined += joiner.join(alone)
    assert joined + joiner.finish() == value


def test_bytes_pass_through_unchanged() -> None:
    assert shift_bits(b"abc", 0, 24) == b"abc"
    joiner = BitJoiner(24)
    assert joiner.join(b"abc") + joiner.finish() == b"abc"


@given(st.integers(1, 9), st.integers(1, 4))
def test_bytes_are_exchanged_within_words_across_frames(pixels: int, number: int) -> None:
    value = bytes(range(1, pixels * number + 1))
    value += bytes(len(value) % 2)
    swapped = np.frombuffer(value, ">u2").astype("<u2").tobytes()
    frames, source = native(swapped, 8, 1, pixels, number, swapped=True)

    read = b"".join(frames.read(source, frame) for frame in range(number))

    assert read == value[: pixels * number]


@pytest.mark.parametrize(("length", "frame"), [(0, 0), (5, 0), (6, 1), (17, 2)])
def test_a_frame_that_the_value_ends_in_is_named(length: int, frame: int) -> None:
    frames, source = native(bytes(length), 8, 2, 3, 3)
    for whole in range(frame):
        assert len(frames.read(source, whole)) == 6

    with pytest.raises(TruncatedFrameError) as raised:
        frames.read(source, frame)

    assert (raised.value.frame, raised.value.offset) == (frame, 12 + length)


def pixel_value(content: bytes) -> bytes:
    with open_dicom(content) as file:
        assert file.frames.present
        return file.data_set.read_value(0x7FE00010) or b""


def samples_in(content: bytes, shape: tuple[int, ...]) -> Samples:
    data_set = pydicom.dcmread(io.BytesIO(content))
    return np.asarray(data_set.pixel_array).reshape(shape)


@pytest.mark.parametrize("kind", ODD_KINDS)
@pytest.mark.parametrize("through", ["rle", "deflated-frame", "encapsulated-uncompressed"])
def test_odd_frames_come_back_from_encapsulation_as_they_were(kind: str, through: str) -> None:
    content, samples = IMAGE_KINDS[kind].make()

    back = convert_bytes(convert_bytes(content, to=through), to="explicit-le")

    assert data_set_of(back) == data_set_of(content)
    assert (samples_in(back, samples.shape) == samples).all()


@pytest.mark.parametrize("kind", ODD_KINDS)
@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_odd_frames_come_back_from_big_endian_as_they_were(kind: str, vr: str) -> None:
    content, samples = IMAGE_KINDS[kind].make()
    if vr == "OW":
        value = pixel_value(content)
        content, _ = IMAGE_KINDS[kind].make(extra=[(0x7FE00010, "OW", value)])

    big = convert_bytes(content, to="explicit-be")
    back = convert_bytes(big, to="explicit-le")

    assert data_set_of(back) == data_set_of(content)
    # Bytes of OW change places within words, samples of 8 bits and of 1 bit too (PS3.5 7.3).
    swaps = vr == "OW" and IMAGE_KINDS[kind].bits_allocated <= 8
    if swaps:
        assert (
            pixel_value(big) == np.frombuffer(pixel_value(content), "<u2").astype(">u2").tobytes()
        )
    if not (swaps and kind.startswith("one-bit")):  # where pydicom does not see to it
        assert (samples_in(big, samples.shape) == samples).all()
    direct = convert_bytes(big, to="encapsulated-uncompressed")
    assert (samples_in(convert_bytes(direct, to="explicit-le"), samples.shape) == samples).all()


def test_encapsulated_bits_begin_on_a_byte() -> None:
    content, samples = IMAGE_KINDS["one-bit-frames"].make()  # 63 bits a frame

    with open_dicom(convert_bytes(content, to="encapsulated-uncompressed")) as file:
        assert file.frames.present
        frames = file.frames.encapsulated
        assert frames is not None
        for number, frame in enumerate(samples):
            packed = np.packbits(frame.reshape(-1).astype("u1"), bitorder="little").tobytes()
            assert frames.read(file.source, number) == packed


@pytest.mark.parametrize("kind", ["odd-size", "odd-size-frames"])
@pytest.mark.parametrize("to", ["implicit-le", "explicit-be", "deflated"])
def test_a_value_of_odd_length_gets_one_pad_byte(kind: str, to: str) -> None:
    content, samples = IMAGE_KINDS[kind].make()
    assert samples.size % 2 == 1

    assert pixel_value(convert_bytes(content, to=to)) == samples.astype("u1").tobytes() + b"\0"


def odd_length_pixel_data(content: bytes) -> bytes:
    """Return the file with Pixel Data of an odd length, which PS3.5 8.1.1 does not allow."""
    value = pixel_value(content)
    whole = encode_elements([(0x7FE00010, "OB", value)])
    head = content.removesuffix(whole)
    assert len(head) < len(content)
    odd = whole[:8] + (len(value) - 1).to_bytes(4, "little") + value[:-1]
    return head + odd


def test_pixel_data_of_odd_length_is_read_and_padded() -> None:
    content = IMAGE_KINDS["odd-size"].make()[0]
    odd = odd_length_pixel_data(content)

    for to in ("implicit-le", "rle"):
        result = convert_bytes(convert_bytes(odd, to=to), to="explicit-le")
        assert data_set_of(result) == data_set_of(content)


def test_excess_is_kept_between_native_syntaxes_and_dropped_elsewhere() -> None:
    _, samples = make_file(4, 4)
    value = samples.astype("<u2").tobytes() + b"excess"
    content, _ = make_file(4, 4, extra=[(0x7FE00010, "OW", value)])

    assert pixel_value(convert_bytes(content, to="implicit-le")) == value
    back = convert_bytes(convert_bytes(content, to="rle"), to="explicit-le")
    assert pixel_value(back) == value[:32]


SMALL = {
    kind: IMAGE_KINDS[kind].make(rows=3, columns=3)
    for kind in ("gray-12-in-16", "multi-frame", "gray-8", "rgb-8-frames", "one-bit-frames")
}


def in_native_syntax(kind: str, syntax: str) -> bytes:
    """Return a small file: in "GE", in big endian, or in little endian; 8 bits in OB or OW."""
    small = IMAGE_KINDS[kind]
    if syntax == "GE":
        return in_ge_private(small.make(rows=3, columns=3, transfer_syntax=IMPLICIT_LE)[0])
    uid, vr = {"LE": EXPLICIT_LE, "BE": EXPLICIT_BE}[syntax[:2]], syntax[3:]
    value = pixel_value(SMALL[kind][0])
    return small.make(
        rows=3, columns=3, transfer_syntax=uid, extra=[(0x7FE00010, vr, value)] if vr else []
    )[0]


@pytest.mark.parametrize("syntax", ["LE", "LE OW", "BE", "BE OW", "GE"])
@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("target", ["rle", "implicit-le", "explicit-le", "explicit-be"])
def test_every_cut_within_pixel_data_is_noticed(kind: str, syntax: str, target: str) -> None:
    content, samples = in_native_syntax(kind, syntax), SMALL[kind][1]
    start = len(content) - len(pixel_value(SMALL[kind][0]))
    frame_bits = samples[0].size * IMAGE_KINDS[kind].bits_allocated
    swapped = syntax in {"BE OW", "GE"} and IMAGE_KINDS[kind].bits_allocated <= 8
    exact = (frame_bits * len(samples) + 7) // 8
    if swapped:  # the byte in which a last word begins is its second sample
        exact += exact % 2

    for length in range(start, start + exact):
        with pytest.raises(DicodecError) as raised:
            convert_bytes(content[:length], to=target)
        there = length - start
        whole = (there - (there % 2 if swapped else 0)) * 8 // frame_bits
        assert raised.value.frame == whole
        sample = IMAGE_KINDS[kind].bits_allocated
        begun = (there - (there % 2 if swapped else 0)) * 8 >= sample
        assert (raised.value.hint is not None) == begun
    for length in range(start + exact, len(content) + 1):
        result = convert_bytes(content[:length], to=target, verify=True)
        assert (native_samples(convert_bytes(result, to="explicit-le")) == samples).all()


@pytest.mark.parametrize("syntax", ["LE", "LE OW", "BE", "BE OW", "GE"])
@pytest.mark.parametrize("kind", ["rgb-8-frames", "one-bit-frames"])
@pytest.mark.parametrize("mode", ["fill", "drop"])
@pytest.mark.parametrize("target", ["rle", "explicit-le", "explicit-be"])
def test_frames_saved_of_a_cut_file_have_their_last_sample(
    kind: str, syntax: str, mode: str, target: str
) -> None:
    content, samples = in_native_syntax(kind, syntax), SMALL[kind][1]
    frame_bits = samples[0].size * IMAGE_KINDS[kind].bits_allocated
    start = len(content) - len(pixel_value(SMALL[kind][0]))
    needed = (frame_bits + 7) // 8
    swapped = syntax in {"BE OW", "GE"}
    for cut in range(needed + needed % 2 * swapped, needed * 2):
        result = convert_bytes(content[: start + cut], to=target, salvage=mode, verify=True)
        found = native_samples(convert_bytes(result, to="explicit-le"))
        there = cut - (cut % 2 if swapped else 0)
        whole = there * 8 // frame_bits
        assert (found[:whole] == samples[:whole]).all()
        assert len(found) == (whole if mode == "drop" else 3)
        if mode == "fill":  # of a frame that is cut, samples that are there
            kept = there * 8 // IMAGE_KINDS[kind].bits_allocated
            assert (found.reshape(-1)[:kept] == samples.reshape(-1)[:kept]).all()
            assert not found.reshape(-1)[kept:].any()
    if swapped and needed % 2 and mode == "drop":
        with pytest.raises(DicodecError, match="no frame is whole"):
            convert_bytes(content[: start + needed], to=target, salvage=mode)


def test_a_swapped_word_that_is_cut_is_missed_in_place(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    content = in_native_syntax("gray-8", "BE OW")
    path.write_bytes(content[:-1])
    with pytest.raises(TruncatedFrameError):
        convert(path, path, to="rle", overwrite=True)
    assert path.read_bytes() == content[:-1]

    path.write_bytes(content)
    convert(path, path, to="rle", overwrite=True)  # the byte after the pad byte is a sample
    found = native_samples(convert_bytes(path.read_bytes(), to="explicit-le"))
    assert (found == SMALL["gray-8"][1]).all()
