"""Image attributes that are missing or wrong, where streams or the length of the pixels tell."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicodec import compare, convert, convert_bytes, inspect
from dicodec.errors import (
    ContradictionError,
    DicodecError,
    FrameMismatchError,
    MalformedFileError,
)
from dicodec.model import tags
from helpers.made import (
    DEFLATED,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMAGE_KINDS,
    IMPLICIT_LE,
    Samples,
    make_file,
)
from helpers.odd_files import (
    found,
    frames_of,
    reported,
    right,
    right_samples,
    same,
    samples_of,
    with_streams,
)
from helpers.samples import native_samples

ATTRIBUTES = {
    "Rows": tags.ROWS, "Columns": tags.COLUMNS, "SamplesPerPixel": tags.SAMPLES_PER_PIXEL,
    "BitsAllocated": tags.BITS_ALLOCATED, "BitsStored": tags.BITS_STORED,
    "HighBit": tags.HIGH_BIT,
}  # fmt: skip


def without(content: bytes, tag: int) -> bytes:
    """Return the file without an element of 2 bytes."""
    start = content.index(struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"US", 2))
    return content[:start] + content[start + 10 :]


def changed(content: bytes, tag: int, value: int) -> bytes:
    """Return the file with another value of an US element."""
    start = content.index(struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"US", 2)) + 8
    return content[:start] + struct.pack("<H", value) + content[start + 2 :]


def with_text(content: bytes, tag: int, vr: bytes, text: bytes) -> bytes:
    """Return the file with another text in an element; b"" leaves it out."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    start = content.index(head)
    (length,) = struct.unpack_from("<H", content, start + 6)
    text += b" " * (len(text) % 2)
    made = head + struct.pack("<H", len(text)) + text if text else b""
    return content[:start] + made + content[start + 8 + length :]


def with_frames(content: bytes, text: bytes) -> bytes:
    """Return the file with another Number of Frames; b"" leaves it out."""
    return with_text(content, tags.NUMBER_OF_FRAMES, b"IS", text)


def check(wrong: bytes, oddity: str, kind: str, syntax: str) -> None:
    """It is named, decodes as the right file; the result says what is right; strict refuses."""
    assert oddity in found(wrong)
    assert oddity in reported(wrong)
    assert same(samples_of(wrong), right_samples(kind, syntax))
    result = pydicom.dcmread(io.BytesIO(convert_bytes(wrong, to="explicit-le")))
    made = pydicom.dcmread(io.BytesIO(convert_bytes(right(kind, syntax), to="explicit-le")))
    for keyword in ATTRIBUTES:
        if keyword in result:  # nothing is made up where nothing tells it
            assert result[keyword] == made[keyword], keyword
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to="explicit-le", strict=True)


COMPRESSED = [
    ("gray-12-in-16", "jpeg-lossless"), ("gray-12-in-16", "jpeg-ls"), ("multi-frame", "jpeg-ls"),
    ("gray-12-in-16", "jpeg2000-lossless"), ("gray-12-in-16", "htj2k-lossless"),
    ("gray-8", "jpeg"), ("rgb-8", "jpeg-lossless"), ("gray-12-in-16", "jpegxl-lossless"),
    ("multi-frame", "jpeg2000-lossless"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "syntax"), COMPRESSED)
@pytest.mark.parametrize("keyword", ["Rows", "Columns", "SamplesPerPixel", "BitsAllocated"])
def test_what_is_missing_is_in_the_stream(kind: str, syntax: str, keyword: str) -> None:
    content = right(kind, syntax)
    tag = ATTRIBUTES[keyword]

    check(without(content, tag), "missing-attribute", kind, syntax)
    check(changed(content, tag, 0), "wrong-attribute", kind, syntax)


@pytest.mark.parametrize("to", ["explicit-le", "jpeg2000-lossless"])
@pytest.mark.parametrize("syntax", ["explicit-le", "jpeg2000-lossless", "jpeg-ls", "rle"])
@pytest.mark.parametrize(("kind", "said"), [("rgb-8", 1), ("gray-8", 3)])
def test_planar_configuration_comes_and_goes_with_the_samples(
    kind: str, said: int, syntax: str, to: str
) -> None:
    wrong = changed(right(kind, syntax), tags.SAMPLES_PER_PIXEL, said)
    if said == 1:
        wrong = without(wrong, tags.PLANAR_CONFIGURATION)
    else:
        planar = struct.pack("<HH2sHH", 0x0028, 0x0006, b"US", 2, 0)
        place = wrong.index(struct.pack("<HH2sH", 0x0028, 0x0010, b"US", 2))
        wrong = wrong[:place] + planar + wrong[place:]

    result = pydicom.dcmread(io.BytesIO(convert_bytes(wrong, to=to, verify=True)))

    assert result.SamplesPerPixel == (3 if said == 1 else 1)
    assert result.get("PlanarConfiguration") == (0 if said == 1 else None)  # C.7.6.3, Type 1C


