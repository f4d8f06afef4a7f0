"""Every check of a finished result fires, and names the frame or the attribute at fault."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest

from dicodec import convert, convert_bytes
from dicodec.codecs import jpeg_ls, native, rle
from dicodec.conversion.edits.plan_edits import plan_edits
from dicodec.conversion.planning.conversion_plan import Action, Conversion, ConversionPlan
from dicodec.conversion.planning.plan_conversion import plan_conversion
from dicodec.conversion.verification.frames import Verification, verify_result
from dicodec.errors import FrameMismatchError, VerificationError
from dicodec.model.edits import Edit, RemoveAttribute, SetAttribute, SetSequence
from dicodec.options import ConversionOptions
from dicodec.part10 import reencode, writer
from dicodec.part10.dicom_file import DicomFile, open_dicom
from helpers.data_set_bytes import data_set_of, element, file_of, item, sequence
from helpers.made import IMAGE_KINDS, make_file

KIND = IMAGE_KINDS["multi-frame"]
SEQUENCE = sequence(0x00081140, item(element(0x00081155, "UI", b"1.2\0")))
SOURCE, SAMPLES = KIND.make(
    rows=9, columns=11, extra=[(0x00081140, "SQ", SEQUENCE[12:]), (0x7FE10011, "LO", b"AFTER ")]
)


def verify(source: bytes, result: bytes, **options: Any) -> Verification:
    """Verify `result` as what a conversion of `source` by `options` should have made."""
    settings = ConversionOptions(**options)
    with open_dicom(source) as file:
        plan = plan_conversion(file, settings)
        edits = plan_edits(file, plan, settings, [])
        return verify_result(conversion(file, plan, edits, settings), result)


def conversion(
    file: DicomFile,
    plan: ConversionPlan,
    edits: tuple[Edit, ...],
    options: ConversionOptions,
) -> Conversion:
    return Conversion(file=file, path=None, plan=plan, edits=edits, options=options, workers=2)


def objection(source: bytes, result: bytes, **options: Any) -> VerificationError:
    with pytest.raises(VerificationError) as raised:
        verify(source, result, **options)
    return raised.value


def replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    assert content.count(old) == 1
    return content.replace(old, new)


@pytest.mark.parametrize("target", ["rle", "implicit-le", "explicit-be", "deflated", "jpeg-ls"])
def test_what_is_right_is_found_right(target: str) -> None:
    found = verify(SOURCE, convert_bytes(SOURCE, to=target), to=(target,))

    assert (found.frames, found.largest_error, found.psnr) == (5, 0, None)


PATIENT = element(0x00100020, "LO", b"0 ")
PRIVATE = element(0x00091001, "UN", b"private \x00\xff")
AFTER = element(0x7FE10011, "LO", b"AFTER ")


@pytest.mark.parametrize(
    ("old", "new", "message", "attribute"),
    [
        (PATIENT, element(0x00100020, "LO", b"1 "), "changed", "(0010,0020)"),
        (PATIENT, element(0x00100020, "SH", b"0 "), "changed", "(0010,0020)"),
        (PATIENT, b"", "was lost", "(0010,0020)"),
        (PATIENT, PATIENT * 2, "appeared", "(0010,0020)"),
        (PATIENT, PATIENT + element(0x00100021, "LO", b"x "), "appeared", "(0010,0021)"),
        (PATIENT, element(0x00100021, "LO", b"0 "), "was lost", "(0010,0020)"),
        (PRIVATE, b"", "was lost", "(0009,1001)"),
        (PRIVATE, element(0x00091001, "UN", b"privatX \x00\xff"), "changed", "(0009,1001)"),
        (SEQUENCE, SEQUENCE.replace(b"1.2", b"1.3"), "changed", "(0008,1140)"),
        (AFTER, element(0x7FE10011, "LO", b"after "), "changed", "(7FE1,0011)"),
        (AFTER, b"", "was lost", "(7FE1,0011)"),
    ],
)
@pytest.mark.parametrize("target", ["rle", "implicit-le", "explicit-be"])
def test_elements_that_changed_are_named(
    old: bytes, new: bytes, message: str, attribute: str, target: str
) -> None:
    tampered = convert_bytes(replaced(SOURCE, old, new), to=target)
    if target == "implicit-le" and new == element(0x00100020, "SH", b"0 "):
        verify(SOURCE, tampered, to=(target,))  # where no VR is stated, none is wrong
        return

    error = objection(SOURCE, tampered, to=(target,))

    assert message in error.message
    assert error.attribute == attribute


def test_elements_out_of_their_place_are_named() -> None:
    modality = element(0x00080060, "CS", b"OT")
    moved = replaced(replaced(SOURCE, modality, b""), PATIENT, PATIENT + modality)

    error = objection(SOURCE, convert_bytes(moved, to="rle"), to=("rle",))

    assert "out of its place" in error.message


@pytest.mark.parametrize(
    ("done", "wanted", "attribute"),
    [
        ({}, {"set_attributes": (("PatientID", "new"),)}, "(0010,0020)"),
        ({}, {"set_attributes": (("ImageComments", "new"),)}, "(0020,4000)"),
        ({"set_attributes": (("PatientID", "old"),)},
         {"set_attributes": (("PatientID", "new"),)}, "(0010,0020)"),
        ({}, {"remove_attributes": ("PatientID",)}, "(0010,0020)"),
    ],
)  # fmt: skip
def test_edits_that_were_not_made_are_named(
    done: dict[str, Any], wanted: dict[str, Any], attribute: str
) -> None:
    for target in ("rle", "implicit-le"):
        error = objection(SOURCE, convert_bytes(SOURCE, to=target, **done), to=(target,), **wanted)
        assert "an edit was not made" in error.message
        assert error.attribute == attribute


def test_a_head_that_names_another_syntax_or_image_is_noticed() -> None:
    result = convert_bytes(SOURCE, to="rle")

    error = objection(SOURCE, convert_bytes(SOURCE, to="jpeg-ls"), to=("rle",))
    assert (error.attribute, "not in rle" in error.message) == ("TransferSyntaxUID", True)
    with open_dicom(SOURCE) as file:
        uid = file.data_set.read_text(0x00080018).encode()
    first = result.index(uid)
    other = result[:first] + uid.replace(b"2.25", b"2.26") + result[first + len(uid) :]
    assert objection(SOURCE, other, to=("rle",)).attribute == "(0002,0003)"


def test_lost_pixel_data_is_noticed() -> None:
    with open_dicom(SOURCE) as file:
        assert file.frames.present
        span = file.frames.span
    without = SOURCE[: span.start] + SOURCE[span.end :]

    error = objection(SOURCE, without, to=("implicit-le",))
    assert error.attribute == "TransferSyntaxUID"
    error = objection(SOURCE, convert_bytes(without, to="implicit-le"), to=("implicit-le",))
    assert error.attribute == "PixelData"


def tables_of(result: bytes) -> int:
    return result.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 20  # behind the item's header


def test_wrong_offset_tables_are_noticed() -> None:
    basic = convert_bytes(SOURCE, to="rle")
    place = tables_of(basic) + 4
    (second,) = struct.unpack_from("<I", basic, place)
    wrong = basic[:place] + struct.pack("<I", second + 2) + basic[place + 4 :]

    error = objection(SOURCE, wrong, to=("rle",))
    assert "offset table does not fit" in error.message
    # A source that was odd in the same way is no excuse.
    with pytest.raises(VerificationError):
        verify(wrong, wrong, to=("rle",), remove_attributes=("PatientID",))

    extended = convert_bytes(SOURCE, to="rle", offset_table="extended")
    place = extended.index(struct.pack("<QQ", 0, second)) + 8
    wrong = extended[:place] + struct.pack("<Q", second + 2) + extended[place + 8 :]
    error = objection(SOURCE, wrong, to=("rle",), offset_table="extended")
    assert "offset table does not fit" in error.message
    place += 4 * 8  # the first of Extended Offset Table Lengths, behind its header
    place += len(element(0x7FE00002, "OV", b""))
    wrong = extended[:place] + struct.pack("<Q", second + 2) + extended[place + 8 :]
    error = objection(SOURCE, wrong, to=("rle",), offset_table="extended")
    assert "Lengths does not fit" in error.message


@pytest.mark.parametrize("target", ["rle", "jpeg-ls", "deflated", "explicit-be"])
def test_a_result_that_is_cut_is_noticed(target: str) -> None:
    result = convert_bytes(SOURCE, to=target)
    for missing in (2, 16, 40, 200):
        error = objection(SOURCE, result[:-missing], to=(target,))
        assert error.code == "verification-failed"


def test_a_copy_that_is_no_copy_is_noticed() -> None:
    with open_dicom(SOURCE) as file:
        options = ConversionOptions(to=("explicit-le",))
        plan = replace(plan_conversion(file, options), action=Action.COPY_FILE)
        copied = conversion(file, plan, (), options)
        assert verify_result(copied, SOURCE).frames == 5
        for wrong in (SOURCE[:-1] + b"\1", SOURCE + b"\0\0", SOURCE.replace(b"Made", b"made")):
            with pytest.raises(VerificationError, match="the copy is not the same bytes"):
                verify_result(copied, wrong)


def test_frames_that_were_only_to_be_moved_are_compared_byte_by_byte() -> None:
    source = convert_bytes(SOURCE, to="rle")
    result = convert_bytes(source, to="rle", offset_table="extended")
    verify(source, result, to=("rle",), offset_table="extended")
    with open_dicom(result) as file:
        assert file.frames.present
        assert file.frames.encapsulated is not None
        place = file.frames.encapsulated.starts[3] + 100
    wrong = result[:place] + bytes([result[place] ^ 1]) + result[place + 1 :]

    error = objection(source, wrong, to=("rle",), offset_table="extended")

    assert error.frame == 3


@pytest.mark.parametrize("syntax", ["rle", "jpeg-lossless", "jpeg-ls", "htj2k-lossless"])
@pytest.mark.parametrize(("allocated", "stored", "signed"), [(8, 8, False), (16, 12, True)])
def test_streams_that_move_need_not_keep_to_bits_stored(
    syntax: str, allocated: int, stored: int, signed: bool
) -> None:
    content, _ = make_file(12, 12, 1, allocated, stored, signed=signed, frames=2)
    right = convert_bytes(content, to=syntax)
    bits = element(0x00280101, "US", struct.pack("<H", stored))
    source = replaced(right, bits, element(0x00280101, "US", struct.pack("<H", stored - 4)))

    out = io.BytesIO()
    report = convert(source, out, to=syntax, offset_table="extended", verify=True)

    assert (report.verified, report.warnings) == (True, [])
    verify(source, out.getvalue(), to=(syntax,), offset_table="extended")


def test_pixels_that_nobody_can_decode_are_compared_byte_by_byte() -> None:
    video = "1.2.840.10008.1.2.4.100"
    source, _ = make_file(8, 8, frames=2, transfer_syntax=video, streams=[[b"video stream"]])
    sizes = [(0x00280010, "US", bytes(2)), (0x00280011, "US", bytes(2))]
    undescribed, _ = make_file(4, 4, extra=sizes)
    for content, target, old, removed in (
        (source, video, b"video stream", ("PatientID",)),
        (undescribed, "implicit-le", undescribed[-8:], ()),
    ):
        result = convert_bytes(content, to=target, verify=True, remove_attributes=removed)
        verify(content, result, to=(target,), remove_attributes=removed)
        wrong = replaced(result, old, old[:-1] + b"\x77")
        assert (
            objection(content, wrong, to=(target,), remove_attributes=removed).attribute
            == "PixelData"
        )


@pytest.mark.parametrize(("allocated", "stored"), [(32, 28), (16, 12), (8, 7)])
@pytest.mark.parametrize("signed", [False, True])
def test_words_whose_bits_are_described_wrongly_are_compared_whole(
    allocated: int, stored: int, *, signed: bool
) -> None:
    words = np.arange(1, 43, dtype=f"u{allocated // 8}").reshape(1, 6, 7) * (256 // 43)
    words[0, 0, 0] = (5 << allocated - 3) + 1  # no number of Bits Stored, with or without sign
    high_bit = (0x00280102, "US", bytes([allocated - 1, 0]))
    source, _ = make_file(
        6, 7, bits_allocated=allocated, bits_stored=stored, pixels=words, signed=signed,
        extra=[high_bit],
    )  # fmt: skip
    for target in ("implicit-le", "explicit-be", "deflated", "encapsulated-uncompressed"):
        result = convert_bytes(source, to=target, verify=True)
        data_set = pydicom.dcmread(io.BytesIO(result))
        assert (data_set.HighBit, data_set.BitsStored) == (allocated - 1, stored)
        if target in {"implicit-le", "encapsulated-uncompressed"}:
            low_bit = data_set.PixelData.index(words.tobytes()) + result.index(data_set.PixelData)
            wrong = result[:low_bit] + bytes([result[low_bit] ^ 1]) + result[low_bit + 1 :]
            assert objection(source, wrong, to=(target,)).frame == 0
    with pytest.raises(FrameMismatchError):
        convert_bytes(source, to="rle", verify=True)


@pytest.mark.parametrize("frame", range(5))
@pytest.mark.parametrize("target", ["explicit-be", "implicit-le", "deflated"])
def test_a_native_frame_that_changed_is_named(target: str, frame: int) -> None:
    changed = SAMPLES.copy()
    changed[frame, 8, 10] ^= 1
    wrong, _ = KIND.make(
        rows=9, columns=11, pixels=changed,
        extra=[(0x00081140, "SQ", SEQUENCE[12:]), (0x7FE10011, "LO", b"AFTER ")],
    )  # fmt: skip

    error = objection(SOURCE, convert_bytes(wrong, to=target), to=(target,))

    assert (error.frame, "by up to 1, and 0 was promised" in error.message) == (frame, True)


# The same through the whole of a conversion, with a codec that makes one mistake.


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, int, int], None]:
    """Make an encoder add `error` to the last sample of the frame whose first sample is `first`."""

    def patch(encoder: Any, first: int, error: int) -> None:
        encode = encoder.encode

        def wrong(self: Any, samples: Any, image: Any) -> bytes:
            if samples.reshape(-1)[0] == first:
                samples = samples.copy()
                samples.reshape(-1)[-1] += error
            return bytes(encode(self, samples, image))

        monkeypatch.setattr(encoder, "encode", wrong)
        if hasattr(encoder, "encode_words"):  # frames would not pass through `encode`
            monkeypatch.setattr(encoder, "encode_words", lambda *_: None)

    return patch


def image_of_frames() -> bytes:
    """Return an image whose frames are told by their first sample: 100, 101, 102 ..."""
    samples = SAMPLES.copy()
    samples[:, 0, 0] = range(100, 105)
    samples[:, -1, -1] = 500
    return make_file(9, 11, bits_stored=12, frames=5, pixels=samples)[0]


ENCODERS = {
    "rle": rle.RleEncoder,
    "jpeg-ls": jpeg_ls.JpegLsEncoder,
    "encapsulated-uncompressed": native.NativeEncoder,
}


@pytest.mark.parametrize("target", ENCODERS)
def test_a_codec_that_errs_in_one_frame_is_found_out(
    target: str, faulty: Callable[[type, int, int], None], tmp_path: Path
) -> None:
    content = image_of_frames()
    content = content if target != "encapsulated-uncompressed" else convert_bytes(content, to="rle")
    source = tmp_path / "source.dcm"
    source.write_bytes(content)
    faulty(ENCODERS[target], 103, 7)

    convert(source, tmp_path / "unverified.dcm", to=target)
    for place, overwrite in ((tmp_path / "out.dcm", False), (source, True)):
        with pytest.raises(VerificationError, match="by up to 7, and 0 was promised") as raised:
            convert(source, place, to=target, verify=True, overwrite=overwrite)
        assert raised.value.frame == 3

    assert source.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.dcm", "unverified.dcm"]


@pytest.mark.parametrize(("error", "found"), [(1, True), (40, False)])
def test_what_near_lossless_promises_is_held_to(
    error: int, found: bool, faulty: Callable[[type, int, int], None]
) -> None:
    faulty(jpeg_ls.JpegLsEncoder, 102, error)
    content = image_of_frames()

    if found:
        report = convert(content, None, to="jpeg-ls-near", near=3, verify=True)
        assert report.dry_run
        convert_bytes(content, to="jpeg-ls-near", near=3, verify=True)
        return
    with pytest.raises(VerificationError, match="3 was promised") as raised:
        convert_bytes(content, to="jpeg-ls-near", near=3, verify=True)
    assert raised.value.frame == 2


def test_lossy_results_are_measured(tmp_path: Path) -> None:
    content, _ = IMAGE_KINDS["gray-12-in-16"].make()

    near = convert(content, tmp_path / "near", to="jpeg-ls-near", near=2, verify=True)
    lossy = convert(content, tmp_path / "lossy", to="jpeg2000", ratio=10, verify=True)
    exact = convert(content, tmp_path / "exact", to="jpeg-ls", verify=True)

    assert near.largest_error == 2
    assert near.psnr is not None
    assert near.psnr > 60
    assert lossy.largest_error is not None
    assert lossy.largest_error > 2
    assert (exact.verified, exact.largest_error, exact.psnr) == (True, None, None)


def test_a_writer_that_errs_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    original = reencode.reencode_elements

    def wrong(*arguments: Any, **options: Any) -> bytes:
        return original(*arguments, **options).replace(b"Made^Image", b"Made^Mirage")

    monkeypatch.setattr(writer, "reencode_elements", wrong)
    with pytest.raises(VerificationError):
        convert(SOURCE, tmp_path / "out.dcm", to="explicit-be", verify=True)
    assert list(tmp_path.iterdir()) == []


def test_data_sets_without_pixels_are_verified_too() -> None:
    content = file_of(element(0x00080060, "CS", b"SR") + PATIENT)

    result = convert_bytes(content, to="implicit-le", verify=True)
    assert data_set_of(convert_bytes(result, to="explicit-le", verify=True)) == data_set_of(content)
    wrong = convert_bytes(replaced(content, b"SR", b"CT"), to="implicit-le")
    assert objection(content, wrong, to=("implicit-le",)).attribute == "(0008,0060)"


# Rules that err: the edits come from them, so the table of allowed changes is held against them.


@pytest.mark.parametrize(
    ("edit", "attribute"),
    [
        (SetAttribute(0x00100020, "LO", "another"), "(0010,0020)"),
        (SetAttribute(0x00204000, "LT", "made up"), "(0020,4000)"),
        (RemoveAttribute(0x00100010), "(0010,0010)"),
        (SetSequence(0x00082112, ()), "(0008,2112)"),
        (SetAttribute(0x00080018, "UI", "1.2.3"), "(0008,0018)"),
        (SetAttribute(0x00280100, "US", (16,)), "(0028,0100)"),
        (SetAttribute(0x60003000, "OW", b"\0\0"), "(6000,3000)"),
    ],
)
def test_a_rule_that_changes_what_it_must_not_is_found_out(
    edit: Edit, attribute: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def with_edit(*arguments: Any) -> tuple[Edit, ...]:
        return (*plan_edits(*arguments), edit)

    monkeypatch.setattr("dicodec.conversion.attempt.plan_edits", with_edit)
    for target in ("jpeg-ls", "implicit-le"):
        with pytest.raises(VerificationError, match="without reason") as raised:
            convert(SOURCE, tmp_path / "out.dcm", to=target, verify=True)
        assert raised.value.attribute == attribute
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()

    report = convert(
        SOURCE, tmp_path / "out.dcm", to="rle", verify=True,
        set_attributes={"PatientID": "x"}, remove_attributes=["PatientName"],
    )  # fmt: skip
    assert report.verified


def test_an_absent_attribute_may_be_removed(tmp_path: Path) -> None:
    convert(
        SOURCE, tmp_path / "out.dcm", to="rle", remove_attributes=("ImageComments",), verify=True
    )


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95"])
@pytest.mark.parametrize("options", [{}, {"set_attributes": (("PatientID", "4711"),)}], ids=str)
def test_a_fault_of_the_source_that_stays_is_called_the_source_s(
    syntax: str, options: dict[str, Any]
) -> None:
    """JPIP: streams that nobody reads here, fewer than Number of Frames says."""
    content, _ = make_file(
        16, 16, frames=3, transfer_syntax=syntax, streams=[[b"http://here/image "]]
    )
    with pytest.raises(VerificationError) as raised:
        convert_bytes(content, to=syntax, verify=True, **options)

    assert raised.value.message.startswith("the source is not standard, and the result keeps that:")


def repacked(quality: int, subsampling: str) -> tuple[bytes, bytes]:
    """Return a JPEG file of two frames that records its loss, and its stream."""
    rgb = IMAGE_KINDS["rgb-8"].make()[1][0]
    stream = bytes(imagecodecs.jpeg8_encode(rgb, quality, subsampling=subsampling))
    content, _ = make_file(
        48, 64, samples=3, bits_allocated=8, bits_stored=8, photometric="YBR_FULL_422",
        transfer_syntax="1.2.840.10008.1.2.4.50", frames=2, streams=[[stream], [stream]],
        extra=[(0x00282110, "CS", b"01"), (0x00282112, "DS", b"10"),
               (0x00282114, "CS", b"ISO_10918_1")],
    )  # fmt: skip
    return content, stream


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_repacked_jpeg_is_verified_by_its_streams(subsampling: str, tmp_path: Path) -> None:
    """Samples are no witness: a JPEG XL decoder brings back others from the same coefficients."""
    content, stream = repacked(80, subsampling)
    place = tmp_path / "image.dcm"
    place.write_bytes(content)

    convert(place, place, to="jpegxl-jpeg", overwrite=True)
    packed = place.read_bytes()
    assert packed != content
    back = convert_bytes(packed, to="jpeg", verify=True)
    assert back.count(stream) == 2
    other, _ = repacked(81, subsampling)
    with pytest.raises(VerificationError, match="bit by bit"):
        verify(content, convert_bytes(other, to="jpegxl-jpeg"), to=("jpegxl-jpeg",))
    with pytest.raises(VerificationError, match="bit by bit"):
        verify(packed, other, to=("jpeg",))
