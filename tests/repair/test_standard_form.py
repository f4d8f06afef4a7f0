"""`--standardize`: every oddity of structure is found, read, and gone from the result."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert, convert_bytes, inspect
from dicodec.cli.main import run
from dicodec.errors import ContradictionError, InvalidOptionError
from dicodec.model import tags
from dicodec.part10.dicom_file import open_dicom
from dicodec.repair.catalogue import ODDITIES, Severity
from dicodec.repair.opening import open_tolerantly
from dicodec.repair.standard_form import make_standard
from helpers import header_witnesses
from helpers.data_set_bytes import data_set_of, element
from helpers.made import IMAGE_KINDS, IMPLICIT_LE, make_file
from helpers.odd_data_sets import (
    CASES,
    IMAGES,
    NAME,
    PRIVATE,
    explicit_among_implicit,
    explicit_in_implicit_item,
    parts,
    whole,
    with_meta_part,
    with_part,
)
from helpers.samples import native_samples


def ids_of(content: bytes) -> set[str]:
    return {oddity.id for oddity in inspect(content).oddities}


def standard(content: bytes, to: str = "explicit-le") -> bytes:
    return convert_bytes(content, to=to, standardize=True, verify=True)


@pytest.mark.parametrize("name", CASES)
def test_every_oddity_is_found_by_its_id(name: str) -> None:
    case = CASES[name]

    assert ids_of(case.make()) == set(case.ids)


@pytest.mark.parametrize("name", CASES)
def test_the_standard_form_of_a_wrong_file_is_that_of_the_right_one(name: str) -> None:
    case = CASES[name]

    result = standard(case.make())

    left = {oddity for oddity in case.ids if ODDITIES[oddity].left_alone}
    assert ids_of(result) == left
    assert standard(result) == result, "what is right is left as it is"
    if case.same:
        assert data_set_of(result) == data_set_of(whole())


@pytest.mark.parametrize("name", CASES)
def test_strict_readers_take_the_standard_form(name: str, tmp_path: Path) -> None:
    content = CASES[name].make()
    unmendable = {ODDITIES[one].left_alone for one in CASES[name].ids} == {True}

    for to in ("explicit-le", "implicit-le"):
        result = standard(content, to)
        path = tmp_path / f"{to}.dcm"
        path.write_bytes(result)
        if not unmendable:
            assert header_witnesses.pydicom_fault(result) == "", to
            assert header_witnesses.structural_faults(path) == [], to


@pytest.mark.parametrize(
    "name",
    ["zeros for VR", "long PN", "first item too long", "no item delimiters", "out of order",
     "twice", "bytes before the data set", "sequence past the end", "no sequence"],
)  # fmt: skip
def test_strict_readers_object_to_wrong_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.dcm"
    path.write_bytes(CASES[name].make())

    fault = header_witnesses.pydicom_fault(path.read_bytes())
    assert fault or header_witnesses.structural_faults(path)


@pytest.mark.parametrize("name", CASES)
def test_pixels_are_the_same_whether_standardized_or_not(name: str) -> None:
    content = CASES[name].make()
    expected = native_samples(whole())

    for to in ("explicit-be", "implicit-le", "rle", "jpeg-ls"):
        # A VR of a later edition is carried over, and pydicom reads none.
        for standardize in (True,) if name == "letters of no VR" else (False, True):
            result = convert_bytes(content, to=to, standardize=standardize, verify=True)
            again = convert_bytes(result, to="explicit-le")
            assert np.array_equal(native_samples(again), expected), to


@pytest.mark.parametrize("name", CASES)
def test_strict_refuses_what_the_standard_does_not_allow(name: str) -> None:
    case = CASES[name]
    allowed = all(ODDITIES[one].severity is Severity.ALLOWED for one in case.ids)

    for standardize in (False, True):
        if allowed:
            convert_bytes(case.make(), to="rle", strict=True, standardize=standardize)
        else:
            with pytest.raises(ContradictionError):
                convert_bytes(case.make(), to="rle", strict=True, standardize=standardize)


def test_empty_values_have_the_right_number_of_values() -> None:
    # Of type 2, whatever the multiplicity: 2, 2-n, 3, 6 (PS3.5 7.4.3).
    empty = [(0x00200020, "CS"), (0x00080008, "CS"), (0x00200032, "DS"), (0x00200037, "DS")]
    for value in (b"", b"  "):
        content, _ = IMAGE_KINDS["gray-8"].make(extra=[(tag, vr, value) for tag, vr in empty])
        report = convert(content, io.BytesIO(), to="rle", strict=True, standardize=True)
        assert (report.oddities, report.repairs) == ((), ())


def test_a_right_file_is_left_byte_for_byte() -> None:
    for kind in IMAGE_KINDS.values():
        content, _ = kind.make()
        out = io.BytesIO()
        report = convert(content, out, to="explicit-le", standardize=True)
        assert (report.action, out.getvalue()) == ("copied", content)
    with open_tolerantly(whole()) as file:
        found = make_standard(file)
        assert (found.file, found.repaired, found.left) == (file, (), ())
    assert standard(whole(IMPLICIT_LE), "implicit-le") == whole(IMPLICIT_LE)


def test_without_standardize_what_no_edit_names_stays_as_it_is() -> None:
    for name in ("group lengths", "out of order", "twice", "odd length", "another VR"):
        content = CASES[name].make()
        with open_dicom(content) as file:
            before = [file.data_set.read_raw(span) for span in file.data_set.elements]
        assert convert_bytes(content, to="explicit-le") == content
        with open_dicom(convert_bytes(content, to="rle")) as file:
            after = [file.data_set.read_raw(span) for span in file.data_set.elements]
        kept = [raw for raw in before if raw[2:4] != b"\0\0" and raw[:2] != b"\xe0\x7f"]
        assert [raw for raw in after if raw[:2] != b"\xe0\x7f"] == kept


def test_vrs_that_are_stated_among_others_that_are_not_are_kept() -> None:
    private = element(PRIVATE, "FD", struct.pack("<d", 1.5))
    expected = data_set_of(standard(whole(IMPLICIT_LE)))
    for content in (explicit_among_implicit(NAME), explicit_in_implicit_item()):
        assert data_set_of(standard(content)) == expected
    for standardize in (False, True):
        result = convert_bytes(with_private(private), to="explicit-le", standardize=standardize)
        assert private in result


def with_private(private: bytes) -> bytes:
    content = explicit_among_implicit(PRIVATE)
    return content.replace(parts()[PRIVATE], private)


def test_image_pixel_attributes_that_were_assumed_are_written() -> None:
    content, samples = make_file(6, 5, bits_stored=16)
    for tag in (0x00280002, 0x00280004, 0x00280101, 0x00280102, 0x00280103):
        with open_dicom(content) as file:
            span = file.data_set.find(tag)
            assert span is not None
            lacking = content[: span.start] + content[span.end :]
        assert "missing-attribute" in ids_of(lacking)
        assert data_set_of(standard(lacking)) == data_set_of(content)
    frames = element(tags.NUMBER_OF_FRAMES, "IS", b"0 ")
    with open_dicom(content) as file:
        span = file.data_set.find(tags.ROWS)
        assert span is not None
        zero = content[: span.start] + frames + content[span.start :]
    with open_dicom(standard(zero)) as file:
        assert file.data_set.read_text(tags.NUMBER_OF_FRAMES) == "1"
    assert np.array_equal(native_samples(standard(zero)), samples)


def test_file_meta_information_is_completed_from_the_data_set() -> None:
    content = whole()
    other = content.replace(b"1.2.840.10008.5.1.4.1.1.7\0", b"1.2.840.10008.5.1.4.1.1.2\0", 1)

    assert ids_of(other) == {"incomplete-file-meta"}
    with open_dicom(standard(other)) as file:
        assert file.head.read_text(tags.MEDIA_STORAGE_SOP_CLASS_UID) == "1.2.840.10008.5.1.4.1.1.7"
    assert convert_bytes(other, to="explicit-le") == other


@pytest.mark.parametrize(
    "wrong", [element(0x00020012, "UI", b"abc\0"), element(0x00020013, "SH", b"V" * 18)]
)
def test_a_wrong_name_of_the_writer_is_replaced(wrong: bytes) -> None:
    (tag,) = struct.unpack("<H", wrong[2:4])
    content = with_meta_part(0x00020000 | tag, wrong)

    assert ids_of(content) == {"illegal-value"}
    with pytest.raises(ContradictionError):
        convert_bytes(content, to="explicit-le", strict=True)
    assert ids_of(standard(content)) == set()


def test_the_report_lists_repairs_and_the_command_tells_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "odd.dcm", tmp_path / "standard.dcm"
    source.write_bytes(CASES["odd length"].make())

    words = ["convert", str(source), "--to", "explicit-le", "-o", str(target), "--standardize"]
    assert run([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [repair["id"] for repair in report["repairs"]] == ["odd-length"]
    assert data_set_of(target.read_bytes()) == data_set_of(whole())
    assert run([*words, "--overwrite", "-v"]) == 0
    assert "standardized: (0020,4000) has 9 bytes" in capsys.readouterr().err
    assert run(["inspect", str(source)]) == 0
    told = capsys.readouterr().out
    assert "[odd-length] assumed: its stated length; --standardize: the pad byte" in told


def test_gdcm_cannot_standardize() -> None:
    with pytest.raises(InvalidOptionError):
        convert_bytes(whole(), to="explicit-le", standardize=True, engine="gdcm")


TEXTS = st.text("ABCabc 0123", max_size=9).map(str.encode)
VALUES = {
    "LO": TEXTS, "SH": TEXTS, "US": st.binary(min_size=2, max_size=2), "OB": st.binary(max_size=9),
    "UN": st.binary(max_size=9),
}  # fmt: skip
ELEMENTS = st.lists(
    st.tuples(st.integers(0x1001, 0x1040), st.sampled_from(sorted(VALUES))).flatmap(
        lambda pair: st.tuples(st.just(0x00090000 + pair[0]), st.just(pair[1]), VALUES[pair[1]])
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(elements=ELEMENTS, in_item=st.booleans(), undefined=st.booleans())
def test_standardizing_loses_nothing(
    elements: list[tuple[int, str, bytes]], in_item: bool, undefined: bool
) -> None:
    """Of any elements, in any order and number, the first of each is there with its value."""
    creator = element(0x00090010, "LO", b"DICODEC TESTS ")
    raw = creator + b"".join(element(tag, vr, value) for tag, vr, value in elements)
    if in_item:
        length = 0xFFFFFFFF if undefined else len(raw)
        raw = struct.pack("<HHI", 0xFFFE, 0xE000, length) + raw
        raw += struct.pack("<HHI", 0xFFFE, 0xE00D, 0) * undefined
        raw = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, len(raw)) + raw
        content = with_part(IMAGES, raw)
    else:
        content = with_part(0x00090010, raw)
        content = content.replace(parts()[PRIVATE], b"", 1)
    first: dict[int, tuple[str, bytes]] = {}
    for tag, vr, value in elements:
        first.setdefault(tag, (vr, value))

    with open_dicom(standard(content)) as file:
        data_set = file.data_set
        if in_item:
            raw = data_set.read_raw(next(one for one in data_set.elements if one.tag == IMAGES))
        else:
            spans = [one for one in data_set.elements if one.tag >> 16 == 9]
            raw = b"".join(data_set.read_raw(span) for span in spans)
    expected = creator + b"".join(
        element(tag, vr, padded(vr, value)) for tag, (vr, value) in sorted(first.items())
    )
    assert raw[20 if in_item else 0 :].startswith(expected)


def padded(vr: str, value: bytes) -> bytes:
    pad = b"\0" if vr in {"OB", "UN"} else b" "
    return value + pad * (len(value) % 2)


def test_large_values_stay_where_they_are() -> None:
    big = bytes(range(256)) * (1 << 13)
    content = with_part(0x00211001, element(0x00211001, "OB", big[:-1]))

    with open_tolerantly(content) as file:
        found = make_standard(file).file.data_set
        assert found.source.size < file.data_set.source.size + len(big) + 100
        span = found.find(0x00211001)
        assert span is not None
        assert found.read_raw(span)[12:-1] == big[:-1]
