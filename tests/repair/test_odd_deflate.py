"""Data sets that are deflated and do not say so, or say so and are not."""

from __future__ import annotations

import gzip
import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec import convert_bytes, inspect
from dicodec.errors import ContradictionError, DicodecError
from dicodec.part10.source import BytesSource
from dicodec.part10.vr import states_vr
from dicodec.repair.deflated_data_sets import detect_deflate
from helpers.data_set_bytes import data_set_of, element, file_of
from helpers.made import DEFLATED, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, make_file
from helpers.odd_files import found, reported, same, samples_of

CONTENT, SAMPLES = make_file(33, 47)


def raw(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


def check(wrong: bytes, *oddities: str) -> None:
    ids = [one for one in found(wrong) if one != "incomplete-file-meta"]
    assert ids == list(oddities)
    assert set(oddities) <= set(reported(wrong))
    assert same(samples_of(wrong), SAMPLES)
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to="explicit-le", strict=True)


def test_not_deflated_although_stated() -> None:
    check(file_of(data_set_of(CONTENT), DEFLATED), "not-deflated")


@pytest.mark.parametrize("stated", [EXPLICIT_LE, "1.2.840.10008.1.2.5"])
def test_deflated_although_not_stated(stated: str) -> None:
    wrong = file_of(raw(data_set_of(CONTENT)), stated)
    if stated == EXPLICIT_LE:
        check(wrong, "deflated")
    else:
        assert found(wrong)[:1] == ["deflated"]
        assert same(samples_of(wrong), SAMPLES)


@pytest.mark.parametrize("wrap", [zlib.compress, gzip.compress])
def test_a_wrapper_around_the_stream(wrap) -> None:  # type: ignore[no-untyped-def]
    check(file_of(wrap(data_set_of(CONTENT)), DEFLATED), "wrapped-deflate")
    check(file_of(wrap(data_set_of(CONTENT)), EXPLICIT_LE), "deflated", "wrapped-deflate")


def test_a_right_stream_is_not_doubted() -> None:
    assert found(convert_bytes(CONTENT, to="deflated")) == []
    for syntax in (EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE):
        assert found(make_file(4, 4, transfer_syntax=syntax)[0]) == []


def test_a_stream_with_the_letters_of_a_vr_is_deflated() -> None:
    """One in 2,000 has them where an element has its VR, and was taken for a plain data set."""
    plain, chance = data_set_of(CONTENT), Random(7)
    for _ in range(100_000):
        more = chance.choices(chance.randbytes(16), k=chance.randrange(2, 600, 2))
        data = plain + element(0xFFFCFFFC, "OB", bytes(more))
        stream = raw(data)
        if states_vr(stream[:6]):
            break
    else:
        pytest.fail("no stream with such letters was found")

    assert found(file_of(stream, DEFLATED)) == ["incomplete-file-meta"]
    assert data_set_of(convert_bytes(file_of(stream, DEFLATED), to="explicit-le")) == data


def test_a_stream_that_is_cut_is_refused() -> None:
    for stated in (DEFLATED, EXPLICIT_LE):
        with pytest.raises(DicodecError):
            inspect(file_of(raw(data_set_of(CONTENT))[:-9], stated))


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_judged(data: bytes, stated: bool) -> None:
    oddities: list[object] = []
    deflated = detect_deflate(BytesSource(data), 0, oddities, stated=stated)  # type: ignore[arg-type]
    assert deflated in {True, False}
    assert deflated == stated or oddities
