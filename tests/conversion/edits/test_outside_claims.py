"""Warnings of what others say of a source: signatures, parts of concatenations, DICOMDIRs."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicodec import ConversionReport, convert, convert_bytes
from dicodec.cli.main import run
from helpers.data_set_bytes import element, file_of, item, sequence
from helpers.directories import Record, make_directory
from helpers.icons import ICON, encapsulated_icon
from helpers.made import EXPLICIT_LE, Element, make_file

PIXEL_DATA, PATIENT, INSTANCE = 0x7FE00010, 0x00100010, 0x00080018
RLE = "1.2.840.10008.1.2.5"
NAME = "2.25.1234567"


def _attribute_tags(tags: Sequence[int]) -> bytes:
    return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)


def _even(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) % 2)


def parameters(signed: Sequence[int], syntax: str = EXPLICIT_LE) -> bytes:
    return item(
        element(0x04000005, "US", b"\1\0")
        + element(0x04000010, "UI", _even(syntax))
        + element(0x04000015, "CS", b"SHA256")
        + (element(0x04000020, "AT", _attribute_tags(signed)) if signed else b"")
    )


SIGNATURE = item(
    element(0x04000005, "US", b"\1\0")
    + element(0x04000100, "UI", _even(NAME))
    + element(0x04000120, "OB", bytes(16))
)


def signed_elements(signed: Sequence[int], syntax: str = EXPLICIT_LE) -> list[Element]:
    return [(0x4FFE0001, "SQ", parameters(signed, syntax)), (0xFFFAFFFA, "SQ", SIGNATURE)]


def signed_image(signed: Sequence[int], syntax: str = EXPLICIT_LE, **kind: Any) -> bytes:
    kind.setdefault("bits_stored", 12)
    return make_file(16, 16, extra=signed_elements(signed, syntax), **kind)[0]


def report_of(content: bytes, to: str, **options: Any) -> ConversionReport:
    return convert(content, None, to=to, **options)


def broken(content: bytes, to: str, **options: Any) -> list[str]:
    report = report_of(content, to, **options)
    found = [one for one in report.warnings if "Digital Signature" in one]
    assert ("signature" in report.warning_kinds) is bool(found)
    return found


@pytest.mark.parametrize("to", ["jpeg2000", "jpeg-ls-near", "jpegxl"])
def test_lossy_coding_breaks_a_signature_over_pixel_data(to: str) -> None:
    (told,) = broken(signed_image([PATIENT, PIXEL_DATA]), to, lossy=True)
    assert told == (
        f"the Digital Signature {NAME} no longer holds, because these changed: PixelData"
    )


@pytest.mark.parametrize("source", ["implicit-le", "explicit-be", "deflated", "rle"])
def test_signatures_are_read_in_every_encoding(source: str) -> None:
    content = convert_bytes(signed_image([PATIENT, PIXEL_DATA]), to=source)
    (told,) = broken(content, "jpeg2000", lossy=True)
    assert told.endswith("PixelData")
    (told,) = broken(content, "jpeg-ls", set_attributes={"PatientName": "Another"})
    assert told.endswith("PatientName")
    assert not broken(content, "jpeg-ls")


@pytest.mark.parametrize(
    "to", ["rle", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless", "jpegxl-lossless", "deflated",
           "implicit-le", "explicit-be", "encapsulated-uncompressed"],
)  # fmt: skip
def test_a_lossless_conversion_keeps_it(to: str) -> None:
    content = signed_image([PATIENT, PIXEL_DATA])
    assert not broken(content, to)
    assert not broken(convert_bytes(content, to=to), "explicit-le")


def test_streams_that_were_signed_do_not_survive_their_decoding() -> None:
    content = convert_bytes(signed_image([PIXEL_DATA], RLE), to="rle")
    assert "PixelData" in broken(content, "explicit-le")[0]
    assert "PixelData" in broken(content, "jpeg-ls")[0]
    assert not broken(content, "rle", set_attributes={"PatientID": "X"})  # bytes that are moved


@pytest.mark.parametrize(
    ("signed", "names"),
    [
        ([PATIENT], []),
        ([INSTANCE, PATIENT], ["SOPInstanceUID"]),
        ([0x00080008, INSTANCE, 0x00282110, 0x00282112, PIXEL_DATA],
         ["ImageType, SOPInstanceUID, LossyImageCompression and 2 more"]),
    ],
)  # fmt: skip
def test_attributes_of_a_lossy_result_are_named(signed: list[int], names: list[str]) -> None:
    told = broken(signed_image(signed), "jpeg2000", lossy=True)
    assert [one.partition("changed: ")[2] for one in told] == names


def test_edits_break_a_signature_over_what_they_change() -> None:
    content = signed_image([PATIENT, 0x00100020])
    assert "PatientName" in broken(content, "explicit-le", set_attributes={"PatientName": "B"})[0]
    assert "PatientID" in broken(content, "rle", remove_attributes=("PatientID",))[0]
    same = pydicom.dcmread(io.BytesIO(content)).PatientName
    assert not broken(content, "rle", set_attributes={"PatientName": str(same)})
    assert not broken(content, "rle", set_attributes={"StudyID": "B"})
    assert not broken(content, "rle", remove_attributes=("StudyID",))  # was not there


def test_text_in_another_character_set_is_other_text() -> None:
    extra = [(0x00080005, "CS", b"ISO_IR 100"), (PATIENT, "PN", b"M\xfcller "),
             *signed_elements([PATIENT])]  # fmt: skip
    content = make_file(8, 8, bits_stored=12, extra=extra)[0]
    assert "PatientName" in broken(content, "rle", charset="utf-8")[0]
    assert not broken(content, "rle")


def test_what_standardizing_puts_right_was_signed_as_it_was() -> None:
    content = signed_image([PATIENT, 0x00280030])
    odd = content.replace(b"(\x000\x00DS", b"(\x000\x00LO")  # Pixel Spacing
    assert odd != content
    assert "PixelSpacing" in broken(odd, "rle", standardize=True)[0]
    assert not broken(content, "rle", standardize=True)


def test_colors_that_are_stored_otherwise_are_other_pixels() -> None:
    kind: dict[str, Any] = {
        "samples": 3,
        "bits_allocated": 8,
        "bits_stored": 8,
        "photometric": "RGB",
    }
    content = signed_image([PIXEL_DATA], **kind)
    assert broken(content, "explicit-le", photometric="YBR_FULL")
    assert not broken(content, "jpeg2000-lossless")
    assert broken(signed_image([0x00280004, PIXEL_DATA], **kind), "jpeg2000-lossless")


def test_a_signature_without_its_list_may_sign_anything() -> None:
    content = make_file(8, 8, bits_stored=12, extra=[(0xFFFAFFFA, "SQ", SIGNATURE)])[0]
    (told,) = broken(content, "jpeg2000", lossy=True)
    assert "may no longer hold" in told
    assert not broken(content, "implicit-le")
    assert "may no longer" in broken(signed_image([]), "rle", remove_attributes=("PatientID",))[0]


def test_a_signature_that_leaves_is_not_told_of() -> None:
    content = signed_image([PIXEL_DATA])
    names = ("DigitalSignaturesSequence", "MACParametersSequence")
    assert not broken(content, "jpeg2000", lossy=True, remove_attributes=names)
    assert broken(content, "explicit-le", remove_attributes=names[1:])  # and one left behind is


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("to", ["explicit-le", "implicit-le", "explicit-be"])
def test_a_nested_signature_is_one_of_its_item(to: str, undefined: bool) -> None:
    inner = [0x00080080, PATIENT]
    content = sequence(
        0x00081140,
        item(element(PATIENT, "PN", b"other "), undefined=undefined),
        item(
            element(0x00080080, "LO", b"Kr\xe4mer")
            + sequence(0x4FFE0001, parameters(inner), undefined=undefined)
            + sequence(0xFFFAFFFA, SIGNATURE, undefined=undefined),
            undefined=undefined,
        ),
        undefined=undefined,
    )
    made = file_of(element(0x00080005, "CS", b"ISO_IR 100")
                   + element(INSTANCE, "UI", b"1.2.3\0") + content)  # fmt: skip
    (told,) = broken(made, to, charset="utf-8")
    assert f"{NAME} in (0008,1140)[1] no longer holds" in told
    assert told.endswith("InstitutionName")
    assert not broken(made, to)


def test_an_icon_under_a_signature() -> None:
    icon = sequence(
        ICON,
        item(
            encapsulated_icon("jpeg-ls")
            + sequence(0x4FFE0001, parameters([PIXEL_DATA], "1.2.840.10008.1.2.4.80"))
            + sequence(0xFFFAFFFA, SIGNATURE)
        ),
    )
    made = file_of(element(INSTANCE, "UI", b"1.2.3\0") + icon)
    assert "in (0088,0200)[0]" in broken(made, "explicit-le")[0]


def test_a_sequence_that_is_signed_as_a_whole() -> None:
    icon = sequence(ICON, item(encapsulated_icon("jpeg-ls")))
    made = file_of(
        element(INSTANCE, "UI", b"1.2.3\0") + icon
        + sequence(0x4FFE0001, parameters([ICON])) + sequence(0xFFFAFFFA, SIGNATURE)
    )  # fmt: skip
    assert broken(made, "explicit-le")[0].endswith("IconImageSequence")


def test_signatures_that_cannot_be_read_are_told_of() -> None:
    extra = [(0x4FFE0001, "SQ", b"no item!"), (0xFFFAFFFA, "SQ", SIGNATURE)]
    content = make_file(8, 8, bits_stored=12, extra=extra)[0]
    assert "cannot be read" in broken(content, "jpeg2000", lossy=True)[0]


def _part(number: int) -> bytes:
    extra = [(INSTANCE, "UI", f"2.25.5{number}".encode()), (0x00209161, "UI", b"2.25.99"),
             (0x00209162, "US", struct.pack("<H", number))]  # fmt: skip
    return make_file(8, 8, bits_stored=12, extra=extra)[0]


def test_one_part_of_a_concatenation() -> None:
    report = report_of(_part(2), "jpeg2000", lossy=True)
    assert any("part 2 of the concatenation 2.25.99" in one for one in report.warnings)
    assert report.warning_kinds == ["concatenation"]
    for options in ({"to": "jpeg-ls"}, {"to": "jpeg2000", "lossy": True, "keep_uid": True}):
        assert not report_of(_part(2), **options).warning_kinds
    renamed = report_of(_part(2), "explicit-le", set_attributes={"SOPInstanceUID": "1.2.3"})
    assert renamed.warning_kinds == ["concatenation"]


def test_a_batch_says_how_many_results_others_speak_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(1, 4):
        (folder / f"part{number}.dcm").write_bytes(_part(number))
    (folder / "signed.dcm").write_bytes(signed_image([PIXEL_DATA]))
    options = ["--to", "jpeg2000", "--lossy", "-o"]
    assert run(["convert", str(folder), *options, str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err
    assert "warning: 3 results are parts of concatenations" in told
    assert "warning: 1 results have a Digital Signature that no longer holds" in told
    assert run(["convert", str(folder), "--json", *options, str(tmp_path / "two")]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])["summary"]
    assert summary["warnings"] == {"concatenation": 3, "signature": 1}


def make_file_set(folder: Path, names: Sequence[str] = ("IMAGES/IM1", "IMAGES/IM2")) -> None:
    """Make a folder with images and the DICOMDIR that names them."""
    records = []
    for number, name in enumerate(names):
        uid = f"2.25.6{number}"
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        content = make_file(16, 16, bits_stored=12, extra=[(INSTANCE, "UI", uid.encode())])[0]
        place.write_bytes(content)
        file_id = name.upper().replace("/", "\\")
        following = number + 1 if number + 1 < len(names) else None
        records.append(Record("IMAGE", following=following, file=(file_id, uid, EXPLICIT_LE)))
    (folder / "DICOMDIR").write_bytes(make_directory(records, roots=(0, len(names) - 1)))


def test_a_file_of_a_file_set_that_is_replaced(tmp_path: Path) -> None:
    make_file_set(tmp_path)
    place = tmp_path / "IMAGES" / "IM1"
    report = convert(place, place, to="rle", overwrite=True)
    (told,) = report.warnings
    directory = tmp_path / "DICOMDIR"
    assert told == f"{directory} states another Transfer Syntax UID for {place} than the result has"
    assert report.warning_kinds == ["file-set"]
    report = convert(place, place, to="jpeg2000", lossy=True, overwrite=True)
    assert "another SOP Instance UID and another Transfer Syntax UID" in report.warnings[-1]
    report = convert(tmp_path / "IMAGES" / "IM2", None, to="explicit-le",
                     set_attributes={"SOPInstanceUID": "1.2"})  # fmt: skip
    assert "another SOP Instance UID for" in report.warnings[0]


def test_a_file_of_a_file_set_that_is_converted_elsewhere(tmp_path: Path) -> None:
    make_file_set(tmp_path / "set")
    source = tmp_path / "set" / "IMAGES" / "IM2"
    report = convert(source, tmp_path / "out", to="implicit-le")
    assert report.warning_kinds == ["file-set"]
    assert str(source) in report.warnings[0]
    # a result that takes the place of a file of the set
    report = convert(source.read_bytes(), source, to="rle", overwrite=True)
    assert report.warning_kinds == ["file-set"]
    # nothing changes that a DICOMDIR states
    other = tmp_path / "set" / "IMAGES" / "IM1"
    options: dict[str, Any] = {"set_attributes": {"PatientID": "X"}}
    assert not convert(other, tmp_path / "two", to="explicit-le", **options).warning_kinds


def test_files_that_no_directory_names(tmp_path: Path) -> None:
    make_file_set(tmp_path)
    stray = tmp_path / "IMAGES" / "STRAY"
    stray.write_bytes((tmp_path / "IMAGES" / "IM1").read_bytes())
    assert not convert(stray, tmp_path / "out", to="rle").warning_kinds
    (tmp_path / "DICOMDIR").write_bytes(b"not a directory")
    assert not convert(tmp_path / "IMAGES" / "IM1", tmp_path / "two", to="rle").warning_kinds
    (tmp_path / "DICOMDIR").unlink()
    assert not convert(tmp_path / "IMAGES" / "IM1", tmp_path / "two.dcm", to="rle").warning_kinds


def test_a_directory_that_changed_is_read_again(tmp_path: Path) -> None:
    make_file_set(tmp_path)
    place = tmp_path / "IMAGES" / "IM1"
    assert convert(place, None, to="rle").warning_kinds
    records = [Record("IMAGE", file=("IMAGES\\IM1", "", RLE))]
    (tmp_path / "DICOMDIR").write_bytes(make_directory(records, roots=(0, 0)))
    assert not convert(place, None, to="rle").warning_kinds


def test_a_batch_counts_files_of_a_file_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_file_set(tmp_path / "set")
    assert run(["convert", str(tmp_path / "set"), "--to", "rle", "--in-place"]) == 0
    told = capsys.readouterr().err
    assert "warning: 2 results have another SOP Instance UID or Transfer Syntax UID than" in told
