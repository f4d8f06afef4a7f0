"""Re-encoding: against a naive serializer, by round trips, and as pydicom reads it."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from dicodec.errors import (
    LimitExceededError,
    MalformedFileError,
    ReadError,
    TruncatedFileError,
)
from dicodec.model.limits import Limits
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import PIXEL_DATA_TAGS, walk_elements
from dicodec.part10.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    DataSetEncoding,
    encode_tag,
)
from dicodec.part10.file_meta import guess_encoding, read_head
from dicodec.part10.implicit_vr import ReencodingContext
from dicodec.part10.reencode import reencode_elements
from dicodec.part10.source import BytesSource
from dicodec.part10.vr import VALUE_REPRESENTATIONS
from helpers import data_set_bytes
from helpers.data_set_bytes import element, item, sequence

ENCODINGS = (EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE)
UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True)
class Element:
    """One element as the serializer below takes it; `value` is little endian."""

    tag: int
    vr: str
    value: bytes = b""
    items: tuple[tuple[bool, tuple[Element, ...]], ...] = ()
    undefined: bool = False


def serialize(elements: tuple[Element, ...], encoding: DataSetEncoding) -> bytes:
    """Write a data set the plain way."""
    return b"".join(serialize_element(element, encoding) for element in elements)


def serialize_element(element: Element, encoding: DataSetEncoding) -> bytes:
    row = VALUE_REPRESENTATIONS[element.vr]
    value, length = element.value, len(element.value)
    if element.vr == "SQ":
        value = b"".join(serialize_item(*item, encoding) for item in element.items)
        length = len(value)
        if element.undefined:
            value += delimiter(0xFFFEE0DD, 0, encoding)
            length = UNDEFINED
    elif not encoding.little_endian and row.swap_unit > 1:
        unit = row.swap_unit
        whole = length - length % unit
        swapped = [value[i : i + unit][::-1] for i in range(0, whole, unit)]
        value = b"".join(swapped) + value[whole:]
    header = encode_tag(element.tag, encoding)
    if encoding.explicit_vr:
        header += element.vr.encode()
        if row.long_form:
            return header + struct.pack(encoding.order + "HI", 0, length) + value
        return header + struct.pack(encoding.order + "H", length) + value
    return header + struct.pack(encoding.order + "I", length) + value


def serialize_item(
    undefined: bool, elements: tuple[Element, ...], encoding: DataSetEncoding
) -> bytes:
    content = serialize(elements, encoding)
    if undefined:
        end = delimiter(0xFFFEE00D, 0, encoding)
        return delimiter(0xFFFEE000, UNDEFINED, encoding) + content + end
    return delimiter(0xFFFEE000, len(content), encoding) + content


def delimiter(tag: int, length: int, encoding: DataSetEncoding) -> bytes:
    return encode_tag(tag, encoding) + struct.pack(encoding.order + "I", length)


# Elements whose VR the dictionary leaves no choice about; no Group Lengths, which come and go.
SURE_TAGS = {
    tag: row[0]
    for tag, row in DicomDictionary.items()
    if len(row[0]) == 2 and tag & 0xFFFF and tag >> 16 >= 8 and not tag & 0x10000
    and tag not in {0x00280103, 0x54001004} and tag not in PIXEL_DATA_TAGS
}  # fmt: skip
TAGS_BY_VR: dict[str, list[int]] = {}
for _tag, _vr in SURE_TAGS.items():
    TAGS_BY_VR.setdefault(_vr, []).append(_tag)
VALUE_VRS = sorted(set(TAGS_BY_VR) - {"SQ"})
ALL_VRS = sorted(set(VALUE_REPRESENTATIONS) - {"SQ"})
VALUES = st.binary(max_size=24)

Elements = st.SearchStrategy[tuple[Element, ...]]


def data_sets(plain: st.SearchStrategy[Element], sq_tags: st.SearchStrategy[int]) -> Elements:
    """Data sets of plain elements and of sequences of such data sets."""

    def with_sequences(inner: Elements) -> Elements:
        items = st.lists(st.tuples(st.booleans(), inner), max_size=3).map(tuple)
        sequence = st.builds(
            Element, sq_tags, st.just("SQ"), st.just(b""), items=items, undefined=st.booleans()
        )
        return st.lists(st.one_of(plain, sequence), max_size=5).map(tuple)

    return st.recursive(st.lists(plain, max_size=5).map(tuple), with_sequences, max_leaves=8)


@st.composite
def conforming_elements(draw: st.DrawFn) -> Element:
    vr = draw(st.sampled_from(VALUE_VRS))
    return Element(draw(st.sampled_from(TAGS_BY_VR[vr])), vr, draw(VALUES))


@st.composite
def any_elements(draw: st.DrawFn) -> Element:
    tag = draw(st.integers(0x00080001, 0xFFFD0000 - 1))
    return Element(tag, draw(st.sampled_from(ALL_VRS)), draw(VALUES))


CONFORMING = data_sets(conforming_elements(), st.sampled_from(TAGS_BY_VR["SQ"]))
ANY = data_sets(any_elements(), st.integers(0x00080001, 0xFFFD0000 - 1))


def reencode(
    raw: bytes, source: DataSetEncoding, target: DataSetEncoding, *, signed: bool = False
) -> bytes:
    return reencode_elements(raw, source, target, ReencodingContext(signed=signed))


@given(elements=CONFORMING)
def test_what_the_dictionary_knows_becomes_what_a_plain_writer_writes(
    elements: tuple[Element, ...],
) -> None:
    for source in ENCODINGS:
        raw = serialize(elements, source)
        for target in ENCODINGS:
            assert reencode(raw, source, target) == serialize(elements, target)


@given(elements=ANY)
def test_byte_order_there_and_back_is_exact(elements: tuple[Element, ...]) -> None:
    little = serialize(elements, EXPLICIT_LITTLE)

    big = reencode(little, EXPLICIT_LITTLE, EXPLICIT_BIG)

    assert big == serialize(elements, EXPLICIT_BIG)
    assert reencode(big, EXPLICIT_BIG, EXPLICIT_LITTLE) == little


@given(elements=ANY)
def test_implicit_there_and_back_is_exact_whatever_the_elements(
    elements: tuple[Element, ...],
) -> None:
    no_group_lengths = tuple(element for element in elements if has_no_group_length(element))
    implicit = serialize(no_group_lengths, IMPLICIT_LITTLE)

    for target in (EXPLICIT_LITTLE, EXPLICIT_BIG):
        explicit = reencode(implicit, IMPLICIT_LITTLE, target)
        assert reencode(explicit, target, IMPLICIT_LITTLE) == implicit


def has_no_group_length(element: Element) -> bool:
    return bool(element.tag & 0xFFFF) and all(
        has_no_group_length(inner) for _, content in element.items for inner in content
    )


@given(
    raw=st.binary(max_size=200),
    source=st.sampled_from(ENCODINGS),
    target=st.sampled_from(ENCODINGS),
)
def test_any_bytes_are_reencoded_or_refused_as_unreadable(
    raw: bytes, source: DataSetEncoding, target: DataSetEncoding
) -> None:
    assert_reencoded_or_refused(raw, source, target)


def assert_reencoded_or_refused(
    raw: bytes, source: DataSetEncoding, target: DataSetEncoding
) -> None:
    refused: ReadError | None = None
    try:
        reencode(raw, source, target)
    except ReadError as error:
        refused = error
    assert refused is None or refused.offset is not None


@settings(max_examples=300)
@given(elements=ANY, cut=st.integers(0, 10_000), flip=st.integers(0, 10_000), byte=st.binary(
    min_size=1, max_size=1))  # fmt: skip
def test_damaged_data_sets_are_reencoded_or_refused(
    elements: tuple[Element, ...], cut: int, flip: int, byte: bytes
) -> None:
    for source in ENCODINGS:
        raw = serialize(elements, source)
        if raw:
            at = flip % len(raw)
            damaged = (raw[:at] + byte + raw[at + 1 :])[: cut % (2 * len(raw))]
            for target in ENCODINGS:
                assert_reencoded_or_refused(damaged, source, target)


def us(tag: int, number: int) -> Element:
    return Element(tag, "US", struct.pack("<H", number))


def explicit_vrs(raw: bytes) -> list[tuple[int, str]]:
    """Tags and VRs of explicit VR little endian, sequences entered, in file order."""
    data_set = read_dataset(io.BytesIO(raw), is_implicit_VR=False, is_little_endian=True)
    return [(int(element.tag), str(element.VR)) for element in data_set.iterall()]


@pytest.mark.parametrize(("signed", "vr"), [(False, "US"), (True, "SS")])
def test_pixel_representation_decides_between_us_and_ss(signed: bool, vr: str) -> None:
    raw = serialize((us(0x00280106, 1), us(0x00280120, 2)), IMPLICIT_LITTLE)

    made = reencode(raw, IMPLICIT_LITTLE, EXPLICIT_LITTLE, signed=signed)

    assert explicit_vrs(made) == [(0x00280106, vr), (0x00280120, vr)]


@pytest.mark.parametrize("undefined", [False, True])
def test_an_items_own_pixel_representation_rules_its_elements_only(undefined: bool) -> None:
    unsigned_item = (us(0x00189810, 5), us(0x00280103, 0), us(0x00280106, 1))
    silent_item = (us(0x00280106, 1),)
    nested = Element(0x00082112, "SQ", items=((undefined, silent_item),), undefined=undefined)
    elements = (
        Element(
            0x00880200, "SQ", undefined=undefined,
            items=((undefined, silent_item), (undefined, (nested, *unsigned_item))),
        ),
        us(0x00880904, 1),
    )  # fmt: skip

    made = reencode(
        serialize(elements, IMPLICIT_LITTLE), IMPLICIT_LITTLE, EXPLICIT_LITTLE, signed=True
    )

    vrs = [vr for tag, vr in explicit_vrs(made) if tag in {0x00280106, 0x00189810}]
    assert vrs == ["SS", "US", "US", "US"]


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00283006, "OW"),
        (0x00281200, "OW"),
        (0x00281201, "OW"),
        (0x60003000, "OW"),
        (0x601E3000, "OW"),
        (0x7FE00010, "OW"),
        (0x00143050, "OW"),
        (0x00090001, "UN"),
        (0x00091001, "UN"),
        (0x00100001, "UN"),
    ],
)
def test_what_the_dictionary_leaves_open(tag: int, vr: str) -> None:
    raw = serialize((Element(tag, "UN", b"\1\2"),), IMPLICIT_LITTLE)

    made = reencode(raw, IMPLICIT_LITTLE, EXPLICIT_BIG)

    value = b"\2\1" if vr == "OW" else b"\1\2"
    assert made == encode_tag(tag, EXPLICIT_BIG) + vr.encode() + b"\0\0\0\0\0\2" + value


@pytest.mark.parametrize(("bits", "vr"), [(8, "OB"), (16, "OW")])
def test_waveform_data_follows_its_bits(bits: int, vr: str) -> None:
    item = (Element(0x54000110, "OW", b"\0\0"), us(0x54001004, bits),
            Element(0x54001010, "OW", b"\1\2"))  # fmt: skip
    raw = serialize((Element(0x54000100, "SQ", items=((True, item),)),), IMPLICIT_LITTLE)

    made = explicit_vrs(reencode(raw, IMPLICIT_LITTLE, EXPLICIT_LITTLE))

    assert made[1:] == [(0x54000110, vr), (0x54001004, "US"), (0x54001010, vr)]


def test_private_elements_follow_the_creator_of_their_level() -> None:
    creator = Element(0x00290011, "LO", b"SIEMENS CSA HEADER")
    known = (creator, Element(0x00291108, "CS", b"IMAGE "), Element(0x002911FE, "UN", b"x "))
    unknown = (Element(0x00291108, "UN", b"IMAGE "),)
    sequence = Element(0x00082112, "SQ", items=((False, unknown), (False, known)))
    elements = (sequence, *known, Element(0x00291208, "UN", b"IMAGE "))

    made = reencode(serialize(elements, IMPLICIT_LITTLE), IMPLICIT_LITTLE, EXPLICIT_LITTLE)

    assert made == serialize(elements, EXPLICIT_LITTLE)


def test_creators_are_remembered_from_call_to_call() -> None:
    context = ReencodingContext()
    elements = (
        Element(0x00290010, "LO", b"SIEMENS CSA HEADER"),
        Element(0x00291008, "CS", b"IMAGE "),
    )

    made = [
        reencode_elements(
            serialize((element,), IMPLICIT_LITTLE), IMPLICIT_LITTLE, EXPLICIT_LITTLE, context
        )
        for element in elements
    ]

    assert b"".join(made) == serialize(elements, EXPLICIT_LITTLE)


@pytest.mark.parametrize(("length", "vr"), [(65534, b"DS"), (65535, b"UN"), (65536, b"UN")])
def test_a_value_too_long_for_its_vr_becomes_un(length: int, vr: bytes) -> None:
    raw = serialize((Element(0x3006_0050, "DS", b"1" * length),), IMPLICIT_LITTLE)

    made = reencode(raw, IMPLICIT_LITTLE, EXPLICIT_LITTLE)

    assert made[4:6] == vr
    assert reencode(made, EXPLICIT_LITTLE, IMPLICIT_LITTLE) == raw


def test_a_long_binary_value_that_becomes_un_stays_little_endian() -> None:
    raw = serialize((Element(0x00280301, "US", b"\1\0" * 40000),), IMPLICIT_LITTLE)
    long = encode_tag(0x00041220, IMPLICIT_LITTLE)  # any tag of another VR would do
    raw = encode_tag(0x00280106, IMPLICIT_LITTLE) + raw[len(long) :]

    made = reencode(raw, IMPLICIT_LITTLE, EXPLICIT_BIG)

    assert made[4:12] == b"UN\0\0" + struct.pack(">I", 80000)
    assert made[12:] == b"\1\0" * 40000


def test_an_unknown_sequence_of_undefined_length_stays_implicit_inside_un() -> None:
    content = serialize_item(True, (us(0x00280106, 1),), IMPLICIT_LITTLE)
    content += delimiter(0xFFFEE0DD, 0, IMPLICIT_LITTLE)
    raw = encode_tag(0x00091001, IMPLICIT_LITTLE) + b"\xff" * 4 + content

    for target in (EXPLICIT_LITTLE, EXPLICIT_BIG):
        made = reencode(raw, IMPLICIT_LITTLE, target)
        assert made == encode_tag(0x00091001, target) + b"UN\0\0" + b"\xff" * 4 + content
        assert reencode(made, target, IMPLICIT_LITTLE) == raw


def test_explicit_vrs_inside_un_leave_when_all_leave() -> None:
    inside = (us(0x00280106, 1), Element(0x00280301, "US", b""))
    explicit = serialize_item(True, inside, EXPLICIT_LITTLE)
    explicit += delimiter(0xFFFEE0DD, 0, EXPLICIT_LITTLE)
    implicit = serialize_item(True, inside, IMPLICIT_LITTLE)
    implicit += delimiter(0xFFFEE0DD, 0, IMPLICIT_LITTLE)
    raw = encode_tag(0x00091001, EXPLICIT_LITTLE) + b"UN\0\0" + b"\xff" * 4 + explicit

    made = reencode(raw, EXPLICIT_LITTLE, IMPLICIT_LITTLE)

    assert made == encode_tag(0x00091001, IMPLICIT_LITTLE) + b"\xff" * 4 + implicit


def test_group_lengths_leave_where_vrs_come_or_go() -> None:
    length = Element(0x00280000, "UL", b"\6\0\0\0")
    item = (length, us(0x00280002, 1))
    elements = (Element(0x00080000, "UL", b"\0\0\0\0"),
                Element(0x00880200, "SQ", items=((False, item),)))  # fmt: skip
    without = (Element(0x00880200, "SQ", items=((False, item[1:]),)),)

    for source, target in [(EXPLICIT_LITTLE, IMPLICIT_LITTLE), (IMPLICIT_LITTLE, EXPLICIT_BIG)]:
        made = reencode(serialize(elements, source), source, target)
        assert made == serialize(without, target)
    big = reencode(serialize(elements, EXPLICIT_LITTLE), EXPLICIT_LITTLE, EXPLICIT_BIG)
    assert big == serialize(elements, EXPLICIT_BIG)


def test_what_should_be_a_sequence_and_is_none_becomes_un_and_is_noted() -> None:
    raw = serialize((Element(0x00880200, "UN", b"no sequence "),), IMPLICIT_LITTLE)
    context = ReencodingContext()

    made = reencode_elements(raw, IMPLICIT_LITTLE, EXPLICIT_LITTLE, context)

    assert made == serialize((Element(0x00880200, "UN", b"no sequence "),), EXPLICIT_LITTLE)
    assert [oddity.id for oddity in context.oddities] == ["sequence-kept-as-un"]


def test_an_encapsulated_icon_keeps_its_fragments_and_is_noted() -> None:
    def icon(encoding: DataSetEncoding, header: bytes) -> bytes:
        fragments = delimiter(0xFFFEE000, 0, encoding) + delimiter(0xFFFEE000, 2, encoding)
        fragments += b"\xff\xd8" + delimiter(0xFFFEE0DD, 0, encoding)
        pixels = encode_tag(0x7FE00010, encoding) + header + fragments
        item = delimiter(0xFFFEE000, len(pixels), encoding) + pixels
        start = encode_tag(0x00880200, encoding)
        if encoding.explicit_vr:
            start += b"SQ\0\0"
        return start + struct.pack(encoding.order + "I", len(item)) + item

    little = icon(EXPLICIT_LITTLE, b"OB\0\0\xff\xff\xff\xff")
    implicit = icon(IMPLICIT_LITTLE, b"\xff\xff\xff\xff")
    big = icon(EXPLICIT_BIG, b"OB\0\0\xff\xff\xff\xff")
    context = ReencodingContext()

    assert reencode_elements(little, EXPLICIT_LITTLE, EXPLICIT_BIG, context) == big
    assert reencode_elements(little, EXPLICIT_LITTLE, IMPLICIT_LITTLE, context) == implicit
    assert [oddity.id for oddity in context.oddities] == ["encapsulated-outside-explicit-le"] * 2
    assert reencode(implicit, IMPLICIT_LITTLE, EXPLICIT_LITTLE) == little
    assert reencode(big, EXPLICIT_BIG, EXPLICIT_LITTLE) == little


def test_reserved_bytes_are_carried_over() -> None:
    raw = encode_tag(0x00091001, EXPLICIT_LITTLE) + b"OB\1\2\3\0\0\0abc"

    big = reencode(raw, EXPLICIT_LITTLE, EXPLICIT_BIG)

    assert big == encode_tag(0x00091001, EXPLICIT_BIG) + b"OB\1\2\0\0\0\3abc"
    assert reencode(big, EXPLICIT_BIG, EXPLICIT_LITTLE) == raw


@pytest.mark.parametrize("target", [IMPLICIT_LITTLE, EXPLICIT_BIG])
def test_a_vr_that_is_none_is_never_written_anew(target: DataSetEncoding) -> None:
    raw = encode_tag(0x00091001, EXPLICIT_LITTLE) + b"ZZ\0\0\3\0\0\0abc"

    with pytest.raises(MalformedFileError) as raised:
        reencode_elements(raw, EXPLICIT_LITTLE, target, ReencodingContext(), offset=100)
    assert (raised.value.attribute, raised.value.offset) == ("(0009,1001)", 100)


def test_the_same_encoding_changes_nothing_and_reads_nothing() -> None:
    assert reencode(b"anything", EXPLICIT_LITTLE, EXPLICIT_LITTLE) == b"anything"


def test_an_implicit_island_is_malformed_where_it_starts() -> None:
    item = serialize((us(0x00280002, 1),), EXPLICIT_LITTLE)
    item += serialize((us(0x00280010, 1),), IMPLICIT_LITTLE)
    raw = encode_tag(0x00880200, EXPLICIT_LITTLE) + b"SQ\0\0" + struct.pack("<I", len(item) + 8)
    raw += delimiter(0xFFFEE000, len(item), EXPLICIT_LITTLE) + item

    with pytest.raises(MalformedFileError) as caught:
        reencode_elements(raw, EXPLICIT_LITTLE, IMPLICIT_LITTLE, ReencodingContext(), offset=1000)

    assert caught.value.offset == 1000 + 12 + 8 + 10
    assert caught.value.attribute == "(0028,0010)"


def nested(depth: int, encoding: DataSetEncoding) -> bytes:
    start = encode_tag(0x00082112, encoding) + (b"SQ\0\0" if encoding.explicit_vr else b"")
    start += b"\xff" * 4 + delimiter(0xFFFEE000, UNDEFINED, encoding)
    end = delimiter(0xFFFEE00D, 0, encoding) + delimiter(0xFFFEE0DD, 0, encoding)
    return start * depth + end * depth


def test_depth_is_bounded() -> None:
    context = ReencodingContext(limits=Limits(nesting_depth=3))

    raw = nested(3, EXPLICIT_LITTLE)
    made = reencode_elements(raw, EXPLICIT_LITTLE, IMPLICIT_LITTLE, context)
    assert made == nested(3, IMPLICIT_LITTLE)
    for source, target in [(EXPLICIT_LITTLE, EXPLICIT_BIG), (IMPLICIT_LITTLE, EXPLICIT_LITTLE)]:
        with pytest.raises(LimitExceededError):
            reencode_elements(nested(4, source), source, target, context)
        with pytest.raises(LimitExceededError):
            reencode(nested(2000, source), source, target)


@pytest.mark.parametrize("missing", [1, 8, 9, 16])
def test_a_missing_delimiter_is_a_truncated_file(missing: int) -> None:
    for source, target in [(EXPLICIT_LITTLE, EXPLICIT_BIG), (IMPLICIT_LITTLE, EXPLICIT_LITTLE)]:
        raw = nested(2, source)
        with pytest.raises(TruncatedFileError):
            reencode(raw[:-missing], source, target)


# Against pydicom, on the files it ships, and on the corpus.

SHIPPED = sorted(
    path
    for path in (Path(pydicom.__file__).parent / "data").rglob("*.dcm")
    if path.name != "no_meta.dcm"  # a stray byte comes before its data set
)


UNDEFINED_UN = {"UN_sequence.dcm", "nested_priv_SQ.dcm"}
"""In big endian pydicom takes UN of undefined length for big endian too (PS3.5 6.2.2: never)."""


def head_elements(path: Path) -> tuple[list[tuple[ElementSpan, bytes]], DataSetEncoding]:
    """The top level of a file's data set without Pixel Data, and its encoding.

    Elements behind the first that cannot be read are left out.
    """
    source = BytesSource(path.read_bytes())
    head = read_head(source)
    uid = head.read_text(0x00020010)
    if uid == "1.2.840.10008.1.2.1.99":
        return [], EXPLICIT_LITTLE
    encoding = {
        "1.2.840.10008.1.2": IMPLICIT_LITTLE,
        "1.2.840.113619.5.2": IMPLICIT_LITTLE,
        "1.2.840.10008.1.2.2": EXPLICIT_BIG,
    }.get(uid, EXPLICIT_LITTLE)
    if not uid:
        encoding = guess_encoding(source.read(head.data_set_start, 8)) or encoding
    found = []
    with contextlib.suppress(ReadError):
        for span in walk_elements(source, head.data_set_start, source.size, encoding):
            if not span.vr and encoding.explicit_vr:
                break  # an implicit island: a repair's work
            if span.tag not in PIXEL_DATA_TAGS and span.length < 1 << 22:
                found.append((span, source.read(span.start, span.end - span.start)))
    return found, encoding


def read_by_pydicom(raw: bytes, encoding: DataSetEncoding) -> Dataset:
    return read_dataset(io.BytesIO(raw), not encoding.explicit_vr, encoding.little_endian)


Leaf = tuple[tuple[int, ...], str, Any, Any]


def leaves(data_set: Dataset, path: tuple[int, ...] = ()) -> Iterator[Leaf]:
    """Path, VR, raw and read value of each element without items; Group Lengths left out.

    UN is left as bytes: pydicom reads it in the byte order of the data set, which it never has.
    """
    for tag in data_set.keys():  # noqa: SIM118 - iterating itself reads the elements
        raw = data_set.get_item(tag)
        where = (*path, int(tag))
        if isinstance(raw, RawDataElement) and raw.VR == "UN":
            yield where, "UN", raw.value or b"", raw.value
            continue
        element = data_set[tag]
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from leaves(item, (*where, number))
        elif tag & 0xFFFF:
            # An element that pydicom converted already keeps no bytes.
            value = (raw.value or b"") if isinstance(raw, RawDataElement) else element.value
            yield where, str(element.VR), value, element.value


def without(rows: list[Leaf], opaque: set[tuple[int, ...]]) -> list[Leaf]:
    """Leave out what lies inside elements that one of the two sides did not look into."""
    return [
        row for row in rows if not any(row[0][:end] in opaque for end in range(len(row[0]) + 1))
    ]


def check_against_pydicom(path: Path) -> int:
    found, source = head_elements(path)
    contexts = [ReencodingContext(), ReencodingContext(), ReencodingContext()]
    rep = next((raw for span, raw in found if span.tag == 0x00280103), b"")
    signed = rep[-2:] in {b"\1\0", b"\0\1"}
    made = {}
    for target, context in zip(ENCODINGS, contexts, strict=True):
        context.signed = signed
        made[target] = b"".join(
            reencode_elements(raw, source, target, context, offset=span.start)
            for span, raw in found
        )
    raw = made[source]
    assert raw == b"".join(raw for _, raw in found)
    # By whichever way, the bytes are the same.
    if source == EXPLICIT_BIG:
        via = reencode(made[EXPLICIT_LITTLE], EXPLICIT_LITTLE, IMPLICIT_LITTLE)
        assert via == made[IMPLICIT_LITTLE]
        assert reencode(made[EXPLICIT_LITTLE], EXPLICIT_LITTLE, EXPLICIT_BIG) == raw
    elif source == EXPLICIT_LITTLE:
        assert reencode(made[EXPLICIT_BIG], EXPLICIT_BIG, EXPLICIT_LITTLE) == raw
    else:
        no_lengths = b"".join(raw for span, raw in found if span.tag & 0xFFFF)
        for target in (EXPLICIT_LITTLE, EXPLICIT_BIG):
            back = reencode(made[target], target, IMPLICIT_LITTLE)
            assert len(back) <= len(no_lengths)
            assert back == no_lengths or len(back) < len(no_lengths)  # lengths inside items left
    # pydicom reads the same.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = list(leaves(read_by_pydicom(raw, source)))
        for target in ENCODINGS:
            if target == EXPLICIT_BIG and path.name in UNDEFINED_UN:
                continue
            after = list(leaves(read_by_pydicom(made[target], target)))
            opaque = {row[0] for row in (*before, *after) if row[1] == "UN"}
            old_un, new_un = ({row[0]: row[2] for row in rows if row[1] == "UN"}
                              for rows in (before, after))  # fmt: skip
            assert all(new_un[where] == old_un[where] for where in old_un.keys() & new_un.keys())
            if not source.explicit_vr:  # what pydicom knows is not UN
                assert all(row[1] == "UN" or len(row[2]) > 65534 for row in before
                           if row[0] in new_un)  # fmt: skip
            plain_before, plain_after = without(before, opaque), without(after, opaque)
            assert [row[0] for row in plain_after] == [row[0] for row in plain_before]
            for (where, vr, old, value), (_, new_vr, new, new_value) in zip(
                plain_before, plain_after, strict=True
            ):
                if source.little_endian and target.little_endian:
                    if isinstance(old, bytes) and isinstance(new, bytes):
                        assert new == old, where
                    assert vr != new_vr or str(new_value) == str(value), where
                elif vr == new_vr and vr not in {"OW", "OL", "OF", "OD", "OV"}:
                    assert new_value == value or str(new_value) == str(value), where
                if source.explicit_vr and target.explicit_vr:
                    assert new_vr == vr, where
                elif target.explicit_vr:
                    assert new_vr == vr or {vr, new_vr} <= {"OB", "OW", "OB or OW"}, where
    return len(before)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_pydicom_reads_the_same_from_each_encoding(path: Path) -> None:
    check_against_pydicom(path)


@pytest.mark.parametrize("vr", ["UN", "OB", "OW"])
def test_a_sequence_under_another_vr_is_one_where_vrs_leave(vr: str) -> None:
    inner = data_set_bytes.element(0x00081150, "UI", b"1.2.3\0")
    inner += data_set_bytes.sequence(
        0x00401012, data_set_bytes.item(data_set_bytes.element(0x00080100, "SH", b"AB"))
    )
    hidden = data_set_bytes.element(0x00081140, vr, data_set_bytes.item(inner))
    stated = data_set_bytes.sequence(0x00081140, data_set_bytes.item(inner))
    context = ReencodingContext()

    assert reencode_elements(hidden, EXPLICIT_LITTLE, IMPLICIT_LITTLE, context) == (
        reencode_elements(stated, EXPLICIT_LITTLE, IMPLICIT_LITTLE, context)
    )
    assert reencode_elements(hidden, EXPLICIT_LITTLE, EXPLICIT_LITTLE, context) == hidden
    implicit = data_set_bytes.element(0x00081150, "", b"1.2.3\0", IMPLICIT_LITTLE)
    right = data_set_bytes.element(0x00081140, vr, data_set_bytes.item(implicit))  # PS3.5 6.2.2
    assert reencode_elements(right, EXPLICIT_LITTLE, IMPLICIT_LITTLE, context) == (
        data_set_bytes.element(0x00081140, "", data_set_bytes.item(implicit), IMPLICIT_LITTLE)
    )


def test_explicit_items_in_an_implicit_sequence_are_read_where_vrs_come() -> None:
    inner = data_set_bytes.element(0x00081150, "UI", b"1.2.3\0")
    wrong = data_set_bytes.element(0x00081140, "", data_set_bytes.item(inner), IMPLICIT_LITTLE)
    found = reencode_elements(wrong, IMPLICIT_LITTLE, EXPLICIT_LITTLE, ReencodingContext())
    assert found == data_set_bytes.sequence(0x00081140, data_set_bytes.item(inner))


def test_the_nearest_pixel_representation_decides_the_vr() -> None:
    """An item may state it before a sequence whose items do not, in whatever order they ask."""
    smallest = element(0x00280106, "US", b"\xff\xff", IMPLICIT_LITTLE)
    icons = sequence(0x00880200, item(smallest, IMPLICIT_LITTLE), encoding=IMPLICIT_LITTLE)
    signed = element(0x00280103, "US", b"\1\0", IMPLICIT_LITTLE)
    outer = sequence(0x00081140, item(signed + icons, IMPLICIT_LITTLE), encoding=IMPLICIT_LITTLE)

    result = reencode_elements(
        outer, IMPLICIT_LITTLE, EXPLICIT_LITTLE, ReencodingContext(signed=False)
    )

    assert element(0x00280106, "SS", b"\xff\xff") in result
