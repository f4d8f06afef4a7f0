"""Samples of fewer bits than their words have, as other readers give them, unused bits and all."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from dicodec import convert_bytes, inspect
from dicodec.conversion.gdcm.capability import READING_FAULTS
from helpers.made import make_file, make_samples
from helpers.odd_files import frames_of
from helpers.witnesses import Outcome, available, read_with, same_samples

BITS = [(8, 7), (8, 8), (16, 8), (16, 10), (16, 12), (16, 14), (16, 16)]
FORMS = [(False, 1), (True, 1), (False, 3)]
TARGETS = {
    "jpeg-lossless": {"gdcm", "dcmtk"},
    "jpeg-lossless-p14": {"gdcm", "dcmtk"},
    "jpeg-ls": {"gdcm", "dcmtk", "pydicom"},
    "jpeg2000-lossless": {"gdcm", "pydicom"},
    "htj2k-lossless": {"pydicom"},
    "htj2k-rpcl": {"pydicom"},
    "rle": {"gdcm", "dcmtk", "pydicom"},
    "deflated-frame": {"pydicom"},
    "encapsulated-uncompressed": {"pydicom"},
}
"""Who reads what, of all kinds of images."""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("bits", "form"), [*product(BITS, FORMS)])
def test_every_reader_gets_the_stored_values(
    target: str, bits: tuple[int, int], form: tuple[bool, int], tmp_path: Path
) -> None:
    (allocated, stored), (signed, samples) = bits, form
    content, pixels = make_file(
        20, 24, samples, allocated, stored, signed=signed, frames=2,
        photometric="RGB" if samples == 3 else "MONOCHROME2",
    )  # fmt: skip
    path = tmp_path / "made.dcm"
    path.write_bytes(convert_bytes(content, to=target))
    image = inspect(path).image
    assert image is not None
    faulty = any(target in one.syntaxes and one.applies(image) for one in READING_FAULTS)
    for witness in TARGETS[target] & set(available()):
        result = read_with(witness, path)
        if witness == "gdcm" and faulty and result.outcome is not Outcome.READ:
            continue
        if witness == "gdcm" and faulty and samples == 3:
            continue  # bytes of RLE mixed up
        assert result.outcome is Outcome.READ, f"{witness}: {result.detail}"
        assert same_samples(result.given, pixels), witness


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
