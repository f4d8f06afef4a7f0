"""Fragments of one frame that hold more than one: the others are not left out without a word."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from dicodec import convert, convert_bytes
from dicodec.errors import ContradictionError
from helpers.made import make_file
from helpers.odd_files import frames_of

UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
FRAMES = np.arange(3 * 6 * 8, dtype=np.uint16).reshape(3, 6, 8)
SYNTAXES = {
    "jpeg-lossless": "1.2.840.10008.1.2.4.70",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg2000-lossless": "1.2.840.10008.1.2.4.90",
    "htj2k-lossless": "1.2.840.10008.1.2.4.201",
    "encapsulated-uncompressed": UNCOMPRESSED,
    "rle": "1.2.840.10008.1.2.5",
    "deflated-frame": "1.2.840.10008.1.2.8.1",
    "jpegxl-lossless": "1.2.840.10008.1.2.4.110",
}


def join_frames(name: str, between: bytes = b"", frames: int = 3) -> bytes:
    """Return a file of one frame whose one fragment holds the streams of several."""
    streams = [
        frames_of(convert_bytes(make_file(6, 8, pixels=one[None])[0], to=name))[0]
        for one in FRAMES[:frames]
    ]
    joined = between.join(streams)
    return make_file(6, 8, pixels=FRAMES[:1], transfer_syntax=SYNTAXES[name], streams=[[joined]])[0]


@pytest.mark.parametrize("between", [b"", b"\0"])
@pytest.mark.parametrize("name", SYNTAXES)
def test_other_frames_are_named_or_refused(name: str, between: bytes, tmp_path: Path) -> None:
    between = b"" if name == "encapsulated-uncompressed" else between
    content = join_frames(name, between)
    out = io.BytesIO()

    report = convert(content, out, to="explicit-le")

    assert out.getvalue().endswith(FRAMES[0].tobytes())
    assert [text for text in report.warnings if "more than one frame" in text]
    with pytest.raises(ContradictionError, match="more than one frame"):
        convert(content, io.BytesIO(), to="explicit-le", strict=True)
    source = tmp_path / "a.dcm"
    source.write_bytes(content)
    with pytest.raises(ContradictionError, match="more than one frame"):
        convert(source, source, to="explicit-le", overwrite=True)
    assert source.read_bytes() == content


@pytest.mark.parametrize("name", SYNTAXES)
def test_one_frame_is_not_named(name: str) -> None:
    report = convert(join_frames(name, frames=1), io.BytesIO(), to="explicit-le")
    assert not report.warnings
