"""What users ask to be set and removed: as pydicom reads it, and what no file can take."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pydicom
import pytest

from dicodec import convert_bytes
from dicodec.conversion.edits.lossy_compression import make_uid
from dicodec.conversion.edits.user_edits import check_user_edits, find_editable_tag
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.options import ConversionOptions
from helpers.made import IMAGE_KINDS, Element, make_file

CONTENT = IMAGE_KINDS["gray-12-in-16"].make(rows=4, columns=4)[0]
SIGNED = IMAGE_KINDS["signed-16"].make(rows=4, columns=4)[0]


OVERLAY = ["60000010", "60000011", "60000040", "60000050", "60000100", "60000102", "60003000"]
"""The attributes of an overlay that is taken out of Pixel Data."""


def overlaid() -> bytes:
    """Return a file with an overlay in bit 12 of its words."""
    words = np.arange(16, dtype="<u2").reshape(1, 4, 4) | np.eye(4, dtype="<u2") << 12
    numbers = {0x60000010: 4, 0x60000011: 4, 0x60000100: 16, 0x60000102: 12}
    extra: list[Element] = [(tag, "US", struct.pack("<H", n)) for tag, n in numbers.items()]
    extra += [(0x60000040, "CS", b"G"), (0x60000050, "SS", struct.pack("<hh", 1, 1))]
    return make_file(4, 4, bits_stored=12, pixels=words, extra=extra)[0]


def edited(content: bytes = CONTENT, to: str = "explicit-be", **options: Any) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(convert_bytes(content, to=to, **options)))


@pytest.mark.parametrize("to", ["explicit-le", "implicit-le", "explicit-be", "deflated", "rle"])
@pytest.mark.parametrize(
    ("keyword", "text", "value"),
    [
        ("PatientID", "42", "42"),
        ("PatientID", "", ""),
        ("PatientName", "Doe^Jane=ideographic=phonetic", "Doe^Jane=ideographic=phonetic"),
        ("ImageType", "DERIVED\\SECONDARY", ["DERIVED", "SECONDARY"]),
        ("StudyDate", "20261122", "20261122"),
        ("WindowCenter", "40\\50.5", [40, 50.5]),
        ("PixelPaddingValue", "4095", 4095),
        ("SOPInstanceUID", "1.2.3", "1.2.3"),
        ("FrameIncrementPointer", "FrameTime", 0x00181063),
        ("ImageComments", "back\\slash", "back\\slash"),
        ("00081030", "by tag", "by tag"),
        ("(0008,1030)", "by tag", "by tag"),
    ],
)
def test_what_is_set_is_read(to: str, keyword: str, text: str, value: Any) -> None:
    data_set = edited(to=to, set_attributes=((keyword, text),))

    name = keyword if keyword.isalpha() else "StudyDescription"
    assert (data_set[name].value or "") == value


def test_of_two_settings_the_later_counts_and_setting_wins_over_removing() -> None:
    twice = edited(set_attributes=(("PatientID", "1"), ("00100020", "2")))
    assert twice.PatientID == "2"
    both = edited(set_attributes=(("PatientID", "1"),), remove_attributes=("PatientID",))
    assert both.PatientID == "1"


def test_signs_follow_pixel_representation() -> None:
    data_set = edited(SIGNED, set_attributes=(("PixelPaddingValue", "-2000"),))
    assert data_set.PixelPaddingValue == -2000
    assert data_set["PixelPaddingValue"].VR == "SS"
    with pytest.raises(InvalidOptionError):
        edited(set_attributes=(("PixelPaddingValue", "-2000"),))


def test_characters_are_those_of_the_character_set() -> None:
    latin = IMAGE_KINDS["gray-8"].make(extra=[(0x00080005, "CS", b"ISO_IR 100")])[0]
    assert edited(latin, set_attributes=(("PatientName", "Müller"),)).PatientName == "Müller"
    with pytest.raises(InvalidOptionError) as raised:
        edited(latin, set_attributes=(("PatientName", "胸部"),))
    assert raised.value.attribute == "PatientName"
    changed = edited(
        latin, set_attributes=(("SpecificCharacterSet", "ISO_IR 192"), ("PatientName", "胸部"))
    )
    assert changed.PatientName == "胸部"


def test_text_that_stays_can_still_be_read() -> None:
    name = ("PatientName", "胸部")
    latin = IMAGE_KINDS["gray-8"].make(
        extra=[(0x00080005, "CS", b"ISO_IR 100"), (0x00100010, "PN", b"M\xfcller")]
    )[0]
    utf_8 = ("SpecificCharacterSet", "ISO_IR 192")
    for wish in (
        {"set_attributes": (utf_8,)}, {"remove_attributes": ("SpecificCharacterSet",)},
    ):  # fmt: skip
        with pytest.raises(InvalidOptionError, match=r"text of \(0010,0010\)"):
            edited(latin, **wish)
    assert edited(latin, set_attributes=(utf_8, name)).PatientName == "胸部"
    assert edited(latin, remove_attributes=("SpecificCharacterSet", "PatientName"))
    assert edited(latin, charset="utf-8").PatientName == "Müller"
    wrong = IMAGE_KINDS["gray-8"].make(extra=[(0x00100010, "PN", "Müller".encode())])[0]
    assert edited(wrong, set_attributes=(utf_8,)).PatientName == "Müller"


def test_what_is_removed_is_gone_and_what_is_not_there_is_no_matter() -> None:
    data_set = edited(
        remove_attributes=("PatientID", "00091001", "00090010", "StudyDate", "(0010,0010)")
    )

    for tag in (0x00100020, 0x00091001, 0x00090010, 0x00080020, 0x00100010):
        assert tag not in data_set


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("Nonsense", "1"), ("patientid", "1"), ("StudyDate", "tomorrow"), ("Modality", "ct"),
        ("PatientID", "x" * 65), ("PatientID", "two\\values"), ("WindowCenter", "forty"),
        ("SOPInstanceUID", "1.02.3"), ("PixelPaddingValue", "70000"), ("PatientID", "a\nb"),
        ("SourceImageSequence", "1"), ("00091001", "1"), ("Rows", "4"), ("PixelData", "0"),
        ("RedPaletteColorLookupTableData", "1"), ("TransferSyntaxUID", "1.2"),
        ("LossyImageCompression", "00"), ("LossyImageCompressionRatio", "1"),
        ("LossyImageCompressionMethod", "ISO_10918_1"),
    ],
)  # fmt: skip
def test_what_no_file_can_take_is_known_beforehand(keyword: str, text: str) -> None:
    options = ConversionOptions(to=("rle",), set_attributes=((keyword, text),))

    with pytest.raises(InvalidOptionError):
        check_user_edits(options)
    with pytest.raises(DicodecError):
        edited(set_attributes=((keyword, text),))


@pytest.mark.parametrize("name", ["SOPInstanceUID", "(0008,0018)", "SOPClassUID", "00080016"])
@pytest.mark.parametrize("wish", ["empty", "blank", "removed"])
def test_what_names_the_instance_stays(name: str, wish: str) -> None:
    wishes: dict[str, Any] = (
        {"remove_attributes": (name,)}
        if wish == "removed"
        else {"set_attributes": ((name, " " * (wish == "blank")),)}
    )
    with pytest.raises(InvalidOptionError, match="cannot be empty or removed"):
        check_user_edits(ConversionOptions(to=("rle",), **wishes))
    with pytest.raises(InvalidOptionError, match="cannot be empty or removed"):
        edited(**wishes)


def test_what_some_file_can_take_is_let_through() -> None:
    for pair in (("PixelPaddingValue", "-1"), ("PixelPaddingValue", "65535"),
                 ("PatientName", "胸部"), ("PatientID", "")):  # fmt: skip
        check_user_edits(ConversionOptions(to=("rle",), set_attributes=(pair,)))
    check_user_edits(ConversionOptions(to=("rle",), remove_attributes=("SourceImageSequence",)))


def test_names_lead_to_tags() -> None:
    assert find_editable_tag("PatientID") == find_editable_tag("00100020") == 0x00100020
    assert find_editable_tag("(0009,10FF)") == 0x000910FF


def test_new_uids_are_uids_and_new() -> None:
    uids = {make_uid() for _ in range(100)}

    assert len(uids) == 100
    for uid in uids:
        assert pydicom.uid.UID(uid).is_valid
        assert uid.startswith("2.25.")


@pytest.mark.parametrize("keyword", ["LossyImageCompression", "BluePaletteColorLookupTableData"])
def test_what_was_lost_and_what_colors_are_cannot_be_removed(keyword: str) -> None:
    with pytest.raises(InvalidOptionError, match="cannot be set or removed"):
        edited(remove_attributes=(keyword,))


@pytest.mark.parametrize(
    "wish",
    [
        {"remove_attributes": ("60003000",)}, {"remove_attributes": ("60000100",)},
        {"remove_attributes": ("60000010",)}, {"remove_attributes": tuple(OVERLAY[:-1])},
        {"set_attributes": (("60000102", "13"),)}, {"set_attributes": (("60000100", "16"),)},
        {"set_attributes": (("60000011", "5"),)},
        {"remove_attributes": tuple(OVERLAY), "set_attributes": (("60000102", "13"),)},
    ],
)  # fmt: skip
def test_what_an_overlay_in_the_pixels_is_cannot_be_contradicted(wish: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError, match="the overlay is taken out of Pixel Data"):
        edited(overlaid(), to="rle", **wish)
    kept = edited(overlaid(), to="explicit-be", **wish)  # it stays where it is
    assert np.frombuffer(kept.PixelData, ">u2").max() >> 12 == 1


def test_an_overlay_in_the_pixels_can_be_moved_or_removed_as_a_whole() -> None:
    same = (("60000010", "4"), ("60000050", "2\\3"), ("60000040", "R"))

    kept = edited(overlaid(), to="rle", set_attributes=same, verify=True)
    gone = edited(overlaid(), to="rle", remove_attributes=tuple(OVERLAY), verify=True)

    assert np.array_equal(kept.overlay_array(0x6000), np.eye(4))
    assert (kept[0x60000050].value, kept[0x60000040].value) == ([2, 3], "R")
    assert not gone.group_dataset(0x6000)
