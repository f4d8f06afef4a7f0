"""The second parser: it finds what the tolerant one forgives, and nothing in what is right."""

from __future__ import annotations

import io
from typing import Any

import pytest

from dicodec import convert_bytes
from dicodec.conversion.calls import convert
from dicodec.conversion.verification.strict_walk import Fault, find_faults
from dicodec.errors import VerificationError
from dicodec.part10 import writer
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED_LENGTH,
    DataSetEncoding,
)
from dicodec.part10.reencode import reencode_elements
from dicodec.part10.source import BytesSource
from helpers.data_set_bytes import data_set_of, element, header, item, marker, nested, sequence
from helpers.icons import (
    encapsulated_icon,
    host,
    nested_in_references,
    short_icon,
    with_elements,
)
from helpers.made import IMAGE_KINDS
from helpers.odd_data_sets import CASES, long_form, whole

ENCODINGS = {
    "explicit-le": EXPLICIT_LITTLE, "implicit-le": IMPLICIT_LITTLE, "explicit-be": EXPLICIT_BIG,
    "rle": EXPLICIT_LITTLE, "jpeg-ls": EXPLICIT_LITTLE,
}  # fmt: skip
SEQUENCE, INSIDE, LAST = 0x00081140, 0x00081155, 0x00204000


def faults(
    data_set: bytes, encoding: DataSetEncoding = EXPLICIT_LITTLE, *, encapsulated: bool = False
) -> list[Fault]:
    return find_faults(BytesSource(data_set), 0, encoding, [], encapsulated=encapsulated)


def faults_of(content: bytes, to: str) -> list[Fault]:
    with open_dicom(content) as file:
        return find_faults(
            file.data_set.source, file.head.data_set_start, ENCODINGS[to],
            [span.start for span in file.data_set.elements],
            encapsulated=file.syntax.encapsulated,
        )  # fmt: skip


@pytest.mark.parametrize("to", ENCODINGS)
def test_results_have_no_fault(to: str) -> None:
    deep = sequence(0x00081140, item(sequence(SEQUENCE, item(element(INSIDE, "UI", b"1.2\0")))))
    long = sequence(0x52009230, *[item(deep, undefined=True)] * 3000, undefined=True)
    for content in (whole(), with_elements(host("explicit-le")[0], long)):
        assert faults_of(convert_bytes(content, to=to), to) == []