@pytest.mark.parametrize(("kind", "syntax"), COMPRESSED)
def test_a_size_that_is_not_the_streams(kind: str, syntax: str) -> None:
    content = right(kind, syntax)
    for tag, value in ((tags.ROWS, 40), (tags.COLUMNS, 65), (tags.ROWS, 480)):
        check(changed(content, tag, value), "wrong-attribute", kind, syntax)
    swapped = changed(changed(content, tags.ROWS, 64), tags.COLUMNS, 48)
    check(swapped, "wrong-attribute", kind, syntax)


@pytest.mark.parametrize(("kind", "syntax"), COMPRESSED)
def test_bits_that_cannot_be(kind: str, syntax: str) -> None:
    content = right(kind, syntax)
    check(changed(content, tags.BITS_ALLOCATED, 12), "wrong-attribute", kind, syntax)
    if IMAGE_KINDS[kind].bits_allocated == 16:
        check(changed(content, tags.BITS_ALLOCATED, 8), "wrong-attribute", kind, syntax)
    check(changed(content, tags.HIGH_BIT, 16), "wrong-attribute", kind, syntax)
    for bits in (0, 17):
        wrong = changed(content, tags.BITS_STORED, bits)
        if syntax != "jpegxl-lossless":
            check(wrong, "wrong-attribute", kind, syntax)
            continue
        # The stream has whole words, so that every reader takes it, and tells no fewer bits.
        assert "wrong-attribute" in found(wrong)
        assert same(samples_of(wrong), right_samples(kind, syntax))
        result = pydicom.dcmread(io.BytesIO(convert_bytes(wrong, to="explicit-le")))
        assert (result.BitsAllocated, result.BitsStored, result.HighBit) == (16, 16, 15)


@pytest.mark.parametrize(
    ("syntax", "marker", "places"),
    [
        ("jpeg", b"\xff\xc0", (6, 8)), ("jpeg-lossless", b"\xff\xc3", (6, 8)),
        ("jpeg-ls", b"\xff\xf7", (6, 8)), ("jpeg2000-lossless", b"\xff\x51", (9, 13)),
        ("htj2k-lossless", b"\xff\x51", (9, 13)),
    ],
)  # fmt: skip
def test_a_damaged_header_of_a_stream_changes_no_size(
    syntax: str, marker: bytes, places: tuple[int, int]
) -> None:
    """The stream's own size is believed only where its data fills it, or it says it twice."""
    content = right("gray-8", syntax)
    stream = frames_of(content)[0]
    for place in places:
        at = stream.index(marker) + place
        for value in {1, 3, 16, 40, 47, 49, 63, 65, 72, 128, 200} - {stream[at]}:
            damaged = stream[:at] + bytes((value,)) + stream[at + 1 :]
            with pytest.raises(DicodecError):
                convert_bytes(with_streams(content, [damaged]), to="explicit-le")


@pytest.mark.parametrize(
    ("kind", "syntax"),
    [
        ("multi-frame", "rle"), ("multi-frame", "jpeg-ls"), ("multi-frame", "jpeg2000-lossless"),
        ("multi-frame", "encapsulated-uncompressed"), ("multi-frame", "deflated-frame"),
        ("rgb-8-frames", "jpeg"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stated", [b"", b"0", b"1", b"2", b"9", b"many"])
def test_frames_are_counted(kind: str, syntax: str, stated: bytes) -> None:
    wrong = with_frames(right(kind, syntax), stated)

    assert same(samples_of(wrong), right_samples(kind, syntax))
    assert {"wrong-number-of-frames", "missing-attribute"} & set(found(wrong))
    result = pydicom.dcmread(io.BytesIO(convert_bytes(wrong, to="explicit-le")))
    assert result.NumberOfFrames == IMAGE_KINDS[kind].frames
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to="explicit-le", strict=True)


def test_frames_that_the_functional_groups_miss_are_lost() -> None:
    content = right("multi-frame", "jpeg-ls")
    streams = frames_of(content)[:4]
    groups = struct.pack("<HH2sHI", 0x5200, 0x9230, b"SQ", 0, 5 * 8) + 5 * struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0
    )
    four = with_streams(content, streams, offset_table=True)
    at = four.index(struct.pack("<HH", 0x7FE0, 0x10))

    assert samples_of(four).shape[0] == 4
    with pytest.raises(DicodecError, match="NumberOfFrames is 5, Pixel Data holds 4"):
        convert_bytes(four[:at] + groups + four[at:], to="explicit-le")


NATIVE_KINDS = ["gray-8", "gray-12-in-16", "multi-frame", "rgb-8", "odd-size", "rgb-8-by-plane"]


@pytest.mark.parametrize("kind", NATIVE_KINDS)
@pytest.mark.parametrize("keyword", ["Rows", "Columns", "SamplesPerPixel", "BitsAllocated"])
def test_what_is_missing_follows_from_the_length(kind: str, keyword: str) -> None:
    content, samples = IMAGE_KINDS[kind].make()
    wrong = without(content, ATTRIBUTES[keyword])

    assert "missing-attribute" in found(wrong)
    assert same(samples_of(wrong), samples)
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to="rle", strict=True)


