"""Writing elements: nothing changes that no edit names, and edits stand in tag order."""

from __future__ import annotations

import struct
from typing import Unpack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicodec import convert_bytes
from dicodec.errors import InvalidOptionError, LimitExceededError
from dicodec.model.conversion_settings import ConversionSettings
from dicodec.model.limits import Limits
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.elements import walk_elements
from dicodec.part10.encoding import EXPLICIT_LITTLE, IMPLICIT_LITTLE, UNDEFINED_LENGTH
from dicodec.part10.source import BytesSource
from dicodec.part10.vr import VALUE_REPRESENTATIONS
from helpers.data_set_bytes import (
    data_set_of,
    element,
    file_of,
    header,
    item,
    marker,
    nested,
    sequence,
)
from helpers.made import IMAGE_KINDS, IMPLICIT_LE

KIND = IMAGE_KINDS["gray-12-in-16"]
CONTENT = KIND.make(rows=5, columns=7)[0]
PIXEL_DATA = 0x7FE00010

Raw = dict[int, bytes]


def raw_elements(content: bytes) -> Raw:
    """Return each top level element's bytes by tag, in file order."""
    data = data_set_of(content)
    spans = walk_elements(BytesSource(data), 0, len(data), EXPLICIT_LITTLE)
    return {span.tag: data[span.start : span.end] for span in spans}


BASE = raw_elements(CONTENT)
VRS = sorted(set(VALUE_REPRESENTATIONS) - {"SQ"})
VALUES = st.binary(max_size=21)  # of odd length too
LEAF_TAGS = st.one_of(
    st.sampled_from([0x00080023, 0x00081030, 0x00100040, 0x0018115E, 0x00204000, 0x00281050,
                     0x00400244, 0x00880130, 0x20500020, 0x60000010]),
    st.integers(0x00090011, 0x000900FF),  # private creators
    st.integers(0x00091000, 0x0009FFFF),  # of this private group some blocks are reserved
    st.integers(0x00430001, 0x0043FFFF),
    st.integers(0x00120001, 0x0012FFFF),  # mostly in no dictionary
    st.integers(0x7FE10001, 0xFFFC0000).filter(lambda tag: tag & 0xFFFF),  # behind Pixel Data
)  # fmt: skip
LEAVES = st.builds(lambda tag, vr, value: (tag, element(tag, vr, value)), LEAF_TAGS,
                   st.sampled_from([*VRS, "ZZ"]).filter(lambda vr: vr != "ZZ"), VALUES)  # fmt: skip


def sequences(content: st.SearchStrategy[tuple[int, bytes]]) -> st.SearchStrategy[bytes]:
    items = st.builds(
        lambda elements, undefined: item(
            b"".join(dict(sorted(elements)).values()), undefined=undefined
        ),
        st.lists(content, max_size=3),
        st.booleans(),
    )
    return st.builds(
        lambda items, undefined: sequence(0x00081140, *items, undefined=undefined),
        st.lists(items, max_size=3),
        st.booleans(),
    )


NESTED = sequences(LEAVES | sequences(LEAVES).map(lambda raw: (0x00081140, raw)))
DATA_SETS = st.builds(
    lambda leaves, nested: {**BASE, **dict(leaves), 0x00081140: nested},
    st.lists(LEAVES, max_size=12),
    NESTED,
)


def file_with(elements: Raw) -> bytes:
    return file_of(b"".join(raw for _, raw in sorted(elements.items())))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DATA_SETS, st.sampled_from(["rle", "explicit-be", "deflated", "jpeg-ls"]))
def test_elements_that_nothing_changes_come_back_byte_for_byte(elements: Raw, through: str) -> None:
    content = file_with(elements)

    there = convert_bytes(content, to=through, verify=True)
    back = convert_bytes(there, to="explicit-le", verify=True)

    assert data_set_of(back) == data_set_of(content)


@pytest.mark.parametrize("through", ["rle", "deflated", "explicit-be", "implicit-le"])
def test_a_file_that_is_made_twice_is_the_same_file(through: str) -> None:
    first = convert_bytes(CONTENT, to=through)

    assert convert_bytes(CONTENT, to=through) == first
    assert convert_bytes(first, to=through) == first


