"""Tables of stored values: mirrored with inverted samples, or in the way of inverting them.

What is shown is computed by pydicom, from the data sets before and after.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_voi

from dicodec import compare, convert, convert_bytes
from dicodec.batch.policy.convert import convert_by_policy
from dicodec.batch.policy.policy import load_policy
from dicodec.errors import UnsupportedImageError
from dicodec.options import ConversionOptions
from helpers.data_set_bytes import element, item, sequence
from helpers.made import Element, make_file

ROWS, COLUMNS = 8, 8


def text(tag: int, vr: str, value: str) -> Element:
    return (tag, vr, value.encode())


def table(entries: list[int], first: int, bits: int, *, packed: bool = False) -> bytes:
    """Return the item of a table of gray levels, with an explanation that nobody reads."""
    count = len(entries) & 0xFFFF
    data = bytes(entries) if packed else struct.pack(f"<{len(entries)}H", *entries)
    vr = "SS" if first < 0 else "US"
    return item(
        element(0x00283002, vr, struct.pack("<HhH" if first < 0 else "<3H", count, first, bits))
        + element(0x00283003, "LO", b"as shown")
        + element(0x00283006, "OW", data + b"\0" * (len(data) % 2))
    )


def gray(extra: list[Element], *, signed: bool = False, photometric: str = "MONOCHROME1") -> bytes:
    samples = np.arange(ROWS * COLUMNS) * 63
    pixels = (samples - 2048 if signed else samples).astype("<i2" if signed else "<u2")
    return make_file(
        ROWS, COLUMNS, bits_stored=12, signed=signed, photometric=photometric, extra=extra,
        pixels=pixels.reshape(1, ROWS, COLUMNS),
    )[0]  # fmt: skip


def parsed(data: bytes) -> Any:
    return pydicom.dcmread(io.BytesIO(data))


def shown(dataset: Any, index: int, top: int) -> NDArray[Any]:
    """Return gray levels, 0 for black."""
    slope, intercept = dataset.get("RescaleSlope", 1), dataset.get("RescaleIntercept", 0)
    values = np.rint(dataset.pixel_array * float(slope) + float(intercept)).astype(int)
    levels = apply_voi(values, dataset, index=index).astype(int)
    return top - levels if dataset.PhotometricInterpretation == "MONOCHROME1" else levels


RAMP = [(index * index) % 4096 for index in range(700)]


@pytest.mark.parametrize("target", ["explicit-le", "implicit-le", "explicit-be", "rle", "jpeg-ls"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("signed", "first", "rescaling"),
    [(False, 900, None), (True, -500, None), (False, 0, ("2", "-30")), (True, 100, ("1", "1024"))],
)
def test_a_voi_lut_shows_inverted_samples_as_before(
    signed: bool, first: int, rescaling: tuple[str, str] | None, photometric: str, target: str
) -> None:
    """Digital X-ray has such tables: the profile `legacy` failed on them."""
    extra: list[Element] = [
        (0x00283010, "SQ", table(RAMP, first, 12) + table(RAMP[::-1], first, 12)),
    ]
    if rescaling is not None:
        slope, intercept = rescaling
        extra += [text(0x00281052, "DS", intercept), text(0x00281053, "DS", slope)]
        extra.append(text(0x00281054, "LO", "US"))
    data = gray(extra, signed=signed, photometric=photometric)
    other = "MONOCHROME2" if photometric == "MONOCHROME1" else "MONOCHROME1"

    result = convert_bytes(data, to=target, photometric=other, verify=True)

    after = parsed(convert_bytes(result, to="explicit-le"))
    assert after.PhotometricInterpretation == other
    for index in (0, 1):
        assert np.array_equal(shown(after, index, 4095), shown(parsed(data), index, 4095))
    assert [one.LUTExplanation for one in after.VOILUTSequence] == ["as shown"] * 2
    assert compare(data, result).equal
    back = parsed(convert_bytes(result, to="explicit-le", photometric=photometric))
    for one, other_one in zip(back.VOILUTSequence, parsed(data).VOILUTSequence, strict=True):
        assert one.LUTDescriptor == other_one.LUTDescriptor
        assert one.LUTData == other_one.LUTData


@pytest.mark.parametrize("count", [256, 255])
def test_entries_of_8_bits_are_mirrored_in_pairs(count: int) -> None:
    entries = [(3 * index) % 256 for index in range(count)]
    data = gray([(0x00283010, "SQ", table(entries, 2000, 8, packed=True))])

    after = parsed(convert_bytes(data, to="explicit-le", photometric="MONOCHROME2"))

    (made,) = after.VOILUTSequence
    assert list(made.LUTData[:count]) == [255 - one for one in reversed(entries)]
    assert made.LUTDescriptor == [count, 4095 - 2000 - count + 1, 8]


@pytest.mark.parametrize(
    "broken",
    [
        item(element(0x00283003, "LO", b"LUT ")),
        table(RAMP[:10], 0, 12).replace(b"\x0a\0\0\0\x0c\0", b"\x63\0\0\0\x0c\0"),
        table(RAMP[:10], 0, 17),
        table([70000 & 0xFFFF] * 4, 0, 10),
    ],
    ids=["no descriptor", "too short", "17 bits", "entries past their bits"],
)  # fmt: skip
def test_a_voi_lut_that_makes_no_sense_is_in_the_way(broken: bytes) -> None:
    with pytest.raises(UnsupportedImageError):
        convert_bytes(
            gray([(0x00283010, "SQ", broken)]), to="explicit-le", photometric="MONOCHROME2"
        )


def test_values_between_whole_numbers_have_no_table_to_be_mirrored_into() -> None:
    extra: list[Element] = [
        (0x00283010, "SQ", table(RAMP, 0, 12)), text(0x00281052, "DS", "0.25"),
        text(0x00281053, "DS", "1"), text(0x00281054, "LO", "US"),
    ]  # fmt: skip
    with pytest.raises(UnsupportedImageError, match="cannot be mirrored"):
        convert_bytes(gray(extra), to="explicit-le", photometric="MONOCHROME2")


def test_the_profile_of_old_devices_takes_digital_x_ray(tmp_path: Path) -> None:
    path = tmp_path / "dx.dcm"
    path.write_bytes(
        gray(
            [
                text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.1.1"),
                text(0x00080060, "CS", "DX"), text(0x20500020, "CS", "INVERSE"),
                (0x00283010, "SQ", table(RAMP, 900, 12)),
            ]
        )
    )  # fmt: skip
    convert_by_policy(
        path,
        tmp_path / "out.dcm",
        ConversionOptions(to=("explicit-le",)),
        policy=load_policy("legacy"),
        in_place=False,
    )

    after = pydicom.dcmread(tmp_path / "out.dcm")
    assert after.PhotometricInterpretation == "MONOCHROME2"
    assert after.PresentationLUTShape == "IDENTITY"
    assert np.array_equal(shown(after, 0, 4095), shown(pydicom.dcmread(path), 0, 4095))


def in_groups(content: bytes, group: int = 0x52009230) -> Element:
    return (group, "SQ", item(content))


def palette() -> bytes:
    return element(0x00281101, "US", struct.pack("<3H", 2, 0, 8)) + element(
        0x00281201, "OW", b"\0\1"
    )


LUT = element(0x00283002, "US", struct.pack("<3H", 2, 0, 8))
NESTED: dict[str, Element] = {
    "Pixel Intensity Relationship LUT": in_groups(sequence(0x00289422, item(LUT))),
    "the same, shared": in_groups(sequence(0x00289422, item(LUT)), 0x52009229),
    "Pixel Intensity Relationship Sign": in_groups(
        sequence(0x00289443, item(element(0x00281041, "SS", b"\1\0"))), 0x52009229
    ),
    "optical path": (0x00480105, "SQ", item(sequence(0x00480120, item(palette())))),
    "enhanced palette": (0x0028140B, "SQ", item(palette())),
    "Stored Value Color Range": (
        0x00281230, "SQ", item(element(0x00281231, "FD", struct.pack("<d", 1.0))),
    ),
    "Softcopy VOI LUT": (0x00283110, "SQ", item(element(0x00281050, "DS", b"40"))),
    "a real world value mapping of frames": in_groups(sequence(0x00409096, item(LUT))),
}  # fmt: skip


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.parametrize("middle", ["explicit-le", "implicit-le", "explicit-be", "rle"])
def test_tables_in_sequences_are_in_the_way(name: str, middle: str, tmp_path: Path) -> None:
    data = convert_bytes(gray([NESTED[name]]), to=middle)
    path = tmp_path / "image.dcm"
    path.write_bytes(data)

    for options in ({"photometric": "MONOCHROME2"}, {"rescale_to_8bit": True}):
        with pytest.raises(UnsupportedImageError, match="there is a"):
            convert(path, path, to="explicit-le", overwrite=True, **options)
    assert path.read_bytes() == data
    assert convert_bytes(data, to="jpeg-ls")


def test_an_icon_has_tables_of_its_own() -> None:
    icon = element(0x00280004, "CS", b"PALETTE COLOR ") + palette()
    data = gray([(0x00880200, "SQ", item(icon))])

    assert convert_bytes(data, to="explicit-le", photometric="MONOCHROME2", verify=True)
    assert convert_bytes(data, to="explicit-le", rescale_to_8bit=True, verify=True)


def test_bytes_that_look_like_a_tag_are_none() -> None:
    looks = struct.pack("<HH", 0x0028, 0x9422)
    data = gray([in_groups(element(0x00091001, "OB", looks * 4))])

    assert convert_bytes(data, to="explicit-le", photometric="MONOCHROME2", verify=True)


# What overlays and angiography say of samples.


def region(mean: str) -> list[Element]:
    return [
        text(0x60000040, "CS", "R"), text(0x60001302, "DS", mean), text(0x60001303, "DS", "12.5"),
    ]  # fmt: skip


@pytest.mark.parametrize(("mean", "expected"), [("100", "3995"), ("12.25", "4082.75")])
def test_the_mean_of_a_region_follows(mean: str, expected: str) -> None:
    data = gray(region(mean))

    after = parsed(convert_bytes(data, to="rle", photometric="MONOCHROME2", verify=True))

    assert str(after[0x6000, 0x1302].value) == expected
    assert after[0x6000, 0x1303].value == 12.5
    rescaled = parsed(convert_bytes(data, to="rle", rescale_to_8bit=True, verify=True))
    assert (0x6000, 0x1302) not in rescaled
    assert (0x6000, 0x1303) not in rescaled
    slope = [text(0x00281052, "DS", "5"), text(0x00281053, "DS", "2"), text(0x00281054, "LO", "US")]
    with pytest.raises(UnsupportedImageError, match="ROI Mean"):
        convert_bytes(gray(region(mean) + slope), to="rle", photometric="MONOCHROME2")


@pytest.mark.parametrize("relationship", ["LOG", "DISP"])
@pytest.mark.parametrize("modality", ["XA", "RF"])
def test_a_modality_lut_of_angiography_is_not_for_display(relationship: str, modality: str) -> None:
    extra: list[Element] = [
        text(0x00080060, "CS", modality), text(0x00281040, "CS", relationship),
        (0x00283000, "SQ", table(RAMP, 0, 12)),
        text(0x00281050, "DS", "2048"), text(0x00281051, "DS", "4096"),
    ]  # fmt: skip
    data = gray(extra, photometric="MONOCHROME2")
    out = io.BytesIO()

    report = convert(data, out, to="explicit-le", rescale_to_8bit=True, verify=True)

    after, before = parsed(out.getvalue()), parsed(data)
    assert np.abs(after.pixel_array - before.pixel_array / 4095 * 255).max() <= 0.51
    assert "ModalityLUTSequence" not in after
    assert after.PixelIntensityRelationship == "DISP"
    assert any("not for display" in one for one in report.warnings)


@pytest.mark.parametrize(("modality", "relationship"), [("XA", "LIN"), ("CR", "LOG"), ("XA", "")])
def test_other_modality_luts_are_not_passed_over(modality: str, relationship: str) -> None:
    extra: list[Element] = [
        text(0x00080060, "CS", modality), (0x00283000, "SQ", table(RAMP, 0, 12)),
    ]  # fmt: skip
    if relationship:
        extra.append(text(0x00281040, "CS", relationship))

    with pytest.raises(UnsupportedImageError, match="Modality LUT"):
        convert_bytes(gray(extra), to="explicit-le", rescale_to_8bit=True)
