"""The dictionary says what pydicom's says, and loads nothing before it is asked."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary
from pydicom._private_dict import private_dictionaries
from pydicom.datadict import get_private_entry

from dicodec.errors import InvalidOptionError
from dicodec.part10.dictionary import find_entry, find_keyword, find_private_vr, find_vr, parse_tag


def test_every_standard_element_is_as_in_pydicom() -> None:
    for tag, (vr, vm, _, _, keyword) in DicomDictionary.items():
        if vr == "NONE":
            assert find_entry(tag) is None
            continue
        assert find_entry(tag) == (vr, vm, keyword)
        if keyword:
            assert parse_tag(keyword) == tag


@pytest.mark.parametrize("digits", ["0", "2", "E"])
def test_every_repeating_element_is_as_in_pydicom(digits: str) -> None:
    for mask, (vr, vm, _, _, keyword) in RepeatersDictionary.items():
        tag = int(mask.replace("x", digits), 16)
        if tag in DicomDictionary or tag & 0xFFFF == 0:  # a Group Length
            continue
        assert find_entry(tag) == (vr, vm, keyword)


def test_every_private_element_is_as_in_pydicom() -> None:
    for creator, elements in private_dictionaries.items():
        for pattern in elements:
            tag = int(pattern.replace("x", "1"), 16)
            try:
                vr = get_private_entry(tag, creator)[0]
            except KeyError:  # a pattern that pydicom never matches either
                continue
            assert find_private_vr(creator, tag) == {"OB_OW": "OB or OW"}.get(vr, vr)


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00100020, "LO"),
        (0x00280106, "US or SS"),
        (0x00283006, "US or OW"),
        (0x7FE00001, "OV"),
        (0x7FE00002, "OV"),
        (0x7FE00010, "OB or OW"),
        (0x60023000, "OB or OW"),
        (0x00203105, "CS"),
        (0x00090000, "UL"),
        (0x00400000, "UL"),
        (0x00090010, "LO"),
        (0x000900FF, "LO"),
        (0x0009000F, None),
        (0x00091010, None),
        (0x60013000, None),
        (0x00100001, None),
        (0xFFFEE000, None),
    ],
)
def test_vr_of(tag: int, vr: str | None) -> None:
    assert find_vr(tag) == vr


def test_private_vr_of_an_unknown_creator_or_element_is_none() -> None:
    assert find_private_vr("NOBODY", 0x00091010) is None
    assert find_private_vr("", 0x00091010) is None
    assert find_private_vr("a]\n[SIEMENS CSA HEADER", 0x00291008) is None
    assert find_private_vr("SIEMENS CSA HEADER", 0x002910FF) is None
    assert find_private_vr("SIEMENS CSA HEADER", 0x0029AB08) == "CS"


@pytest.mark.parametrize(
    "text", ["PatientID", "00100020", "(0010,0020)", "0010,0020", " (0010, 0020) "]
)
def test_tag_of_takes_keywords_and_tags(text: str) -> None:
    assert parse_tag(text) == 0x00100020
    assert find_keyword(parse_tag(text)) == "PatientID"


@pytest.mark.parametrize("text", ["", "-", "001000", "PatientsID?", "1234567890", "OverlayData"])
def test_tag_of_refuses_what_names_no_attribute(text: str) -> None:
    with pytest.raises(InvalidOptionError):
        parse_tag(text)


def test_tag_of_names_the_keyword_that_was_meant() -> None:
    with pytest.raises(InvalidOptionError, match="did you mean PatientID"):
        parse_tag("patient_id")


def test_importing_the_dictionary_loads_no_data() -> None:
    code = (
        "import sys, dicodec.part10.dictionary as d\n"
        "name = 'dicodec.part10._dictionary_data'\n"
        "assert name not in sys.modules\n"
        "d.find_vr(0x00100020)\n"
        "assert name in sys.modules\n"
        "assert 'pydicom' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
