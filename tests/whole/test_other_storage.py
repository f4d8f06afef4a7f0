"""Videos and pixels kept elsewhere: passed through or refused, never half converted."""

from __future__ import annotations

import pytest

from dicodec import convert_bytes, inspect
from dicodec.errors import UnsupportedSourceError, UnsupportedTargetError
from helpers.made import IMAGE_KINDS, PIXEL_DATA

H264 = "1.2.840.10008.1.2.4.102"
JPIP = "1.2.840.10008.1.2.4.94"


def video() -> bytes:
    """Return 30 frames in one fragment of something that need not be H.264."""
    return IMAGE_KINDS["rgb-8-frames"].make(
        streams=[[b"\0\0\1\xb3" + b"x" * 1001]], transfer_syntax=H264, frames=30
    )[0]


def test_a_video_is_passed_through_and_its_attributes_can_be_set() -> None:
    data = video()

    result = convert_bytes(data, to=H264, set_attributes=(("PatientID", "42"),))

    assert convert_bytes(data, to=H264) == data
    stream = data[data.index(b"\xe0\x7f\x10\x00") :]
    assert stream in result
    assert b"42" in result


def test_a_video_is_not_transcoded() -> None:
    with pytest.raises(UnsupportedSourceError, match="video"):
        convert_bytes(video(), to="explicit-le")


def test_images_are_not_made_videos() -> None:
    with pytest.raises(UnsupportedTargetError, match="not written"):
        convert_bytes(IMAGE_KINDS["rgb-8"].make()[0], to=H264)


def test_what_only_refers_to_its_pixels_is_inspected_and_not_converted() -> None:
    data, _ = IMAGE_KINDS["gray-8"].make(transfer_syntax=JPIP)
    without_pixels = data[: data.index(PIXEL_DATA.to_bytes(4, "big")[1::-1] + b"\x10\x00")]

    assert inspect(without_pixels).transfer_syntax_title == "JPIP Referenced"
    for file in (data, without_pixels):
        with pytest.raises(UnsupportedSourceError, match="not in the file"):
            convert_bytes(file, to="explicit-le")
