"""Layouts: places made of attributes, however hostile the values are."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec.batch.layout import Layout, parse_layout
from dicodec.batch.sources.safe_names import make_safe_component, make_safe_path
from dicodec.errors import InvalidOptionError
from dicodec.options import ConversionOptions
from dicodec.repair.opening import open_tolerantly
from helpers.data_set_bytes import element, file_of

OPTIONS = ConversionOptions(to=("rle",))
CONTENT = file_of(
    b"".join(
        (
            element(0x00080005, "CS", b"ISO_IR 192"),
            element(0x00080018, "UI", b"1.2.3\0"),
            element(0x00100010, "PN", "Müller^Jörg ".encode()),
            element(0x00100020, "LO", b"a/b "),
            element(0x00280010, "US", b"\x08\0"),
        )
    ),
    "1.2.840.10008.1.2.1",
)


def make_path(layout: str, options: ConversionOptions = OPTIONS) -> str:
    with open_tolerantly(CONTENT) as file:
        return parse_layout(layout).make_path(file.data_set, options)


@pytest.mark.parametrize(("layout", "path"), [
    ("{PatientID}/{SOPInstanceUID}.dcm", "a_b/1.2.3.dcm"),
    ("x-{PatientName}/{0028,0010}/{00080018}", "x-Müller^Jörg/8/1.2.3"),
    ("{StudyInstanceUID}/{PatientID}{Rows}", "unknown/a_b8"),
    ("{{x}}{PatientID}", "{x}a_b"),
])  # fmt: skip
def test_attributes_make_the_path(layout: str, path: str) -> None:
    assert make_path(layout) == path


def test_what_is_set_and_removed_counts() -> None:
    options = ConversionOptions(
        to=("rle",), set_attributes=(("PatientID", "../X"),), remove_attributes=("00080018",)
    )
    assert make_path("{PatientID}/{SOPInstanceUID}", options) == "_._X/unknown"


@pytest.mark.parametrize("layout", [
    "", "same.dcm", "/{PatientID}", "{PatientID}//x", "{PatientID}/", "../{PatientID}", "./x{Rows}",
    "{}", "{PatientID", "{PatientID!r}", "{PatientID:>5}", "{Nonsense}", "{PatientID}/../x",
])  # fmt: skip
def test_layouts_that_have_no_meaning_are_refused(layout: str) -> None:
    with pytest.raises(InvalidOptionError):
        parse_layout(layout)


@pytest.mark.parametrize(("text", "name"), [
    ("../../etc", "_._.._etc"), ("a/b", "a_b"), ("nul\0byte", "nul_byte"), (".", "_"), ("..", "__"),
    ("", "_"), ("  ", "_"), (".hidden", "_hidden"), ("end.", "end_"), ("C:\\x", "C__x"),
    ("line\nfeed", "line_feed"), ("plain-1.2", "plain-1.2"), ("胸部", "胸部"),
    ("right\u202eleft", "right_left"),
])  # fmt: skip
def test_hostile_text_becomes_a_plain_name(text: str, name: str) -> None:
    assert make_safe_component(text) == name


def test_long_names_are_cut_and_stay_apart() -> None:
    one, two = make_safe_component("é" * 5000), make_safe_component("é" * 5001)

    assert one != two
    assert max(len(one.encode()), len(two.encode())) <= 200


@given(st.text())
def test_any_text_becomes_one_name(text: str) -> None:
    name = make_safe_component(text)

    assert name not in {"", ".", ".."}
    assert PurePosixPath(name).parts == (name,)
    assert "\0" not in name
    assert len(name.encode("utf-8", "surrogateescape")) <= 200
    assert make_safe_component(name) == name


@given(st.text(alphabet="a./\\\0:x"))
def test_no_name_of_a_member_leads_out(name: str) -> None:
    path = make_safe_path(name)

    assert ".." not in path.split("/")
    assert not Path(path).is_absolute()


def test_a_layout_is_a_value() -> None:
    assert isinstance(parse_layout("{PatientID}"), Layout)
    assert parse_layout("{PatientID}") == parse_layout("{PatientID}")
