"""The kernel of elements against the Python that it saves: the same spans, bytes and errors."""

from __future__ import annotations

import itertools
import random
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dicodec import convert_bytes
from dicodec._kernels import COMPILED
from dicodec.errors import DicodecError
from dicodec.model.edits import Edit, RemoveAttribute, SetAttribute
from dicodec.model.limits import Limits
from dicodec.part10 import elements, known_vrs, reencode
from dicodec.part10.data_set import DataSet
from dicodec.part10.element_span import ElementSpan, PackedSpans, pack_span
from dicodec.part10.elements import Walker
from dicodec.part10.encoding import EXPLICIT_LITTLE, IMPLICIT_LITTLE, DataSetEncoding
from dicodec.part10.file_meta import read_head
from dicodec.part10.implicit_vr import ReencodingContext
from dicodec.part10.reencode import reencode_elements
from dicodec.part10.source import BytesSource
from dicodec.part10.vr import LONG_FORM, VALUE_REPRESENTATIONS
from dicodec.part10.writer import ElementWriter
from helpers.data_set_bytes import element, header, item, marker, nested, sequence
from helpers.real_files import real_files

if COMPILED is None:
    pytest.skip("the package was built without a compiler", allow_module_level=True)

FILES = real_files()
VRS = sorted(VALUE_REPRESENTATIONS)
TAGS = (
    0x00080005, 0x00080008, 0x00081140, 0x00100010, 0x00110010, 0x00111001, 0x00180050, 0x00280106,
    0x00283010, 0x00281101, 0x00080000, 0x00110000, 0x01000010, 0x00000900, 0x50003000, 0x54001010,
    0x7FE00010, 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0x00280103,
)  # fmt: skip


@contextmanager
def without_kernels() -> Iterator[None]:
    with (
        patch.object(elements, "COMPILED", None),
        patch.object(reencode, "COMPILED", None),
    ):
        yield


def describe(error: DicodecError) -> tuple[Any, ...]:
    return type(error), error.message, error.offset, error.attribute


def forget() -> None:
    known_vrs.SETTLED.clear()
    known_vrs.KNOWN.clear()
    known_vrs._OF_CREATORS.clear()


def both(make: Callable[..., Any], *given_to_it: Any) -> tuple[Any, Any]:
    """Return what a call makes with kernels and without."""
    with without_kernels():
        plain = make(*given_to_it)
    forget()
    first, second = (
        make(*given_to_it),
        make(*given_to_it),
    )  # what was settled by the first one counts in the second
    assert first == second
    return first, plain


def walk(raw: bytes, encoding: DataSetEncoding, depth: int, limits: Limits, rest: int) -> Any:
    """Return all that a walk shows; the data set ends `rest` bytes before the source does."""
    walker = Walker(BytesSource(raw), limits)
    spans: list[ElementSpan] = []
    error = None
    try:
        spans.extend(walker.walk_elements(0, max(0, len(raw) - rest), encoding, depth=depth))
    except DicodecError as caught:
        error = describe(caught)
    assert all(type(span) is ElementSpan for span in spans)
    if error is None:
        again = Walker(BytesSource(raw), limits)
        assert [*again.list_elements(0, max(0, len(raw) - rest), encoding, depth=depth)] == spans
        assert (again.oddities, again.doubtful) == (walker.oddities, walker.doubtful)
    return spans, error, walker.oddities, walker.doubtful, walker.missing, walker.items_end


def drop(raw: bytes, limits: Limits) -> Any:
    context = ReencodingContext(limits=limits)
    try:
        made = reencode_elements(raw, EXPLICIT_LITTLE, IMPLICIT_LITTLE, context)
    except DicodecError as caught:
        return describe(caught), context.oddities
    return made, context.oddities


