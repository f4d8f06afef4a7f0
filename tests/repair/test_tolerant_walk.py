"""Walking damaged data sets: cut, hostile, large, from several threads; and every real file."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert_bytes
from dicodec.errors import DicodecError, LimitExceededError, MalformedFileError, TruncatedFileError
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.encoding import EXPLICIT_LITTLE, UNDEFINED_LENGTH
from dicodec.part10.source import BytesSource
from dicodec.part10.spliced_source import SourceRange, SplicedSource, join_pieces
from dicodec.repair.opening import open_tolerantly
from dicodec.repair.standard_form import make_standard
from dicodec.repair.tolerant_walk import walk_tolerantly
from helpers import header_witnesses
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
from helpers.made import IMAGE_KINDS
from helpers.odd_data_sets import CASES, IMAGES, NAME
from helpers.real_files import real_files

FILES = real_files()


class CountingSource:
    """A source that counts what is read of it."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)
        self.read_bytes = 0

    def read(self, offset: int, length: int) -> bytes:
        part = self._content[offset : offset + length]
        self.read_bytes += len(part)
        return part


# Sources made of pieces.


PLACES = st.integers(0, 20)


@given(st.lists(st.one_of(st.binary(max_size=9), st.tuples(PLACES, PLACES))))
def test_a_spliced_source_reads_as_its_pieces_do(pieces: list[bytes | tuple[int, int]]) -> None:
    base = bytes(range(100, 120))
    source = BytesSource(base)
    made = [
        piece if isinstance(piece, bytes) else SourceRange(source, min(piece), max(piece))
        for piece in pieces
    ]
    expected = b"".join(
        piece if isinstance(piece, bytes) else base[min(piece) : max(piece)] for piece in pieces
    )

    for spliced in (SplicedSource(made), SplicedSource(join_pieces(made))):
        assert spliced.size == len(expected)
        for offset in range(len(expected) + 2):
            for length in (0, 1, 7, len(expected)):
                assert spliced.read(offset, length) == expected[offset : offset + length]


def test_a_spliced_source_is_read_by_several_threads() -> None:
    content = bytes(range(256)) * 64
    source = BytesSource(content)
    spliced = SplicedSource(
        piece
        for start in range(0, len(content), 8)
        for piece in (content[start : start + 3], SourceRange(source, start + 3, start + 8))
    )

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda start: spliced.read(start, 100), range(0, len(content), 100)))
    assert b"".join(parts) == content


# Cut files stay errors.


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_file_that_is_cut_is_refused_or_loses_nothing(name: str) -> None:
    content = CASES[name].make()
    start = len(content) - len(data_set_of(content))
    with open_tolerantly(content) as file:
        given = [(span.tag, file.data_set.read_raw(span)) for span in file.data_set.elements]

    for length in range(start, len(content), 7):  # odd: it meets every part of a header
        if opens_plainly(content[:length]):
            continue  # nothing tells that something is missing
        try:
            with open_tolerantly(content[:length]) as file:
                spans = file.data_set.elements
                found = [(span.tag, file.data_set.read_raw(span)) for span in spans]
        except DicodecError:
            continue
        last = len(found) - 1
        assert [one[0] for one in found] == [one[0] for one in given][: last + 1]
        # Only Pixel Data may be cut, and no frame of it is taken for whole.
        assert all(
            one == other or one[0] == 0x7FE00010 for one, other in zip(found, given, strict=False)
        ), length


def opens_plainly(content: bytes) -> bool:
    try:
        with open_dicom(content):
            return True
    except DicodecError:
        return False


def test_a_sequence_that_ends_with_the_file_is_cut_off() -> None:
    for content in (
        sequence(IMAGES, item(b""), undefined=True)[:-8],
        header(IMAGES, "SQ", 100) + item(element(0x00081150, "UI", b"1.2\0")),
        header(IMAGES, "SQ", UNDEFINED_LENGTH) + marker(0xFFFEE000, UNDEFINED_LENGTH),
    ):
        with pytest.raises(TruncatedFileError), open_tolerantly(file_of(content)):
            pass


def test_what_has_no_sure_reading_is_refused_as_before() -> None:
    for content in (
        element(0x00080060, "CS", b"OT") + item(element(0x00081150, "UI", b"1.2\0")),
        element(0x00080060, "CS", b"OT") + b"\1\2\3\4\5\6\7\x08" * 20,
        element(NAME, "PN", b"A^B ") + b"\x10\0\x20\0??\4\0" + b"12345678",
        header(0x00081140, "UT", UNDEFINED_LENGTH) + b"text, not items, without an end ",
    ):
        with (
            pytest.raises((MalformedFileError, TruncatedFileError)) as raised,
            open_dicom(file_of(content)),
        ):
            pass
        with pytest.raises(type(raised.value)) as again, open_tolerantly(file_of(content)):
            pass
        assert (again.value.message, again.value.offset) == (
            raised.value.message, raised.value.offset,
        )  # fmt: skip


# Hostile files.


def test_limits_hold() -> None:
    wrong = element(NAME, "PN", b"A^B").replace(b"PN", b"??")
    deep = wrong + nested(100).replace(b"LO", b"??")
    with pytest.raises(LimitExceededError), open_tolerantly(file_of(deep)):
        pass
    many = b"".join(element(0x00090000 + n, "LO", b"") for n in range(300)).replace(b"LO", b"??")
    with pytest.raises(LimitExceededError):
        walk_tolerantly(BytesSource(many), 0, EXPLICIT_LITTLE, Limits(elements=100))
    left_out = element(0xFFFEE0FF, "LO", b"") * 300
    with pytest.raises(LimitExceededError):
        walk_tolerantly(BytesSource(left_out), 0, EXPLICIT_LITTLE, Limits(elements=100))


