"""Preamble and File Meta Information: whole, odd, missing, and written anew (PS3.10 7.1)."""

from __future__ import annotations

import io
import struct
from unittest import mock

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert_bytes
from dicodec.errors import (
    LimitExceededError,
    NotDicomError,
    ReadError,
    TruncatedFileError,
    UnknownTransferSyntaxError,
)
from dicodec.model import implementation, tags
from dicodec.model.limits import Limits
from dicodec.part10 import file_meta
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.encoding import EXPLICIT_BIG, IMPLICIT_LITTLE, DataSetEncoding
from dicodec.part10.file_meta import FileHead, read_head
from dicodec.part10.source import BytesSource
from helpers.data_set_bytes import element, header
from helpers.made import EXPLICIT_BE, EXPLICIT_LE, IMAGE_KINDS, IMPLICIT_LE, encode_elements, uid_of

KIND = IMAGE_KINDS["gray-12-in-16"]
CONTENT = KIND.make(rows=4, columns=4)[0]
UID = "1.2.826.0.1.3680043.8.498.1"
GROUP_2 = [
    (0x00020001, "OB", b"\0\1"),
    (0x00020002, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
    (0x00020003, "UI", UID.encode() + b"\0"),
    (0x00020010, "UI", EXPLICIT_LE.encode()),
    (0x00020012, "UI", b"1.2.3.4"),
    (0x00020013, "SH", b"SOMEONE ELSE"),
    (0x00020016, "AE", b"MODALITY"),
    (0x00020100, "UI", b"1.2.3.4.5"),
    (0x00020102, "OB", b"private\xff"),
]


def head_of(content: bytes, limits: Limits | None = None) -> FileHead:
    return read_head(BytesSource(content), limits or Limits())


def split(content: bytes) -> tuple[bytes, bytes]:
    """Return what is up to the end of group 2, and the data set."""
    start = head_of(content).data_set_start
    return content[:start], content[start:]


def group_2(*, explicit: bool = True, length: int | None = 0) -> bytes:
    """Return File Meta Information; its length is wrong by `length`, or missing."""
    elements = encode_elements(GROUP_2, explicit=explicit)
    if length is None:
        return elements
    size = struct.pack("<I", len(elements) + length)
    return encode_elements([(0x00020000, "UL", size)], explicit=explicit) + elements


def with_head(head: bytes) -> bytes:
    return bytes(128) + b"DICM" + head + split(CONTENT)[1]


def oddity_ids(content: bytes) -> set[str]:
    with open_dicom(content) as file:
        return {oddity.id for oddity in file.oddities}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (CONTENT, set()),
        (with_head(group_2()), set()),
        (with_head(group_2(length=None)), {"no-file-meta-length"}),
        (with_head(group_2(length=4)), {"wrong-file-meta-length"}),
        (with_head(group_2(length=-100)), {"wrong-file-meta-length"}),
        (with_head(group_2(explicit=False)), {"implicit-file-meta"}),
        (CONTENT[128:], {"no-preamble"}),
        (CONTENT[132:], {"no-preamble"}),
        (split(CONTENT)[1], {"no-preamble", "no-file-meta", "no-transfer-syntax"}),
        (with_head(b""), {"no-file-meta", "no-transfer-syntax"}),
    ],
)
def test_what_is_odd_is_read_and_noted(content: bytes, expected: set[str]) -> None:
    assert oddity_ids(content) == expected
    with open_dicom(content) as file:
        assert file.syntax.uid == EXPLICIT_LE
        assert file.data_set.read_text(tags.SOP_CLASS_UID) == "1.2.840.10008.5.1.4.1.1.7"


@pytest.mark.parametrize("syntax", [IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE])
def test_a_data_set_without_head_shows_its_own_encoding(syntax: str) -> None:
    content, samples = KIND.make(transfer_syntax=syntax)
    bare = split(content)[1]

    with open_dicom(bare) as file:
        assert file.syntax.uid == syntax
        assert file.stated_syntax == ""
    result = pydicom.dcmread(io.BytesIO(convert_bytes(bare, to="rle")))
    assert (result.pixel_array == samples[0]).all()
    assert result.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.5"


@pytest.mark.parametrize("stated", [IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE])
@pytest.mark.parametrize("real", [IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE])
def test_the_encoding_that_is_there_counts_not_the_stated_one(real: str, stated: str) -> None:
    content, samples = KIND.make(transfer_syntax=real)
    head, _ = split(KIND.make(transfer_syntax=stated)[0])
    lying = head + split(content)[1]

    with open_dicom(lying) as file:
        ids = [oddity.id for oddity in file.oddities]
        little = real != EXPLICIT_BE
        assert file.data_set.encoding == DataSetEncoding(real != IMPLICIT_LE, little)
        assert file.syntax.pixels_little_endian == little
    assert ids == ([] if real == stated else ["other-encoding"])
    for target in ("explicit-le", "rle", "explicit-be", "implicit-le"):
        result = pydicom.dcmread(io.BytesIO(convert_bytes(lying, to=target)))
        assert result.PatientName == "Made^Image"
        assert (result.pixel_array == samples[0]).all()


