"""Letters that are not a VR: the element is read as the dictionary has it, wherever it stands."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from dicodec import compare, convert, convert_bytes
from dicodec.errors import ContradictionError
from dicodec.report import LEFT_ALONE
from helpers.data_set_bytes import element, file_of, item, sequence
from helpers.made import make_file
from helpers.odd_data_sets import CASES, IMAGES, long_form, whole, with_letters

TARGETS = ("explicit-le", "implicit-le", "explicit-be", "deflated", "rle", "htj2k-lossless")
RIGHT = ("letters of no VR", "letters of no VR, a number", "letters of no VR, a sequence",
         "letters of no VR, an open sequence", "letters of no VR in an item",
         "no VR for Pixel Data", "question marks for VR")  # fmt: skip
INTERCEPT, SLOPE = 0x00409224, 0x00409225
MAPPING = 0x00409096


def written_anew(content: bytes, to: str) -> bytes:
    """Convert without copying the data set as it lies."""
    return convert_bytes(convert_bytes(content, to="implicit-le"), to=to)


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("to", ["implicit-le", "explicit-be"])
def test_results_are_those_of_the_right_file(name: str, to: str) -> None:
    assert convert_bytes(CASES[name].make(), to=to, verify=True) == convert_bytes(whole(), to=to)


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("to", TARGETS)
def test_results_mean_the_same_as_the_right_file(name: str, to: str, tmp_path: Path) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(CASES[name].make())

    report = convert(path, path, to=to, overwrite=True)

    assert report.verified or report.action == LEFT_ALONE
    assert compare(whole(), path).equal
    assert compare(CASES[name].make(), path).equal
    assert written_anew(path.read_bytes(), to) == written_anew(whole(), to)


@pytest.mark.parametrize("tags", [(SLOPE, INTERCEPT), (INTERCEPT, SLOPE), (SLOPE,)])
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("to", ["implicit-le", "explicit-be", "rle"])
def test_numbers_are_read_in_any_order(tags: tuple[int, ...], to: str, *, nested: bool) -> None:
    values = {SLOPE: struct.pack("<d", 2.5), INTERCEPT: struct.pack("<d", -1)}

    def content(*, right: bool) -> bytes:
        made = [
            element(tag, "FD", values[tag]) if right else long_form(tag, "XX", values[tag])
            for tag in tags
        ]
        part = b"".join(made)
        if nested:
            part = sequence(MAPPING, item(part))
        whole_file = make_file(4, 4)[0]
        place = whole_file.index(b"\xe0\x7f\x10\x00")
        return whole_file[:place] + part + whole_file[place:]

    result = convert_bytes(content(right=False), to=to, verify=True)

    assert compare(content(right=True), result).equal
    if to != "rle":
        assert result == convert_bytes(content(right=True), to=to)


def test_what_does_not_fit_the_dictionary_becomes_unknown() -> None:
    odd = file_of(long_form(0x00080060, "CX", b"CT") + long_form(SLOPE, "XX", b"123456"))

    result = convert_bytes(odd, to="implicit-le")

    right = element(0x00080060, "CS", b"CT") + element(SLOPE, "UN", b"123456")
    assert result == convert_bytes(file_of(right), to="implicit-le")


def test_it_is_an_oddity() -> None:
    with pytest.raises(ContradictionError, match="VR that there is not"):
        convert_bytes(with_letters(IMAGES, b"OX"), to="rle", strict=True)