def add(raw: bytes, limits: Limits, signed: bool = False) -> Any:
    context = ReencodingContext(limits=limits, signed=signed)
    try:
        made = reencode_elements(raw, IMPLICIT_LITTLE, EXPLICIT_LITTLE, context)
    except DicodecError as caught:
        return describe(caught), context.oddities, context.creators
    return made, context.oddities, context.creators


def write(raw: bytes, encoding: DataSetEncoding, target: DataSetEncoding, edits: list[Edit]) -> Any:
    source = BytesSource(raw)
    try:
        spans = Walker(source).list_elements(0, len(raw), encoding)
        written = _Sink()
        made = ElementWriter(DataSet(source, encoding, spans), target, edits)
        places = made.write_before_pixel_data(written)
        made.write_after_pixel_data(written)
    except DicodecError as caught:
        return describe(caught)
    return bytes(written.content), places, made.oddities


class _Sink:
    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        self.content += data
        return len(data)


@st.composite
def odd_elements(draw: st.DrawFn, depth: int = 0) -> bytes:
    """Some elements: mostly right, with wrong lengths, odd tags, delimiters and unknown VRs."""
    parts = []
    for _ in range(draw(st.integers(0, 6))):
        tag, vr = draw(st.sampled_from(TAGS)), draw(st.sampled_from([*VRS, "SQ", "SQ", "UN"]))
        kind = draw(st.integers(0, 11))
        if vr == "SQ" and depth < 4 and kind < 10:
            undefined, inner = draw(st.booleans()), odd_elements(depth + 1)
            items = [
                item(draw(inner), undefined=draw(st.booleans()))
                for _ in range(draw(st.integers(0, 2)))
            ]
            parts.append(sequence(tag, *items, undefined=undefined, vr=draw(st.just("SQ"))))
        elif kind == 10:
            lengths = st.sampled_from([0, 1, 7, 9, 500, 0xFFFE, 0xFFFF])
            parts.append(header(tag, vr, draw(lengths)) + draw(st.binary(max_size=9)))
        elif kind == 11:
            parts.append(draw(st.binary(max_size=20)))
        elif kind == 9:
            parts.append(marker(tag, draw(st.sampled_from([0, 4, 0xFFFFFFFF]))))
        else:
            parts.append(element(tag, vr, draw(st.binary(max_size=12))))
    return b"".join(parts)


CREATORS = (b"SIEMENS MR HEADER", b"GEMS_ACQU_01", b"nobody knows it ", b"")
"""The first two are in the private dictionary."""


@st.composite
def private_elements(draw: st.DrawFn, depth: int = 0) -> bytes:
    """Elements in implicit VR, most of them private, in any order, with creators that change."""
    parts = []
    for _ in range(draw(st.integers(0, 12))):
        block, number = draw(st.integers(0x10, 0x11)), draw(st.integers(0, 0x30))
        group = draw(st.sampled_from([0x0009, 0x0019, 0x0051]))
        kind = draw(st.integers(0, 9))
        if kind < 3:
            parts.append(implicit(group << 16 | block, draw(st.sampled_from(CREATORS))))
        elif kind < 8:
            value = draw(st.binary(max_size=9))
            parts.append(implicit(group << 16 | block << 8 | number, value))
        elif kind == 8 and depth < 3:
            inner = draw(private_elements(depth + 1))
            undefined = draw(st.booleans())
            content = item(inner, undefined=undefined)
            parts.append(marker(0x00081140, len(content)) + content)
        else:
            tag = draw(st.sampled_from([*TAGS, group << 16 | number, group << 16 | 0x0100]))
            value = bytes(draw(st.sampled_from([0, 2, 4, 0xFFFE, 0xFFFF, 0x10000])))
            parts.append(implicit(tag, value))
    return b"".join(parts)


def implicit(tag: int, value: bytes) -> bytes:
    return marker(tag, len(value)) + value


