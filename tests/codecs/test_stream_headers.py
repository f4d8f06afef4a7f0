"""What streams say about themselves, against what is known of them."""

from __future__ import annotations

import time
from typing import Any

import imagecodecs
import numpy as np
import pytest

from dicodec.codecs.htj2k import count_decompositions
from dicodec.codecs.streams import jpeg, jpeg2000, jpegxl, rle
from dicodec.errors import CorruptFrameError, TruncatedFrameError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.stream import JPEG_2000_START, StreamDescription
from helpers.codec_images import KINDS, codec_for, describe_image, fill, smooth


def _described(name: str, kind: str, **chosen: Any) -> StreamDescription:
    image = describe_image(**KINDS[kind], rows=48, columns=50)
    encoder, decoder = codec_for(name, EncoderSettings(**chosen))
    return decoder.describe(encoder.encode(smooth(image), image))


# fmt: off
FACTS = [
    ("jpeg", "8", "baseline sequential DCT", 8, False),
    ("jpeg-extended", "8", "extended sequential DCT", 8, False),
    ("jpeg-extended", "16/10", "extended sequential DCT", 12, False),
    ("jpeg-lossless", "16/10", "lossless, selection value 1", 10, True),
    ("jpeg-ls", "16/12 signed", "JPEG-LS lossless", 16, True),
    ("jpeg-ls-near", "16/12", "JPEG-LS near-lossless, NEAR 2", 12, False),
    ("jpeg2000-lossless", "16/12 signed", "5-3 reversible", 12, True),
    ("jpeg2000", "16/12", "9-7 irreversible", 12, False),
    ("htj2k-lossless", "32", "5-3 reversible", 32, True),
    ("htj2k", "8", "9-7 irreversible", 8, False),
    ("jpegxl-lossless", "16/10", "Modular", 16, None),
    ("jpegxl", "16/12", "VarDCT, XYB", 16, False),
    ("jpegxl", "rgb 8", "VarDCT, XYB", 8, False),
]
# fmt: on


@pytest.mark.parametrize(("name", "kind", "process", "precision", "lossless"), FACTS)
def test_our_streams_say_what_they_are(
    name: str, kind: str, process: str, precision: int, lossless: bool | None
) -> None:
    described = _described(name, kind)

    assert described.process == process
    assert (described.rows, described.columns) == (48, 50)
    assert described.components == KINDS[kind].get("samples", 1)
    assert described.precision == precision
    assert described.lossless is lossless
    if described.kind in {"jpeg2000", "htj2k"}:
        assert described.signed == bool(KINDS[kind].get("signed"))


def test_kinds() -> None:
    assert _described("jpeg2000-lossless", "8").kind == "jpeg2000"
    assert _described("htj2k-lossless", "8").kind == "htj2k"
    assert _described("rle", "16").details["segments"] == 2


@pytest.mark.parametrize(
    ("subsampling", "factors"),
    [("444", ((1, 1), (1, 1), (1, 1))), ("422", ((2, 1), (1, 1), (1, 1))),
     ("420", ((2, 2), (1, 1), (1, 1)))],
)  # fmt: skip
def test_jpeg_subsampling(subsampling: str, factors: tuple[tuple[int, int], ...]) -> None:
    described = _described("jpeg", "rgb 8", subsampling=subsampling)

    assert described.subsampling == factors
    assert described.subsampled == (subsampling != "444")
    assert described.jfif


def test_jpeg_rgb_is_marked_as_such() -> None:
    described = _described("jpeg", "rgb 8", photometric="RGB")

    assert described.component_ids == (ord("R"), ord("G"), ord("B"))
    assert described.adobe_transform == 0
    assert not described.jfif


def test_lossless_jpeg_of_ybr_does_not_look_like_rgb() -> None:
    described = _described("jpeg-lossless", "ybr 8")

    assert described.component_ids != (ord("R"), ord("G"), ord("B"))
    assert described.adobe_transform is None


def _jpeg() -> bytes:
    image = describe_image(**KINDS["8"], rows=48, columns=50)
    return bytes(codec_for("jpeg")[0].encode(smooth(image), image))


def test_junk_before_soi_is_found_and_skipped() -> None:
    stream = b"\0\0junk" + _jpeg() + b"\0"
    image = describe_image(**KINDS["8"], rows=48, columns=50)
    decoder = codec_for("jpeg")[1]

    assert decoder.describe(stream).details["junk_before_start"] == 6
    assert np.array_equal(decoder.decode(stream, image), decoder.decode(_jpeg(), image))


def test_fill_bytes_before_markers() -> None:
    stream = _jpeg()
    table = stream.index(b"\xff\xdb")
    filled = stream[:table] + b"\xff\xff" + stream[table:-2] + b"\xff\xff\xff" + stream[-2:]
    image = describe_image(**KINDS["8"], rows=48, columns=50)
    decoder = codec_for("jpeg")[1]

    assert np.array_equal(decoder.decode(filled, image), decoder.decode(stream, image))


