"""Decisions about data sets: found again if all that they looked at is the same, else made anew."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec.part10.data_set import DataSet
from dicodec.part10.element_span import PackedSpans, pack_span
from dicodec.part10.elements import Walker
from dicodec.part10.encoding import EXPLICIT_LITTLE
from dicodec.part10.remembered import Remembered
from dicodec.part10.source import BytesSource
from helpers.kernels import kernels
from helpers.made import encode_elements

TAGS = (0x00080018, 0x00100010, 0x00280010, 0x00280011, 0x00281050)
ELEMENTS = st.dictionaries(
    st.sampled_from(TAGS), st.tuples(st.sampled_from(["LO", "US"]), st.sampled_from([b"1 ", b"2 "]))
)


def data_set_of(elements: dict[int, tuple[str, bytes]], *, lead: bytes = b"") -> DataSet:
    made = [(tag, vr, value) for tag, (vr, value) in sorted(elements.items())]
    content = lead + encode_elements(made, explicit=True, big_endian=False, ow_unit=2)
    source = BytesSource(content or b"  ")
    walked = Walker(source).list_elements(len(lead), len(content), EXPLICIT_LITTLE)
    return DataSet(source, EXPLICIT_LITTLE, walked)


class Counted:
    """Reads an attribute, and another one if the first has a certain value."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, data_set: DataSet) -> tuple[str, int | None, bool]:
        self.times += 1
        first = data_set.read_text(TAGS[1])
        second = data_set.read_number(TAGS[3]) if first == "1" else None
        return first, second, data_set.find(TAGS[4]) is not None


@given(st.lists(st.tuples(st.sampled_from("ab"), ELEMENTS, st.binary(max_size=3)), max_size=12))
def test_what_is_found_is_what_would_be_decided(
    asked: list[tuple[str, dict[int, tuple[str, bytes]], bytes]],
) -> None:
    memory: Remembered = Remembered()
    for facts, elements, lead in asked:
        data_set = data_set_of(elements, lead=lead)

        def decide(noting: DataSet, facts: str = facts) -> tuple[str, tuple[str, int | None, bool]]:
            return facts, Counted()(noting)

        found = memory.find(facts, data_set, decide)
        assert found == (facts, Counted()(data_set))


def decide_twice(one: DataSet, two: DataSet, decide: Counted | None = None) -> int:
    decide = decide or Counted()
    memory: Remembered = Remembered()
    for data_set in (one, two):
        memory.find((), data_set, decide)
    return decide.times


def test_what_nobody_looked_at_makes_no_difference() -> None:
    kernels()
    plain = {TAGS[1]: ("LO", b"1 "), TAGS[3]: ("US", b"\1\0")}
    one = data_set_of(plain)
    assert decide_twice(one, data_set_of({**plain, TAGS[0]: ("LO", b"else")}, lead=b"xx")) == 1
    assert decide_twice(one, data_set_of({**plain, TAGS[2]: ("US", b"\1\0")})) == 1
    for change in (
        {TAGS[1]: ("LO", b"2 ")},
        {TAGS[1]: ("SH", b"1 ")},
        {TAGS[1]: ("LO", b"1   ")},
        {TAGS[3]: ("US", b"\2\0")},
        {TAGS[4]: ("US", b"")},
    ):
        assert decide_twice(one, data_set_of({**plain, **change})) == 2
    assert decide_twice(one, data_set_of({TAGS[1]: plain[TAGS[1]]})) == 2


def test_a_branch_that_was_not_taken_is_asked_for_when_it_is() -> None:
    kernels()
    decide = Counted()
    memory: Remembered = Remembered()
    texts = [("2 ", 1), ("2 ", 2), ("1 ", 1), ("1 ", 2), ("1 ", 1)]
    sets = [
        data_set_of({TAGS[1]: ("LO", first.encode()), TAGS[3]: ("US", bytes([second, 0]))})
        for first, second in texts
    ]
    found = [memory.find((), one, decide) for one in sets]
    assert found == [("2", None, False)] * 2 + [("1", 1, False), ("1", 2, False), ("1", 1, False)]
    assert decide.times == 3


def test_who_asks_for_all_elements_is_asked_again() -> None:
    class All(Counted):
        def __call__(self, data_set: DataSet) -> tuple[str, int | None, bool]:
            self.times += 1
            return "", len(data_set.elements), False

    one = data_set_of({TAGS[1]: ("LO", b"1 ")})
    assert decide_twice(one, one, All()) == 2


@pytest.mark.parametrize("length", [4096, 4098])
def test_long_values_are_not_compared(length: int) -> None:
    kernels()
    one = data_set_of({TAGS[1]: ("LO", bytes(length))})
    assert decide_twice(one, one) == (1 if length == 4096 else 2)


def test_elements_out_of_order_are_decided_about_each_time() -> None:
    walked = data_set_of({TAGS[1]: ("LO", b"1 "), TAGS[3]: ("US", b"\1\0")})
    records = b"".join(filter(None, map(pack_span, reversed(walked.elements))))
    turned = DataSet(walked.source, EXPLICIT_LITTLE, PackedSpans(records))
    assert decide_twice(turned, turned) == 2


def test_a_decision_that_is_never_found_again_is_not_looked_for() -> None:
    memory: Remembered = Remembered()
    handed: list[DataSet] = []

    def decide(data_set: DataSet) -> str:
        handed.append(data_set)
        return data_set.read_text(TAGS[1])

    for number in range(200):
        given = data_set_of({TAGS[1]: ("LO", b"%04d" % number)})
        assert memory.find((), given, decide) == f"{number:04}"
    assert handed[-1] is given  # it costs nothing more than to decide


@given(ELEMENTS, st.lists(st.sampled_from(TAGS), max_size=6), st.integers(0, 4), st.integers(0, 80))
def test_kernels_gather_values(
    elements: dict[int, tuple[str, bytes]], asked: list[int], longest: int, head: int
) -> None:
    compiled = kernels()
    data_set = data_set_of(elements)
    if not isinstance(data_set.elements, PackedSpans):
        return
    content = data_set.source.read(0, head)
    wanted = array("I", asked)
    values = compiled.gather_values(data_set.elements.records, content, wanted, longest)
    spans = [data_set.find(tag) for tag in asked]
    there = [span for span in spans if span is not None]
    if asked != sorted(asked) or any(
        span.length > longest or span.value + span.length > len(content) for span in there
    ):
        assert values is None
        return
    assert values is not None
    for span in spans:
        assert values[8] == (span is not None)
        length = int.from_bytes(values[:8], "little")
        assert values[16 : 16 + length] == (b"" if span is None else data_set.read_raw_value(span))
        values = values[16 + length :]
    assert values == b""


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(ValueError, match="no records"):
        kernels().gather_values(b"x", b"", b"", 9)