def test_values_of_group_2_are_read_without_padding() -> None:
    head = head_of(with_head(group_2()))

    assert head.read_text(tags.MEDIA_STORAGE_SOP_INSTANCE_UID) == UID
    assert head.read_text(0x00020016) == "MODALITY"
    assert head.read_text(0x00020017) == ""
    assert head.data_set_start == 132 + len(group_2())


def test_elements_of_group_2_without_vr_have_that_of_the_dictionary() -> None:
    head = head_of(with_head(group_2(explicit=False)))

    assert [(one.tag, one.vr) for one in head.elements] == [(tag, vr) for tag, vr, _ in GROUP_2]


def test_every_cut_within_the_head_is_noticed() -> None:
    head, _ = split(CONTENT)

    for length in range(1, len(head) + 1):
        with pytest.raises(ReadError) as raised, open_dicom(head[:length]):
            pass
        assert isinstance(raised.value, TruncatedFileError | NotDicomError), length


@pytest.mark.parametrize("uid", ["1.2.3.4", "nonsense", "1.2.840.10008.1.2.4.999"])
def test_a_transfer_syntax_in_no_table_is_named(uid: str) -> None:
    elements = [*GROUP_2[:3], (0x00020010, "UI", uid.encode())]

    with (
        pytest.raises(UnknownTransferSyntaxError, match=uid) as raised,
        open_dicom(with_head(encode_elements(elements))),
    ):
        pass

    assert raised.value.attribute == "TransferSyntaxUID"


def describe_head(content: bytes) -> FileHead | str:
    try:
        return head_of(content)
    except ReadError as error:
        return f"{type(error).__name__}: {error}"


@settings(max_examples=300)
@given(
    changes=st.lists(st.tuples(st.integers(132, 480), st.integers(0, 255)), max_size=3),
    length=st.sampled_from((0, 0, 2, -8, 24)),
    kept=st.integers(100, 600),
)
def test_a_walk_to_the_stated_end_finds_what_a_careful_one_does(
    changes: list[tuple[int, int]], length: int, kept: int
) -> None:
    damaged = bytearray(with_head(group_2(length=length)))
    for offset, value in changes:
        damaged[offset % len(damaged)] = value
    content = bytes(damaged[:kept])

    with mock.patch.object(file_meta, "_read_as_stated", return_value=None):
        careful = describe_head(content)

    assert describe_head(content) == careful


def test_a_group_2_that_ends_as_stated_is_walked_once() -> None:
    content = with_head(group_2())

    with mock.patch.object(
        BytesSource, "read", autospec=True, side_effect=BytesSource.read
    ) as read:
        head_of(content)

    assert read.call_count < 2 * len(GROUP_2)  # one for each value, and a few for all headers


def test_large_elements_of_group_2_are_not_held() -> None:
    large = with_head(group_2() + element(0x00020102, "OB", bytes(2000)))

    with pytest.raises(LimitExceededError), open_dicom(large, Limits(element_size=1000)):
        pass


def test_group_2_in_big_endian_is_read_and_written_in_little_endian() -> None:
    rate = (0x00020037, "UL", struct.pack("<I", 7))
    big = encode_elements([*GROUP_2[:7], rate], big_endian=True)

    with open_dicom(with_head(big)) as file:
        assert [oddity.id for oddity in file.oddities] == [
            "big-endian-file-meta", "no-file-meta-length",
        ]  # fmt: skip
        assert file.head.elements[-1].value == rate[2]
        assert file.stated_syntax == EXPLICIT_LE
    meta = meta_of(convert_bytes(with_head(big), to="explicit-le"))
    assert meta[0x00020037].value == 7


# What is written.


def meta_of(content: bytes) -> pydicom.dataset.FileMetaDataset:
    meta: pydicom.dataset.FileMetaDataset = pydicom.dcmread(io.BytesIO(content)).file_meta
    return meta


@pytest.mark.parametrize("target", ["implicit-le", "explicit-be", "deflated", "rle", "jpeg-ls"])
def test_group_2_is_rebuilt_and_what_is_not_ours_is_kept(target: str) -> None:
    result = convert_bytes(with_head(group_2()), to=target)

    meta = meta_of(result)
    data_set = pydicom.dcmread(io.BytesIO(result))
    assert [element.tag for element in meta] == [0x00020000, *(tag for tag, _, _ in GROUP_2)]
    assert meta.MediaStorageSOPClassUID == data_set.SOPClassUID
    assert meta.MediaStorageSOPInstanceUID == data_set.SOPInstanceUID
    assert meta.ImplementationClassUID == implementation.CLASS_UID
    assert meta.ImplementationVersionName == implementation.VERSION_NAME
    assert meta.SourceApplicationEntityTitle == "MODALITY"
    assert meta.PrivateInformation == b"private\xff"
    assert meta.FileMetaInformationVersion == b"\0\1"
    start = head_of(result).data_set_start
    assert meta.FileMetaInformationGroupLength == start - 144
    assert oddity_ids(result) == set()


