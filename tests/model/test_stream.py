"""A stream that another one follows."""

from __future__ import annotations

import pytest

from dicodec.model.stream import STREAM_STARTS, begins_behind


@pytest.mark.parametrize("kind", STREAM_STARTS)
@pytest.mark.parametrize("between", [b"", b"\0", b"\0" * 9])
def test_a_stream_begins_behind_zeros_alone(kind: str, between: bytes) -> None:
    for start in STREAM_STARTS[kind]:
        assert begins_behind(b"data" + between + start, 4, kind)
        assert not begins_behind(b"data" + between + b"x" + start, 4, kind)
    assert not begins_behind(b"data" + between, 4, kind)
