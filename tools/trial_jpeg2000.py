"""Compare the kernel of JPEG 2000 with OpenJPEG on drawn streams of both: `make trial-jpeg2000`.

Each round draws an image. OpenJPEG's own library writes it with drawn parameters, and kernel and
imagecodecs read that, in full size and halved; the kernel writes it without loss and for a drawn
goal, and both read that too. Reversible streams have to come to the same samples, irreversible ones
to within one. A round is the same for the same number; the first one that fails is printed.

OpenJPEG 2.5.0 writes past its memory with some parameters, so a process of its own writes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

import imagecodecs
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dicodec import _kernels
from helpers import jpeg2000_streams as streams

KERNELS: Any = _kernels.COMPILED

type Pixels = np.ndarray[Any, Any]


class TrialError(Exception):
    """A stream that kernel and OpenJPEG read differently."""


def draw_image(number: int) -> tuple[Random, Pixels, int, bool]:
    """Return the chance of a round, its image and precision, and whether nothing is lost."""
    random = Random(f"jpeg2000/{number}")  # noqa: S311 - nobody must not guess it
    pixels, precision = streams.draw_pixels(random)
    return random, pixels, precision, random.random() < 0.6


def write_streams(first: int, end: int, to: Connection) -> None:
    """Send the stream that OpenJPEG writes in each round, None if it refuses."""
    for number in range(first, end):
        random, pixels, precision, lossless = draw_image(number)
        style = streams.draw_style(random, pixels, lossless=lossless)
        try:
            to.send(streams.write(pixels, precision, style))
        except ValueError:
            to.send(None)


def decode_by_kernel(
    stream: bytes, pixels: Pixels, precision: int, halvings: int = 0
) -> Pixels | None:
    """Return the samples that the kernel reads, None if it leaves them to the library."""
    rows, columns = pixels.shape[:2]
    words = KERNELS.decode_jpeg2000(
        stream, rows, columns, pixels.shape[2] if pixels.ndim == 3 else 1, 8 * pixels.itemsize,
        precision, pixels.dtype.kind == "i", 1, halvings,
    )  # fmt: skip
    if words is None:
        return None
    rows, columns = (-(-side // (1 << halvings)) for side in (rows, columns))
    return np.frombuffer(words, pixels.dtype).reshape(rows, columns, *pixels.shape[2:])


def compare(
    what: str, stream: bytes, read: Pixels | None, most: int, halvings: int = 0
) -> Pixels | None:
    """Compare what the kernel read with what imagecodecs reads, and return that.

    Raises:
        TrialError: they differ by more than `most`, or the kernel read nothing.
    """
    try:
        decoded = imagecodecs.jpeg2k_decode(stream, planar=False, skipres=halvings)
    except imagecodecs.Jpeg2kError:
        if read is not None and "theirs" not in what:
            raise TrialError(f"{what}: only the kernel reads it") from None
        return None
    if read is None:
        if halvings:
            return None
        raise TrialError(f"{what}: only OpenJPEG reads it")
    expected: Pixels = np.asarray(decoded).reshape(read.shape)
    difference = int(abs(read.astype(int) - expected).max())
    if difference > most:
        raise TrialError(f"{what}: samples differ by {difference}")
    return expected


def has_lost_samples(stream: bytes, pixels: Pixels) -> bool:
    """Return whether OpenJPEG reads other samples than it encoded: color of few bits overflows."""
    try:
        decoded = imagecodecs.jpeg2k_decode(stream, planar=False)
    except imagecodecs.Jpeg2kError:
        return False
    return not np.array_equal(np.asarray(decoded).reshape(pixels.shape), pixels)


def try_theirs(number: int, stream: bytes, counts: Counter[str]) -> None:
    """Compare the two decoders on a stream of OpenJPEG.

    Raises:
        TrialError: they differ.
    """
    random, pixels, precision, lossless = draw_image(number)
    kind = "reversible" if lossless else "irreversible"
    most = 0 if lossless else 1
    read = decode_by_kernel(stream, pixels, precision)
    if read is None and lossless and has_lost_samples(stream, pixels):
        counts["streams of OpenJPEG that lack samples"] += 1
        return
    if compare(f"theirs, {kind}", stream, read, most) is None:
        counts["streams of OpenJPEG that itself does not read"] += 1
        return
    counts[f"streams of OpenJPEG, {kind}"] += 1
    halvings = random.choice((1, 1, 2, 3))
    halved = decode_by_kernel(stream, pixels, precision, halvings)
    what = f"theirs, {kind}, halved {halvings} times"
    if halved is not None and compare(what, stream, halved, most, halvings) is not None:
        counts[f"the same, halved, {kind}"] += 1


def try_ours(number: int, counts: Counter[str]) -> None:
    """Compare the two decoders on streams of the kernel, of which one has the samples themselves.

    Raises:
        TrialError: they differ.
    """
    random, pixels, precision, _ = draw_image(number)
    color = pixels.ndim == 3
    described = (
        pixels.tobytes(), *pixels.shape[:2], 3 if color else 1, 8 * pixels.itemsize, precision,
        pixels.dtype.kind == "i", color and random.random() < 0.6, random.choice((1, 1, 3)),
    )  # fmt: skip
    stream = KERNELS.encode_jpeg2000(*described)
    if stream is None:
        counts["images that the kernel leaves to OpenJPEG"] += 1
        return
    expected = compare("ours, reversible", stream, decode_by_kernel(stream, pixels, precision), 0)
    if expected is None or not np.array_equal(expected, pixels):
        raise TrialError("ours, reversible: other samples than were encoded")
    counts["streams of the kernel, reversible"] += 1
    size = random.choice((0, random.randint(1, len(stream) + 99)))
    goal = (size, random.uniform(10, 120), random.random() < 0.5)
    stream = KERNELS.encode_jpeg2000_lossy(*described, *goal)
    read = decode_by_kernel(stream, pixels, precision)
    what = f"ours, irreversible, goal {goal}"
    if compare(what, stream, read, 1) is None:
        raise TrialError(f"{what}: nobody reads it")
    counts["streams of the kernel, irreversible"] += 1


def run_rounds(first: int, count: int, seconds: float, counts: Counter[str]) -> None:
    """Go through rounds, until they or the seconds are at an end.

    Raises:
        TrialError: one failed.
    """
    number, end, limit = first, first + count, time.monotonic() + seconds
    while number < end and time.monotonic() < limit:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        writer = multiprocessing.Process(target=write_streams, args=(number, end, sender))
        writer.start()
        sender.close()
        try:
            while number < end and time.monotonic() < limit:
                stream = receiver.recv()
                try:
                    if stream is not None:
                        try_theirs(number, stream, counts)
                    try_ours(number, counts)
                except TrialError as error:
                    raise TrialError(f"round {number}: {error}") from None
                number += 1
        except EOFError:
            counts["ends of OpenJPEG's process"] += 1
            number += 1
        finally:
            writer.terminate()
            writer.join()
            receiver.close()


def main() -> int:
    """Run the trial, and return 1 if a round failed."""
    parser = argparse.ArgumentParser(description="compare the kernel of JPEG 2000 with OpenJPEG")
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=120, help="at most")
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    failed = ""
    try:
        run_rounds(arguments.first, arguments.rounds, arguments.seconds, counts)
    except TrialError as error:
        failed = str(error)
    for what in sorted(counts):
        print(f"{what}: {counts[what]}")
    if failed:
        print(f"failed: {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
