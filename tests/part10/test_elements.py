"""Walking elements: every encoding, sequences of every shape, and what is no data set at all."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec.errors import (
    DicodecError,
    LimitExceededError,
    MalformedFileError,
    ReadError,
    TruncatedFileError,
)
from dicodec.model.limits import Limits
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import Walker, walk_elements, walk_items
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    DataSetEncoding,
)
from dicodec.part10.source import BytesSource
from dicodec.part10.vr import VALUE_REPRESENTATIONS
from helpers.counted_calls import calls
from helpers.data_set_bytes import element, file_of, header, item, marker, nested, sequence
from helpers.made import IMAGE_KINDS, IMPLICIT_LE

ENCODINGS = pytest.mark.parametrize(
    "encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE], ids=str
)
PATIENT_ID = element(0x00100020, "LO", b"0123")


def walk(data: bytes, encoding: DataSetEncoding = EXPLICIT_LITTLE) -> list[ElementSpan]:
    return list(walk_elements(BytesSource(data), 0, len(data), encoding))


def oddities(data: bytes, encoding: DataSetEncoding = EXPLICIT_LITTLE) -> list[str]:
    walker = Walker(BytesSource(data))
    for _ in walker.walk_elements(0, len(data), encoding):
        pass
    return [oddity.id for oddity in walker.oddities]


@ENCODINGS
@pytest.mark.parametrize("vr", sorted(VALUE_REPRESENTATIONS))
def test_headers_of_every_vr_are_read(vr: str, encoding: DataSetEncoding) -> None:
    value = b"" if vr == "SQ" else b"abcdefgh"
    data = element(0x00080018, "UI", b"1.2\0", encoding)
    first = len(data)
    data += element(0x00091001, vr, value, encoding)

    _, span = walk(data, encoding)

    assert span == ElementSpan(
        0x00091001,
        vr if encoding.explicit_vr else "",
        first,
        len(data) - len(value),
        len(value),
        len(data),
        False,
    )


@ENCODINGS
@pytest.mark.parametrize("undefined_item", [False, True])
@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_are_spans_with_items(
    undefined: bool, undefined_item: bool, encoding: DataSetEncoding
) -> None:
    content = element(0x00100020, "LO", b"0123", encoding)
    items = [item(content, encoding, undefined=undefined_item) for _ in range(3)]
    empty = item(b"", encoding, undefined=undefined_item)
    data = sequence(0x00081140, *items, empty, encoding=encoding, undefined=undefined)
    after = element(0x00100010, "PN", b"A^B ", encoding)

    span, last = walk(data + after, encoding)

    assert (span.start, span.end, span.undefined) == (0, len(data), undefined)
    assert last.tag == 0x00100010
    found = list(walk_items(BytesSource(data + after), span, encoding))
    assert [one.length for one in found] == [len(content)] * 3 + [0]
    assert [one.undefined for one in found] == [undefined_item] * 4
    inner = walk_elements(
        BytesSource(data + after), found[1].value, found[1].value + found[1].length, encoding
    )
    assert [one.tag for one in inner] == [0x00100020]


@ENCODINGS
def test_sequences_are_walked_to_the_depth_that_is_allowed(encoding: DataSetEncoding) -> None:
    limit = Limits().nesting_depth
    (span,) = walk(nested(limit, encoding), encoding)
    assert span.undefined

    with pytest.raises(LimitExceededError):
        walk(nested(limit + 1, encoding), encoding)
    with pytest.raises(LimitExceededError):
        walk(nested(2000, encoding), encoding)


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, EXPLICIT_BIG], ids=str)
def test_unknown_elements_of_undefined_length_hold_implicit_vr(encoding: DataSetEncoding) -> None:
    # PS3.5 6.2.2 note 2: implicit VR little endian, whatever the data set around it is in.
    content = element(0x00100020, "LO", b"0123", IMPLICIT_LITTLE)
    inner = item(content, IMPLICIT_LITTLE, undefined=True)
    data = sequence(0x00091001, inner, encoding=encoding, undefined=True, vr="UN")

    span, after = walk(data + element(0x00100020, "LO", b"0123", encoding), encoding)

    assert span.end == len(data)
    assert after.tag == 0x00100020


def test_unknown_elements_that_hold_explicit_vr_all_the_same_are_walked_and_noted() -> None:
    data = sequence(
        0x00091001, item(PATIENT_ID, undefined=True), item(PATIENT_ID), undefined=True, vr="UN"
    )

    span, after = walk(data + PATIENT_ID)

    assert (span.end, after.start) == (len(data), len(data))
    assert oddities(data + PATIENT_ID) == ["explicit-in-un"]


def test_sequences_within_unknown_elements_may_be_of_undefined_length() -> None:
    deep = nested(3, IMPLICIT_LITTLE)
    inner = item(deep, IMPLICIT_LITTLE, undefined=True)
    data = sequence(0x00091001, inner, undefined=True, vr="UN")

    assert [span.end for span in walk(data)] == [len(data)]


@pytest.mark.parametrize("zeros", [1, 3, 7, 8, 9, 12, 511, 512, 100_000])
@ENCODINGS
def test_zeros_after_the_last_element_are_noted_once(zeros: int, encoding: DataSetEncoding) -> None:
    data = element(0x00100020, "LO", b"0123", encoding) + bytes(zeros)

    assert [span.tag for span in walk(data, encoding)] == [0x00100020]
    assert oddities(data, encoding) == ["trailing-zeros"]


@ENCODINGS
def test_zeros_between_elements_are_refused(encoding: DataSetEncoding) -> None:
    one = element(0x00100020, "LO", b"0123", encoding)

    with pytest.raises(MalformedFileError) as raised:
        walk(one + bytes(64) + one, encoding)

    assert raised.value.offset == len(one)


@pytest.mark.parametrize("tag", [0xFFFEE0DD, 0xFFFEE00D])
def test_delimiters_outside_of_a_sequence_end_nothing(tag: int) -> None:
    data = PATIENT_ID + marker(tag) + element(0x00100030, "DA", b"20000101")

    assert [span.tag for span in walk(data)] == [0x00100020, 0x00100030]
    assert oddities(data) == ["stray-delimiter"]


def test_an_item_outside_of_a_sequence_is_refused() -> None:
    with pytest.raises(MalformedFileError, match=r"\(FFFE,E000\) outside of a sequence"):
        walk(PATIENT_ID + item(PATIENT_ID))


def test_elements_without_vr_among_explicit_ones_are_noted() -> None:
    data = PATIENT_ID + element(0x00100030, "", b"20000101") + element(0x00100040, "CS", b"O ")

    spans = walk(data)

    assert [(span.tag, span.vr) for span in spans] == [
        (0x00100020, "LO"), (0x00100030, ""), (0x00100040, "CS"),
    ]  # fmt: skip
    assert oddities(data) == ["implicit-element"]


@pytest.mark.parametrize("letters", [b"ZZ", b"OX", b"??", b"sq", b"  "])
def test_letters_that_are_not_a_vr_are_refused_where_they_stand(letters: bytes) -> None:
    # Whatever length field is read, it could fall on an element by chance.
    data = PATIENT_ID + struct.pack("<HH2sHI", 0x0011, 0x1001, letters, 0, 4) + b"1234"

    with pytest.raises(MalformedFileError, match="is not a VR") as raised:
        walk(data + bytes(100_000))
    assert raised.value.offset == len(PATIENT_ID)


def test_group_2_may_have_vrs_of_a_later_edition() -> None:
    data = struct.pack("<HH2sHI", 0x0002, 0x0999, b"ZZ", 0, 4) + b"1234" + PATIENT_ID

    assert [(span.vr, span.length) for span in walk(data)] == [("ZZ", 4), ("LO", 4)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(0x00100020, "LO", 6) + b"1234", "has length 6, but only 4 bytes remain"),
        (header(0x00091001, "UN", 0xFFFFFFFE), "has length 4294967294, but only 0 bytes remain"),
        (PATIENT_ID[:6], "ends inside an element"),
        (header(0x00091001, "UN", 0)[:10], "ends inside an element"),
        (header(0x00081140, "SQ", 0xFFFFFFFF), "no delimiter"),
        (header(0x00081140, "SQ", 0xFFFFFFFF) + item(PATIENT_ID), "no delimiter"),
        (header(0x00081140, "SQ", 0xFFFFFFFF) + marker(0xFFFEE000, 99), "has length 99, but"),
        (
            header(0x00081140, "SQ", 0xFFFFFFFF) + marker(0xFFFEE000, 0xFFFFFFFF) + PATIENT_ID,
            "inside a sequence",
        ),
    ],
)
def test_what_ends_too_early_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(TruncatedFileError, match=message):
        walk(data)


@pytest.mark.parametrize(
    "content", [PATIENT_ID, element(0x00280010, "US", b"\1\0"), bytes(8), b"\xff" * 16]
)
def test_a_sequence_of_something_else_than_items_is_refused(content: bytes) -> None:
    with pytest.raises((MalformedFileError, TruncatedFileError)):
        walk(header(0x00081140, "SQ", 0xFFFFFFFF) + content + marker(0xFFFEE0DD))


def test_the_number_of_elements_is_bounded() -> None:
    data = element(0x00100020, "LO", b"") * 101
    limits = Limits(elements=100)

    with pytest.raises(LimitExceededError):
        list(walk_elements(BytesSource(data), 0, len(data), EXPLICIT_LITTLE, limits=limits))
    data = data[:-8]
    assert len(walk(data)) == 100


@pytest.mark.parametrize(
    "piece",
    [
        PATIENT_ID,
        sequence(0x00081140, *[item(PATIENT_ID, undefined=True)] * 3, undefined=True),
        nested(20),
        sequence(0x00091001, item(b"", undefined=True), undefined=True, vr="UN"),
    ],
    ids=["elements", "items", "nested", "unknown"],
)
def test_walking_takes_linear_time(piece: bytes) -> None:
    small, large = piece * 50, piece * 800

    assert calls(lambda: walk(large))["all"] < 17 * calls(lambda: walk(small))["all"]


# What is in no data set at all: nothing but our errors may come out.

TAGS = st.sampled_from(
    [0x00020010, 0x00080018, 0x00081140, 0x00091001, 0x00280010, 0x7FE00010, 0xFFFEE000,
     0xFFFEE00D, 0xFFFEE0DD, 0xFFFCFFFC, 0]
)  # fmt: skip
LENGTHS = st.sampled_from([0, 1, 2, 4, 8, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF])
PIECES = st.one_of(
    st.binary(max_size=20),
    st.builds(
        lambda tag, vr, value: element(tag, vr, value),
        TAGS,
        st.sampled_from([*VALUE_REPRESENTATIONS, "ZZ", ""]),
        st.binary(max_size=12),
    ),
    st.builds(lambda tag, vr, length: header(tag, vr, length % 65536 if vr not in {"SQ", "UN", "OB"}
              else length), TAGS, st.sampled_from(["SQ", "UN", "OB", "US", "LO"]), LENGTHS),
    st.builds(marker, TAGS, LENGTHS),
)  # fmt: skip
BODIES = st.lists(PIECES, max_size=12).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(BODIES, st.sampled_from([EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE]))
def test_any_bytes_are_walked_or_refused(data: bytes, encoding: DataSetEncoding) -> None:
    try:
        spans = walk(data, encoding)
    except DicodecError:
        return
    assert [span.start for span in spans] == sorted(span.start for span in spans)
    for span in spans:
        assert span.start < span.value <= span.value + span.length <= span.end <= len(data)


SYNTAXES = st.sampled_from(
    [IMPLICIT_LE, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
     "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.100", "1.2.3"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(BODIES, SYNTAXES, st.booleans())
def test_any_bytes_are_opened_or_refused(body: bytes, syntax: str, with_head: bool) -> None:
    try:
        with open_dicom(file_of(body, syntax) if with_head else body):
            pass
    except ReadError:
        pass


MADE = IMAGE_KINDS["gray-12-in-16"].make(rows=4, columns=5)[0]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(MADE) - 1), st.binary(min_size=1, max_size=4))
def test_damaged_files_are_opened_or_refused(place: int, damage: bytes) -> None:
    try:
        with open_dicom(MADE[:place] + damage + MADE[place + len(damage) :]):
            pass
    except ReadError:
        pass
