"""Whole files: cut at every byte, contradicting themselves, hostile, and converted all the same."""

from __future__ import annotations

import io
import struct
import zlib

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert_bytes
from dicodec.errors import (
    ConversionError,
    DicodecError,
    LimitExceededError,
    MalformedFileError,
    NotDicomError,
    ReadError,
    TruncatedFileError,
    UnknownTransferSyntaxError,
)
from dicodec.model import tags
from dicodec.model.limits import Limits
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.elements import walk_elements
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    DataSetEncoding,
)
from dicodec.part10.source import BytesSource
from helpers.data_set_bytes import data_set_of, element, file_of, header, item, sequence
from helpers.made import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMAGE_KINDS,
    IMPLICIT_LE,
    encapsulated,
    make_file,
)

RLE = "1.2.840.10008.1.2.5"
ENCODING_OF = {
    IMPLICIT_LE: IMPLICIT_LITTLE, EXPLICIT_LE: EXPLICIT_LITTLE, EXPLICIT_BE: EXPLICIT_BIG,
}  # fmt: skip
AFTER = (0xFFFCFFFC, "OB", b"after pixels")


def refusal(content: bytes, limits: Limits | None = None) -> ReadError:
    with pytest.raises(ReadError) as raised, open_dicom(content, limits or Limits()):
        pass
    return raised.value


def ends_of_elements(content: bytes, encoding: DataSetEncoding) -> dict[int, int]:
    """Return how many elements are whole at each place where one ends."""
    start = len(content) - len(data_set_of(content))
    spans = walk_elements(BytesSource(content), start, len(content), encoding)
    return {span.end: number for number, span in enumerate(spans, 1)}


SEQUENCE = sequence(
    0x00081140,
    item(element(0x00081150, "UI", b"1.2\0"), undefined=True),
    item(element(0x00081155, "UI", b"1.2\0")),
    undefined=True,
)


@pytest.mark.parametrize("target", ["explicit-le", "implicit-le", "explicit-be", "rle"])
@pytest.mark.parametrize("syntax", [IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE])
def test_a_file_cut_anywhere_is_refused_or_all_of_its_elements_are_there(
    syntax: str, target: str
) -> None:
    content, _ = make_file(3, 3, transfer_syntax=syntax, extra=[AFTER])
    ends = ends_of_elements(content, ENCODING_OF[syntax])
    silent = 0

    for length in range(len(content) - len(data_set_of(content)) + 1, len(content)):
        try:
            result = convert_bytes(content[:length], to=target)
        except DicodecError:
            continue
        # Where an element ends, a data set may end: nothing in a file says how much there should
        # be. Zeros behind it are padding, such as the first byte of group 0008 in big endian.
        end = max(end for end in ends if end <= length)
        assert not any(content[end:length])
        with open_dicom(result) as file:
            assert len(file.data_set.elements) == ends[end]
        silent += 1
    assert silent >= 15


def test_a_sequence_cut_anywhere_is_refused() -> None:
    content = file_of(element(0x00080060, "CS", b"OT") + SEQUENCE)
    start = len(content) - len(SEQUENCE)

    for length in range(start + 1, len(content)):
        with pytest.raises(TruncatedFileError, match="incomplete"):
            convert_bytes(content[:length], to="implicit-le")


def test_an_encapsulated_file_cut_anywhere_is_refused_or_whole() -> None:
    native, _ = make_file(4, 4, frames=3)
    content = convert_bytes(native, to="rle")
    whole = convert_bytes(content, to="explicit-le")
    start = content.index(b"\xe0\x7f\x10\x00OB")

    for target in ("explicit-le", "rle", "jpeg-ls"):
        for length in range(start + 1, len(content)):
            try:
                result = convert_bytes(content[:length], to=target)
            except DicodecError:
                continue
            assert len(content) - length <= 8, "more than the delimiter is missing"
            assert convert_bytes(result, to="explicit-le") == whole