def test_the_kernel_knows_the_same_vrs() -> None:
    assert COMPILED is not None
    names = COMPILED.VALUE_REPRESENTATIONS
    known = [names[place : place + 2] for place in range(0, len(names), 2)]
    assert {*known} == {*VALUE_REPRESENTATIONS}
    assert {name.encode() for name in known[: COMPILED.LONG_FORMS]} == LONG_FORM


@given(odd_elements(), st.booleans(), st.integers(0, 1), st.integers(0, 30), st.integers(1, 5))
def test_walks_are_the_same(raw: bytes, explicit: bool, depth: int, rest: int, most: int) -> None:
    encoding = EXPLICIT_LITTLE if explicit else IMPLICIT_LITTLE
    for limits in (Limits(), Limits(elements=most), Limits(nesting_depth=most)):
        made, plain = both(walk, raw, encoding, depth, limits, rest)
        assert made == plain


@given(odd_elements(), st.integers(1, 4))
def test_elements_without_vrs_are_the_same(raw: bytes, depth: int) -> None:
    for limits in (Limits(), Limits(nesting_depth=depth)):
        made, plain = both(drop, raw, limits)
        assert made == plain


@given(st.one_of(odd_elements(), private_elements()), st.integers(1, 4), st.booleans())
def test_elements_with_vrs_are_the_same(raw: bytes, depth: int, signed: bool) -> None:
    for limits in (Limits(), Limits(nesting_depth=depth)):
        made, plain = both(add, raw, limits, signed)
        assert made == plain


@given(st.lists(private_elements(), min_size=2, max_size=4))
def test_what_one_file_teaches_does_not_change_the_next(raws: list[bytes]) -> None:
    """Blocks of one number belong to other creators there."""
    with without_kernels():
        plain = [add(raw, Limits()) for raw in raws]
    forget()
    assert [add(raw, Limits()) for raw in (*raws, *raws)] == plain * 2


@given(
    odd_elements(),
    st.sampled_from([(EXPLICIT_LITTLE, EXPLICIT_LITTLE), (EXPLICIT_LITTLE, IMPLICIT_LITTLE),
                     (IMPLICIT_LITTLE, IMPLICIT_LITTLE), (IMPLICIT_LITTLE, EXPLICIT_LITTLE)]),
    st.sets(st.sampled_from([*TAGS[:10], 0x00091010, 0x7FE10010]), max_size=4),
    st.booleans(),
)  # fmt: skip
@example(  # the second of two elements that are set goes, too, although it stands behind others
    element(0x00080008, "CS", b"")
    + element(0x00080005, "CS", b"")
    + element(0x00080008, "CS", b""),
    (EXPLICIT_LITTLE, EXPLICIT_LITTLE),
    {0x00080008},
    False,
)
def test_written_elements_are_the_same(
    raw: bytes, encodings: tuple[DataSetEncoding, DataSetEncoding], tags: set[int], removes: bool
) -> None:
    edits: list[Edit] = [
        RemoveAttribute(tag) if removes else SetAttribute(tag, "LO", "new") for tag in sorted(tags)
    ]
    made, plain = both(write, raw, *encodings, edits)
    assert made == plain


@pytest.mark.parametrize("name", FILES)
def test_real_files_and_mutations_of_them_are_the_same(name: str) -> None:
    """Whole, then with random bytes changed and the end cut off."""
    content = FILES[name].read_bytes()[:60_000]
    try:
        start = read_head(BytesSource(content)).data_set_start
    except DicodecError:
        start = 0
    chance = random.Random(name)
    for trial in range(12):
        raw = bytearray(content[start:])
        for _ in range(trial and chance.randrange(1, 6)):
            if raw:
                raw[chance.randrange(len(raw))] = chance.choice((0, 1, 0x53, 0xE0, 0xFE, 0xFF))
        if trial % 3 == 2:
            del raw[chance.randrange(len(raw) + 1) :]
        given_bytes = bytes(raw)
        for encoding in (EXPLICIT_LITTLE, IMPLICIT_LITTLE):
            made, plain = both(walk, given_bytes, encoding, 0, Limits(), 0)
            assert made == plain
        for work in (drop, add):
            made, plain = both(work, given_bytes, Limits())
            assert made == plain