def test_group_lengths_are_dropped() -> None:
    lengths = {
        group << 16: element(group << 16, "UL", struct.pack("<I", 9999))
        for group in (0x0008, 0x0010, 0x0028, 0x7FE0)
    }
    for through in ("rle", "implicit-le", "explicit-be"):
        back = convert_bytes(convert_bytes(file_with({**BASE, **lengths}), to=through),
                             to="explicit-le")  # fmt: skip
        assert raw_elements(back) == BASE


def test_delimiters_and_zeros_that_do_not_belong_leave_nothing_behind() -> None:
    patient, *_ = (tag for tag in BASE if tag > 0x00100000)
    odd = b"".join(
        (marker(0xFFFEE00D) if tag == patient else b"") + raw for tag, raw in BASE.items()
    )
    for target in ("explicit-be", "rle"):
        result = convert_bytes(file_of(odd + bytes(700)), to=target)
        assert raw_elements(convert_bytes(result, to="explicit-le")) == BASE


def test_elements_out_of_order_and_twice_stay_where_they_are() -> None:
    data = (
        element(0x00200010, "SH", b"last")
        + element(0x00100020, "LO", b"one ")
        + element(0x00100020, "LO", b"two ")
        + element(0x00080060, "CS", b"OT")
    )
    content = file_of(data)

    for through in ("explicit-be", "implicit-le", "deflated"):
        assert data_set_of(convert_bytes(convert_bytes(content, to=through),
                                         to="explicit-le")) == data  # fmt: skip


def test_elements_without_vr_among_explicit_ones_get_one() -> None:
    island = element(0x00100030, "", b"20000101", IMPLICIT_LITTLE)
    content = file_of(element(0x00100020, "LO", b"one ") + island + BASE[0x00280010])

    for through in ("implicit-le", "deflated", "explicit-be"):
        back = convert_bytes(convert_bytes(content, to=through), to="explicit-le")
        assert raw_elements(back)[0x00100030] == element(0x00100030, "DA", b"20000101")


@pytest.mark.parametrize("vr", ["OB", "OW", "OF", "OD", "UN", "UT"])
def test_large_values_are_moved_in_pieces(vr: str) -> None:
    value = bytes(range(256)) * 9000  # more than is held at once
    large = {**BASE, 0x00091010: element(0x00091010, vr, value)}
    content = file_with(large)

    big = convert_bytes(content, to="explicit-be")
    unit = VALUE_REPRESENTATIONS[vr].swap_unit
    swapped = value[:unit][::-1] + value[unit : 2 * unit][::-1]
    with open_dicom(big) as file:
        span = file.data_set.find(0x00091010)
        assert span is not None
        assert (span.vr, span.length) == (vr, len(value))
        assert file.source.read(span.value, 2 * unit) == swapped
    assert data_set_of(convert_bytes(big, to="explicit-le")) == data_set_of(content)


def test_values_too_long_for_their_vr_become_unknown() -> None:
    # PS3.5 6.2.2: implicit VR has 32 bits for the length of any value.
    for size in (0xFFFE, 0x10000, 3 << 20):
        long = element(0x00204000, "", b"x" * size, IMPLICIT_LITTLE)
        content = file_of(element(0x00100020, "LO", b"one ", IMPLICIT_LITTLE) + long, IMPLICIT_LE)
        result = raw_elements(convert_bytes(content, to="explicit-le"))[0x00204000]
        vr = "UN" if size > 0xFFFE else "LT"
        assert result == element(0x00204000, vr, b"x" * size)


def test_what_must_be_held_is_bounded() -> None:
    large = sequence(0x00081140, *[item(element(0x00100020, "LO", b"0123"))] * 20_000)
    content = file_with({**BASE, 0x00081140: large})

    with pytest.raises(LimitExceededError, match="more than may be held in memory"):
        convert_bytes(content, to="implicit-le", limits=Limits(element_size=1000))
    assert convert_bytes(content, to="deflated", limits=Limits(element_size=1000))


def test_sequences_too_deep_are_refused_not_lost() -> None:
    content = file_with({**BASE, 0x00081140: nested(65)})

    with pytest.raises(LimitExceededError):
        convert_bytes(content, to="deflated")


# Edits.


def edited(content: bytes, through: str = "deflated", **edits: Unpack[ConversionSettings]) -> Raw:
    changed = convert_bytes(content, to=through, **edits)
    with open_dicom(changed) as file:
        tags = [span.tag for span in file.data_set.elements]
    assert tags == sorted(tags)
    return raw_elements(convert_bytes(changed, to="explicit-le"))


