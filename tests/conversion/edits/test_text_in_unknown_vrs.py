"""Another character set, and text whose VR is not stated: UN, UN sequences, private elements."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicodec import compare, convert_bytes
from dicodec.conversion.calls import convert
from dicodec.conversion.edits.user_edits import check_user_edits
from dicodec.errors import InvalidOptionError, MalformedFileError
from dicodec.options import ConversionOptions
from dicodec.part10.character_set import decode_surely, encode_text
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED_LENGTH,
)
from helpers.data_set_bytes import element, header, item, marker, sequence
from helpers.icons import with_elements
from helpers.made import IMPLICIT_LE, make_file

NATIVE = ("explicit-le", "implicit-le", "explicit-be", "deflated")
TARGETS = (*NATIVE, "rle")
CHARSET = (0x00080005, "CS", b"ISO_IR 100")
NAME, DESCRIPTION, STEP, STEPS = 0x00100010, 0x00081030, 0x00400007, 0x00400275
CREATOR, PRIVATE = 0x00090010, 0x00091002
LATIN = b"Pr\xfcfung "
TEXT = "Prüfung"


def latin(*extra: tuple[int, str, bytes], syntax: str = "1.2.840.10008.1.2.1") -> bytes:
    return make_file(4, 4, extra=[CHARSET, *extra], transfer_syntax=syntax)[0]


def converted(content: bytes, to: str, **options: Any) -> tuple[pydicom.Dataset, list[str], bytes]:
    out = io.BytesIO()
    report = convert(content, out, to=to, verify=True, **options)
    return pydicom.dcmread(io.BytesIO(out.getvalue())), report.warnings, out.getvalue()


@pytest.mark.parametrize("to", TARGETS)
def test_known_text_in_un_is_re_encoded(to: str) -> None:
    content = latin((NAME, "UN", b"M\xfcller^J\xf6rg "), (DESCRIPTION, "UN", LATIN))

    data_set, warnings, result = converted(content, to, charset="utf-8")

    assert data_set.PatientName == "Müller^Jörg"
    assert data_set.StudyDescription == TEXT
    assert not warnings
    assert compare(content, result, allow=["SpecificCharacterSet"]).equal


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("to", TARGETS)
def test_known_sequences_in_un_are_re_encoded(to: str, *, undefined: bool, explicit: bool) -> None:
    inner = element(STEP, "LO", LATIN) if explicit else element(STEP, "", LATIN, IMPLICIT_LITTLE)
    made = sequence(STEPS, item(inner, undefined=undefined), undefined=undefined, vr="UN")
    deep = sequence(0x00081140, item(sequence(STEPS, item(element(STEP, "UN", LATIN)))))
    content = with_elements(latin(), deep + made)

    data_set, warnings, result = converted(content, to, charset="utf-8")

    assert data_set.RequestAttributesSequence[0].ScheduledProcedureStepDescription == TEXT
    nested = data_set.ReferencedImageSequence[0].RequestAttributesSequence[0]
    assert nested.ScheduledProcedureStepDescription == TEXT
    assert not warnings
    assert LATIN not in result
    assert compare(content, result, allow=["SpecificCharacterSet"]).equal


@pytest.mark.parametrize("off", [-8, -4, -2, 8])
@pytest.mark.parametrize("to", TARGETS)
def test_text_in_an_item_of_a_wrong_length_is_re_encoded(to: str, off: int) -> None:
    """Without VRs such a sequence in an item became UN, and its text stayed as it was."""

    def encode(tag: int, value: bytes) -> bytes:
        return element(tag, "", value, IMPLICIT_LITTLE)

    text = LATIN[:4] + b"f "
    code = encode(0x00080100, b"T-04000 ") + encode(0x00080102, b"SRT ") + encode(0x00080104, text)
    wrong = bytearray(item(code, IMPLICIT_LITTLE))
    wrong[4:8] = (len(code) + off).to_bytes(4, "little")
    outer = encode(0x00082218, item(code + encode(0x00082220, bytes(wrong)), IMPLICIT_LITTLE))

    result = convert_bytes(with_elements(latin(syntax=IMPLICIT_LE), outer), to=to, charset="utf-8")

    region = pydicom.dcmread(io.BytesIO(result)).AnatomicRegionSequence[0]
    assert region.CodeMeaning == "Prüff"
    assert region.AnatomicRegionModifierSequence[0].CodeMeaning == "Prüff"
    assert text not in result


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", IMPLICIT_LE])
@pytest.mark.parametrize("to", TARGETS)
def test_private_text_is_re_encoded_or_warned_of(syntax: str, to: str) -> None:
    content = latin(
        (CREATOR, "LO", b"SOME VENDOR "), (PRIVATE, "UN", LATIN), (PRIVATE + 1, "UN", b"\xff\0\1"),
        (PRIVATE + 2, "UN", b"plain"), (0x00290010, "LO", b"SIEMENS MEDCOM HEADER "),
        (0x00291008, "CS", b"x"), syntax=syntax,
    )  # fmt: skip

    data_set, (warning,), _ = converted(content, to, charset="utf-8")

    assert warning.startswith("(0009,1002) may hold text in the former character set")
    assert data_set[PRIVATE].value == LATIN


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", IMPLICIT_LE])
@pytest.mark.parametrize("vr", ["LO", "UN"])
@pytest.mark.parametrize("to", TARGETS)
def test_private_text_that_the_dictionaries_know_is_re_encoded(
    vr: str, syntax: str, to: str
) -> None:
    content = latin((CREATOR, "LO", b"GEMS_IDEN_01"), (0x00091001, vr, LATIN), syntax=syntax)

    data_set, warnings, result = converted(content, to, charset="utf-8")

    assert data_set[0x00091001].value == TEXT
    assert not warnings
    assert compare(content, result, allow=["SpecificCharacterSet"]).equal


def test_private_text_in_items_is_named_by_its_path() -> None:
    inner = element(CREATOR, "LO", b"VENDOR") + element(PRIVATE, "UN", LATIN)
    content = with_elements(latin(), sequence(STEPS, item(b""), item(inner)))

    _, (warning,), _ = converted(content, "rle", charset="utf-8")

    assert warning.startswith("(0040,0275)[1].(0009,1002) may hold")


@pytest.mark.parametrize("to", [*NATIVE])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", IMPLICIT_LE])
def test_text_too_long_for_its_length_field_becomes_unknown(to: str, syntax: str) -> None:
    text = b"\xe9" * 40_001
    content = latin((0x00104000, "LT", text), syntax=syntax)

    result = convert_bytes(content, to=to, charset="utf-8", verify=True)

    value = ("é" * 40_001).encode()
    encodings = {"implicit-le": IMPLICIT_LITTLE, "explicit-be": EXPLICIT_BIG}
    encoding = encodings.get(to, EXPLICIT_LITTLE)
    plain = convert_bytes(result, to="explicit-le") if to == "deflated" else result
    assert element(0x00104000, "UN", value, encoding) in plain
    assert compare(content, result, allow=["SpecificCharacterSet"]).equal


@pytest.mark.parametrize("vr", ["UN", "LO"])
def test_errors_name_the_element(vr: str) -> None:
    for content, place in (
        (latin((DESCRIPTION, vr, b"a\x80")), "(0008,1030)"),
        (
            with_elements(latin(), sequence(STEPS, item(b""), item(element(STEP, vr, b"a\x80")))),
            "(0040,0275)[1].(0040,0007)",
        ),
    ):
        with pytest.raises(MalformedFileError) as raised:
            convert_bytes(content, to="rle", charset="utf-8")
        assert raised.value.attribute == place


# Specific Character Set alone.


UNKNOWN = {
    "text in UN": ((DESCRIPTION, "UN", LATIN),),
    "a sequence in UN": ((STEPS, "UN", item(element(STEP, "", LATIN, IMPLICIT_LITTLE))),),
    "stated text": ((DESCRIPTION, "LO", LATIN),),
}


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("wish", ["ISO_IR 192", "ISO_IR 144", ""])
def test_another_label_does_not_change_what_text_means(name: str, wish: str) -> None:
    content = latin(*UNKNOWN[name])
    options: dict[str, Any] = (
        {"set_attributes": {"SpecificCharacterSet": wish}}
        if wish
        else {"remove_attributes": ["SpecificCharacterSet"]}
    )

    with pytest.raises(InvalidOptionError, match=r"is not in|would read otherwise") as raised:
        convert_bytes(content, to="rle", **options)
    assert "charset" in (raised.value.hint or "")


CONTRADICTIONS: tuple[dict[str, Any], ...] = (
    {"set_attributes": {"SpecificCharacterSet": "ISO_IR 101"}},
    {"set_attributes": {"00080005": ""}},
    {"remove_attributes": ["SpecificCharacterSet"]},
)


@pytest.mark.parametrize("charset", ["utf-8", "ISO_IR 144:utf-8"])
@pytest.mark.parametrize("wish", CONTRADICTIONS)
def test_re_encoded_text_gets_no_other_label(wish: dict[str, Any], charset: str) -> None:
    """UTF-8 was written as ISO_IR 101, and the conversion called it verified."""
    options = ConversionOptions.of("rle", charset=charset, **wish)

    with pytest.raises(InvalidOptionError, match="re-encodes all text"):
        convert_bytes(latin((DESCRIPTION, "LO", LATIN)), to="rle", charset=charset, **wish)
    with pytest.raises(InvalidOptionError, match="re-encodes all text"):
        check_user_edits(options)  # of the command, policies and requests


def test_re_encoded_text_may_get_its_own_label() -> None:
    wish = {"SpecificCharacterSet": "ISO_IR 192"}
    content = latin((DESCRIPTION, "LO", LATIN))

    data_set, _, _ = converted(content, "rle", charset="utf-8", set_attributes=wish)

    assert data_set.SpecificCharacterSet == "ISO_IR 192"
    assert data_set.StudyDescription == TEXT


def test_a_label_may_be_put_right() -> None:
    content = make_file(4, 4, extra=[(DESCRIPTION, "UN", TEXT.encode())])[0]

    data_set, warnings, _ = converted(
        content, "rle", set_attributes={"SpecificCharacterSet": "ISO_IR 192"}
    )

    assert data_set.StudyDescription == TEXT
    assert not warnings
    own = sequence(STEPS, item(element(*CHARSET) + element(STEP, "LO", LATIN)))
    data_set, _, _ = converted(
        with_elements(make_file(4, 4)[0], own), "rle",
        set_attributes={"SpecificCharacterSet": "ISO_IR 192"},
    )  # fmt: skip
    assert data_set.RequestAttributesSequence[0].ScheduledProcedureStepDescription == TEXT


def test_private_text_under_another_label_is_warned_of() -> None:
    content = latin((CREATOR, "LO", b"SOME VENDOR "), (PRIVATE, "UN", LATIN))

    _, (warning,), _ = converted(
        content, "rle", set_attributes={"SpecificCharacterSet": "ISO_IR 192"}
    )

    assert warning.startswith("(0009,1002) may hold text")


# Japanese names whose writer does not return to ASCII before a delimiter (PS3.5 6.1.2.5.3).


@pytest.mark.parametrize(
    "name",
    ["山田^太郎", "やまだ^たろう=山田^太郎", "Yamada^Tarou=山田^太郎=やまだ^たろう", "山田^"],
)
@pytest.mark.parametrize("first", ["", "ISO 2022 IR 13"])
def test_names_without_return_to_ascii_are_read(name: str, first: str, tmp_path: Path) -> None:
    stated = f"{first}\\ISO 2022 IR 87"
    right = encode_text(name, stated, "PN")
    wrong = right
    for back in (b"\x1b(B", b"\x1b(J"):
        for delimiter in (b"^", b"="):
            wrong = wrong.replace(back + delimiter, delimiter)
    content = make_file(4, 4, extra=[(0x00080005, "CS", stated.encode()), (NAME, "PN", wrong)])[0]

    assert wrong != right
    assert decode_surely(right, stated, "PN") == name
    assert decode_surely(wrong, stated, "PN") == name
    data_set, warnings, _ = converted(content, "rle", charset="utf-8")
    assert data_set.PatientName == name
    assert not warnings


def test_kanji_that_begin_as_a_delimiter_does_stay_kanji() -> None:
    # Rows 62 and 29 of JIS X 0208 begin with 5E and 3D, as ^ and = do.
    for text in ("渫渫", "渫醜渫^終", "従醜=従"):
        raw = encode_text(text, "\\ISO 2022 IR 87", "PN")
        assert decode_surely(raw, "\\ISO 2022 IR 87", "PN") == text


def test_undefined_un_that_is_no_sequence_of_items_is_left(tmp_path: Path) -> None:
    made = header(STEPS, "UN", UNDEFINED_LENGTH) + item(b"") + marker(0xFFFEE0DD)
    content = with_elements(latin((STEPS + 1, "UN", b"\xfc\xff")), made)

    for to in TARGETS:
        assert convert_bytes(content, to=to, charset="utf-8", verify=True)
