"""Deflating a data set: one raw stream, the same from any number of threads."""

from __future__ import annotations

import io
import random
import threading
import zlib
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert_bytes
from dicodec.part10 import deflating
from dicodec.part10.deflating import DeflatingWriter
from helpers.made import IMAGE_KINDS


def deflated(parts: list[bytes], workers: int) -> bytes:
    out = io.BytesIO()
    writer = DeflatingWriter(out, workers)
    for part in parts:
        assert writer.write(part) == len(part)
    writer.finish()
    writer.close()
    return out.getvalue()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3000), max_size=5), st.integers(1, 500))
def test_the_stream_is_one_raw_stream_of_all_parts(parts: list[bytes], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deflating, "BLOCK_SIZE", block)
        stream = deflated(parts, 1)
        assert deflated(parts, 3) == stream
        assert deflated([b"".join(parts)], 3) == stream

    assert len(stream) % 2 == 0
    # At most one NUL follows it (PS3.5 A.5).
    inflater = zlib.decompressobj(-15)
    assert inflater.decompress(stream) == b"".join(parts)
    assert inflater.eof
    assert inflater.unused_data in {b"", b"\0"}


def test_blocks_cost_next_to_nothing() -> None:
    chance = random.Random(1)
    words = [chance.randbytes(9) for _ in range(300)]
    text = b"".join(chance.choices(words, k=500_000))
    whole = zlib.compressobj(3, zlib.DEFLATED, -15)
    assert len(deflated([text], 2)) < 1.001 * len(whole.compress(text) + whole.flush())


def test_no_thread_is_left_where_writing_fails() -> None:
    class Full(io.BytesIO):
        def write(self, _: object, /) -> int:
            raise OSError(28, "No space left on device")

    with closing(DeflatingWriter(Full(), workers=2)) as writer, pytest.raises(OSError, match="No"):
        writer.write(random.Random(1).randbytes(9 << 20))
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("dicodec-deflate")]


def test_large_files_are_the_same_from_one_worker_or_many() -> None:
    data, _ = IMAGE_KINDS["gray-16"].make(rows=512, columns=512, frames=9)
    one = convert_bytes(data, to="deflated", workers=1)
    assert convert_bytes(data, to="deflated", workers=4) == one