def damaged(times: int) -> list[bytes]:
    """Return data sets whose reading might take more than its share of time."""
    image = element(0x00081150, "UI", b"1.2\0")
    open_item = marker(0xFFFEE000, UNDEFINED_LENGTH) + image
    odd = struct.pack("<HH2sH", 0x0008, 0x1150, b"??", 4) + b"1.2\0"
    chain = b""
    for _ in range(60):
        chain = sequence(IMAGES, item(chain or odd * times))
    claims = b"".join(header(0x00081140, "SQ", 1 << 20) for _ in range(times * 10))
    return [
        header(IMAGES, "SQ", UNDEFINED_LENGTH) + open_item * times * 10,
        b"".join(struct.pack("<HH2sH", 9, 0x1000 + n, b"??", 0) for n in range(times * 20)),
        chain,
        claims,
        sequence(IMAGES, *[item(sequence(IMAGES, item(odd), vr="UN"))] * times, vr="UN"),
        b"\xff\xff" * times * 40,
        (marker(0xFFFEE00D) + odd) * times,
    ]


@pytest.mark.parametrize("number", range(len(damaged(1))))
def test_the_work_grows_with_the_size_only(number: int) -> None:
    counts = []
    for times in (20, 160):
        content = damaged(times)[number]
        source = CountingSource(content)
        steps = Steps()
        with steps:
            walk_tolerantly(source, 0, EXPLICIT_LITTLE, DEFAULT_LIMITS)
        counts.append(steps.taken / len(content))

    assert counts[1] < 3 * counts[0] + 1


class Steps:
    """Counts the calls of Python functions; no clock is asked."""

    taken = 0

    def __enter__(self) -> None:
        import sys

        sys.setprofile(self._count)

    def _count(self, _frame: object, event: str, _argument: object) -> None:
        self.taken += event == "call"

    def __exit__(self, *_: object) -> None:
        import sys

        sys.setprofile(None)


CHANGES = [b"\0", b"\xff", b"\xfe\xff\x00\xe0", b"UN", b"SQ", b""]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_ends_in_a_result_or_an_error(data: st.DataObject) -> None:
    content = bytearray(CASES[data.draw(st.sampled_from(sorted(CASES)))].make())
    start = len(content) - len(data_set_of(bytes(content)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(start, len(content) - 1))
        change = data.draw(st.sampled_from(CHANGES))
        content[at : at + max(len(change), 1)] = change
    for standardize in (False, True):
        try:
            convert_bytes(bytes(content), to="implicit-le", standardize=standardize)
        except DicodecError:
            continue


# Real files.


def test_real_files_are_walked_as_the_plain_reader_walks_them() -> None:
    walked = 0
    for name, path in FILES.items():
        content = path.read_bytes()
        try:
            with open_dicom(content) as file:
                plain = file.data_set
        except DicodecError:
            continue
        start = plain.elements[0].start
        found = walk_tolerantly(plain.source, start, plain.encoding, DEFAULT_LIMITS)
        if name.endswith(("MR_truncated.dcm", "DICOMDIR-nooffset")):
            continue
        assert found is not None, name
        assert list(found.data_set.elements) == list(plain.elements), name
        walked += 1
    assert walked > 20


@pytest.mark.parametrize("name", FILES)
def test_the_standard_form_of_real_files_has_a_right_structure(name: str, tmp_path: Path) -> None:
    try:
        result = convert_bytes(
            FILES[name].read_bytes(), to="explicit-le", standardize=True, verify=True
        )
    except DicodecError:
        return  # the reason is checked elsewhere
    path = tmp_path / "standard.dcm"
    path.write_bytes(result)

    faults = header_witnesses.structural_faults(path)
    of_content = OF_CONTENT.get(FILES[name].name, ())
    assert [fault for fault in faults if not fault.startswith(of_content)] == []
    with open_tolerantly(result) as file:
        assert make_standard(file).repaired == ()


GROUP_1 = ("dcmdump: W: DcmItem: Invalid Element (0001", "dciodvfy: Tags out of order")
"""There is no group 0001; it also comes before group 2."""
OF_CONTENT: dict[str, tuple[str, ...]] = {
    "meta_missing_tsyntax.dcm": GROUP_1,
    "nested_priv_SQ.dcm": GROUP_1,
}


@pytest.mark.parametrize("syntax", ["implicit-le", "explicit-le", "explicit-be"])
def test_elements_of_the_delimiters_group_are_left_out_of_any_encoding(syntax: str) -> None:
    content = convert_bytes(IMAGE_KINDS["gray-16"].make()[0], to=syntax)
    with open_tolerantly(content) as file:
        encoding = file.data_set.encoding
        at = next(span.start for span in file.data_set.elements if span.tag == 0x00280002)
    wrong = element(0xFFFEE0FF, "LO", b"abcd", encoding)
    made = convert_bytes(content[:at] + wrong + content[at:], to="rle")
    assert made == convert_bytes(content, to="rle")


def test_items_of_the_other_byte_order_never_become_elements() -> None:
    inner = struct.pack(">HHI", 0x0008, 0x0100, 4) + b"CODE"
    items = struct.pack(">HHI", 0xFFFE, 0xE000, len(inner)) + inner
    items += struct.pack(">HHI", 0xFFFE, 0xE0DD, 0)
    content = convert_bytes(IMAGE_KINDS["gray-8"].make()[0], to="implicit-le")
    at = content.index(struct.pack("<HHI", 0x28, 2, 2))
    private = struct.pack("<HHI", 0x11, 0x10, 8) + b"ELSCINT1"
    private += struct.pack("<HHI", 0x11, 0x1042, 0xFFFFFFFF) + items
    with pytest.raises(MalformedFileError):
        convert_bytes(content[:at] + private + content[at:], to="explicit-le")
