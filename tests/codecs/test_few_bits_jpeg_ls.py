"""JPEG-LS of fewer than 8 bits: DCMTK codes it with thresholds of its own, and does not say so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from dicodec import convert_bytes
from dicodec.codecs.streams import jpeg
from dicodec.codecs.streams.jpeg_ls_presets import insert_preset, make_preset
from dicodec.errors import CorruptFrameError
from helpers.codec_images import Samples
from helpers.made import make_file
from helpers.odd_files import frames_of
from helpers.samples import native_samples
from helpers.witnesses import available

SIZES = [(1, 1), (1, 9), (3, 4), (8, 8), (20, 24), (64, 64)]


def image(bits: int, rows: int, columns: int, seed: int) -> Samples:
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    kinds = (
        (3 * x + y) % (1 << bits),
        np.where(random.random((rows, columns)) < 0.5, 0, (1 << bits) - 1),
        (np.sin(x / 3) + np.cos(y / 4) + 2) / 4 * ((1 << bits) - 1),
    )
    return kinds[seed % len(kinds)].astype(np.uint8)


def file_of(stream: bytes, samples: Samples, bits: int, syntax: str) -> bytes:
    return make_file(
        samples.shape[0], samples.shape[1], 1, 8, bits,
        transfer_syntax=f"1.2.840.10008.1.2.4.{syntax}", streams=[[stream]],
    )[0]  # fmt: skip


@pytest.mark.parametrize("bits", range(2, 8))
@pytest.mark.parametrize("near", [0, 1, 2])
def test_the_preset_of_the_standard_says_what_is_assumed(bits: int, near: int) -> None:
    if near > ((1 << bits) - 1) // 2:
        return
    for seed, (rows, columns) in enumerate(SIZES):
        samples = image(bits, rows, columns, seed)
        stream = bytes(imagecodecs.jpegls_encode(samples, near, bitspersample=bits, spiff=False))
        stated = insert_preset(stream, make_preset(bits, near))
        assert jpeg.describe(stated).details["preset"] == 1
        assert np.array_equal(imagecodecs.jpegls_decode(stated), imagecodecs.jpegls_decode(stream))


@pytest.mark.skipif("dcmtk" not in available(), reason="DCMTK is not installed")
@pytest.mark.parametrize("bits", [6, 7])
@pytest.mark.parametrize(
    ("option", "near"), [(["+el", "+pc"], 0), (["+en"], 2), (["+en", "+md", "1"], 1)]
)
def test_streams_of_dcmtk_are_recognized_or_refused(
    bits: int, option: list[str], near: int, tmp_path: Path
) -> None:
    native, coded = tmp_path / "native.dcm", tmp_path / "coded.dcm"
    read = 0
    for seed, (rows, columns) in enumerate([*SIZES, *SIZES, *SIZES]):
        samples = image(bits, rows, columns, seed // len(SIZES) + seed)
        native.write_bytes(make_file(rows, columns, 1, 8, bits, pixels=samples[np.newaxis])[0])
        coded.unlink(missing_ok=True)
        run = subprocess.run(["dcmcjpls", *option, native, coded], capture_output=True)
        if run.returncode:
            continue
        try:
            again = convert_bytes(coded.read_bytes(), to="explicit-le")
        except CorruptFrameError:
            continue
        read += 1
        error = np.abs(native_samples(again)[0].astype(int) - samples)
        assert error.max() <= near, (rows, columns, seed)
    assert read > 9


@pytest.mark.parametrize("bits", range(3, 8))
def test_our_own_say_their_thresholds(bits: int) -> None:
    for seed, (rows, columns) in enumerate(SIZES):
        samples = image(bits, rows, columns, seed)
        content, _ = make_file(rows, columns, 1, 8, bits, pixels=samples[np.newaxis])
        coded = convert_bytes(content, to="jpeg-ls-near", near=1, verify=True)
        described = jpeg.describe(frames_of(coded)[0])
        assert described.precision == bits
        assert described.details["preset"] == 1
        error = np.abs(
            native_samples(convert_bytes(coded, to="explicit-le"))[0].astype(int) - samples
        )
        assert error.max() <= 1


def test_a_stream_of_two_readings_is_refused() -> None:
    """The same bits are other samples by other thresholds, and both decoders are content."""
    random = np.random.default_rng(0)
    read, refused = 0, set()
    for _ in range(400):
        samples = random.integers(0, 64, (2, 3)).astype(np.uint8)
        stream = bytes(imagecodecs.jpegls_encode(samples, 0, bitspersample=6, spiff=False))
        try:
            again = convert_bytes(file_of(stream, samples, 6, "80"), to="explicit-le")
        except CorruptFrameError as error:
            refused.add(error.message)
        else:
            read += 1
            assert np.array_equal(native_samples(again)[0], samples)
    assert len(refused) == 1
    assert "does not say which" in refused.pop()
    assert read > 340