@pytest.mark.parametrize("target", ["implicit-le", "explicit-le"])
@pytest.mark.parametrize("name", FILES)
def test_results_of_real_files_are_the_same(name: str, target: str) -> None:
    def convert_file() -> Any:
        try:
            return convert_bytes(FILES[name].read_bytes(), to=target, workers=1)
        except DicodecError as caught:
            return describe(caught)

    made, plain = both(convert_file)
    assert made == plain


def test_sequences_are_entered_as_deep_as_the_limit_and_no_deeper() -> None:
    for depth in (1, 3, 4, 5, 63, 64, 65, 70):
        for limit in (4, 64):
            made, plain = both(drop, nested(depth), Limits(nesting_depth=limit))
            assert made == plain
            assert isinstance(made[0], bytes) is (depth <= limit)


def test_sequences_get_vrs_with_their_items() -> None:
    """One call takes a whole data set, whose lengths are corrected; items of private ones wait."""
    assert COMPILED is not None
    inner = implicit(0x00080100, b"ab") + implicit(0x00180050, b"1 ")
    content = b"".join(item(inner, undefined=undefined) for undefined in (False, True))
    raw = implicit(0x00100010, b"ab") + implicit(0x00081140, content) + implicit(0x00280010, b"12")
    assert add(raw, Limits())[0] == add(raw, Limits())[0]  # the first one teaches
    numbers = known_vrs.KNOWN
    made, end = COMPILED.add_vrs(raw, 0, len(raw), 1, numbers, {})
    with without_kernels():
        assert (made, end) == (add(raw, Limits())[0], len(raw))
    first = 8 + 2
    assert COMPILED.add_vrs(raw, 0, len(raw), 0, numbers, {})[1] == first
    private = raw[:first] + implicit(0x00081140, item(implicit(0x00091001, b"ab")))
    blocks = {0x00090010: {0x00091001: 0}}
    assert COMPILED.add_vrs(private, 0, len(private), 1, numbers, blocks)[1] == first
    forget()


def test_calls_end_where_a_private_creator_has_to_be_read() -> None:
    """Its block is known from there on, so what follows it takes one call."""
    assert COMPILED is not None
    raw = implicit(0x00100010, b"ab") + b"".join(
        implicit(creator, b"BLOCKS") + implicit(creator + 0xFF0, b"12") * 3
        for creator in (0x00190010, 0x00210010)
    )
    add(raw, Limits())  # teaches
    with patch.object(reencode, "COMPILED", wraps=COMPILED) as kernels:
        add(raw, Limits())
    assert kernels.add_vrs.call_count == 3
    forget()


def test_values_that_would_be_misread_are_converted_every_time() -> None:
    """Slice Thickness (DS) that is stated as FD, Rows (US) that are stated as IS."""
    raw = element(0x00180050, "FD", bytes(6) + b"\xf0\x3f") + element(0x00280010, "IS", b"12")
    made, plain = both(drop, raw, Limits())
    assert made == plain
    assert b"\x01\0" not in made[0][:8]
    assert made[0].endswith(b"\x0c\0")
    assert not {0x00180050 << 16 | 0x4644, 0x00280010 << 16 | 0x4953} & known_vrs.SETTLED


def test_what_is_settled_takes_bounded_memory() -> None:
    many = b"".join(
        element(0x00080000 | number, vr, b"ab")
        for number in range(1, 1 << 13)
        for vr in ("UN", "LO", "OB")
    )
    with patch.object(known_vrs, "_MOST", 100):
        made, plain = both(drop, many, Limits())
        assert made == plain
        assert len(known_vrs.SETTLED) == 100
    known_vrs.SETTLED.clear()


