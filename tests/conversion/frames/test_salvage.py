"""Damaged files: which frames are saved, what stands for the others, and what the result says."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicodec import convert, convert_bytes
from dicodec.cli.main import run
from dicodec.errors import (
    ConversionError,
    DicodecError,
    FrameError,
    InvalidOptionError,
    LimitExceededError,
    TruncatedFileError,
    TruncatedFrameError,
)
from dicodec.model.conversion_settings import ConversionSettings
from dicodec.part10.dicom_file import open_dicom
from dicodec.report import ConversionReport
from dicodec.rules.per_frame_attributes import PerFrame, select_frame_values
from dicodec.rules.stored_values import choose_fill_values
from helpers.data_set_bytes import element, item, sequence
from helpers.made import IMAGE_KINDS, make_file
from helpers.real_files import real_files

KIND = IMAGE_KINDS["multi-frame"]
WHOLE, SAMPLES = KIND.make()
LOSSLESS = ("rle", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless")
ENCAPSULATED = (*LOSSLESS, "jpegxl-lossless", "encapsulated-uncompressed", "deflated-frame")
NATIVE = ("explicit-le", "implicit-le", "explicit-be")
ALL = (*NATIVE, *ENCAPSULATED)


def salvage(
    data: bytes, mode: str, to: str = "explicit-le", **options: Any
) -> tuple[ConversionReport, Dataset]:
    out = io.BytesIO()
    report = convert(data, out, to=to, salvage=mode, verify=True, **options)
    readable = convert_bytes(out.getvalue(), to="explicit-le")  # by pydicom, whatever it is
    return report, pydicom.dcmread(io.BytesIO(readable))


def cut_after(data: bytes, frames: int) -> bytes:
    """Cut a file in the middle of a frame."""
    with open_dicom(data) as file:
        assert file.frames.present
        found = file.frames.encapsulated
        if found is not None:
            return data[: found.starts[frames] + found.lengths[frames] // 2]
        size = file.frames.image.native_frame_bits // 8
        return data[: file.frames.span.value + frames * size + size // 2]


def half_a_frame(syntax: str) -> int:
    """Return how many samples `cut_after` leaves of a frame that is cut, if it is native."""
    return KIND.rows * KIND.columns // 2 if syntax in NATIVE else 0


def with_frame_damaged(data: bytes, frame: int) -> bytes:
    """Cut a frame's stream short, and have its item tell the truth."""
    with open_dicom(data) as file:
        assert file.frames.present
        assert file.frames.encapsulated is not None
        index = file.frames.encapsulated.find_fragments(frame)[0]
        start = file.frames.encapsulated.starts[index]
        length = file.frames.encapsulated.lengths[index]
    half = length // 4 * 2
    return (
        data[: start - 4] + struct.pack("<I", half) + data[start : start + half]
        + data[start + length :]
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["fill", "drop"])
@pytest.mark.parametrize("own", [True, False], ids=["same syntax", "native"])
@pytest.mark.parametrize("syntax", ALL)
def test_whole_frames_of_a_file_that_is_cut_off(syntax: str, own: bool, mode: str) -> None:
    cut = cut_after(convert_bytes(WHOLE, to=syntax), 3)
    to = syntax if own else "explicit-le"
    with pytest.raises(DicodecError):
        convert(cut, io.BytesIO(), to=to)

    report, result = salvage(cut, mode, to)

    pixels = result.pixel_array
    assert np.array_equal(pixels[:3], SAMPLES[:3])
    assert len(pixels) == (5 if mode == "fill" else 3) == result.NumberOfFrames
    kept = half_a_frame(syntax) if mode == "fill" else 0
    assert np.array_equal(pixels[3:].reshape(-1)[:kept], SAMPLES[3].reshape(-1)[:kept])
    assert not pixels[3:].reshape(-1)[kept:].any()
    assert [one.frame for one in report.salvaged_frames] == [3, 4]
    assert report.verified