def test_two_missing_attributes_leave_several_readings() -> None:
    content, _ = IMAGE_KINDS["gray-12-in-16"].make()
    both = without(without(content, tags.ROWS), tags.COLUMNS)

    with pytest.raises(MalformedFileError, match="Rows is missing"):
        convert_bytes(both, to="rle")


def test_a_length_that_fits_no_whole_number_is_left_alone() -> None:
    content, _ = IMAGE_KINDS["gray-12-in-16"].make()
    wrong = without(content, tags.ROWS)[:-2]
    start = wrong.index(struct.pack("<HH", 0x7FE0, 0x10)) + 8
    (length,) = struct.unpack_from("<I", wrong, start)
    wrong = wrong[:start] + struct.pack("<I", length - 2) + wrong[start + 4 :]

    with pytest.raises(MalformedFileError, match="Rows is missing"):
        convert_bytes(wrong, to="rle")


def test_whole_frames_too_many_are_named() -> None:
    content, samples = IMAGE_KINDS["multi-frame"].make()
    for stated, text in ((b"1", "4 whole frames"), (b"4", "1 whole")):
        wrong = with_frames(content, stated)
        (oddity,) = inspect(wrong).oddities
        assert oddity.id == "long-pixel-data"
        assert text in oddity.text
        count = int(stated)
        native = np.frombuffer(convert_bytes(wrong, to="rle"), np.uint8)
        assert native.size
        assert same(samples_of(convert_bytes(wrong, to="rle")), samples[:count])
        with pytest.raises(ContradictionError):
            convert_bytes(wrong, to="rle", strict=True)


def packed(samples: np.ndarray) -> bytes:
    """Return 12-bit samples as PS3.5 8.1.1 once packed them: the first in the lowest bits."""
    number = 0
    for index, sample in enumerate(samples.reshape(-1).tolist()):
        number |= sample << 12 * index
    return number.to_bytes((12 * samples.size + 7) // 8, "little")


@pytest.mark.parametrize(
    ("rows", "columns", "frames"), [(4, 6, 1), (5, 7, 1), (5, 7, 3), (9, 11, 2)]
)
@pytest.mark.parametrize("to", ["explicit-le", "rle", "jpeg2000-lossless", "explicit-be"])
def test_packed_samples(rows: int, columns: int, frames: int, to: str) -> None:
    content, samples = make_file(rows, columns, frames=frames, bits_stored=12)
    start = content.index(struct.pack("<HH", 0x7FE0, 0x10))
    value = packed(samples)
    value += b"\0" * (len(value) % 2)
    wrong = changed(content[:start], tags.BITS_ALLOCATED, 12) + struct.pack(
        "<HH2sHI", 0x7FE0, 0x10, b"OW", 0, len(value)
    ) + value  # fmt: skip

    assert found(wrong) == ["packed-samples"]
    result = convert_bytes(wrong, to=to, verify=True)
    assert same(samples_of(result), samples)
    assert pydicom.dcmread(io.BytesIO(result)).BitsAllocated == 16
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to=to, strict=True)
    with pytest.raises(MalformedFileError, match="BitsAllocated is 12"):
        convert_bytes(changed(content, tags.BITS_ALLOCATED, 12), to="rle")


