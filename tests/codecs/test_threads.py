"""Threads for one frame: they make it faster, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import imagecodecs
import pytest

from dicodec import convert, convert_bytes
from dicodec.codecs.table import with_threads
from dicodec.model.late_import import import_late
from helpers.codec_images import ACCEPTED, KINDS, codec_for, describe_image, smooth
from helpers.kernels import without_kernels
from helpers.made import make_file
from helpers.thread_limit import limit_threads

THREADED = ("jpeg2000", "htj2k", "jpegxl")
"""What the names of syntaxes begin with whose decoder, at least, can use several."""


def watch_threads(monkeypatch: pytest.MonkeyPatch, module: str) -> list[int]:
    """Return how many threads a codec of imagecodecs is given, call by call; follows."""
    given: list[int] = []

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, numthreads: int, **named: Any) -> Any:
            given.append(numthreads)
            return function(*arguments, numthreads=numthreads, **named)

        return call

    for name in (f"{module}_encode", f"{module}_decode"):
        monkeypatch.setattr(import_late("imagecodecs"), name, watched(getattr(imagecodecs, name)))
    return given


@pytest.mark.parametrize("name", sorted(ACCEPTED))
@pytest.mark.parametrize("threads", [2, 5])
def test_what_comes_out_does_not_depend_on_threads(name: str, threads: int) -> None:
    encoder, decoder = codec_for(name)
    quicker_encoder = with_threads(encoder, threads)
    quicker_decoder = with_threads(decoder, threads)
    assert (quicker_decoder != decoder) == name.startswith(THREADED)
    for kind in ACCEPTED[name]:
        image = describe_image(**KINDS[kind], rows=300, columns=280)
        samples = smooth(image)
        stored = encoder.describe_encoded(image)
        stream = encoder.encode(samples, image)
        assert quicker_encoder.encode(samples, image) == stream
        back = decoder.decode(stream, stored)
        assert quicker_decoder.decode(stream, stored).tobytes() == back.tobytes()


@pytest.mark.parametrize(("module", "to"), [("jpeg2k", "jpeg2000-lossless"),
                                            ("jpegxl", "jpegxl-lossless")])  # fmt: skip
def test_workers_without_a_frame_help_with_the_others(
    module: str, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = watch_threads(monkeypatch, module)
    for frames, workers, expected in ((1, 4, 4), (3, 4, 1), (2, 4, 2), (5, 4, 1), (1, 1, 1)):
        content = make_file(64, 64, frames=frames)[0]
        out = io.BytesIO()
        with without_kernels():
            convert(content, out, to=to, workers=workers, verify=True)
            convert_bytes(out.getvalue(), to="explicit-le", workers=workers)
        assert set(given) == {expected}
        given.clear()


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_libjxl_gets_no_more_threads_than_can_be_started(
    allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the process if it cannot start them; with one it starts none."""
    given = watch_threads(monkeypatch, "jpegxl")
    one_encoder, one_decoder = codec_for("jpegxl-lossless")
    encoder, decoder = with_threads(one_encoder, 4), with_threads(one_decoder, 4)
    image = describe_image(**KINDS["16"], rows=30, columns=28)
    limit_threads(monkeypatch, allowed)
    stream = encoder.encode(smooth(image), image)
    assert decoder.decode(stream, encoder.describe_encoded(image)).any()
    assert set(given) == {max(1, allowed)}
