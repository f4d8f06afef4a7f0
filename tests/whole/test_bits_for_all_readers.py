"""Samples of fewer bits than their words have, as other readers give them, unused bits and all."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from dicodec import convert_bytes, inspect
from differential.bit_matrix import BITS, FORMS, READERS, Cell
from helpers.made import make_file, make_samples
from helpers.odd_files import frames_of
from helpers.witnesses import available


@pytest.mark.parametrize("target", READERS)
def test_every_reader_gets_the_stored_values(target: str, tmp_path: Path) -> None:
    for (allocated, stored), (signed, samples) in product(BITS, FORMS):
        cell = Cell(target, allocated, stored, signed, samples, 21, 23, 2, 0, 1)
        # Not those that a machine happens to have: their faults differ from version to version.
        found = cell.outcomes(tmp_path, available())
        wrong = [one for one in found if one.startswith("!")]
        assert not wrong, cell.describe()


@pytest.mark.parametrize(("bits", "form"), [*product(BITS, FORMS)])
def test_jpeg_xl_has_whole_words(bits: tuple[int, int], form: tuple[bool, int]) -> None:
    """Readers ask for 8 or 16 bits, which decoders scale from any other precision."""
    (allocated, stored), (signed, samples) = bits, form
    content, pixels = make_file(
        20, 24, samples, allocated, stored, signed=signed,
        photometric="RGB" if samples == 3 else "MONOCHROME2",
    )  # fmt: skip
    packed = convert_bytes(content, to="jpegxl-lossless")
    stream = inspect(packed).stream
    assert stream is not None
    assert stream.precision == allocated
    words = np.asarray(imagecodecs.jpegxl_decode(frames_of(packed)[0]))
    assert words.tobytes() == pixels.tobytes()

    if not signed:
        lossy = inspect(convert_bytes(content, to="jpegxl", lossy=True))
        assert lossy.stream is not None
        assert lossy.image is not None
        whole = 8 if stored <= 8 else 16
        assert lossy.stream.precision == whole
        assert (lossy.image.bits_allocated, lossy.image.bits_stored) == (whole, whole)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("stored", range(2, 17))
@pytest.mark.parametrize("target", ["jpeg-lossless", "jpeg-ls", "jpegxl-lossless", "jpeg-ls-near"])
def test_what_is_coded_is_the_word_and_comes_back(target: str, stored: int, signed: bool) -> None:
    allocated = 8 if stored <= 8 else 16
    pixels = make_samples(9, 11, 1, stored, signed, 1, 3)
    if target == "jpeg-ls-near":
        if stored < 4:
            return
        pixels = pixels // 2  # away from the ends, which a difference would pass
    for bits in {allocated, 16}:
        typed = pixels.astype(f"<{'i' if signed else 'u'}{bits // 8}")
        content, _ = make_file(9, 11, 1, bits, stored, signed=signed, pixels=typed)
        near = 1 if target == "jpeg-ls-near" else None
        packed = convert_bytes(content, to=target, near=near, verify=True, strict=True)
        again = convert_bytes(packed, to="explicit-le", strict=True)
        found = np.frombuffer(again[-typed.nbytes - typed.nbytes % 2 :], typed.dtype)[: typed.size]
        error = np.abs(found.astype(int) - typed.reshape(-1))
        assert error.max() <= (target == "jpeg-ls-near")