def with_high_bit(high_bit: int, **fields: Any) -> tuple[bytes, Samples]:
    kind = IMAGE_KINDS["gray-12-in-16"]
    content, samples = kind.make(bits_stored=12, **fields)
    return changed(content, tags.HIGH_BIT, high_bit), samples


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize(
    "middle",
    ["explicit-le", "explicit-be", "rle", "deflated-frame", "encapsulated-uncompressed"],
)
def test_a_high_bit_above_samples_that_begin_at_bit_0(
    signed: bool, frames: int, middle: str
) -> None:
    """Read as stated, the lowest bits of all samples would be lost: pydicom, GDCM, DCMTK do not."""
    content, samples = with_high_bit(11, signed=signed, frames=frames)
    if middle == "explicit-be":
        content = convert_bytes(content, to=middle)
        high_bit = struct.pack(">HH2sHH", 0x28, 0x102, b"US", 2, 11)
        content = content.replace(high_bit, high_bit[:-1] + b"\x0f")
    else:
        content = changed(convert_bytes(content, to=middle), tags.HIGH_BIT, 15)

    after = pydicom.dcmread(io.BytesIO(convert_bytes(content, to="jpeg-ls", verify=True)))

    assert np.array_equal(after.pixel_array, samples.squeeze())
    assert after.HighBit == 11
    assert "wrong-attribute" in [one.id for one in inspect(content).oddities]


def test_samples_that_begin_above_bit_0_as_high_bit_says() -> None:
    pixels = np.arange(0, 48 * 64 * 16, 16).astype("<u2").reshape(1, 48, 64)
    content, samples = with_high_bit(15, pixels=pixels)

    after = pydicom.dcmread(io.BytesIO(convert_bytes(content, to="jpeg-ls", verify=True)))

    assert np.array_equal(after.pixel_array, samples.squeeze() >> 4)


@pytest.mark.parametrize("middle", ["explicit-le", "rle"])
def test_bits_that_high_bit_leaves_out_are_not_lost(middle: str) -> None:
    """Neither reading holds all the bits that are set."""
    pixels = np.full((1, 48, 64), 0xF00F, "<u2")
    content = IMAGE_KINDS["gray-12-in-16"].make(bits_stored=16, pixels=pixels)[0]
    if middle == "rle":
        content = convert_bytes(content, to="rle")
    content = changed(content, tags.BITS_STORED, 12)

    with pytest.raises(FrameMismatchError, match="leave out bits at the low end"):
        convert_bytes(content, to="jpeg-ls")

    if middle == "explicit-le":
        assert pixels.tobytes() in convert_bytes(content, to="implicit-le")


@pytest.mark.parametrize("to", ["rle", "jpeg-ls", "implicit-le"])
@pytest.mark.parametrize(("stored", "high_bit"), [(0, 0), (0, 3), (255, 3), (17, 7)])
def test_impossible_bits_stored_cost_no_bits(to: str, stored: int, high_bit: int) -> None:
    for kind in ("gray-8", "gray-12-in-16", "signed-12-in-16"):
        content, samples = IMAGE_KINDS[kind].make()
        wrong = changed(changed(content, tags.BITS_STORED, stored), tags.HIGH_BIT, high_bit)
        result = convert_bytes(convert_bytes(wrong, to=to, verify=True), to="explicit-le")
        assert same(native_samples(result), samples), kind
    # Where High Bit says what all samples keep to, it is believed.
    content, samples = IMAGE_KINDS["gray-12-in-16"].make()
    wrong = changed(content, tags.BITS_STORED, 0)
    data_set = pydicom.dcmread(io.BytesIO(convert_bytes(wrong, to="rle")))
    assert (data_set.BitsStored, data_set.HighBit) == (12, 11)


def test_more_pixels_than_described_are_described_where_one_reading_fits() -> None:
    full, samples = IMAGE_KINDS["ybr-full-8"].make()
    halved = full.replace(b"YBR_FULL", b"YBR_FULL_422", 1)
    at = halved.index(struct.pack("<HH2sH", 0x28, 4, b"CS", 8)) + 6
    halved = halved[:at] + struct.pack("<H", 12) + halved[at + 2 :]
    color, of_color = IMAGE_KINDS["rgb-8"].make()
    many, of_many = IMAGE_KINDS["multi-frame"].make()
    for wrong, expected, keyword, right_value in (
        (halved, samples, "PhotometricInterpretation", "YBR_FULL"),
        (changed(color, tags.SAMPLES_PER_PIXEL, 1), of_color, "SamplesPerPixel", 3),
        (with_frames(many, b""), of_many, "NumberOfFrames", 5),
    ):
        assert {"wrong-attribute", "missing-attribute"} & set(found(wrong)), keyword
        result = convert_bytes(wrong, to="rle", verify=True)
        assert pydicom.dcmread(io.BytesIO(result))[keyword].value == right_value
        assert same(samples_of(wrong), expected), keyword
        with pytest.raises(ContradictionError):
            convert_bytes(wrong, to="rle", strict=True)