@pytest.mark.parametrize("to", ["explicit-le", "rle"])
def test_elements_of_group_2_are_written_once_in_order_in_their_standard_form(to: str) -> None:
    raw = [element(tag, vr, value + b"\0" * (len(value) % 2)) for tag, vr, value in GROUP_2[:6]]
    raw += [
        element(0x00020100, "UI", b"1.2.3 "),
        element(0x00020017, "LO", b"SENDER"),
        element(0x00020016, "AE", b"FIRST\0"),
        element(0x00020010, "UI", f"{IMPLICIT_LE}\0".encode()),
        element(0x00020016, "AE", b"SECOND"),
    ]
    group = b"".join(raw)
    start = element(0x00020000, "UL", struct.pack("<I", len(group)))

    result = convert_bytes(with_head(start + group), to=to)

    written, _ = split(result)
    meta = meta_of(result)
    assert [one.tag for one in meta] == sorted({one.tag for one in meta})
    assert uid_of(to) == meta.TransferSyntaxUID
    assert written.count(b"\x02\0\x10\0UI") == 1
    assert element(0x00020016, "AE", b"FIRST ") in written
    assert element(0x00020017, "AE", b"SENDER") in written
    assert element(0x00020100, "UI", b"1.2.3\0") in written
    assert oddity_ids(result) == set()


@pytest.mark.parametrize("explicit", [True, False])
def test_group_2_is_explicit_whatever_the_source_had(explicit: bool) -> None:
    result = convert_bytes(with_head(group_2(explicit=explicit)), to="rle")

    assert meta_of(result).SourceApplicationEntityTitle == "MODALITY"
    assert oddity_ids(result) == set()


def test_elements_of_group_2_that_nobody_knows_are_kept() -> None:
    odd = struct.pack("<HH2sHI", 0x0002, 0x0999, b"ZZ", 0, 3) + b"abc"
    result = convert_bytes(with_head(group_2() + odd), to="rle")

    (kept,) = [one for one in head_of(result).elements if one.tag == 0x00020999]
    assert (kept.vr, kept.value) == ("ZZ", b"abc\0")


def test_a_preamble_of_another_format_is_zeroed_where_offsets_move() -> None:
    tiff = b"II*\0" + bytes(range(4, 128)) + CONTENT[128:]

    assert convert_bytes(tiff, to="rle")[:132] == bytes(128) + b"DICM"
    assert convert_bytes(tiff, to="explicit-le") == tiff  # a copy, in which nothing moves


def test_uids_of_the_data_set_count_not_those_of_group_2() -> None:
    result = convert_bytes(with_head(group_2()), to="rle")

    assert meta_of(result).MediaStorageSOPInstanceUID != UID


def test_set_uids_are_written_to_both_places() -> None:
    for keyword in ("SOPInstanceUID", "SOPClassUID"):
        result = convert_bytes(CONTENT, to="rle", set_attributes=((keyword, "1.2.3.99"),))
        assert getattr(meta_of(result), f"MediaStorage{keyword}") == "1.2.3.99"
        assert getattr(pydicom.dcmread(io.BytesIO(result)), keyword) == "1.2.3.99"


def test_where_the_data_set_has_no_uids_those_of_group_2_stay() -> None:
    first, rest = element(0x00080060, "CS", b"OT"), element(0x00100020, "LO", b"0123")
    bare = bytes(128) + b"DICM" + group_2() + first + rest

    assert meta_of(convert_bytes(bare, to="implicit-le")).MediaStorageSOPInstanceUID == UID


@pytest.mark.parametrize("uid", [b"1.2.\xff\xfe3", "1.2.ü".encode()])
def test_uids_that_are_none_are_carried_as_they_are(uid: bytes) -> None:
    uid += bytes(len(uid) % 2)
    content, _ = KIND.make(extra=[(0x00080018, "UI", uid)])

    result = convert_bytes(content, to="rle")

    with open_dicom(result) as file:
        assert file.data_set.read_value(tags.SOP_INSTANCE_UID) == uid
        found = [one for one in file.head.elements if one.tag == 0x00020003]
        assert found[0].value == uid


def test_prefix_without_data_is_no_file() -> None:
    with pytest.raises(NotDicomError), open_dicom(bytes(128) + b"DICM" + bytes(3)):
        pass
    with pytest.raises(ReadError), open_dicom(header(0x00080018, "UI", 99, IMPLICIT_LITTLE)):
        pass
    with pytest.raises(ReadError), open_dicom(header(0x00080018, "UI", 99, EXPLICIT_BIG)):
        pass
