"""The frames of a file: none, undescribed, native or encapsulated, and where each lies."""

from __future__ import annotations

import pytest

from dicodec import convert_bytes
from dicodec.errors import CorruptFrameError, FrameError, MalformedFileError, MissingFrameError
from dicodec.part10.dicom_file import open_dicom
from helpers.data_set_bytes import data_set_of
from helpers.made import IMAGE_KINDS, make_file

ROWS = b"\x28\0\x10\0US\x02\0"


def without_pixels() -> bytes:
    content, _ = IMAGE_KINDS["gray-8"].make()
    data = data_set_of(content)
    return content[: len(content) - len(data)] + data[: data.index(b"\xe0\x7f\x10\0")]


def test_a_data_set_without_pixels_has_frames_of_which_there_are_none() -> None:
    with open_dicom(without_pixels()) as file:
        frames = file.frames
        assert not frames.present
        assert (frames.description, frames.fault) == (None, None)
        assert (frames.encapsulated, frames.native) == (None, None)
        with pytest.raises(MalformedFileError, match="no Pixel Data"):
            _ = frames.image
        with pytest.raises(MissingFrameError):
            frames.read(0)
        assert file.locate_frame(0) is None


def test_pixels_that_nothing_describes_say_why() -> None:
    content, _ = IMAGE_KINDS["gray-8"].make()
    with open_dicom(content.replace(ROWS, ROWS[:2] + b"\x12\0" + ROWS[4:])) as file:
        frames = file.frames
        assert frames.present
        assert (frames.description, frames.native) == (None, None)
        for ask in (lambda: frames.image, lambda: frames.read(0)):
            with pytest.raises(MalformedFileError, match="Rows is missing"):
                ask()
        assert file.locate_frame(0) is None


@pytest.mark.parametrize("target", ["explicit-le", "implicit-le", "encapsulated-uncompressed"])
def test_a_frame_is_read_and_located(target: str) -> None:
    native, samples = make_file(3, 5, bits_allocated=8, bits_stored=8, frames=4)
    content = convert_bytes(native, to=target)
    with open_dicom(content) as file:
        for frame, expected in enumerate(samples.astype("u1")):
            stored = expected.tobytes()
            assert file.frames.read(frame)[:15] == stored
            start = file.locate_frame(frame)
            assert start is not None
            assert content[start : start + 15] == stored
            assert file.locate_frame(frame, 7) == start + 7
        with pytest.raises(FrameError) as raised:
            file.frames.read(4)
        assert raised.value.frame == 4


def test_a_frame_of_a_deflated_file_has_no_place_in_it() -> None:
    content = convert_bytes(IMAGE_KINDS["gray-8"].make()[0], to="deflated")
    with open_dicom(content) as file:
        assert file.frames.read(0)
        assert file.locate_frame(0) is None


def test_an_error_is_located_once() -> None:
    content, _ = make_file(3, 5, bits_allocated=8, bits_stored=8, frames=4)
    with open_dicom(content) as file:
        error = CorruptFrameError("wrong", offset=2)
        file.add_location(error, 1)
        where = file.frames.span.value + 15 + 2
        assert (error.frame, error.offset) == (1, where)
        file.add_location(error, 3)
        assert (error.frame, error.offset) == (1, where)
