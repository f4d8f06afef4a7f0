"""JPEG XL headers that few encoders write: orientations, animations, previews, profiles."""

from __future__ import annotations

import io
from itertools import product
from typing import Any

import imagecodecs
import numpy as np
import pytest

from dicodec import convert, convert_bytes
from dicodec.codecs.jpegxl import JpegXlDecoder
from dicodec.codecs.streams import jpegxl
from dicodec.codecs.streams.bit_reader import BitReader
from dicodec.codecs.streams.boxes import walk_boxes
from dicodec.errors import FrameMismatchError
from dicodec.model.stream import JPEG_XL_START
from helpers.codec_images import KINDS, Samples, describe_image, fill
from helpers.made import make_file

JPEG_XL_LOSSLESS = "1.2.840.10008.1.2.4.110"
ROWS, COLUMNS = 5, 9

TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
"""What a decoder shows of an image by orientation (ISO/IEC 18181-1 Table D.4)."""


def with_extra_fields(stream: bytes, orientation: int = 1, more: str = "000") -> bytes:
    """Return a bare codestream with an orientation and further fields in its metadata.

    Args:
        stream: without such fields.
        orientation: 1 to 8.
        more: bits that say whether there are an intrinsic size, a preview, an animation, with what
            they bring.
    """
    reader = BitReader(stream, 2)
    jpegxl._read_size(reader)
    start = reader._at
    assert [reader.read_flag(), reader.read_flag()] == [False, False], "there are no extra fields"
    reader._at = start + 1
    assert jpegxl._read_metadata(reader, jpegxl._Facts())
    end = reader._at
    bits = "".join(f"{byte:08b}"[::-1] for byte in stream[2:])
    tone_mapping, extensions = "1", bits[end - 2 : end]
    made = (
        bits[: start + 1] + "1" + f"{orientation - 1:03b}"[::-1] + more
        + bits[start + 2 : end - 2] + tone_mapping + extensions + bits[end : end + 1]
    )  # fmt: skip
    made += "0" * (-len(made) % 8)
    header = bytes(int(made[at : at + 8][::-1], 2) for at in range(0, len(made), 8))
    return stream[:2] + header + stream[2 + (end + 1 + 7) // 8 :]


def encoded(samples: Samples, **chosen: Any) -> bytes:
    """Return a bare codestream; libjxl puts those of 16 bits in a container, for their level."""
    stream = bytes(imagecodecs.jpegxl_encode(samples, lossless=True, effort=1, **chosen))
    if stream.startswith(JPEG_XL_START):
        return stream
    numbered = {b"jxlc": 0, b"jxlp": 4}
    return b"".join(
        stream[box.start + numbered[box.kind] : box.end]
        for box in walk_boxes(stream)
        if box.kind in numbered
    )


@pytest.mark.parametrize(("orientation", "kind"), [*product(TURNED, ["8", "16", "rgb 8"])])
def test_orientation_is_as_libjxl_shows_it(orientation: int, kind: str) -> None:
    image = describe_image(**KINDS[kind], rows=ROWS, columns=COLUMNS)
    samples = fill(image, "noise")
    stream = with_extra_fields(encoded(samples), orientation)
    expected = TURNED[orientation](samples)
    assert np.array_equal(imagecodecs.jpegxl_decode(stream), expected)

    rows, columns = expected.shape[:2]
    described = jpegxl.describe(stream)
    assert (described.rows, described.columns) == (rows, columns)
    assert described.details.get("orientation", 1) == orientation
    shown = describe_image(**KINDS[kind], rows=rows, columns=columns)
    assert np.array_equal(JpegXlDecoder().decode(stream, shown), expected)
    if orientation >= 5:
        with pytest.raises(FrameMismatchError):
            JpegXlDecoder().decode(stream, image)

    content, _ = make_file(
        rows, columns, **_fields(kind), frames=2, transfer_syntax=JPEG_XL_LOSSLESS,
        streams=[[stream], [stream]],
    )  # fmt: skip
    native = convert_bytes(content, to="explicit-le", verify=True)
    assert np.ascontiguousarray(expected).tobytes() * 2 in native


def _fields(kind: str) -> dict[str, Any]:
    chosen = KINDS[kind]
    return {
        "samples": chosen.get("samples", 1),
        "bits_allocated": chosen["allocated"],
        "bits_stored": chosen["stored"],
        "photometric": chosen.get("pi", "MONOCHROME2"),
    }


@pytest.mark.parametrize("kind", ["8", "16", "rgb 8", "rgb 16"])
@pytest.mark.parametrize("images", [1, 3])
def test_an_animation_is_as_lossless_as_its_frames(kind: str, images: int) -> None:
    image = describe_image(**KINDS[kind], rows=31, columns=27)
    samples = np.stack([fill(image, "noise", seed) for seed in range(images + 1)])
    stream = encoded(samples, photometric="RGB" if kind.startswith("rgb") else "GRAY")
    described = jpegxl.describe(stream)
    assert described.details["animation"] == 1
    assert described.process == "Modular"
    assert described.lossless is None
    assert not described.component_transform
    assert described.precision == image.bits_stored

    content, _ = make_file(
        31, 27, **_fields(kind), transfer_syntax=JPEG_XL_LOSSLESS, streams=[[stream]]
    )
    out = io.BytesIO()
    report = convert(content, out, to="explicit-le", verify=True)
    assert samples[0].tobytes() in out.getvalue()
    assert b"ISO_18181_1" not in out.getvalue()
    assert not report.warnings


@pytest.mark.parametrize("distance", [1.0, 4.0])
def test_a_lossy_animation_is_lossy(distance: float) -> None:
    samples = np.stack([fill(describe_image(**KINDS["rgb 8"]), "ramp", seed) for seed in (0, 1)])
    stream = bytes(imagecodecs.jpegxl_encode(samples, distance=distance, photometric="RGB"))
    described = jpegxl.describe(stream)
    assert described.details["animation"] == 1
    assert described.lossless is False


# fmt: off
FIELDS = {
    "an intrinsic size": "1" + "1" + f"{4:05b}"[::-1] + f"{1:03b}"[::-1] + "00",
    "a short animation": "001" + "00" + "00" + "00" + "0",
    "a long animation": "001" + "11" + "1" * 30 + "11" + "0" * 10 + "11" + "1" * 32 + "1",
}
# fmt: on


@pytest.mark.parametrize("fields", FIELDS)
@pytest.mark.parametrize("kind", ["8", "rgb 8"])
def test_the_coding_mode_is_found_behind_other_fields(fields: str, kind: str) -> None:
    image = describe_image(**KINDS[kind], rows=ROWS, columns=COLUMNS)
    stream = with_extra_fields(encoded(fill(image, "noise")), 1, FIELDS[fields])
    described = jpegxl.describe(stream)

    assert described.process == "Modular"
    assert described.components == image.samples_per_pixel
    assert (described.precision, described.lossless) == (8, None)


@pytest.mark.parametrize(
    "preview", ["1" + "00" + "100", "0" + "00" + "111111" + "000" + "10" + "0" * 8]
)
def test_a_preview_keeps_the_mode_unknown_and_nothing_else(preview: str) -> None:
    image = describe_image(**KINDS["16"], rows=ROWS, columns=COLUMNS)
    stream = with_extra_fields(encoded(fill(image, "noise")), 1, "01" + preview + "0")
    described = jpegxl.describe(stream)

    assert described.process == "unknown mode"
    assert (described.components, described.precision, described.lossless) == (1, 16, None)
