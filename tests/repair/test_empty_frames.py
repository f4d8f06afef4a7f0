"""Frames without a byte, as slide scanners write for empty tiles: moved, named, never shifted."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicodec import compare, convert, convert_bytes, inspect
from dicodec.errors import ContradictionError, MissingFrameError
from helpers.made import IMAGE_KINDS, encapsulated
from helpers.odd_files import found, frames_of, same, samples_of
from helpers.odd_structures import without_pixel_data

FAMILIES = (
    "rle", "jpeg", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless",
    "jpegxl-lossless", "deflated-frame", "encapsulated-uncompressed",
)  # fmt: skip
FRAMES = 5
EMPTY = ((0,), (2,), (4,), (0, 1, 3))


def coded(family: str) -> bytes:
    native, _ = IMAGE_KINDS["gray-8"].make(frames=FRAMES)
    return convert_bytes(native, to=family, lossy=True)


def with_empty(
    family: str, empty: tuple[int, ...], *, table: bool = True, cut: bool = False
) -> bytes:
    """Return a file some of whose frames have no bytes."""
    content = coded(family)
    streams = [one + b"\0" * (len(one) % 2) for one in frames_of(content)]
    frames = [
        [b""] if frame in empty else [one[:20], one[20:]] if cut else [one]
        for frame, one in enumerate(streams)
    ]
    return without_pixel_data(content) + encapsulated(frames, offset_table=table)


def lengths_of(content: bytes) -> list[int]:
    return [len(one) for one in frames_of(content)]


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("empty", EMPTY)
@pytest.mark.parametrize("family", FAMILIES)
def test_they_are_moved_and_named(family: str, empty: tuple[int, ...], table: bool) -> None:
    content = with_empty(family, empty, table=table)
    for options in ({"verify": True}, {"offset_table": "extended"}, {"standardize": True}):
        out = io.BytesIO()
        report = convert(content, out, to=family, set_attributes={"PatientID": "1"}, **options)
        assert [one.id for one in report.oddities if one.id != "salvaged"] == ["empty-frame"]
        assert "frames without bytes" in " ".join(report.warnings)
        assert lengths_of(out.getvalue()) == lengths_of(content)
        assert frames_of(out.getvalue()) == frames_of(content)
        assert found(out.getvalue()) == ["empty-frame"]
        assert compare(content, out.getvalue()).pixels.equal  # type: ignore[union-attr]
    with pytest.raises(ContradictionError, match="frames without bytes"):
        convert(content, io.BytesIO(), to=family, strict=True)


@pytest.mark.parametrize("family", ["jpeg", "jpeg2000-lossless", "jpeg-ls"])
@pytest.mark.parametrize("table", [True, False])
def test_beside_frames_of_several_fragments(family: str, table: bool) -> None:
    content = with_empty(family, (1, 3), table=table, cut=True)
    out = convert_bytes(content, to=family, verify=True)
    whole = frames_of(coded(family))
    assert [len(one) > 0 for one in frames_of(out)] == [True, False, True, False, True]
    assert frames_of(out)[::2] == [one + b"\0" * (len(one) % 2) for one in whole[::2]]


@pytest.mark.parametrize("family", ["jpeg", "rle"])
def test_in_place(family: str, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    content = with_empty(family, (0, 2))
    path.write_bytes(content)
    report = convert(path, path, to=family, overwrite=True, set_attributes={"PatientID": "1"})
    assert report.verified
    assert frames_of(path.read_bytes()) == frames_of(content)
    assert pydicom.dcmread(path).PatientID == "1"


@pytest.mark.parametrize("empty", EMPTY)
@pytest.mark.parametrize("family", FAMILIES)
def test_decoding_names_them_and_the_way_out(family: str, empty: tuple[int, ...]) -> None:
    content = with_empty(family, empty)
    with pytest.raises(MissingFrameError, match="without bytes") as error:
        convert(content, io.BytesIO(), to="implicit-le")
    assert error.value.frame == empty[0]
    assert "salvage" in str(error.value.hint)
    expected = np.array(samples_of(coded(family)))
    expected[list(empty)] = 0
    out = io.BytesIO()
    report = convert(content, out, to="explicit-le", salvage="fill")
    assert [one.frame for one in report.salvaged_frames] == list(empty)
    assert {one.reason for one in report.salvaged_frames} == {"the frame has no bytes"}
    assert same(samples_of(out.getvalue()), expected)
    left = np.delete(expected, empty, 0)
    out = io.BytesIO()
    convert(content, out, to="explicit-le", salvage="drop")
    assert same(samples_of(out.getvalue()), left)


def test_what_they_can_become_says_so() -> None:
    found = inspect(with_empty("jpeg", (1,)))
    possible = {one.name for one in found.targets if not one.reason}
    assert possible == {"jpeg"}
    assert "without bytes" in next(one.reason for one in found.targets if one.name == "rle")


def test_comparison_names_frames_that_only_one_has() -> None:
    content = coded("jpeg")
    found = compare(content, with_empty("jpeg", (1, 2))).pixels
    assert found is not None
    assert not found.equal
    assert "frames 1-2" in found.differences[0]


@pytest.mark.parametrize(
    ("family", "to"),
    [("jpeg-lossless", "jpeg-lossless-p14"), ("jpeg2000-lossless", "jpeg2000"),
     ("jpeg-ls", "jpeg-ls-near"), ("htj2k-lossless", "htj2k")],
)  # fmt: skip
def test_conversions_of_the_header_alone_keep_them(family: str, to: str) -> None:
    content = with_empty(family, (0, 3))
    out = io.BytesIO()
    report = convert(content, out, to=to, verify=True)
    assert report.action in {"moved", "reframed"}
    assert frames_of(out.getvalue()) == frames_of(content)
    assert inspect(out.getvalue()).transfer_syntax == to