def test_an_eoi_inside_a_thumbnail_does_not_end_the_stream() -> None:
    stream = _jpeg()
    thumbnail = b"\xff\xe1\x00\x08\xff\xd8\xff\xd9\x00\x00"
    whole = stream[:2] + thumbnail + stream[2:]

    assert bytes(jpeg.check_whole(whole)[1]) == whole
    with pytest.raises(TruncatedFrameError):
        jpeg.check_whole(stream[:2] + thumbnail[:-2])


def test_lines_given_after_the_scan() -> None:
    stream = bytearray(_jpeg())
    sof = stream.index(b"\xff\xc0")
    rows = bytes(stream[sof + 5 : sof + 7])
    stream[sof + 5 : sof + 7] = b"\0\0"
    stream[-2:-2] = b"\xff\xdc\x00\x04" + rows

    assert jpeg.describe(stream).rows == 48


def test_headers_suffice_to_describe() -> None:
    for name, kind in (("jpeg", "8"), ("jpeg-ls", "8"), ("jpeg2000", "8"), ("htj2k", "8")):
        image = describe_image(**KINDS[kind], rows=200, columns=200)
        encoder, decoder = codec_for(name)
        stream = encoder.encode(fill(image, "noise"), image)
        assert decoder.describe(stream[:700]) == decoder.describe(stream)


def test_parsing_takes_linear_time() -> None:
    """2 MB of what makes a naive parser start again and again."""
    head = _jpeg()[:-2]
    for tail in (b"\xff" * 2_000_000, b"\xff\0" * 1_000_000, b"\xff\xd0" * 1_000_000,
                 b"\xff\xe0\0\2" * 500_000, b"\xff\xda\0\2" * 500_000):  # fmt: skip
        start = time.perf_counter()
        with pytest.raises((TruncatedFrameError, CorruptFrameError)):
            jpeg.check_whole(head + tail)
        assert time.perf_counter() - start < 2


def test_boxes_around_a_codestream() -> None:
    image = describe_image(**KINDS["rgb 8"], rows=20, columns=30)
    samples = fill(image, "noise")
    boxed = bytes(
        imagecodecs.jpeg2k_encode(samples, codecformat="JP2", reversible=True, numthreads=1)
    )
    described, codestream = jpeg2000.check_whole(boxed + b"\0")
    decoder = codec_for("jpeg2000-lossless")[1]

    assert described.details["boxed"] == 1
    assert bytes(codestream[:4]) == JPEG_2000_START
    assert np.array_equal(decoder.decode(boxed, image), samples)


def test_a_tile_part_of_unknown_length() -> None:
    image = describe_image(**KINDS["8"])
    encoder, decoder = codec_for("jpeg2000-lossless")
    stream = bytes(encoder.encode(fill(image, "ramp"), image))
    sot = stream.index(b"\xff\x90\x00\x0a")
    open_ended = stream[: sot + 6] + b"\0\0\0\0" + stream[sot + 10 :]

    assert np.array_equal(decoder.decode(open_ended + b"\0", image), fill(image, "ramp"))
    with pytest.raises(TruncatedFrameError):
        decoder.decode(open_ended[:-2], image)


def test_htj2k_has_what_rpcl_options_demand() -> None:
    for rows, columns in ((48, 50), (2049, 65), (100, 4096)):
        image = describe_image(**KINDS["8"], rows=rows, columns=columns)
        encoder, decoder = codec_for("htj2k-rpcl")
        details = decoder.describe(encoder.encode(fill(image, "ramp"), image)).details
        levels = int(details["decomposition_levels"])
        assert details["progression"] == "RPCL"
        assert details["tiles"] == 1
        assert details["tlm"] == 1
        assert max(rows, columns) >> levels <= 64


def test_decomposition_levels() -> None:
    assert count_decompositions(512, 512) is None
    assert count_decompositions(2048, 2048) is None
    assert count_decompositions(2049, 2048) == 6
    assert count_decompositions(40_000, 30_000) == 10
    assert count_decompositions(1, 60_000) is None


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (16, 24), (37, 41), (300, 400), (256, 256),
                                  (480, 640), (1, 513), (9000, 3)])  # fmt: skip
def test_jpeg_xl_sizes(size: tuple[int, int]) -> None:
    for dtype, container in (("u1", False), ("<u2", True)):
        stream = bytes(
            imagecodecs.jpegxl_encode(
                np.zeros(size, dtype), lossless=True, effort=1, usecontainer=container, numthreads=1
            )
        )
        described = jpegxl.describe(stream)
        assert (described.rows, described.columns, described.components) == (*size, 1)
        assert described.precision == (8 if dtype == "u1" else 16)


def test_an_rle_header_of_many_segments() -> None:
    with pytest.raises(TruncatedFrameError):
        rle.describe(b"\1\0\0\0" + b"\x40\0\0\0" + b"\0" * 56)
    with pytest.raises(CorruptFrameError):
        rle.describe(b"\x10" + b"\0" * 70)
