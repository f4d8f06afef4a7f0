"""Hints of images that a target cannot hold: each target that they name holds them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from dicodec import convert_bytes
from dicodec.errors import SampleRangeError, UnsupportedImageError
from dicodec.model.transfer_syntax import find_by_name, list_writable
from helpers.made import IMAGE_KINDS

WITHOUT = {"jpegxl-jpeg"}
"""Targets whose errors are about the source's stream."""


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_every_refusal_names_a_way_out_that_works(kind: str) -> None:
    content, _ = IMAGE_KINDS[kind].make()
    for name, hint in find_refusals(content):
        named = re.split(r", | and ", re.split(r" holds? (it|them)", hint)[0])
        assert named != [""], name
        assert name not in named
        for other in named:
            if find_by_name(other) is not None:
                convert_bytes(content, to=other, lossy=True)


def find_refusals(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the targets that cannot hold an image, with the hint of each."""
    for target in list_writable():
        if target.name in WITHOUT:
            continue
        try:
            convert_bytes(content, to=target.name, lossy=True)
        except SampleRangeError:  # it depends on the samples, not on the kind of image
            continue
        except UnsupportedImageError as error:
            yield target.name, error.hint or ""
