"""Transfer Syntax UIDs that are missing, unknown, private or wrong: the streams tell."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from dicodec import convert, convert_bytes
from dicodec.errors import (
    ContradictionError,
    DicodecError,
    MalformedFileError,
    UnknownTransferSyntaxError,
)
from dicodec.model.transfer_syntax import find_by_name
from helpers.made import IMAGE_KINDS, make_file, uid_of
from helpers.odd_files import (
    PIXEL_DATA,
    check_streams,
    found,
    frames_of,
    relabelled,
    reported,
    right,
    right_samples,
    same,
    samples_of,
    syntax_of,
    with_streams,
    with_value,
)

PRIVATE_HTJ2K = "3.2.840.10008.1.2.4.96"
KINDS = {
    "gray-8": (
        "rle", "jpeg", "jpeg-extended", "jpeg-lossless", "jpeg-ls", "jpeg-ls-near",
        "jpeg2000-lossless", "jpeg2000", "htj2k-lossless", "htj2k-rpcl", "htj2k",
        "jpegxl-lossless", "jpegxl-jpeg", "jpegxl", "encapsulated-uncompressed", "deflated-frame",
    ),
    "multi-frame": (
        "rle", "jpeg-extended", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless",
        "encapsulated-uncompressed", "deflated-frame",
    ),
}  # fmt: skip
CASES = [(kind, syntax) for kind, syntaxes in KINDS.items() for syntax in syntaxes]
COMPRESSED = tuple(dict.fromkeys(syntax for _, syntax in CASES))
MAY_HOLD = {
    ("jpeg", "jpeg-extended"), ("jpeg-lossless", "jpeg-lossless-p14"), ("jpeg-ls", "jpeg-ls-near"),
    ("jpeg2000-lossless", "jpeg2000"), ("jpegxl-lossless", "jpegxl"), ("jpegxl-jpeg", "jpegxl"),
    ("htj2k-lossless", "htj2k"), ("htj2k-rpcl", "htj2k"), ("htj2k-rpcl", "htj2k-lossless"),
    ("htj2k-lossless", "htj2k-rpcl"),  # our encoder always writes what .202 demands
}  # fmt: skip
"""Streams of the first are also streams of the second (PS3.5 A.4)."""


@pytest.mark.parametrize(("kind", "syntax"), CASES)
def test_streams_under_any_other_uid_decode_to_the_same(kind: str, syntax: str) -> None:
    content = right(kind, syntax)
    others = [one for one in COMPRESSED if one != syntax and (syntax, one) not in MAY_HOLD]

    for stated in others:
        wrong = relabelled(content, uid_of(stated))
        assert "wrong-transfer-syntax" in found(wrong), stated
        assert same(samples_of(wrong), right_samples(kind, syntax)), stated
        with pytest.raises(ContradictionError):
            convert_bytes(wrong, to="explicit-le", strict=True)


@pytest.mark.parametrize(("kind", "syntax"), CASES)
@pytest.mark.parametrize(
    ("uid", "oddity"),
    [
        ("", "no-transfer-syntax"),
        ("1.2.3.4.5", "unknown-transfer-syntax"),
        (PRIVATE_HTJ2K, "unknown-transfer-syntax"),
        (uid_of("explicit-le"), "encapsulated-under-native"),
        (uid_of("implicit-le"), "encapsulated-under-native"),
    ],
)
def test_streams_without_a_uid_that_tells_decode_to_the_same(
    kind: str, syntax: str, uid: str, oddity: str
) -> None:
    wrong = relabelled(right(kind, syntax), uid)

    assert oddity in found(wrong)
    assert oddity in reported(wrong)
    assert same(samples_of(wrong), right_samples(kind, syntax))
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to="explicit-le", strict=True)


def test_a_right_uid_is_not_doubted() -> None:
    for kind, syntax in CASES:
        assert found(right(kind, syntax)) == []
    for syntax, stated in MAY_HOLD:
        if (by := find_by_name(stated)) and by.reads:
            assert found(relabelled(right("gray-8", syntax), by.uid)) == []


@pytest.mark.parametrize(
    ("stated", "syntax", "expected"),
    [
        ("jpeg2000-lossless", "jpeg2000", "jpeg2000"),
        ("jpeg-ls", "jpeg-ls-near", "jpeg-ls-near"),
        ("htj2k-lossless", "htj2k", "htj2k"),
        ("jpeg-lossless", "jpeg", "jpeg"),
        ("jpegxl-lossless", "jpegxl", "jpegxl"),
    ],
)
def test_a_lossless_uid_over_lossy_streams_does_not_hide_the_loss(
    stated: str, syntax: str, expected: str
) -> None:
    native, _ = IMAGE_KINDS["gray-8"].make()
    streams = frames_of(right("gray-8", syntax))
    wrong, _ = IMAGE_KINDS["gray-8"].make(
        transfer_syntax=uid_of(stated), streams=[[one] for one in streams]
    )  # which says nothing of a loss

    assert syntax_of(wrong) == expected
    report = convert(wrong, None, to="rle")
    assert "LossyImageCompression added" in report.changes
    assert "LossyImageCompression added" not in convert(native, None, to="rle").changes


def test_frames_that_can_be_two_things_are_not_guessed_at() -> None:
    # 24 bytes of a header and segments that are as long as the native frame: both fit.
    planes = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56)
    stream = planes + bytes(80)
    content, _ = make_file(12, 12, bits_allocated=8, bits_stored=8, streams=[[stream]],
                           transfer_syntax="1.2.3.4")  # fmt: skip

    assert len(stream) == 12 * 12
    with pytest.raises(UnknownTransferSyntaxError):
        convert_bytes(content, to="explicit-le")


def test_streams_of_nobody_keep_their_error() -> None:
    content, _ = make_file(
        12, 12, streams=[[b"nobody knows what this is"]], transfer_syntax="1.2.3"
    )

    with pytest.raises(UnknownTransferSyntaxError, match=r"'1\.2\.3' is unknown"):
        convert_bytes(content, to="explicit-le")


@pytest.mark.parametrize("stated", ["jpeg", "jpeg2000-lossless", "rle", "htj2k"])
@pytest.mark.parametrize("kind", ["gray-8", "gray-12-in-16", "multi-frame", "odd-size"])
def test_native_pixels_under_a_compressed_uid(kind: str, stated: str) -> None:
    content, samples = IMAGE_KINDS[kind].make()
    wrong = relabelled(content, uid_of(stated))

    assert found(wrong) == ["native-under-compressed"]
    assert same(samples_of(wrong), samples)
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to="explicit-le", strict=True)
    with pytest.raises(MalformedFileError, match="Pixel Data is native, but"):
        convert_bytes(wrong[:-2], to="explicit-le")  # not the length of its frames


@pytest.mark.parametrize("kind", ["gray-8", "gray-16"])
@pytest.mark.parametrize("syntax", ["explicit-le", "implicit-le"])
def test_native_pixels_under_an_unknown_uid_are_read_if_their_byte_order_is_sure(
    syntax: str, kind: str
) -> None:
    content, samples = IMAGE_KINDS[kind].make()
    odd = relabelled(convert_bytes(content, to=syntax), "1.2.3")

    if (syntax, kind) == ("implicit-le", "gray-16"):  # as GE's, which has big endian samples
        with pytest.raises(UnknownTransferSyntaxError):
            convert_bytes(odd, to="explicit-le")
        return

    assert same(samples_of(odd), samples)


@pytest.mark.parametrize("syntax", ["jpeg", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless",
                                    "htj2k-lossless", "jpegxl-lossless"])  # fmt: skip
@pytest.mark.parametrize("stated", ["", "explicit-le", "itself", "1.2.3.4"])
def test_a_stream_that_is_the_value_of_pixel_data(syntax: str, stated: str) -> None:
    content = right("gray-8", syntax)
    uid = (
        uid_of(syntax)
        if stated == "itself"
        else uid_of(stated)
        if stated == "explicit-le"
        else stated
    )
    wrong = relabelled(with_value(content, frames_of(content)[0]), uid)

    assert "stream-without-items" in found(wrong)
    assert same(samples_of(wrong), right_samples("gray-8", syntax))
    assert convert_bytes(wrong, to=syntax, verify=True)
    with pytest.raises(ContradictionError):
        convert_bytes(wrong, to=syntax, strict=True)


@pytest.mark.parametrize("syntax", ["jpeg-lossless", "jpeg-ls", "jpeg2000-lossless",
                                    "htj2k-lossless"])  # fmt: skip
def test_streams_that_follow_each_other_as_the_value_of_pixel_data(syntax: str) -> None:
    content = right("multi-frame", syntax)
    streams = frames_of(content)
    wrong = with_value(content, b"".join(streams))

    assert same(samples_of(wrong), right_samples("multi-frame", syntax))
    with pytest.raises(DicodecError):  # one frame less than is stated
        convert_bytes(with_value(content, b"".join(streams[:-1])), to="explicit-le")


def test_a_frame_more_than_is_stated_is_not_lost() -> None:
    content = right("multi-frame", "rle")
    streams = frames_of(content)
    five = right_samples("multi-frame", "rle")
    more = with_streams(content, [*streams, streams[0]])

    assert found(more) == ["wrong-number-of-frames"]
    assert samples_of(more).shape[0] == 6
    assert same(samples_of(more)[:5], five)


@pytest.mark.parametrize("delimited", [False, True])
@pytest.mark.parametrize("kind", ["gray-12-in-16", "multi-frame", "rgb-8"])
@pytest.mark.parametrize("syntax", ["jpeg-lossless", "jpeg-ls", "rle", "jpeg2000-lossless"])
def test_fragments_may_be_in_a_value_of_defined_length(
    syntax: str, kind: str, delimited: bool
) -> None:
    content = right(kind, syntax)
    start = content.index(PIXEL_DATA) + 12
    value = content[start:] if delimited else content[start:-8]
    wrong = with_value(content, value)

    check_streams(wrong, "fragments-of-defined-length", kind, syntax)


def test_fragments_as_long_as_native_frames_are_no_samples() -> None:
    # Pad bytes behind EOI make the value as long as native frames would be.
    content = right("gray-12-in-16", "jpeg-lossless")
    (stream,) = frames_of(content)
    native = IMAGE_KINDS["gray-12-in-16"].make()[1].nbytes
    padded = stream + b"\0" * (native - 16 - len(stream))
    value = with_streams(content, [padded])
    value = value[value.index(PIXEL_DATA) + 12 : -8]
    assert len(value) == native
    wrong = with_value(content, value)
    assert same(samples_of(wrong), right_samples("gray-12-in-16", "jpeg-lossless"))


def test_native_samples_that_look_like_items_are_samples() -> None:
    item = b"\xfe\xff\0\xe0\0\0\0\0"
    _, samples = IMAGE_KINDS["gray-16"].make()
    data = item + b"\xfe\xff\0\xe0" + struct.pack("<I", samples.nbytes - 16)
    data += samples.tobytes()[16:]
    pixels = np.frombuffer(data, samples.dtype).reshape(samples.shape)
    content, _ = IMAGE_KINDS["gray-16"].make(pixels=pixels)
    assert found(content) == []
    assert same(samples_of(content), pixels)