@pytest.mark.parametrize("syntax", ENCAPSULATED)
def test_a_frame_in_the_middle(syntax: str) -> None:
    damaged = with_frame_damaged(convert_bytes(WHOLE, to=syntax), 2)
    with pytest.raises(FrameError) as caught:
        convert_bytes(damaged, to="explicit-le")

    dropped, without = salvage(damaged, "drop")
    filled, whole = salvage(damaged, "fill", syntax)

    others = [0, 1, 3, 4]
    assert np.array_equal(without.pixel_array, SAMPLES[others])
    assert np.array_equal(whole.pixel_array[others], SAMPLES[others])
    assert not whole.pixel_array[2].any()
    for report in (dropped, filled):
        (frame,) = report.salvaged_frames
        assert frame.frame == 2
        assert frame.reason
        assert frame.offset == caught.value.offset
    with open_dicom(damaged) as file:
        assert file.frames.present
        assert file.frames.encapsulated is not None
        start = file.frames.encapsulated.starts[2]
        assert caught.value.frame == 2
        assert caught.value.offset is not None
        assert start <= caught.value.offset <= start + file.frames.encapsulated.lengths[2]


@pytest.mark.parametrize("mode", ["fill", "drop"])
def test_the_first_frame(mode: str) -> None:
    damaged = with_frame_damaged(convert_bytes(WHOLE, to="jpeg-ls"), 0)
    start = damaged.index(b"\xff\xd8\xff")
    damaged = damaged[:start] + b"nothing" + damaged[start + 7 :]

    for to in ("explicit-le", "jpeg-ls", "rle"):
        _, result = salvage(damaged, mode, to)
        assert np.array_equal(result.pixel_array[-4:], SAMPLES[1:])


@pytest.mark.parametrize("syntax", ENCAPSULATED)
def test_an_error_at_one_of_several_frames_names_the_way_out(syntax: str, tmp_path: Path) -> None:
    damaged = with_frame_damaged(convert_bytes(WHOLE, to=syntax), 1)
    target = "rle" if syntax == "jpeg-ls" else "jpeg-ls"

    with pytest.raises(FrameError) as raised:
        convert_bytes(damaged, to=target)
    assert raised.value.frame == 1
    assert (
        raised.value.hint == '`salvage="fill"` or `salvage="drop"` saves the frames that are whole'
    )

    path = tmp_path / "damaged.dcm"
    path.write_bytes(damaged)
    with pytest.raises(FrameError) as raised:
        convert(path, path, to=target, overwrite=True)
    assert raised.value.hint is None, "in place nothing is salvaged"


def test_there_is_no_such_way_out_of_a_single_frame() -> None:
    kind = IMAGE_KINDS["gray-16"]
    damaged = with_frame_damaged(convert_bytes(kind.make()[0], to="rle"), 0)

    with pytest.raises(FrameError) as raised:
        convert_bytes(damaged, to="jpeg-ls")
    assert raised.value.hint is None


def test_a_result_says_what_it_is() -> None:
    comments = (0x00204000, "LT", b"as it was")
    data, _ = KIND.make(extra=[comments, (0x00082111, "ST", b"filtered")])
    report, result = salvage(cut_after(data, 3), "fill")
    whole = pydicom.dcmread(io.BytesIO(data))

    told = (
        "Salvaged from a damaged file: 2 of 5 frames could not be read and were filled with "
        "padding (counted from 1: 4-5); the first 1536 samples of frame 4 are kept; the end of the "
        "file is lost"
    )
    assert report.salvaged == told
    assert result.ImageComments == f"as it was; {told}"
    assert result.DerivationDescription == f"filtered; {told}"
    assert result.ImageType[0] == "DERIVED"
    assert result.SOPInstanceUID != whole.SOPInstanceUID
    assert result.SourceImageSequence[0].ReferencedSOPInstanceUID == whole.SOPInstanceUID
    assert report.as_dict()["salvaged_frames"][0]["frame"] == 3
    _, same = salvage(cut_after(data, 3), "fill", keep_uid=True)
    assert same.SOPInstanceUID == whole.SOPInstanceUID


