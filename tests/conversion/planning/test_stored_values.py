"""Stored values that stand for something: never turned into colors, never made others unsaid."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from dicodec import compare, convert, convert_bytes
from dicodec.cli.main import run
from dicodec.errors import ConversionError, LossyNotAllowedError, UnsupportedImageError
from helpers.data_set_bytes import element, item, sequence
from helpers.made import Element, make_file
from helpers.samples import native_samples

MAPPING, CODED, SEGMENTS = 0x00409096, 0x00221450, 0x00620002
SHARED, PER_FRAME = 0x52009229, 0x52009230
LOSSY = ("jpeg", "jpeg-ls-near", "jpeg2000", "htj2k", "jpegxl")
KEEPING = ("explicit-be", "rle", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless",
           "deflated-frame", "jpegxl-lossless,jpeg-ls")  # fmt: skip


def storage(number: str) -> Element:
    return 0x00080016, "UI", f"1.2.840.10008.5.1.4.1.1.{number}".encode()


def items(tag: int, *contents: bytes) -> Element:
    """Return a sequence as an element of `make_file`."""
    return tag, "SQ", b"".join(map(item, contents))


def segments(kind: str) -> list[Element]:
    return [
        (0x00620001, "CS", kind.encode()),
        items(SEGMENTS, element(0x00620004, "US", b"\1\0")),
    ]


def mapping(place: int | None) -> Element:
    """Return a Real World Value Mapping, at the top level or in functional groups."""
    content = element(0x00409210, "SH", b"map ")
    if place is None:
        return items(MAPPING, content)
    group = sequence(MAPPING, item(content, undefined=True), undefined=True)
    plain = element(0x00209156, "US", b"\1\0")  # of a frame before, which has no mapping
    return items(place, *([plain, group] if place == PER_FRAME else [group]))


def image(photometric: str, extra: list[Element], *, bits: int = 8) -> bytes:
    return make_file(16, 12, 1, bits, 8, photometric=photometric, frames=2, extra=extra)[0]


LABELS = {
    "LABELMAP": [storage("66.7"), *segments("LABELMAP")],
    "no type": segments("")[1:],
    "class": [storage("66.7")],
    "codes": [items(CODED, element(0x00221452, "US", b"\1\0"))],
}
PALETTES = {
    **LABELS,
    "FRACTIONAL": [storage("66.4"), *segments("FRACTIONAL")],
    "mapping": [mapping(None)],
    "shared mapping": [mapping(SHARED)],
    "mapping of a frame": [mapping(PER_FRAME)],
}
QUANTITIES = {
    "an RT Dose": [storage("481.2")],
    "a Parametric Map": [storage("30")],
    "Ophthalmic Thickness": [storage("81.1")],
    "Corneal Topography": [storage("82.1")],
    "Dose Grid Scaling": [(0x3004000E, "DS", b"0.1")],
    "FRACTIONAL": [storage("66.4"), *segments("FRACTIONAL")],
    "Real World Value Mapping": [mapping(PER_FRAME)],
}


@pytest.mark.parametrize("encoding", ["implicit-le", "explicit-be"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", PALETTES)
def test_indices_that_stand_for_something_never_become_colors(
    name: str, bits: int, encoding: str
) -> None:
    data = convert_bytes(image("PALETTE COLOR", PALETTES[name], bits=bits), to=encoding)

    for to, photometric in (("jpegxl-lossless", "auto"), ("explicit-le", "RGB"), ("rle", "RGB")):
        with pytest.raises(UnsupportedImageError, match="would be lost as colors") as caught:
            convert_bytes(data, to=to, photometric=photometric)
        assert caught.value.hint is not None
    for to in LOSSY:
        with pytest.raises(ConversionError, match="the stored values are"):
            convert_bytes(data, to=to, lossy=True)


@pytest.mark.parametrize("to", KEEPING)
def test_what_holds_a_palette_keeps_its_indices(to: str) -> None:
    data, samples = make_file(
        16, 12, 1, 16, 8, photometric="PALETTE COLOR", extra=LABELS["LABELMAP"]
    )

    result = convert_bytes(data, to=to, verify=True)

    assert (native_samples(convert_bytes(result, to="explicit-le")) == samples).all()


@pytest.mark.parametrize(
    "extra",
    [[], [items(MAPPING)], [items(SHARED, element(0x00209999, "LO", b"\x40\0\x96\x90"))]],
    ids=["none", "an empty sequence", "bytes that look like the tag"],
)
def test_indices_that_are_colors_only_still_become_rgb(extra: list[Element]) -> None:
    report = convert(image("PALETTE COLOR", extra), io.BytesIO(), to="jpegxl-lossless", verify=True)

    assert report.photometric_interpretation == ("PALETTE COLOR", "RGB")


@pytest.mark.parametrize("to", LOSSY)
@pytest.mark.parametrize("name", LABELS)
def test_labels_are_never_coded_lossily(name: str, to: str) -> None:
    data = image("MONOCHROME2", LABELS[name])

    with pytest.raises(LossyNotAllowedError, match="other labels would appear") as caught:
        convert_bytes(data, to=to, lossy=True)

    assert caught.value.hint is not None
    lossless = caught.value.hint.split()[0]
    assert convert_bytes(data, to=f"{to},{lossless}", lossy=True, verify=True)


def test_near_lossless_without_error_keeps_labels() -> None:
    data = image("MONOCHROME2", LABELS["LABELMAP"])

    assert convert_bytes(data, to="jpeg-ls-near", near=0, verify=True)
    with pytest.raises(LossyNotAllowedError):
        convert_bytes(data, to="jpeg-ls-near", near=1)


@pytest.mark.parametrize("name", ["LABELMAP", "no type", "codes"])
def test_labels_are_not_mirrored(name: str) -> None:
    with pytest.raises(UnsupportedImageError):
        convert_bytes(
            image("MONOCHROME2", LABELS[name]), to="explicit-le", photometric="MONOCHROME1"
        )


@pytest.mark.parametrize("to", LOSSY)
@pytest.mark.parametrize("name", QUANTITIES)
def test_quantities_are_coded_lossily_with_a_warning_that_names_them(name: str, to: str) -> None:
    report = convert(
        image("MONOCHROME2", QUANTITIES[name]), io.BytesIO(), to=to, lossy=True, verify=True
    )

    (warning,) = (one for one in report.warnings if "stored values" in one)
    assert name in warning
    assert f"{to} is lossy" in warning


def test_nothing_is_said_of_gray_levels() -> None:
    report = convert(image("MONOCHROME2", []), io.BytesIO(), to="jpeg", lossy=True)

    assert not report.warnings


def test_labels_stay_in_place_and_in_a_batch(tmp_path: Path) -> None:
    folder = tmp_path / "originals"
    folder.mkdir()
    files = {
        "palette.dcm": image("PALETTE COLOR", LABELS["LABELMAP"]),
        "gray.dcm": image("MONOCHROME2", LABELS["LABELMAP"]),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    options = ["--lossy", "--in-place", "--to", "jpegxl"]

    with pytest.raises(UnsupportedImageError):
        convert(folder / "palette.dcm", folder / "palette.dcm", to="jpegxl-lossless",
                overwrite=True)  # fmt: skip
    assert run(["convert", str(folder), *options]) == 1

    assert {name: (folder / name).read_bytes() for name in files} == files


def test_a_policy_moves_on_to_what_keeps_labels(tmp_path: Path) -> None:
    source = tmp_path / "labels.dcm"
    source.write_bytes(image("PALETTE COLOR", LABELS["LABELMAP"]))
    policy = tmp_path / "policy.toml"
    policy.write_text(
        '[[rule]]\nname = "all"\nto = ["jpegxl-lossless", "jpegxl", "jpeg-ls"]\nlossy = true\n'
    )

    assert run(["convert", str(source), "-o", str(tmp_path / "out.dcm"), "--policy",
                str(policy)]) == 0  # fmt: skip

    kept = convert_bytes((tmp_path / "out.dcm").read_bytes(), to="explicit-le")
    assert (native_samples(kept) == native_samples(source.read_bytes())).all()


def test_comparison_does_not_take_colors_for_labels() -> None:
    """Another program may have made them."""
    plain = image("PALETTE COLOR", [])
    labelled = image("PALETTE COLOR", [mapping(SHARED)])
    as_colors = convert_bytes(plain, to="explicit-le", photometric="RGB")

    assert compare(plain, as_colors, ignore_attributes=True).equal
    assert not compare(labelled, as_colors, ignore_attributes=True).equal
    assert compare(labelled, convert_bytes(labelled, to="jpeg-ls"), ignore_attributes=True).equal