def test_a_deflated_file_cut_anywhere_is_refused() -> None:
    content, _ = make_file(3, 3, transfer_syntax=DEFLATED)
    stream = data_set_of(content)
    last = len(content) - 1 if stream[-1] == 0 else len(content)

    for length in range(len(content) - len(stream), last):
        with pytest.raises(ReadError):
            convert_bytes(content[:length], to="explicit-le")


DAMAGED = convert_bytes(IMAGE_KINDS["gray-8"].make(rows=4, columns=4)[0], to="rle")


@settings(max_examples=300, deadline=None)
@given(
    st.integers(132, len(DAMAGED) - 1),
    st.binary(min_size=1, max_size=3),
    st.sampled_from(["explicit-le", "implicit-le", "explicit-be", "rle", "deflated", "jpeg"]),
)
def test_a_damaged_file_is_converted_or_refused(place: int, damage: bytes, target: str) -> None:
    content = DAMAGED[:place] + damage + DAMAGED[place + len(damage) :]

    try:
        result = convert_bytes(content, to=target, lossy=True)
    except DicodecError:
        return
    with open_dicom(result) as file:
        assert file.syntax.name in {target, "explicit-le"}


def test_pixel_data_may_be_there_once() -> None:
    _, samples = make_file(2, 2)
    value = samples.astype("<u2").tobytes()
    native = element(tags.PIXEL_DATA, "OW", value)
    content, _ = make_file(2, 2)
    streams, _ = make_file(2, 2, transfer_syntax=RLE, streams=[[b"ab"]])

    for twice in (
        content + native,
        content.removesuffix(native) + element(tags.FLOAT_PIXEL_DATA, "OF", value) + native,
        streams + encapsulated([[b"cd"]]),
    ):
        error = refusal(twice)
        assert isinstance(error, MalformedFileError)
        assert "more than one of Pixel Data" in error.message


def test_native_pixel_data_under_an_encapsulated_syntax_is_refused() -> None:
    content, _ = make_file(2, 2)

    error = refusal(file_of(data_set_of(content), RLE))

    assert "Pixel Data is native, but rle is stated" in error.message


@pytest.mark.parametrize("stated", [EXPLICIT_LE, None])
def test_encapsulated_pixel_data_under_a_native_syntax_is_refused(stated: str | None) -> None:
    content, _ = make_file(2, 2, transfer_syntax=RLE, streams=[[b"ab"]])
    bare = data_set_of(content)

    error = refusal(file_of(bare, stated) if stated else bare)

    assert isinstance(error, UnknownTransferSyntaxError)
    assert "Pixel Data is encapsulated" in error.message


def attribute(tag: int, value: int) -> tuple[int, str, bytes]:
    return (tag, "US", struct.pack("<H", value))


@pytest.mark.parametrize(
    ("extra", "keyword", "found"),
    [
        (attribute(tags.ROWS, 0), "Rows", True),
        ((tags.COLUMNS, "US", b""), "Columns", True),
        (attribute(tags.BITS_ALLOCATED, 7), "BitsAllocated", False),
        (attribute(tags.BITS_ALLOCATED, 12), "BitsAllocated", False),
        (attribute(tags.SAMPLES_PER_PIXEL, 2), "SamplesPerPixel", False),
        (attribute(tags.BITS_STORED, 0), "BitsStored", True),
        (attribute(tags.BITS_STORED, 17), "BitsStored", True),
        (attribute(tags.PIXEL_REPRESENTATION, 2), "PixelRepresentation", False),
        ((tags.NUMBER_OF_FRAMES, "IS", b"many"), "NumberOfFrames", True),
        ((tags.NUMBER_OF_FRAMES, "IS", b"-1"), "NumberOfFrames", True),
    ],
)
def test_a_description_without_sense_names_the_attribute(
    extra: tuple[int, str, bytes],
    keyword: str,
    found: bool,
) -> None:
    content, samples = make_file(4, 4, extra=[extra])

    with open_dicom(content) as file:
        assert file.frames.present
        with pytest.raises(MalformedFileError) as raised:
            _ = file.frames.image
    assert raised.value.attribute == keyword
    if found:  # out of the length of Pixel Data, or the other attributes
        assert convert_bytes(content, to="explicit-le", verify=True).endswith(samples.tobytes())
        return
    with pytest.raises(MalformedFileError) as raised:
        convert_bytes(content, to="rle")
    assert raised.value.attribute == keyword