def test_known_vrs_take_bounded_memory() -> None:
    many = b"".join(implicit(0x00080000 | number, b"ab") for number in range(1, 500))
    private = b"".join(implicit(0x00091000 | number, b"ab") for number in range(256))
    creators = b"".join(
        implicit(0x00110010, b"creator %d" % number) + implicit(0x00111001, b"ab")
        for number in range(9)
    )
    with patch.object(known_vrs, "_MOST", 100), patch.object(known_vrs, "_MOST_CREATORS", 4):
        made, plain = both(add, many + private + creators, Limits())
        assert made == plain
        assert len(known_vrs.KNOWN) == 100
        assert len(known_vrs._OF_CREATORS) <= 4
    forget()


@pytest.mark.parametrize("number", [-1, 255, 34, 6, 1 << 40, "CS", None])
def test_numbers_that_no_vr_has_leave_elements_alone(number: Any) -> None:
    """6 is that of sequences, and these values are not items."""
    assert COMPILED is not None
    raw = implicit(0x00100010, b"ab") + implicit(0x00091001, b"cd")
    for known, blocks in (({0x00100010: number}, {}), ({0x00100010: 0}, {0x00090010: {}})):
        try:
            made, end = COMPILED.add_vrs(raw, 0, len(raw), 1, known, blocks)
        except (TypeError, OverflowError):
            assert not isinstance(number, int) or number == 1 << 40
            continue
        assert (made, end) in {(b"", 0), (raw[:4] + b"OB\0\0\2\0\0\0ab", 10)}


def test_arguments_outside_their_buffers_are_refused() -> None:
    assert COMPILED is not None
    raw = element(0x00100010, "PN", b"ab")
    for start, end in ((-1, 4), (0, 99), (5, 4)):
        with pytest.raises(ValueError, match="not within the buffer"):
            COMPILED.drop_vrs(raw, start, end, 1, set())
        with pytest.raises(ValueError, match="not within the buffer"):
            COMPILED.add_vrs(raw, start, end, 1, {}, {})
    with pytest.raises(ValueError, match="negative"):
        COMPILED.pack_elements(raw, -1, 0, 10, True, 9)
    assert COMPILED.pack_elements(raw, 99, 0, 10, True, 9) == (b"", 0)
    assert COMPILED.pack_elements(raw, 0, 0, 9, True, 9) == (b"", 0)
    records, end = COMPILED.pack_elements(raw, 0, 7, 17, True, 9)
    span = ElementSpan(0x00100010, "PN", 7, 15, 2, 17, undefined=False)
    assert (end, len(records)) == (17, COMPILED.RECORD_SIZE)
    assert COMPILED.unpack_elements(records, 0, 1, ElementSpan) == [span]
    with pytest.raises(ValueError, match="not tuples"):
        COMPILED.unpack_elements(records, 0, 1, dict)
    for wrong in ((records, -1, 0), (records, 1, 0), (records, 0, 2), (records[1:], 0, 0)):
        with pytest.raises(ValueError, match="no records"):
            COMPILED.unpack_elements(*wrong, ElementSpan)
        with pytest.raises(ValueError, match="no records"):
            COMPILED.count_adjacent(*wrong, b"", 1)
    with pytest.raises(IndexError):
        COMPILED.count_adjacent(records, 1, 1, b"", 1)
    with pytest.raises(ValueError, match="no records"):
        COMPILED.list_sequences(records[1:], 0)
    with pytest.raises(ValueError, match="no records"):
        COMPILED.find_element(records, 0x00100010, -1)
    assert COMPILED.find_element(records, 0x00100010, 5) == -1