@pytest.mark.parametrize("through", ["deflated", "explicit-be", "rle", "implicit-le"])
def test_edits_stand_in_tag_order_and_touch_nothing_else(through: str) -> None:
    pairs = {
        "ImageComments": (0x00204000, element(0x00204000, "LT", b"new ")),  # in the middle
        "PatientID": (0x00100020, element(0x00100020, "LO", b"new ")),  # there already
        "LengthToEnd": (0x00080001, element(0x00080001, "UL", b"\7\0\0\0")),  # the very first
        "DataSetTrailingPadding": (0xFFFCFFFC, b""),  # behind Pixel Data; not text
    }
    del pairs["DataSetTrailingPadding"]
    changes = tuple((name, "7" if name == "LengthToEnd" else "new") for name in pairs)
    before = {**BASE, 0xFFFCFFFC: element(0xFFFCFFFC, "OB", b"\1\2\3\4")}
    removed = ("StudyInstanceUID", "00091001", "(FFFC,FFFC)", "SeriesNumber")

    after = edited(file_with(before), through, set_attributes=changes, remove_attributes=removed)

    expected = {**BASE, **dict(pairs.values())}
    del expected[0x0020000D]
    del expected[0x00091001]
    assert after == dict(sorted(expected.items()))


def test_edits_replace_all_of_an_element_that_is_there_twice() -> None:
    twice = file_of(BASE[0x00080060] + BASE[0x00100020] * 2 + BASE[0x00280010])

    assert edited(twice, set_attributes=(("PatientID", "new"),))[0x00100020].endswith(b"new ")
    assert 0x00100020 not in edited(twice, remove_attributes=("PatientID",))


def test_an_element_that_stands_behind_pixel_data_although_it_should_not_is_edited_too() -> None:
    behind = dict(BASE)
    patient = behind.pop(0x00100020)
    content = file_of(b"".join(behind.values()) + patient)

    after = edited(content, set_attributes=(("PatientID", "new"),))

    assert after == {**BASE, 0x00100020: element(0x00100020, "LO", b"new ")}


@pytest.mark.parametrize(
    "name",
    [
        "PixelData", "FloatPixelData", "DoubleFloatPixelData", "7FE00010", "(7fe0,0010)",
        "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames",
        "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
        "00280010", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
        "TransferSyntaxUID", "MediaStorageSOPInstanceUID", "00020010", "00020999",
        "FFFEE000", "FFFEE00D", "FFFEE0DD", "00080000", "00100000",
    ],
)  # fmt: skip
def test_what_follows_from_the_pixels_and_the_syntax_cannot_be_edited(name: str) -> None:
    for edits in ({"set_attributes": ((name, "1"),)}, {"remove_attributes": (name,)}):
        with pytest.raises(InvalidOptionError) as raised:
            convert_bytes(CONTENT, to="rle", **edits)
        assert raised.value.attribute


def test_sequences_of_undefined_length_stay_so() -> None:
    raw = sequence(
        0x00081140,
        item(element(0x00100020, "LO", b"0123"), undefined=True),
        item(b""),
        undefined=True,
    )
    assert raw.startswith(header(0x00081140, "SQ", UNDEFINED_LENGTH))
    content = file_with({**BASE, 0x00081140: raw})

    for through in ("rle", "implicit-le", "explicit-be"):
        back = convert_bytes(convert_bytes(content, to=through), to="explicit-le")
        assert raw_elements(back)[0x00081140] == raw


@pytest.mark.parametrize(
    ("title", "kept"),
    [(b" " * 18, b""), (b"ARCHIVE" + b" " * 13, b"ARCHIVE "), (b"A" * 18, b"A" * 18),
     (b"ARCHIVE ", b"ARCHIVE "), (b" " * 16, b" " * 16)],
)  # fmt: skip
def test_titles_in_file_meta_lose_the_blanks_that_make_them_too_long(
    title: bytes, kept: bytes
) -> None:
    # CTImage_JPEGProcess14.dcm of a public collection has 18 blanks, and dicom-rs refuses that.
    stated = element(0x00020016, "AE", title)
    end = 144 + struct.unpack_from("<I", CONTENT, 140)[0]
    length = struct.pack("<I", end - 144 + len(stated))
    titled = CONTENT[:140] + length + CONTENT[144:end] + stated + CONTENT[end:]
    result = convert_bytes(titled, to="rle")
    assert element(0x00020016, "AE", kept) in result
    assert raw_elements(convert_bytes(result, to="explicit-le")) == BASE
