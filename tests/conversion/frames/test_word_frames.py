"""Frames that go from codec to codec as words are those that go as arrays."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert, convert_bytes
from dicodec.codecs.table import find_encoder
from dicodec.conversion.frames import frame_steps
from dicodec.errors import ContradictionError, DicodecError
from helpers.codec_images import describe_image, syntax_named
from helpers.kernels import kernels
from helpers.made import IMAGE_KINDS, make_file, make_samples


def describe_result(data: bytes, to: str, **options: Any) -> tuple[object, ...]:
    """Return all that a conversion gives, or its error."""
    out = io.BytesIO()
    try:
        report = convert(data, out, to=to, **options)
    except DicodecError as error:
        return type(error), error.as_dict()
    return out.getvalue(), report.warnings, report.warning_kinds, report.frames


def assert_same_by_words(data: bytes, to: str, **options: Any) -> tuple[object, ...]:
    """Check that a conversion is the one by arrays, to the byte, and return it."""
    kernels()
    by_words = describe_result(data, to, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame_steps, "_make_word_work", lambda *_: None)
        by_arrays = describe_result(data, to, **options)
    assert by_words == by_arrays
    return by_words


@pytest.mark.parametrize("kind", IMAGE_KINDS)
@pytest.mark.parametrize("to", ["rle", "jpeg-lossless", "explicit-be"])
def test_every_kind_of_image(kind: str, to: str) -> None:
    native = IMAGE_KINDS[kind].make()[0]
    first = assert_same_by_words(native, to, workers=1)[0]
    if isinstance(first, bytes):
        assert_same_by_words(first, "explicit-le", workers=1)
        assert_same_by_words(first, "encapsulated-uncompressed", workers=1)


@pytest.mark.parametrize(
    ("source", "to"),
    [
        ("explicit-le", "rle"), ("explicit-le", "jpeg-lossless"), ("rle", "explicit-le"),
        ("rle", "jpeg-lossless"), ("rle", "jpeg-ls"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("workers", [1, 4])
def test_frames_with_bits_above_bits_stored_among_others(
    source: str, to: str, workers: int
) -> None:
    pixels = make_samples(16, 24, 1, 12, False, 5, 1).astype(np.uint16)
    pixels[2, 3, 4] |= 0xC000
    made: dict[str, Any] = {"rows": 16, "columns": 24, "frames": 5, "pixels": pixels}
    if source == "rle":
        image = describe_image(16, 16, rows=16, columns=24)
        encoder = find_encoder(syntax_named("rle"))
        made["streams"] = [[bytes(encoder.encode(frame, image))] for frame in pixels]
        made["transfer_syntax"] = syntax_named("rle").uid
    data = make_file(**made)[0]
    _, warnings, *_ = assert_same_by_words(data, to, workers=workers)
    assert "Bits Stored" in str(warnings) or "High Bit" in str(warnings)
    kind, _ = assert_same_by_words(data, to, workers=workers, strict=True)
    assert kind is ContradictionError


@pytest.mark.parametrize(("source", "to"), [("rle", "jpeg-lossless"), ("jpeg-lossless", "rle")])
@settings(max_examples=20)
@given(data=st.data())
def test_damaged_streams(source: str, to: str, data: st.DataObject) -> None:
    coded = bytearray(convert_bytes(IMAGE_KINDS["multi-frame"].make()[0], to=source))
    start = bytes(coded).index(b"\xe0\x7f\x10\x00OB")
    for _ in range(data.draw(st.integers(1, 3))):
        coded[data.draw(st.integers(start + 12, len(coded) - 1))] = data.draw(st.integers(0, 255))
    assert_same_by_words(bytes(coded), to, workers=1)
