"""The deflated data set: raw streams, zlib's, cut ones, ones that never end."""

from __future__ import annotations

import zlib
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec import convert_bytes
from dicodec.errors import LimitExceededError, MalformedFileError, ReadError, TruncatedFileError
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.part10 import deflate as deflate_module
from dicodec.part10.data_set import DataSet
from dicodec.part10.deflate import inflate_data_set
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.source import BytesSource, FileSource
from helpers.data_set_bytes import element, file_of, header, item, sequence
from helpers.made import DEFLATED, IMAGE_KINDS

DATA_SET = element(0x00080060, "CS", b"OT") + element(0x00100020, "LO", b"0123") * 40


def deflated(content: bytes, window_bits: int = -15) -> bytes:
    deflater = zlib.compressobj(wbits=window_bits)
    return deflater.compress(content) + deflater.flush()


def inflated(stream: bytes, limits: Limits = DEFAULT_LIMITS) -> bytes:
    source = inflate_data_set(BytesSource(b"head" + stream), 4, limits, [])
    try:
        return source.read(0, source.size + 1)
    finally:
        source.close()


def test_a_zlib_header_is_tolerated() -> None:
    assert inflated(deflated(DATA_SET, 15)) == DATA_SET


def test_every_cut_of_a_stream_is_noticed() -> None:
    stream = deflated(DATA_SET)

    for length in range(len(stream)):
        with pytest.raises(TruncatedFileError, match="no end"):
            inflated(stream[:length])


@pytest.mark.parametrize("stream", [b"\xff" * 40, DATA_SET, b"\x78\x9c" + b"\xff" * 40])
def test_what_is_no_stream_is_refused(stream: bytes) -> None:
    with pytest.raises(MalformedFileError, match="cannot be inflated"):
        inflated(stream)


@given(st.binary(max_size=60))
def test_any_bytes_are_inflated_or_refused(stream: bytes) -> None:
    try:
        with open_dicom(file_of(stream, DEFLATED)):
            pass
    except ReadError:
        pass


@pytest.mark.parametrize("spool_size", [16 << 20, 1 << 16])
def test_what_inflates_without_end_is_stopped(
    spool_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deflate_module, "SPOOL_SIZE", spool_size)
    bomb = deflated(bytes(20 << 20))
    assert len(bomb) < 30_000

    with pytest.raises(LimitExceededError, match="more than 1000000 bytes"):
        inflated(bomb, Limits(inflated_size=1_000_000))


def test_large_data_sets_go_through_a_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflate_module, "SPOOL_SIZE", 1000)
    stream = deflated(DATA_SET * 20)

    source = inflate_data_set(BytesSource(stream), 0, DEFAULT_LIMITS, [])

    assert isinstance(source, FileSource)
    assert source.read(0, 1 << 20) == DATA_SET * 20
    source.close()


def test_a_cut_stream_leaves_no_open_file(monkeypatch: pytest.MonkeyPatch) -> None:
    # Warnings are errors here, that of a file nobody closed among them.
    monkeypatch.setattr(deflate_module, "SPOOL_SIZE", 1000)
    with pytest.raises(TruncatedFileError):
        inflated(deflated(DATA_SET * 20)[:-1])


def test_deflated_files_come_back_as_they_were() -> None:
    content, _ = IMAGE_KINDS["gray-12-in-16"].make()

    there = convert_bytes(content, to="deflated")
    back = convert_bytes(there, to="explicit-le")

    assert len(there) < len(content)
    with open_dicom(content) as before, open_dicom(back) as after:
        assert before.source.read(before.head.data_set_start, 1 << 20) == after.source.read(
            after.head.data_set_start, 1 << 20
        )


def test_what_cannot_hold_too_many_elements_is_not_counted() -> None:
    most = 100
    large = element(0x7FE00010, "OB", bytes(8 * most))

    def read_with(items: int) -> bool:
        """Open a deflated file with empty items, and return whether they were walked."""
        data_set = sequence(0x00081115, *[item(b"")] * items) + large
        content = file_of(zlib.compress(data_set, wbits=-15), DEFLATED)
        read = mock.patch.object(
            DataSet, "read_items", autospec=True, side_effect=DataSet.read_items
        )
        with read as reading, open_dicom(content):
            return reading.called

    with mock.patch.object(Limits, "count_inflated_elements", return_value=most):
        assert not read_with(50)
        assert read_with(98)
        with pytest.raises(LimitExceededError, match=f"more than {most} elements and items"):
            read_with(most)


def test_a_claim_of_pixel_data_hides_no_elements() -> None:
    items = sequence(0x00081115, *[item(b"")] * 100)
    claims = header(0x7FE00010, "OB", 0xFFFFFFF0) + bytes(16)
    content = file_of(zlib.compress(items + claims, wbits=-15), DEFLATED)

    with (
        mock.patch.object(Limits, "count_inflated_elements", return_value=100),
        pytest.raises(LimitExceededError, match="more than 100 elements and items"),
        open_dicom(content),
    ):
        pass
