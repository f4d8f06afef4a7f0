"""Values and character sets: against pydicom, the standard's own examples, and by round trips."""

from __future__ import annotations

import re
import struct
import warnings
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec.errors import InvalidOptionError, MalformedFileError
from dicodec.part10.character_set import decode_text, encode_text
from dicodec.part10.dictionary import parse_tag
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    DataSetEncoding,
)
from dicodec.part10.value_forms import check_multiplicity
from dicodec.part10.values import encode_user_value, parse_values

WITHOUT_NAME = {"chrSQEncoding.dcm", "chrSQEncoding1.dcm"}
CHARACTER_SET_FILES = sorted(
    path
    for path in (Path(pydicom.__file__).parent / "data" / "charset_files").glob("*.dcm")
    if path.name not in WITHOUT_NAME
)
SINGLE_BYTE = ["100", "101", "109", "110", "126", "127", "138", "144", "148", "166"]

# PS3.5 annexes H, I and J: character set, VR, bytes, text.
# fmt: off
STANDARD_EXAMPLES = [
    (
        "\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    (
        "ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    (
        "\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    (
        "ISO_IR 192",
        b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1",
        "Wang^XiaoDong=王^小東",
    ),
    ("GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"),
    (
        "\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
        "Zhang^XiaoDong=张^小东",
    ),
    ("ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
    ("ISO_IR 144", b"\xbb\xee\xda^\xb1\xda", "Люк^Бк"),
]
# fmt: on


@pytest.mark.parametrize(("character_set", "raw", "text"), STANDARD_EXAMPLES)
def test_the_standards_names_are_read_and_written(
    character_set: str, raw: bytes, text: str
) -> None:
    assert decode_text(raw, character_set, "PN") == text
    assert encode_text(text, character_set, "PN") == raw


@pytest.mark.parametrize("path", CHARACTER_SET_FILES, ids=lambda path: path.name)
def test_names_are_as_pydicom_reads_them(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(path)
        value = data_set.get("SpecificCharacterSet") or ""
        character_set = value if isinstance(value, str) else "\\".join(value)
        raw = data_set.get_item("PatientName")
        expected = str(data_set.PatientName)

    assert decode_text(raw.value, character_set, "PN").rstrip(" =") == expected


@pytest.mark.parametrize("number", SINGLE_BYTE)
def test_single_byte_sets_hold_what_python_says(number: str) -> None:
    for term in (f"ISO_IR {number}", f"ISO 2022 IR {number}"):
        for code in range(0xA0, 0x100):
            text = decode_text(bytes([code]), term)
            if text != "\ufffd":
                assert encode_text(text, term) == bytes([code])
                extended = encode_text(text, f"\\ISO 2022 IR {number}")
                assert decode_text(extended, f"\\ISO 2022 IR {number}") == text


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1b")))
def test_utf_8_holds_everything(text: str) -> None:
    assert decode_text(encode_text(text, "ISO_IR 192"), "ISO_IR 192") == text


LETTERS = "aZ \\^=山田太郎やまだ홍길동洪吉ﾔﾏéôäαβЛюк丂"
JAPANESE_AND_MORE = (
    "ISO 2022 IR 100\\ISO 2022 IR 87\\ISO 2022 IR 149\\ISO 2022 IR 126\\ISO 2022 IR 144"
    "\\ISO 2022 IR 13\\ISO 2022 IR 159"
)


@given(text=st.text(LETTERS), vr=st.sampled_from(["PN", "LO", "LT"]))
def test_code_extensions_there_and_back(text: str, vr: str) -> None:
    for character_set in (JAPANESE_AND_MORE, "\\" + JAPANESE_AND_MORE):
        raw = encode_text(text, character_set, vr)
        assert decode_text(raw, character_set, vr) == text


@given(raw=st.binary(max_size=40), vr=st.sampled_from(["PN", "LO", "LT"]))
def test_any_bytes_can_be_shown(raw: bytes, vr: str) -> None:
    for character_set in ("", "ISO_IR 192", "nonsense", JAPANESE_AND_MORE, "GBK", "\\\\"):
        assert isinstance(decode_text(raw, character_set, vr), str)


def test_a_backslash_byte_inside_kanji_is_no_separator() -> None:
    raw = b"\x1b$B=\x5c\x1b(B\\x"  # 3D5C is one character of JIS X 0208

    assert parse_values("LO", raw, EXPLICIT_LITTLE, "\\ISO 2022 IR 87") == ("旬", "x")


@pytest.mark.parametrize(
    ("character_set", "text"),
    [
        ("", "é"),
        ("ISO_IR 6", "é"),
        ("ISO_IR 100", "Ж"),
        ("\\ISO 2022 IR 87", "홍"),
        ("GBK", "\ud800"),
    ],
)
def test_letters_that_the_data_set_lacks_are_refused(character_set: str, text: str) -> None:
    with pytest.raises(InvalidOptionError, match="has no") as caught:
        encode_user_value(parse_tag("PatientID"), f"a{text}", character_set, EXPLICIT_LITTLE)

    assert caught.value.attribute == "PatientID"


@pytest.mark.parametrize(
    ("vr", "raw", "values"),
    [
        ("US", b"\1\0\2\0", (1, 2)),
        ("SS", b"\xff\xff", (-1,)),
        ("UL", b"\1\0\0\0", (1,)),
        ("UV", b"\1" + bytes(7), (1,)),
        ("FD", struct.pack("<d", 1.5), (1.5,)),
        ("AT", b"\x18\x00\x63\x10", (0x00181063,)),
        ("DS", b"1.5\\ 2.25 \\", (1.5, 2.25)),
        ("IS", b"7 \\-8", (7, -8)),
        ("IS", b"1.0 ", (1,)),
        ("UI", b"1.2.3\0", ("1.2.3",)),
        ("CS", b"DERIVED\\PRIMARY ", ("DERIVED", "PRIMARY")),
        ("LT", b" a\\b ", (" a\\b",)),
        ("LO", b"", ()),
    ],
)
def test_parse_values(vr: str, raw: bytes, values: tuple[object, ...]) -> None:
    assert parse_values(vr, raw, EXPLICIT_LITTLE) == values


@pytest.mark.parametrize(
    ("vr", "raw"),
    [
        ("US", b"\1"),
        ("AT", b"\1\0"),
        ("DS", b"abc "),
        ("DS", b"nan "),
        ("IS", b"1.5 "),
        ("OB", b"\1\0"),
    ],
)
def test_what_is_no_value_is_malformed(vr: str, raw: bytes) -> None:
    with pytest.raises(MalformedFileError):
        parse_values(vr, raw, EXPLICIT_LITTLE)


ACCEPTED = [
    ("PatientName", "Doe^John", "PN", b"Doe^John"),
    ("PatientID", "", "LO", b""),
    ("PatientSex", "M", "CS", b"M"),
    ("StudyDate", "20240229", "DA", b"20240229"),
    ("StudyTime", "235960.123456", "TM", b"235960.123456"),
    ("AcquisitionDateTime", "20240229120000.5+0100", "DT", b"20240229120000.5+0100"),
    ("PatientAge", "045Y", "AS", b"045Y"),
    ("PixelSpacing", "0.5 \\ 0.25", "DS", b"0.5\\0.25"),
    ("SeriesNumber", "-3", "IS", b"-3"),
    ("StudyInstanceUID", "1.2.840.0", "UI", b"1.2.840.0"),
    ("ImageComments", "two\r\nlines \\ one value", "LT", b"two\r\nlines \\ one value"),
    ("OtherPatientIDs", "a\\b", "LO", b"a\\b"),
    ("RetrieveURL", "https://example.org/a?b=c", "UR", b"https://example.org/a?b=c"),
]


@pytest.mark.parametrize(("keyword", "text", "vr", "value"), ACCEPTED)
def test_user_values(keyword: str, text: str, vr: str, value: bytes) -> None:
    assert encode_user_value(parse_tag(keyword), text, "", EXPLICIT_LITTLE) == (vr, value)


@pytest.mark.parametrize(
    ("tag", "text", "encoding", "signed", "vr", "value"),
    [
        (parse_tag("Rows"), "512", EXPLICIT_LITTLE, None, "US", b"\0\2"),
        (parse_tag("Rows"), "512", IMPLICIT_LITTLE, None, "US", b"\0\2"),
        (parse_tag("Rows"), "512", EXPLICIT_BIG, None, "US", b"\2\0"),
        (parse_tag("PixelPaddingValue"), "1", EXPLICIT_LITTLE, None, "US", b"\1\0"),
        (parse_tag("PixelPaddingValue"), "-1", EXPLICIT_LITTLE, None, "SS", b"\xff\xff"),
        (parse_tag("PixelPaddingValue"), "1", EXPLICIT_LITTLE, True, "SS", b"\1\0"),
        (
            parse_tag("FrameIncrementPointer"),
            "FrameTime",
            EXPLICIT_BIG,
            None,
            "AT",
            b"\0\x18\x10\x63",
        ),
        (0x60020010, "3", EXPLICIT_LITTLE, None, "US", b"\3\0"),
    ],
)
def test_user_values_of_binary_numbers(
    tag: int, text: str, encoding: DataSetEncoding, signed: bool | None, vr: str, value: bytes
) -> None:
    assert encode_user_value(tag, text, "", encoding, signed=signed) == (vr, value)


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("PatientSex", "m", "did you mean M?"),
        ("StudyDate", "2024-02-29", "YYYYMMDD"),
        ("StudyDate", "20230229", "YYYYMMDD"),
        ("StudyTime", "25", "HHMMSS"),
        ("AcquisitionDateTime", "20231301", "YYYYMMDD"),
        ("PatientAge", "45", "045Y"),
        ("PatientID", "x" * 65, "holds 64"),
        ("AccessionNumber", "x" * 17, "holds 16"),
        ("SliceThickness", "1.00000000000000000", "holds 16"),
        ("SliceThickness", "1,5", "decimal"),
        ("SliceThickness", "١", "decimal"),
        ("SeriesNumber", "1.5", "whole number"),
        ("SeriesNumber", "2147483648", "whole number"),
        ("StudyInstanceUID", "1.02", "leading zeros"),
        ("StudyInstanceUID", "1." + "2" * 63, "holds 64"),
        ("PatientName", "A^B^C^D^E^F", "Family^Given"),
        ("PatientName", "x" * 65, "holds 64"),
        ("PatientID", "tab\there", "control"),
        ("PatientID", "esc\x1b", "control"),
        ("RetrieveURL", "a b", "URI"),
        ("PixelSpacing", "1", "the VM is 2"),
        ("PatientID", "a\\b", "the VM is 1"),
        ("Rows", "65536", "0 to 65535"),
        ("Rows", "-1", "0 to 65535"),
        ("SeriesNumber", "9" * 5000, "holds 12"),
        ("Rows", "9" * 5000, "0 to 65535"),
        ("Rows", "1_0", "0 to 65535"),
        ("RecommendedDisplayFrameRateInFloat", "fast", "decimal"),
        ("FrameIncrementPointer", "Nothing", "keyword"),
        ("PixelData", "abc", "binary data"),
        ("RedPaletteColorLookupTableData", "1", "binary data"),
        ("SourceImageSequence", "abc", "a sequence"),
        ("00091001", "abc", "dictionary"),
        ("00090010", "ACME", "dictionary"),
        ("00080000", "4", "dictionary"),
        ("00100001", "abc", "dictionary"),
    ],
)
def test_what_a_strict_reader_would_reject_is_refused(name: str, text: str, hint: str) -> None:
    with pytest.raises(InvalidOptionError, match=re.escape(hint)) as caught:
        encode_user_value(parse_tag(name), text, "", EXPLICIT_LITTLE)

    assert caught.value.attribute


@pytest.mark.parametrize(
    ("vm", "right", "wrong"),
    [
        ("1", [0, 1], [2]),
        ("1-n", [0, 1, 7], []),
        ("2-2n", [0, 2, 4], [1, 3]),
        ("3-3n", [3, 6], [1, 4]),
        ("1-3", [1, 2, 3], [4]),
        ("2-n", [2, 3], [1]),
        ("16", [16], [1, 15]),
    ],
)
def test_multiplicity(vm: str, right: list[int], wrong: list[int]) -> None:
    for count in right:
        check_multiplicity(vm, count, "X")
    for count in wrong:
        with pytest.raises(InvalidOptionError):
            check_multiplicity(vm, count, "X")
