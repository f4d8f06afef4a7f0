"""Images behind sources with random access, and what reading one of their frames comes to."""

from __future__ import annotations

from typing import Any

from dicodec import open_image
from dicodec.errors import DicodecError


class RangedSource:
    """A source with random access that notes each range that is read, and is no file or buffer."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.size = len(content)
        self.ranges: list[tuple[int, int]] = []

    def read(self, offset: int, length: int) -> bytes:
        self.ranges.append((offset, length))
        return self.content[offset : offset + length]


def read_or_refuse(content: bytes, frame: int, *, trust_table: bool = True) -> Any:
    """Return a frame's samples as lists; or the error's class, code and frame."""
    try:
        with open_image(content, trust_table=trust_table) as image:
            return image.read_frame(frame).tolist()
    except DicodecError as error:
        return type(error), error.code, error.frame