@pytest.mark.parametrize("to", ["implicit-le", "explicit-be", "deflated", "rle", "deflated-frame"])
@pytest.mark.parametrize("source", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED])
@pytest.mark.parametrize("stated", [b"0", b"00", b""])
@pytest.mark.parametrize("kind", ["multi-frame", "odd-size-frames", "one-bit-frames"])
def test_native_frames_that_are_said_to_be_none_are_counted(
    tmp_path: Path, kind: str, stated: bytes, source: str, to: str
) -> None:
    wrong, samples = IMAGE_KINDS[kind].make(
        transfer_syntax=source, extra=[(tags.NUMBER_OF_FRAMES, "IS", stated)]
    )
    path = tmp_path / "x.dcm"
    path.write_bytes(wrong)

    report = convert(path, path, to=to, overwrite=True)

    assert (report.frames, report.verified) == (len(samples), True)
    result = convert_bytes(path.read_bytes(), to="explicit-le")
    assert pydicom.dcmread(io.BytesIO(result)).NumberOfFrames == len(samples)
    assert same(native_samples(result), samples)
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to=to, strict=True)


@pytest.mark.parametrize("stated", ["0", ""])
def test_frames_of_floating_point_samples_are_counted_too(stated: str) -> None:
    dataset = pydicom.dcmread(io.BytesIO(IMAGE_KINDS["gray-32"].make()[0]))
    values = np.arange(3 * dataset.Rows * dataset.Columns, dtype="<f4")
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        del dataset[keyword]
    dataset.FloatPixelData = values.tobytes()
    dataset.NumberOfFrames = stated
    out = io.BytesIO()
    dataset.save_as(out)

    result = pydicom.dcmread(io.BytesIO(convert_bytes(out.getvalue(), to="deflated", verify=True)))

    assert result.NumberOfFrames == 3
    assert result.FloatPixelData == values.tobytes()


def test_pixels_behind_the_last_frame_are_not_lost_in_place(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    content = with_frames(IMAGE_KINDS["multi-frame"].make()[0], b"2")
    path.write_bytes(content)
    with pytest.raises(ContradictionError, match="behind its frames"):
        convert(path, path, to="jpeg-ls", overwrite=True)
    assert path.read_bytes() == content
    convert(path, path, to="deflated", overwrite=True)  # all bytes move
    assert convert(path, tmp_path / "y.dcm", to="jpeg-ls").warnings


@pytest.mark.parametrize("tag", [
    tags.PLANAR_CONFIGURATION, tags.PIXEL_REPRESENTATION, tags.HIGH_BIT,
])  # fmt: skip
@pytest.mark.parametrize("to", ["explicit-le", "rle", "jpeg2000-lossless"])
def test_what_was_assumed_of_samples_is_written_with_them(tag: int, to: str) -> None:
    """Strict readers take no pixels without these attributes (PS3.3 C.7.6.3, type 1 and 1C)."""
    content = right("rgb-8", "jpeg-lossless")
    wrong = without(content, tag)
    written = convert_bytes(wrong, to=to, verify=True)
    result = pydicom.dcmread(io.BytesIO(written))
    made = pydicom.dcmread(io.BytesIO(convert_bytes(content, to=to)))

    assert result[tag] == made[tag]
    assert compare(wrong, written).equal
    assert np.array_equal(result.pixel_array, made.pixel_array)


@pytest.mark.parametrize("spelt", [b"YBR FULL 422", b"ybr_full_422", b"YBR-FULL-422"])
@pytest.mark.parametrize("to", ["explicit-le", "jpeg-ls"])
def test_a_misspelt_photometric_interpretation_is_read_and_written_right(
    spelt: bytes, to: str
) -> None:
    content = right("rgb-8", "jpeg")
    stated = pydicom.dcmread(io.BytesIO(content)).PhotometricInterpretation
    assert stated == "YBR_FULL_422"
    wrong = with_text(content, tags.PHOTOMETRIC_INTERPRETATION, b"CS", spelt)

    assert "misspelt-photometric-interpretation" in found(wrong)
    assert convert_bytes(wrong, to=to, verify=True) == convert_bytes(content, to=to)
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to=to, strict=True)