@pytest.mark.parametrize(
    ("missing", "keyword"),
    [
        (tags.SAMPLES_PER_PIXEL, "SamplesPerPixel"),
        (tags.PHOTOMETRIC_INTERPRETATION, "PhotometricInterpretation"),
        (tags.BITS_STORED, "BitsStored"),
        (tags.HIGH_BIT, "HighBit"),
        (tags.PIXEL_REPRESENTATION, "PixelRepresentation"),
    ],
)
def test_what_is_missing_is_assumed_and_noted(missing: int, keyword: str) -> None:
    content, samples = make_file(4, 4, bits_stored=16, extra=[(missing, "UN", b"")])

    with open_dicom(content) as file:
        assert [oddity.id for oddity in file.oddities] == ["missing-attribute"]
        assert keyword in file.oddities[0].text
    back = convert_bytes(convert_bytes(content, to="rle"), to="explicit-le")
    assert back.endswith(samples.astype("<u2").tobytes())


def test_a_high_bit_out_of_range_is_put_right_and_noted() -> None:
    for high_bit in (3, 16, 60000):
        content, _ = make_file(4, 4, extra=[attribute(tags.HIGH_BIT, high_bit)])
        with open_dicom(content) as file:
            assert [oddity.id for oddity in file.oddities] == ["wrong-high-bit"]
            assert file.frames.present
            assert file.frames.image.high_bit == 11


@pytest.mark.parametrize("frames", [b"0", b"", b"1 ", b"1\\2"])
def test_odd_numbers_of_frames_mean_one(frames: bytes) -> None:
    content, _ = make_file(4, 4, extra=[(tags.NUMBER_OF_FRAMES, "IS", frames)])

    with open_dicom(content) as file:
        assert file.frames.present
        assert file.frames.image.number_of_frames == 1
        assert ("zero-frames" in {oddity.id for oddity in file.oddities}) == (frames == b"0")


@pytest.mark.parametrize("frames", [b"9" * 20, b"999999999999", b"4294967296", b"2"])
def test_frames_that_are_only_claimed_cost_nothing(frames: bytes) -> None:
    content, _ = make_file(4, 4, extra=[(tags.NUMBER_OF_FRAMES, "IS", frames)])
    streams, _ = make_file(4, 4, transfer_syntax=RLE, streams=[[b"ab"]],
                           extra=[(tags.NUMBER_OF_FRAMES, "IS", frames)])  # fmt: skip

    for source in (content, streams):
        for target in ("explicit-le", "rle", "jpeg-ls"):
            with pytest.raises(DicodecError) as raised:
                convert_bytes(source, to=target)
            assert raised.value.frame == 1


def test_sizes_that_are_only_claimed_cost_nothing() -> None:
    huge = [attribute(tags.ROWS, 65535), attribute(tags.COLUMNS, 65535)]
    content, _ = make_file(4, 4, extra=huge)
    streams = make_file(4, 4, transfer_syntax=RLE, extra=huge, streams=[[bytes(64) + b"\x81\0"]])[0]

    for source in (content, streams):
        for target in ("explicit-le", "deflated-frame", "jpeg-ls"):
            with pytest.raises(DicodecError):
                convert_bytes(source, to=target)


def test_a_length_that_is_only_claimed_costs_nothing() -> None:
    for vr, length in (("UN", 0xFFFFFFFE), ("OW", 1 << 31)):
        error = refusal(file_of(header(0x00091001, vr, length) + bytes(100)))
        assert isinstance(error, TruncatedFileError)
        assert error.attribute == "(0009,1001)"
        assert error.offset is not None


