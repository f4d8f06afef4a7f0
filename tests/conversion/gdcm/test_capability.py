"""GDCM's tables against GDCM: what they let through is right, each fault they list is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicodec.conversion.gdcm import (
    GDCM_SOURCES,
    GDCM_TARGETS,
    convert_file,
    find_reason_against,
)
from dicodec.errors import EngineCrashedError, EngineError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import EXPLICIT_LE, Loss, TransferSyntax, find_by_name
from helpers import made
from helpers.witnesses import WitnessResult, available, read_with, require, same_samples

LOSSLESS_TARGETS = [name for name in GDCM_TARGETS if name not in {"jpeg", "jpeg-extended"}]

# What GDCM refuses by itself, so that no row is needed: samples too noisy for the room it gives
# JPEG 2000, single frames of odd length, JPEG-LS of one pixel.
REFUSED = {
    ("rgb-16", "jpeg2000-lossless"), ("rgb-16", "jpeg2000"),
    ("odd-size", "jpeg-lossless"), ("odd-size", "jpeg-lossless-p14"), ("odd-size", "rle"),
    ("one-pixel", "jpeg-ls"), ("one-pixel", "jpeg-ls-near"),
    ("gray-32", "jpeg-lossless"), ("gray-32", "jpeg-lossless-p14"),
    ("signed-32", "jpeg-lossless"), ("signed-32", "jpeg-lossless-p14"),
    ("palette", "jpeg-ls-near"), ("palette", "jpeg2000"),
}  # fmt: skip


def syntax_of(name: str) -> TransferSyntax:
    syntax = find_by_name(name)
    assert syntax is not None
    return syntax


def description_of(kind: made.ImageKind) -> ImagePixelDescription:
    return ImagePixelDescription(
        rows=kind.rows,
        columns=kind.columns,
        samples_per_pixel=kind.samples,
        photometric_interpretation=kind.photometric,
        bits_allocated=kind.bits_allocated,
        bits_stored=kind.bits_stored,
        high_bit=kind.bits_stored - 1,
        pixel_representation=int(kind.signed),
        planar_configuration=kind.planar,
        number_of_frames=kind.frames,
    )


def convert(source: Path, target: Path, name: str, settings: EncoderSettings) -> None:
    convert_file(str(source), str(target), syntax_of(name), settings, timeout=60)


def readings(path: Path) -> dict[str, WitnessResult]:
    """Return what pydicom and DCMTK read; GDCM is no witness of its own work."""
    results = {name: read_with(name, path) for name in available() if name != "gdcm"}
    found = {name: result for name, result in results.items() if result.samples is not None}
    if not found:
        require("dcmtk")  # it alone reads 12-bit and lossless JPEG
    return found


@pytest.mark.parametrize("name", LOSSLESS_TARGETS)
@pytest.mark.parametrize("kind", made.IMAGE_KINDS)
def test_what_the_tables_let_through_is_right(kind: str, name: str, tmp_path: Path) -> None:
    image = made.IMAGE_KINDS[kind]
    reason = find_reason_against(EXPLICIT_LE, syntax_of(name), description_of(image), lossless=True)
    content, samples = image.make()
    source, target, back = (tmp_path / part for part in ("in.dcm", "out.dcm", "back.dcm"))
    source.write_bytes(content)
    if reason is not None:
        assert reason.startswith("GDCM ")
        return
    if (kind, name) in REFUSED:
        with pytest.raises(EngineError):
            convert(source, target, name, EncoderSettings())
        return
    convert(source, target, name, EncoderSettings())
    found = readings(target)
    assert found
    for witness, result in found.items():
        assert same_samples(result.samples, samples), witness
        assert result.facts["transfer_syntax"] == syntax_of(name).uid
        assert result.facts["photometric_interpretation"] == image.photometric
        assert result.facts["bits_stored"] == image.bits_stored
    if find_reason_against(syntax_of(name), EXPLICIT_LE, description_of(image), lossless=True):
        return
    if kind == "one-pixel" and name == "rle":  # GDCM cannot read what it wrote, and says so
        return
    convert(target, back, "explicit-le", EncoderSettings())
    assert same_samples(read_with("pydicom", back).samples, samples)


LOSSY = [
    ("jpeg", EncoderSettings(quality=100), 2),
    ("jpeg-extended", EncoderSettings(quality=100), 2),
    ("jpeg-ls-near", EncoderSettings(near=2), 2),
]


@pytest.mark.parametrize(("name", "settings", "bound"), LOSSY)
@pytest.mark.parametrize("kind", made.IMAGE_KINDS)
def test_what_the_tables_let_through_is_close(
    kind: str, name: str, settings: EncoderSettings, bound: int, tmp_path: Path
) -> None:
    image = made.IMAGE_KINDS[kind]
    if find_reason_against(EXPLICIT_LE, syntax_of(name), description_of(image), lossless=False):
        return
    content, samples = image.make()
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(content)
    try:
        convert(source, target, name, settings)
    except EngineError:
        assert kind in {"palette", "one-pixel"}
        return
    for witness, result in readings(target).items():
        assert result.samples is not None
        assert abs(result.samples.astype(int) - samples.astype(int)).max() <= bound, witness


SIX_OF_EIGHT = made.ImageKind("6-in-8", bits_allocated=8, bits_stored=6)
MORE_KINDS = {
    "6-in-8": SIX_OF_EIGHT,
    "24-in-32": made.ImageKind("24-in-32", bits_allocated=32, bits_stored=24),
    "3x3": made.ImageKind("3x3", rows=3, columns=3),
}

# Conversions that a row of the tables forbids, and who cannot read the right samples from what
# GDCM reports as a success; nobody where it crashes.
FAULTS = [
    ("rle", "rgb-16", "explicit-le", "pydicom"),
    ("rle", "24-in-32", "explicit-le", "pydicom"),
    ("deflated", "24-in-32", "explicit-le", "pydicom"),
    ("explicit-be", "gray-32", "explicit-le", "pydicom"),
    ("explicit-le", "gray-32", "explicit-be", "pydicom"),
    ("jpeg-lossless", "6-in-8", "explicit-le", None),
    ("rle", "6-in-8", "explicit-le", None),
    ("deflated", "6-in-8", "explicit-le", None),
    ("explicit-le", "one-bit", "jpeg-lossless", None),
    ("explicit-le", "rgb-8", "jpeg", "pydicom"),
    ("explicit-le", "signed-8", "jpeg", "pydicom"),
    ("explicit-le", "gray-12-in-16", "jpeg-extended", "dcmtk"),
    ("explicit-le", "6-in-8", "jpeg", None),
    ("explicit-le", "6-in-8", "jpeg-ls", None),
    ("explicit-le", "gray-32", "jpeg2000-lossless", "pydicom"),
    ("explicit-le", "gray-12-in-16", "jpeg-ls-near", "pydicom"),
    ("explicit-le", "signed-16", "jpeg-ls-near", "pydicom"),
    ("explicit-le", "gray-12-in-16", "jpeg2000", "pydicom"),
    ("explicit-le", "one-pixel", "jpeg2000-lossless", None),
    ("explicit-le", "3x3", "jpeg2000-lossless", None),
]


@pytest.mark.parametrize(("source_name", "kind", "target_name", "witness"), FAULTS)
def test_each_fault_is_one(
    source_name: str, kind: str, target_name: str, witness: str | None, tmp_path: Path
) -> None:
    """Fails when GDCM has mended a fault: its row can then go."""
    image = {**made.IMAGE_KINDS, **MORE_KINDS}[kind]
    source_syntax, target_syntax = syntax_of(source_name), syntax_of(target_name)
    assert find_reason_against(source_syntax, target_syntax, description_of(image), lossless=False)
    uid = source_syntax.uid if source_syntax.native else made.EXPLICIT_LE
    content, samples = image.make(transfer_syntax=uid)
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(content)
    if not source_syntax.native:
        convert(source, tmp_path / "encoded.dcm", source_name, EncoderSettings())
        source = tmp_path / "encoded.dcm"
    settings = EncoderSettings(quality=100, near=2, ratio=3)
    if witness is None:
        with pytest.raises(EngineCrashedError):
            convert(source, target, target_name, settings)
        return
    convert(source, target, target_name, settings)
    require(witness)
    found = read_with(witness, target).samples
    lossless = target_syntax.loss is Loss.NEVER
    far = 0 if lossless else 1 << (image.bits_stored - 2)  # no codec's honest loss
    assert found is None or abs(found.astype("i8") - samples.astype("i8")).max() > far


def test_known_names() -> None:
    assert all(find_by_name(name) for name in GDCM_SOURCES | set(GDCM_TARGETS))
    jpegxl = syntax_of("jpegxl-lossless")
    assert find_reason_against(jpegxl, EXPLICIT_LE, None, lossless=True) is not None
    assert find_reason_against(EXPLICIT_LE, jpegxl, None, lossless=True) is not None
    assert find_reason_against(EXPLICIT_LE, EXPLICIT_LE, None, lossless=True) is None