INNER = element(INSIDE, "UI", b"1.2\0")
ROWS: dict[str, tuple[str, str, bytes]] = {
    # id, path, an element with a fault
    "odd": ("odd-length", "(0008,1155)", element(INSIDE, "UI", b"1.2")),
    "no VR": ("illegal-vr", "(0008,1155)", element(INSIDE, "", b"1.2\0", IMPLICIT_LITTLE)),
    "OX": ("illegal-vr", "(0008,1140)", header(SEQUENCE, "UN", 0).replace(b"UN", b"OX")),
    "XX": ("illegal-vr", "(0008,1155)", long_form(INSIDE, "XX", b"1.2\0")),
    "twice": ("duplicate-element", "(0008,1155)", INNER + INNER),
    "unordered": ("unordered-element", "(0008,1150)", INNER + element(0x00081150, "UI", b"1\0")),
    "group length": ("group-length", "(0008,0000)", element(0x00080000, "UL", bytes(4))),
    "too long": ("wrong-item-length", "(0008,1155)", header(INSIDE, "UI", 400) + b"1.2\0"),
    "stray": ("stray-delimiter", "", INNER + marker(0xFFFEE0DD)),
    "fragments": (
        "undefined-length", "(0009,1010)",
        header(0x00091010, "OB", UNDEFINED_LENGTH) + item(b"\xff\xd8") + marker(0xFFFEE0DD),
    ),
    "native icon as fragments": (
        "encapsulated-outside-explicit-le", "(7FE0,0010)", encapsulated_icon("jpeg")
    ),
    "an item too short": (
        "wrong-item-length", "(0008,1140)[0].(0008,1155)",
        header(SEQUENCE, "SQ", len(INNER) + 8) + marker(0xFFFEE000, len(INNER) - 2) + INNER,
    ),
    "an item too long": (
        "wrong-item-length", "(0008,1140)[0]",
        header(SEQUENCE, "SQ", len(INNER) + 8) + marker(0xFFFEE000, len(INNER) + 2) + INNER,
    ),
    "a sequence too short": (
        "wrong-item-length", "(0008,1140)[0]",
        header(SEQUENCE, "SQ", len(INNER) + 6) + marker(0xFFFEE000, len(INNER)) + INNER,
    ),
    "no items": ("sequence-kept-as-un", "(0008,1140)", element(SEQUENCE, "SQ", b"12345678")),
    "VRs inside UN": (
        "explicit-in-un", "(0008,1140)", sequence(SEQUENCE, item(INNER), undefined=True, vr="UN")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("deep", [False, True])
def test_what_is_forgiven_elsewhere_is_found(name: str, *, deep: bool) -> None:
    id_, path, made = ROWS[name]
    content, encapsulated = made + element(LAST, "LT", b"last"), False
    if deep:
        content = sequence(0x00400275, item(b""), item(made)) + element(0x00404001, "LT", b"")
    prefix = "(0040,0275)[1]" if deep else ""
    found = faults(content, encapsulated=encapsulated)

    place = f"{prefix}.{path}" if prefix and path else prefix or path
    assert (id_, place) in {(one.id, one.path) for one in found}, found
    if deep:
        assert {one.tag for one in found} == {0x00400275}


def test_fragments_are_right_where_they_belong() -> None:
    icon = sequence(0x00880200, item(encapsulated_icon("jpeg")))
    assert faults(icon, encapsulated=True) == []
    assert [one.id for one in faults(icon)] == ["encapsulated-outside-explicit-le"]
    for short in ((8, 8), (16, 16), (24, 24)):
        assert faults(short_icon("jpeg", *short), encapsulated=True)


def test_a_fault_does_not_hide_the_next_one() -> None:
    first = element(SEQUENCE, "SQ", b"12345678")
    second = sequence(0x00082112, item(element(INSIDE, "UI", b"1.2")))
    open_one = header(0x00081199, "SQ", UNDEFINED_LENGTH) + b"12345678"
    for content in (first + second, nested_in_references(first) + second):
        assert {one.id for one in faults(content)} >= {"sequence-kept-as-un", "odd-length"}
    content = open_one + second
    found = find_faults(
        BytesSource(content), 0, EXPLICIT_LITTLE, [0, len(open_one)], encapsulated=False
    )
    assert "odd-length" in {one.id for one in found}


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE])
def test_what_is_cut_or_hostile_ends(encoding: DataSetEncoding) -> None:
    right = reencode(whole(), encoding)
    assert faults(right, encoding) == []
    for length in range(0, len(right), 7):
        faults(right[:length], encoding)
    assert faults(nested(200, encoding), encoding)


def reencode(content: bytes, encoding: DataSetEncoding) -> bytes:
    from dicodec.part10.implicit_vr import ReencodingContext

    context = ReencodingContext()
    return reencode_elements(data_set_of(content), EXPLICIT_LITTLE, encoding, context)


# As a part of verification.


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("to", ["implicit-le", "explicit-be", "rle", "explicit-le"])
def test_what_a_result_still_has_of_its_source_is_in_the_report(name: str, to: str) -> None:
    content = CASES[name].make()
    out = io.BytesIO()
    report = convert(content, out, to=to, verify=True)

    named = {one.id for one in report.oddities}
    if report.action != "copied":
        assert {one.id for one in faults_of(out.getvalue(), to)} <= named


def test_nothing_is_said_of_a_right_file() -> None:
    for to in ENCODINGS:
        report = convert(whole(), io.BytesIO(), to=to, verify=True)
        assert not {one.id for one in report.oddities} - {"sequence-as-un"}


@pytest.mark.parametrize("damage", ["VRs stay", "lengths are those of the source"])
def test_a_parser_that_writes_and_checks_its_own_fault_is_found_out(
    damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both the writer and the comparison use one parser, which has the fault."""
    content = with_elements(
        IMAGE_KINDS["gray-8"].make()[0],
        sequence(0x00400275, item(element(0x00400007, "LO", b"ab"))),
    )

    def faulty(raw: bytes, *arguments: Any, **options: Any) -> bytes:
        made = reencode_elements(raw, *arguments, **options)
        right = element(0x00400007, "LO", b"ab", IMPLICIT_LITTLE)
        wrong = element(0x00400007, "LO", b"ab")
        if damage == "VRs stay":
            return made.replace(right, wrong)
        return made.replace(marker(0xFFFEE000, len(right)), marker(0xFFFEE000, len(right) + 2))

    monkeypatch.setattr(writer, "reencode_elements", faulty)
    monkeypatch.setattr("dicodec.conversion.verification.elements.reencode_elements", faulty)

    convert_bytes(content, to="implicit-le")
    with pytest.raises(VerificationError, match="not standard") as raised:
        convert_bytes(content, to="implicit-le", verify=True)
    assert raised.value.attribute == "(0040,0275)"