def test_limits_hold_for_deflated_data_sets() -> None:
    deflater = zlib.compressobj(wbits=-15)
    stream = deflater.compress(bytes(3 << 20)) + deflater.flush()

    error = refusal(file_of(stream, DEFLATED), Limits(inflated_size=1 << 20))

    assert isinstance(error, LimitExceededError)


@pytest.mark.parametrize("depth", [1, 63, 64])
def test_sequences_to_the_depth_that_is_allowed_are_converted(depth: int) -> None:
    content = element(0x00100020, "LO", b"deep")
    for _ in range(depth):
        content = sequence(0x00081140, item(content))
    file = file_of(content)

    for through in ("implicit-le", "explicit-be", "deflated"):
        back = convert_bytes(convert_bytes(file, to=through), to="explicit-le")
        assert data_set_of(back) == content


def test_sequences_of_defined_length_too_deep_are_refused_where_they_are_entered() -> None:
    content = element(0x00100020, "LO", b"deep")
    for _ in range(600):
        content = sequence(0x00081140, item(content))

    assert data_set_of(convert_bytes(file_of(content), to="deflated"))  # moved, not entered
    for target in ("implicit-le", "explicit-be"):
        with pytest.raises(LimitExceededError):
            convert_bytes(file_of(content), to=target)


def test_elements_behind_pixel_data_are_kept() -> None:
    content, _ = make_file(4, 4, extra=[AFTER, (0x7FE1_0010, "LO", b"PRIVATE ")])

    for through in ("rle", "implicit-le", "explicit-be", "jpeg-ls", "encapsulated-uncompressed"):
        result = convert_bytes(content, to=through)
        assert pydicom.dcmread(io.BytesIO(result))[0xFFFCFFFC].value == b"after pixels"
        assert data_set_of(convert_bytes(result, to="explicit-le")) == data_set_of(content)


def test_a_data_set_without_pixels_stays_native_and_says_so() -> None:
    content = file_of(element(0x00080060, "CS", b"SR") + element(0x00100020, "LO", b"1234"))

    with open_dicom(convert_bytes(content, to="jpeg-ls")) as file:
        assert file.syntax.name == "explicit-le"
    with open_dicom(convert_bytes(content, to="deflated")) as file:
        assert file.syntax.name == "deflated"


@pytest.mark.parametrize("vr", ["OF", "OD"])
def test_floating_point_samples_stay_native(vr: str) -> None:
    tag, size = (tags.FLOAT_PIXEL_DATA, 4) if vr == "OF" else (tags.DOUBLE_FLOAT_PIXEL_DATA, 8)
    native, _ = make_file(2, 2)
    pixel_data = element(tags.PIXEL_DATA, "OW", native[-8:])
    content = native.removesuffix(pixel_data)
    content = content.replace(
        element(tags.BITS_ALLOCATED, "US", b"\x10\0"),
        element(tags.BITS_ALLOCATED, "US", bytes([8 * size, 0])),
    )
    value = struct.pack(f"<4{'f' if size == 4 else 'd'}", 0.5, -1.5, 2.25, 1e30)
    content += element(tag, vr, value)

    for through in ("implicit-le", "explicit-be", "deflated"):
        back = convert_bytes(convert_bytes(content, to=through), to="explicit-le")
        assert data_set_of(back) == data_set_of(content)
    with pytest.raises(ConversionError, match="floating point"):
        convert_bytes(content, to="rle")


def test_nothing_is_made_of_a_head_alone() -> None:
    error = refusal(file_of(b""))
    assert isinstance(error, TruncatedFileError)
    assert isinstance(refusal(bytes(128) + b"DICM"), NotDicomError)
    assert isinstance(refusal(file_of(bytes(600))), TruncatedFileError)