@st.composite
def levels(draw: st.DrawFn) -> list[ElementSpan]:
    """Spans that lie behind each other, some with gaps, of any tags, VRs and lengths."""
    spans: list[ElementSpan] = []
    end = draw(st.integers(0, 1 << 40))
    for _ in range(draw(st.integers(0, 8))):
        start = end + draw(st.sampled_from([0, 0, 0, 8]))
        length, undefined = draw(st.integers(0, 1 << 33)), draw(st.booleans())
        value = start + draw(st.sampled_from([8, 12]))
        end = value + length + 8 * undefined
        tag, vr = draw(st.sampled_from(TAGS)), draw(st.sampled_from([*VRS, "", "", "SQ"]))
        spans.append(ElementSpan(tag, vr, start, value, length, end, undefined))
    return spans


@given(levels(), st.integers(0, 40), st.sets(st.sampled_from(TAGS), max_size=3), st.data())
def test_packed_spans_are_the_spans(
    spans: list[ElementSpan], least: int, edits: set[int], data: st.DataObject
) -> None:
    packed = PackedSpans(b"".join(filter(None, map(pack_span, spans))))
    assert len(packed) == len(spans)
    some = data.draw(st.sets(st.integers(0, len(spans) - 1))) if spans else set()
    asked = {place: packed[place] for place in some}
    data_set, plain = (DataSet(BytesSource(b"x"), EXPLICIT_LITTLE, one) for one in (packed, spans))
    assert [data_set.find(tag) for tag in TAGS] == [plain.find(tag) for tag in TAGS]
    assert data_set.find_pixel_data() == plain.find_pixel_data()
    assert [*packed.list_possible_sequences(least)] == [
        span for span in spans if span.vr in {"", "SQ"} and span.length >= least
    ]
    for place in range(len(spans)):
        limit = data.draw(st.sampled_from([*TAGS, 1 << 32]))
        count = packed.count_adjacent(place, len(spans), array("I", sorted(edits)).tobytes(), limit)
        assert count == _count_adjacent(spans, place, edits, limit)
    assert [*packed] == spans == packed[:]
    assert [*reversed(packed)] == spans[::-1]
    assert all(packed[place] is span for place, span in asked.items())
    for tag in TAGS:  # who finds a span finds it in the list, too
        span = data_set.find(tag)
        assert span is None or any(one is span for one in packed)
    with pytest.raises(IndexError):
        packed[len(spans)]


def _count_adjacent(spans: list[ElementSpan], first: int, edits: set[int], limit: int) -> int:
    count = 1
    for before, span in itertools.pairwise(spans[first:]):
        alike = span.start == before.end and bool(span.vr) == bool(before.vr)
        if not alike or span.tag >= limit or span.tag in edits or not span.tag & 0xFFFF:
            break
        count += 1
    return count


def test_a_vr_that_kernels_do_not_number_leaves_spans_as_they_are() -> None:
    """Such VRs come in File Meta Information alone; its elements may stand in a data set."""
    raw = element(0x00080005, "CS", b"ab") + element(0x00020010, "QQ", b"")[:6] + bytes(6)
    made, plain = both(walk, raw, EXPLICIT_LITTLE, 0, Limits(), 0)
    assert made == plain
    assert [span.vr for span in made[0]] == ["CS", "QQ"]


def test_a_folder_of_files_is_read_without_kernels_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable that turns kernels off has the same results in a process of its own."""
    import subprocess
    import sys

    source = tmp_path / "one.dcm"
    source.write_bytes(convert_bytes(FILES[min(FILES)].read_bytes(), to="explicit-le"))
    made = convert_bytes(source.read_bytes(), to="implicit-le")
    monkeypatch.setenv("DICODEC_KERNELS", "none")
    program = (
        "import sys, dicodec; from dicodec._kernels import COMPILED; assert COMPILED is None; "
        "sys.stdout.buffer.write(dicodec.convert_bytes(open(sys.argv[1], 'rb').read(), "
        "to='implicit-le'))"
    )
    done = subprocess.run([sys.executable, "-c", program, source], check=True, capture_output=True)
    assert done.stdout == made
