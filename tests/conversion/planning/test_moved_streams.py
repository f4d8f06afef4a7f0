"""Streams that belong under another transfer syntax by what they say are moved, not coded anew."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import pytest

from dicodec import convert, convert_bytes
from helpers.made import IMAGE_KINDS, make_file

ROOT = "1.2.840.10008.1.2.4."
GRAY = IMAGE_KINDS["gray-8"].make()[1][0]


def predicted(predictor: int) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(GRAY, lossless=True, predictor=predictor))


def near(largest_error: int) -> bytes:
    return bytes(imagecodecs.jpegls_encode(GRAY, largest_error))


def file_of(syntax: str, streams: list[bytes]) -> bytes:
    return make_file(
        48, 64, bits_allocated=8, bits_stored=8, frames=len(streams),
        transfer_syntax=ROOT + syntax, streams=[[one] for one in streams],
    )[0]  # fmt: skip


@pytest.mark.parametrize(
    ("syntax", "to", "streams", "action"),
    [
        ("57", "jpeg-lossless", [predicted(1)] * 3, "moved"),
        ("57", "jpeg-lossless", [predicted(1), predicted(1), predicted(2)], "transcoded"),
        ("57", "jpeg-lossless", [predicted(7)], "transcoded"),
        ("81", "jpeg-ls", [near(0)] * 3, "moved"),
        ("81", "jpeg-ls", [near(0), near(3), near(0)], "transcoded"),
        ("70", "jpeg-lossless-p14", [predicted(1)] * 2, "moved"),
        ("80", "jpeg-ls-near", [near(0)], "moved"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"verify": True}, {"offset_table": "empty"}])
def test_streams_move_if_each_belongs_there(
    syntax: str, to: str, streams: list[bytes], action: str, options: dict[str, Any]
) -> None:
    content = file_of(syntax, streams)
    out = io.BytesIO()
    report = convert(content, out, to=to, **options)
    moved = "reframed" if "offset_table" in options else "moved"
    assert report.action == (moved if action == "moved" else action)
    if action == "moved":
        assert all(stream in out.getvalue() for stream in streams)
    assert convert_bytes(out.getvalue(), to="explicit-le").endswith(
        convert_bytes(content, to="explicit-le")[-GRAY.nbytes :]
    )