def test_lossy_compression_is_told_beside_it() -> None:
    data, _ = IMAGE_KINDS["rgb-8-frames"].make()
    out = io.BytesIO()
    convert(cut_after(data, 2), out, to="jpeg", quality=90, salvage="fill", verify=True)
    result = pydicom.dcmread(io.BytesIO(out.getvalue()))
    assert "Salvaged" in result.DerivationDescription
    assert "lossy compression" in result.DerivationDescription
    filled = result.pixel_array[2].reshape(-1, 3)
    assert filled[len(filled) // 2 + 16 * filled.shape[1] :].max() < 3


def test_whole_files_are_not_touched() -> None:
    for mode in ("fill", "drop"):
        report = convert(WHOLE, out := io.BytesIO(), to="rle", salvage=mode)
        assert out.getvalue() == convert_bytes(WHOLE, to="rle")
        assert (report.salvaged, report.salvaged_frames) == ("", ())


@pytest.mark.parametrize("syntax", ALL)
def test_no_frame_is_whole(syntax: str) -> None:
    data, _ = IMAGE_KINDS["gray-16"].make()
    for mode in ("drop",) if syntax in NATIVE else ("fill", "drop"):
        out = io.BytesIO()
        with pytest.raises(FrameError, match="no frame is whole"):
            convert(
                cut_after(convert_bytes(data, to=syntax), 0), out, to="explicit-le", salvage=mode
            )
        assert out.getvalue() == b""


def test_a_header_is_not_salvaged() -> None:
    with pytest.raises(DicodecError):
        convert_bytes(WHOLE[:300], to="rle", salvage="fill")


def test_elements_after_pixel_data_that_are_lost() -> None:
    data, _ = KIND.make(extra=[(0xFFFCFFFC, "OB", bytes(100))])
    with pytest.raises(TruncatedFileError):
        convert_bytes(data[:-30], to="rle")
    for mode in ("fill", "drop"):
        report, result = salvage(data[:-30], mode)
        assert np.array_equal(result.pixel_array, SAMPLES)
        assert result.ImageComments == "Salvaged from a damaged file: the end of the file is lost"
        assert report.salvaged
        assert not report.salvaged_frames


def test_an_image_without_pixel_data_may_have_been_cut_off() -> None:
    encoded = convert_bytes(WHOLE, to="rle")
    place = encoded.index(b"\xe0\x7f\x10\x00")
    for mode in (None, "fill"):
        report = convert(encoded[:place], io.BytesIO(), to="explicit-le", salvage=mode)
        assert "cut off" in report.warnings[0]
    native = WHOLE[: WHOLE.index(b"\xe0\x7f\x10\x00")]
    report = convert(native, io.BytesIO(), to="implicit-le")
    assert "cut off" in report.warnings[0]


def test_the_last_fragments_of_a_frame_are_missing() -> None:
    image, _ = IMAGE_KINDS["gray-12-in-16"].make()
    with open_dicom(convert_bytes(image, to="jpeg2000-lossless")) as file:
        assert file.frames.present
        assert file.frames.encapsulated is not None
        stream = file.frames.encapsulated.read(file.frames.source, 0)
    uid, half = "1.2.840.10008.1.2.4.90", len(stream) // 2 & ~1
    fields: dict[str, Any] = {"transfer_syntax": uid, "bits_stored": 12, "rows": 48, "columns": 64}
    data, _ = make_file(**fields, streams=[[stream[:half], stream[half:]]])
    cut = data[: data.index(stream[half:]) - 8]
    for end in (cut, cut + b"\xfe\xff\x00\xe0"):
        with pytest.raises(TruncatedFrameError) as caught:
            convert_bytes(end, to="jpeg2000-lossless")
        assert caught.value.frame == 0


@pytest.mark.parametrize(
    ("kind", "padding", "expected"),
    [
        ("gray-16", None, (0,)),
        ("gray-16", -2, (0,)),
        ("inverted", None, (4095,)),
        ("inverted", 7, (7,)),
        ("signed-12-in-16", None, (-2048,)),
        ("signed-16", -2000, (-2000,)),
        ("palette", None, (0,)),
        ("rgb-8", 9, (0, 0, 0)),
        ("ybr-full-8", None, (0, 128, 128)),
    ],
)
def test_what_stands_for_nothing(kind: str, padding: int | None, expected: tuple[int, ...]) -> None:
    with open_dicom(IMAGE_KINDS[kind].make()[0]) as file:
        assert file.frames.present
        assert choose_fill_values(file.frames.image, padding) == expected


@pytest.mark.parametrize("signed", [False, True])
def test_pixel_padding_value(signed: bool) -> None:
    value = -2000 if signed else 63000
    padding = (0x00280120, "SS" if signed else "US", struct.pack("<h" if signed else "<H", value))
    data, _ = make_file(8, 8, bits_stored=16, frames=3, signed=signed, extra=[padding])
    for syntax in ("explicit-le", "implicit-le", "explicit-be", "rle"):
        _, result = salvage(cut_after(convert_bytes(data, to=syntax), 2), "fill")
        assert (result.pixel_array[2].reshape(-1)[0 if syntax == "rle" else 32 :] == value).all()
    # What follows the values of the pixels does so here, too.
    _, inverted = salvage(cut_after(data, 2), "fill", photometric="MONOCHROME1")
    lowest, highest = (-32768, 32767) if signed else (0, 65535)
    assert (inverted.pixel_array[2].reshape(-1)[32:] == lowest + highest - value).all()


def test_one_bit_frames_that_begin_within_a_byte() -> None:
    data, samples = make_file(3, 5, bits_allocated=1, bits_stored=1, frames=9)
    cut = data[: data.index(b"\xe0\x7f\x10\x00") + 12 + 8]  # four frames, and a half
    for mode, frames in (("fill", 9), ("drop", 4)):
        _, result = salvage(cut, mode)
        found = result.pixel_array
        assert len(found) == frames
        assert np.array_equal(found[:4], samples[:4])
        kept = 4 if mode == "fill" else 0  # bits: 8 bytes hold 64, and four frames 60
        assert np.array_equal(found[4:].reshape(-1)[:kept], samples[4].reshape(-1)[:kept])
        assert not found[4:].reshape(-1)[kept:].any()


# What is said of single frames


def enhanced(frames: int = 5) -> bytes:
    made = pydicom.dcmread(io.BytesIO(WHOLE))
    made.PerFrameFunctionalGroupsSequence = Sequence()
    for frame in range(frames):
        group, content = Dataset(), Dataset()
        content.FrameAcquisitionNumber = frame
        group.FrameContentSequence = Sequence([content])
        made.PerFrameFunctionalGroupsSequence.append(group)
    out = io.BytesIO()
    made.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize("to", ["explicit-le", "implicit-le", "explicit-be", "rle"])
def test_functional_groups_of_frames_that_are_left_out(to: str) -> None:
    damaged = with_frame_damaged(convert_bytes(enhanced(), to="jpeg-ls"), 2)

    _, result = salvage(damaged, "drop", to)

    groups = result.PerFrameFunctionalGroupsSequence
    numbers = [group.FrameContentSequence[0].FrameAcquisitionNumber for group in groups]
    assert numbers == [0, 1, 3, 4]


def refused(data: bytes, frame: int = 2) -> str | None:
    """Return the attribute for which frames are not left out; filling must go on."""
    damaged = with_frame_damaged(convert_bytes(data, to="rle"), frame)
    salvage(damaged, "fill")
    try:
        salvage(damaged, "drop")
    except ConversionError as error:
        return error.attribute if error.hint == '`salvage="fill"` keeps their places' else ""
    return None


def test_frames_are_left_out_only_where_that_is_sure() -> None:
    assert refused(enhanced(4)) == "PerFrameFunctionalGroupsSequence"
    time = (0x00181063, "DS", b"40")
    assert refused(KIND.make(extra=[time])[0]) == "FrameTime"
    assert refused(KIND.make(extra=[time])[0], frame=4) is None
    assert refused(KIND.make(extra=[(0x00209311, "CS", b"TILED_FULL")])[0]) == (
        "DimensionOrganizationType"
    )
    assert refused(KIND.make(extra=[(0x00286040, "US", b"\1\0\2\0")])[0]) == "RWavePointer"
    assert refused(KIND.make(extra=[(0x00280009, "AT", b"\x09\0\1\x10")])[0]) == "(0009,1001)"
    assert refused(KIND.make(extra=[(0x60000015, "IS", b"5 ")])[0]) == "NumberOfFramesInOverlay"


COUNTED = {
    "PhaseInformationSequence": (0x00540032, "SQ", item(element(0x00540033, "US", b"\5\0"))),
    "RotationInformationSequence": (0x00540052, "SQ", item(element(0x00540053, "US", b"\5\0"))),
    "NumberOfSlices": (0x00540081, "US", b"\5\0"),
    "NumberOfTimeSlices": (0x00540101, "US", b"\5\0"),
    "IVUSPullbackStartFrameNumber": (0x00183103, "IS", b"1"),
    "IVUSPullbackStopFrameNumber": (0x00183104, "IS", b"5"),
    "TableVerticalIncrement": (0x00181135, "DS", b"0"),  # of how many frames?
    "(0009,1001)": (0x0028000A, "AT", b"\x09\0\1\x10"),  # Frame Dimension Pointer
}


@pytest.mark.parametrize("attribute", COUNTED)
def test_what_counts_frames_keeps_them_and_is_named(attribute: str) -> None:
    assert refused(KIND.make(extra=[COUNTED[attribute]])[0]) == attribute


@pytest.mark.parametrize(
    ("attribute", "tag", "vr", "value"),
    [("FrameDelay", 0x00181066, "DS", b"5 "),
     ("RWaveTimeVector", 0x00186060, "FL", struct.pack("<2f", 1, 2)),
     ("TableVerticalIncrement", 0x00181135, "DS", rb"0\1\2\3\4")],
)  # fmt: skip
def test_what_is_counted_from_the_first_frame_needs_it(
    attribute: str, tag: int, vr: str, value: bytes
) -> None:
    data, _ = KIND.make(extra=[(tag, vr, value)])
    assert refused(data, frame=0) == attribute
    assert refused(data, frame=2) is None


@pytest.mark.parametrize("to", ["explicit-le", "implicit-le", "explicit-be", "rle"])
def test_increments_of_the_table_follow_their_frames(to: str) -> None:
    tags = {0x00181135: "TableVerticalIncrement", 0x00181136: "TableLateralIncrement",
            0x00181137: "TableLongitudinalIncrement"}  # fmt: skip
    data, _ = KIND.make(extra=[(tag, "DS", rb"0\1\2\3\4") for tag in tags])
    _, result = salvage(with_frame_damaged(convert_bytes(data, to="rle"), 2), "drop", to)
    for keyword in tags.values():
        assert list(result[keyword].value) == [0, 1, 3, 4]


def exposure(frames: str, time: int, *, undefined: bool = False) -> bytes:
    number = element(0x00081160, "IS", frames.encode() + b" " * (len(frames) % 2))
    inner = sequence(0x300A00B6, item(element(0x300A00B8, "CS", b"X ")), undefined=undefined)
    exposed = element(0x00181150, "IS", str(time).encode().ljust(4))
    return item((number if frames else b"") + exposed + inner, undefined=undefined)


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("to", ["explicit-le", "implicit-le", "explicit-be", "rle"])
def test_exposures_follow_their_frames(to: str, undefined: bool) -> None:
    items = [exposure(str(frame), frame, undefined=undefined) for frame in range(1, 6)]
    items += [exposure("3\\5\\1", 6), exposure("", 7)]
    data, _ = KIND.make(extra=[(0x30020030, "SQ", b"".join(items))])

    _, result = salvage(with_frame_damaged(convert_bytes(data, to="rle"), 2), "drop", to)

    found = [(one.ExposureTime, one.get("ReferencedFrameNumber"),
              len(one.BeamLimitingDeviceSequence)) for one in result.ExposureSequence]  # fmt: skip
    assert found == [(1, 1, 1), (2, 2, 1), (4, 3, 1), (5, 4, 1), (6, [4, 1], 1), (7, None, 1)]


def test_exposures_of_lost_frames_alone_leave() -> None:
    data, _ = KIND.make(extra=[(0x30020030, "SQ", exposure("3", 1))])
    _, result = salvage(with_frame_damaged(convert_bytes(data, to="rle"), 2), "drop")
    assert "ExposureSequence" not in result

    wrong, _ = KIND.make(extra=[(0x30020030, "SQ", exposure("x", 1))])
    assert refused(wrong) == "ExposureSequence"


@pytest.mark.parametrize("to", ["explicit-le", "explicit-be", "rle"])
def test_overlays_stay_on_their_frames(to: str) -> None:
    overlay = [
        (0x60000010, "US", struct.pack("<H", KIND.rows)),
        (0x60000011, "US", struct.pack("<H", KIND.columns)),
        (0x60000050, "SS", b"\1\0\1\0"), (0x60000100, "US", b"\1\0"), (0x60000102, "US", b"\0\0"),
        (0x60003000, "OW", bytes(KIND.rows * KIND.columns // 8)),
    ]  # fmt: skip
    for origin, left in ((1, 1), (2, 2), (4, 3), (5, 4)):
        data, _ = KIND.make(extra=[*overlay, (0x60000051, "US", struct.pack("<H", origin))])
        _, result = salvage(with_frame_damaged(convert_bytes(data, to="rle"), 2), "drop", to)
        assert result[0x60000051].value == left
    data, _ = KIND.make(extra=[*overlay, (0x60000051, "US", b"\3\0")])
    assert refused(data) == "ImageFrameOrigin"


def test_vectors_of_frames_that_are_left_out() -> None:
    extra = [
        (0x00181065, "DS", rb"0\10\20.5\30\40"),
        (0x00280009, "AT", b"\x18\0\x65\x10"),
        (0x00540080, "US", struct.pack("<5H", 1, 2, 3, 4, 5)),
        (0x00182002, "SH", rb"A\B\C\D\E"),
    ]
    damaged = with_frame_damaged(convert_bytes(KIND.make(extra=extra)[0], to="rle"), 2)
    for to in ("explicit-le", "explicit-be"):
        _, result = salvage(damaged, "drop", to)
        assert list(result.FrameTimeVector) == [0, 10, 50.5, 40]
        assert list(result.SliceVector) == [1, 2, 4, 5]
        assert list(result.FrameLabelVector) == ["A", "B", "D", "E"]


def test_times_between_frames() -> None:
    values = ["0", "10", "20", "x"]
    assert select_frame_values(PerFrame.INCREMENTS, values, [1, 2], 4) == ["0", "20"]
    assert select_frame_values(PerFrame.INCREMENTS, values, [0, 2], 4) == ["0", "30"]
    assert select_frame_values(PerFrame.INCREMENTS, values, [0, 1], 5) is None
    assert select_frame_values(PerFrame.OFFSETS, values, [1, 2], 4) is None
    assert select_frame_values(PerFrame.OFFSETS, values, [0, 2], 4) == ["0", "20"]
    assert select_frame_values(PerFrame.PERIOD, ["40"], [0, 1, 3], 4) is None
    assert select_frame_values(PerFrame.PERIOD, ["40"], [1, 2], 4) == ["40"]


# Where it is refused


def test_a_damaged_file_is_never_replaced(tmp_path: Any, capsys: Any) -> None:
    path = tmp_path / "damaged.dcm"
    path.write_bytes(cut := cut_after(WHOLE, 3))
    assert run(["convert", str(path), "--to", "rle", "--in-place", "--salvage", "fill"]) == 2
    with pytest.raises(InvalidOptionError):
        convert(path, path, to="rle", salvage="fill", overwrite=True)
    refused: tuple[ConversionSettings, ...] = (
        {"salvage": "fill", "engine": "gdcm"},
        {"salvage": "fill", "verify": "independent"},
        {"salvage": "guess"},
    )
    for options in refused:
        with pytest.raises(InvalidOptionError):
            convert(path, None, to="rle", **options)
    assert path.read_bytes() == cut


def test_so_many_frames_are_not_made_up() -> None:
    data, _ = make_file(4, 4, extra=[(0x00280008, "IS", b"1000000000")])
    for mode in ("fill", "drop"):
        with pytest.raises(LimitExceededError, match="999999999 of 1000000000 frames"):
            convert_bytes(data, to="rle", salvage=mode)


def test_the_command_says_so_and_exits_1(tmp_path: Any, capsys: Any) -> None:
    path = tmp_path / "damaged.dcm"
    path.write_bytes(cut_after(WHOLE, 3))
    target = str(tmp_path / "out.dcm")
    command = ["convert", str(path), "--to", "rle", "-o", target]

    assert run([*command, "-q"]) == 1
    assert "--salvage" in capsys.readouterr().err
    assert run([*command, "-q", "--salvage", "drop"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"dicodec: {path}: Salvaged from a damaged file: 2 of 5 frames")
    assert said.endswith("[salvaged]\n")
    assert pydicom.dcmread(target).NumberOfFrames == 3


def test_a_batch_says_so_and_exits_1(tmp_path: Any, capsys: Any) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "whole.dcm").write_bytes(WHOLE)
    (folder / "cut.dcm").write_bytes(cut_after(WHOLE, 3))
    command = ["convert", str(folder), "--to", "rle", "-o", str(tmp_path / "out"), "--jobs", "1"]

    assert run([*command, "--salvage", "fill"]) == 1

    said = capsys.readouterr().err
    assert (
        "2 of 5 frames could not be read and were filled with padding (counted from 1: 4-5)" in said
    )
    assert "  damaged, and salvaged: 1\n" in said
    assert "2 converted" in said


@pytest.mark.filterwarnings("ignore:Incorrect value for Specific Character Set")
def test_real_files_of_several_frames() -> None:
    saved = 0
    for path in real_files().values():
        data = path.read_bytes()
        try:
            with open_dicom(data) as file:
                found = file.frames
                if not found.present or found.image.number_of_frames < 2:
                    continue
                if found.encapsulated is None or len(data) > 1_000_000:
                    continue
                whole = convert_bytes(data, to="explicit-le")
        except DicodecError:
            continue
        if found.image.number_of_frames > 60:
            continue
        damaged = with_frame_damaged(data, 1)
        with pytest.raises(FrameError) as caught:
            convert_bytes(damaged, to="explicit-le")
        assert caught.value.frame == 1
        _, result = salvage(damaged, "fill")
        expected = pydicom.dcmread(io.BytesIO(whole))
        others = [n for n in range(int(expected.NumberOfFrames)) if n != 1]
        assert np.array_equal(result.pixel_array[others], expected.pixel_array[others]), path
        saved += 1
    assert saved >= 3
