"""Gray levels: inverted so that the image looks as before, rescaled to 8 bits, freed of overlays.

What is shown is computed by pydicom, from the data sets before and after.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_rescale, apply_windowing

from dicodec import compare, convert, convert_bytes
from dicodec.errors import FrameMismatchError, LossyNotAllowedError, UnsupportedImageError
from dicodec.report import ConversionReport
from helpers.data_set_bytes import element, item, sequence
from helpers.made import EXPLICIT_BE, IMAGE_KINDS, PIXEL_DATA, Element, make_file
from helpers.matrix import LOSSLESS

ROWS, COLUMNS = 5, 7


def run(data: bytes, **options: Any) -> tuple[Any, ConversionReport]:
    out = io.BytesIO()
    report = convert(data, out, verify=True, **options)
    return pydicom.dcmread(io.BytesIO(out.getvalue())), report


def text(tag: int, vr: str, value: str) -> Element:
    return (tag, vr, value.encode())


def word(tag: int, value: int, vr: str = "US") -> Element:
    return (tag, vr, struct.pack("<H", value & 0xFFFF))


def gray(photometric: str, extra: list[Element], **fields: Any) -> bytes:
    fields = {"bits_stored": 12, **fields}
    return make_file(ROWS, COLUMNS, photometric=photometric, extra=extra, **fields)[0]


def shown(dataset: Any) -> NDArray[Any]:
    """Return what pydicom would show before Photometric Interpretation has its say."""
    with np.errstate(over="ignore"):
        return np.asarray(apply_windowing(apply_rescale(dataset.pixel_array, dataset), dataset))


decimals = st.integers(-999999, 999999).map(lambda n: f"{n / 100:.2f}")


@given(
    bits=st.integers(2, 16),
    signed=st.booleans(),
    slope=st.sampled_from(["1", "0.5", "2.25", "-1"]),
    intercept=st.sampled_from(["0", "-1024", "3.5"]),
    center=decimals,
    width=st.integers(2, 9999),
    function=st.sampled_from(["", "LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    photometric=st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
)
def test_an_inverted_image_looks_as_before(
    bits: int,
    signed: bool,
    slope: str,
    intercept: str,
    center: str,
    width: int,
    function: str,
    photometric: str,
) -> None:
    extra = [
        text(0x00281050, "DS", f"{center}\\40"),
        text(0x00281051, "DS", f"{width}\\400"),
        text(0x00281052, "DS", intercept),
        text(0x00281053, "DS", slope),
        text(0x00281054, "LO", "US"),
    ]
    if function:
        extra.append(text(0x00281056, "CS", function))
    data = gray(photometric, extra, bits_stored=bits, signed=signed)
    other = "MONOCHROME2" if photometric == "MONOCHROME1" else "MONOCHROME1"
    before = pydicom.dcmread(io.BytesIO(data))

    after, report = run(data, to="explicit-le", photometric=other)

    assert after.PhotometricInterpretation == other
    low, high = (-(1 << (bits - 1)), -1) if signed else (0, (1 << bits) - 1)
    total = -1 if signed else low + high
    assert np.array_equal(after.pixel_array.astype(int), total - before.pixel_array.astype(int))
    middle = float(slope) * total + 2 * float(intercept)
    assert after.WindowWidth == before.WindowWidth
    if float(slope) > 0:  # pydicom's range of the output is upside down else
        assert np.allclose(shown(after), middle - shown(before), atol=1e-6)
    assert any("samples are inverted" in decision for decision in report.decisions)
    back, _ = run(run_bytes(data, other), to="explicit-le", photometric=photometric)
    assert back.PixelData == before.PixelData
    assert [float(one) for one in back.WindowCenter] == [float(one) for one in before.WindowCenter]


def run_bytes(data: bytes, photometric: str) -> bytes:
    return convert_bytes(data, to="explicit-le", photometric=photometric)


@pytest.mark.parametrize("target", LOSSLESS)
def test_inverted_into_every_lossless_syntax(target: str) -> None:
    data, samples = IMAGE_KINDS["inverted"].make()

    after, _ = run(convert_bytes(data, to=target, photometric="MONOCHROME2"), to="explicit-le")

    assert np.array_equal(after.pixel_array, 4095 - samples[0])


def test_what_is_counted_in_stored_values_follows() -> None:
    data = gray(
        "MONOCHROME1",
        [
            word(0x00280106, 5), word(0x00280107, 4000), word(0x00280108, 1), word(0x00280109, 9),
            word(0x00280120, 0), word(0x00280121, 10),
            text(0x20500020, "CS", "INVERSE"), word(0x00281041, -1, "SS"),
        ],
    )  # fmt: skip

    after, _ = run(data, to="rle", photometric="MONOCHROME2")

    assert (after.SmallestImagePixelValue, after.LargestImagePixelValue) == (95, 4090)
    assert "SmallestPixelValueInSeries" not in after
    assert (after.PixelPaddingValue, after.PixelPaddingRangeLimit) == (4095, 4085)
    assert after.PresentationLUTShape == "IDENTITY"
    assert after.PixelIntensityRelationshipSign == 1
    before, _ = run(run_bytes(data, "MONOCHROME2"), to="explicit-le", photometric="MONOCHROME1")
    assert (before.SmallestImagePixelValue, before.LargestImagePixelValue) == (5, 4000)
    assert before.PresentationLUTShape == "INVERSE"


@pytest.mark.parametrize(
    ("stated", "vr", "expected"),
    [
        (-2000, "SS", 1999),
        (0x0830, "US", 1999),  # -2000 of 12 bits, as some writers have it
        (-2048, "SS", 2047),
        (5000, "SS", 5000),  # outside of Bits Stored: no sample is it, before or after
    ],
)
def test_padding_of_signed_samples(stated: int, vr: str, expected: int) -> None:
    data = gray("MONOCHROME1", [word(0x00280120, stated, vr)], signed=True)

    after, _ = run(data, to="explicit-le", photometric="MONOCHROME2")

    assert after.PixelPaddingValue == expected
    assert ("SS" if vr == "SS" or expected != 5000 else vr) == after["PixelPaddingValue"].VR


def test_a_range_of_padding_that_reaches_out_of_bits_stored() -> None:
    data = gray("MONOCHROME1", [word(0x00280120, 65535), word(0x00280121, 4000)])

    after, _ = run(data, to="explicit-le", photometric="MONOCHROME2")

    assert (after.PixelPaddingValue, after.PixelPaddingRangeLimit) == (0, 95)


def group_of_frames(tag: int) -> bytes:
    inner = sequence(tag, item(element(0x00281050, "DS", b"40")))
    return sequence(0x52009230, item(inner))[12:]


@pytest.mark.parametrize(
    "extra",
    [
        (0x00283000, "SQ", item(element(0x00283003, "LO", b"LUT "))),
        (0x00283010, "SQ", item(element(0x00283003, "LO", b"LUT "))),
        (0x20500010, "SQ", item(element(0x00283003, "LO", b"LUT "))),
        (0x00409096, "SQ", item(element(0x00283003, "LO", b"LUT "))),
        (0x00281101, "US", struct.pack("<3H", 2, 0, 8)),
        text(0x20500020, "CS", "LIN OD"),
        text(0x00281054, "LO", "HU"),
        text(0x00080060, "CS", "CT"),
        text(0x00281050, "DS", "wide"),
        (0x52009230, "SQ", group_of_frames(0x00289132)),
        (0x52009229, "SQ", group_of_frames(0x00289145)),
        text(0x3004000E, "DS", "0.01"),
        (0x00620002, "SQ", item(element(0x00620004, "US", b"\1\0"))),
    ],
    ids=lambda extra: f"{extra[0]:08X}",
)
def test_what_cannot_simply_be_mirrored_is_refused(extra: Element) -> None:
    data = gray("MONOCHROME1", [extra])

    with pytest.raises(UnsupportedImageError):
        convert_bytes(data, to="explicit-le", photometric="MONOCHROME2")

    assert run(data, to="rle")[0].PhotometricInterpretation == "MONOCHROME1"


# Fewer bits.


def test_sixteen_bits_to_jpeg_is_refused_with_both_ways_out() -> None:
    for target in ("jpeg", "jpeg-extended"):
        for signed in (False, True):
            data = gray("MONOCHROME2", [], bits_stored=16, signed=signed)
            with pytest.raises(UnsupportedImageError) as caught:
                convert_bytes(data, to=target, lossy=True)
            assert "jpeg2000" in (caught.value.hint or "")
            assert "rescale_to_8bit" in (caught.value.hint or "")


@pytest.mark.parametrize(("stored", "coded"), [(9, 12), (10, 12), (11, 12), (12, 12)])
def test_nine_to_eleven_bits_are_coded_as_twelve(stored: int, coded: int) -> None:
    after, _ = run(gray("MONOCHROME2", [], bits_stored=stored), to="jpeg-extended", lossy=True)

    assert (after.BitsAllocated, after.BitsStored, after.HighBit) == (16, coded, coded - 1)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("signed", [False, True])
def test_rescaled_by_the_first_window(function: str, photometric: str, signed: bool) -> None:
    extra = [
        text(0x00281050, "DS", "300\\40"), text(0x00281051, "DS", "1500\\400"),
        text(0x00281052, "DS", "-1024"), text(0x00281053, "DS", "1.5"),
        text(0x00281056, "CS", function), word(0x00280120, 0),
    ]  # fmt: skip
    data = gray(photometric, extra, signed=signed)
    before = pydicom.dcmread(io.BytesIO(data))

    after, report = run(data, to="explicit-le", rescale_to_8bit=True)

    levels = shown(before).astype(float)
    low, high = (-2048, 2047) if signed else (0, 4095)
    bottom, top = low * 1.5 - 1024, high * 1.5 - 1024
    expected = (levels - bottom) / (top - bottom) * 255
    if photometric == "MONOCHROME1":
        expected = 255 - expected
    assert np.abs(after.pixel_array - expected).max() <= 0.51
    assert after.PhotometricInterpretation == "MONOCHROME2"
    assert (after.BitsAllocated, after.BitsStored, after.HighBit) == (8, 8, 7)
    assert after.PixelRepresentation == 0
    assert (after.WindowCenter, after.WindowWidth) == (128, 256)
    assert (after.RescaleSlope, after.RescaleIntercept, after.RescaleType) == (1, 0, "US")
    assert "VOILUTFunction" not in after
    assert "PixelPaddingValue" not in after
    assert report.lossy
    assert f"window 300, 1500 ({function})" in report.decisions[0]


def test_rescaled_from_smallest_to_largest_of_all_frames() -> None:
    pixels = np.full((3, ROWS, COLUMNS), 100, "<u2")
    pixels[1, 0, 0], pixels[2, 0, 0] = 50, 3000
    data = gray("MONOCHROME2", [], pixels=pixels, frames=3, bits_stored=16)

    after, _ = run(data, to="jpeg", quality=100, rescale_to_8bit=True)

    found = after.pixel_array.astype(float)
    assert np.abs(found - np.rint((pixels - 50.0) / 2950 * 255)).max() <= 2
    constant, _ = run(
        gray("MONOCHROME2", [], pixels=pixels[:1], bits_stored=16), to="rle", rescale_to_8bit=True
    )
    assert len(np.unique(constant.pixel_array)) == 1


def test_colors_are_rescaled_from_their_whole_range() -> None:
    data, samples = IMAGE_KINDS["rgb-16"].make()

    after, _ = run(data, to="rle", rescale_to_8bit=True)

    assert np.abs(after.pixel_array - samples[0] / 65535 * 255).max() <= 0.5
    jpeg, _ = run(data, to="jpeg", rescale_to_8bit=True, lossy=True)
    assert jpeg.PhotometricInterpretation == "YBR_FULL_422"


@pytest.mark.parametrize("target", ["explicit-le", "jpeg", "rle"])
def test_a_rescaled_image_is_another_and_says_so(target: str) -> None:
    data = gray("MONOCHROME2", [], bits_stored=16)
    before = pydicom.dcmread(io.BytesIO(data))

    after, _ = run(data, to=target, rescale_to_8bit=True, lossy=True)

    # Taking gray levels away is no compression (C.7.6.1.1.5), and would have no method.
    assert after.get("LossyImageCompression") == ("01" if target == "jpeg" else None)
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
    assert after.ImageType[0] == "DERIVED"
    assert "rescaled by 1 and 0" in after.DerivationDescription
    (reference,) = after.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == before.SOPInstanceUID
    kept, _ = run(data, to=target, rescale_to_8bit=True, keep_uid=True, lossy=True)
    assert kept.SOPInstanceUID == before.SOPInstanceUID


@pytest.mark.parametrize(
    "extra",
    [
        text(0x3004000E, "DS", "0.01"),  # doses
        (0x00620002, "SQ", item(element(0x00620004, "US", b"\1\0"))),  # segments
        (0x00283000, "SQ", item(element(0x00283003, "LO", b"LUT "))),
    ],
    ids=lambda extra: f"{extra[0]:08X}",
)
def test_what_a_window_does_not_show_is_not_rescaled(extra: Element) -> None:
    data = gray("MONOCHROME2", [extra], bits_stored=16)

    with pytest.raises((UnsupportedImageError, LossyNotAllowedError)):
        convert_bytes(data, to="jpeg", rescale_to_8bit=True, lossy=True)


def test_fewer_gray_levels_are_no_permission_for_a_lossy_codec() -> None:
    for stored in (8, 16):
        data = gray("MONOCHROME2", [], bits_stored=stored)
        with pytest.raises(LossyNotAllowedError):
            convert_bytes(data, to="jpeg", rescale_to_8bit=True)


def test_rescaled_activities_have_no_unit() -> None:
    data = gray("MONOCHROME2", [text(0x00541001, "CS", "BQML")], bits_stored=16)

    after, _ = run(data, to="rle", rescale_to_8bit=True)

    assert after.Units == "NONE"


def test_eight_bits_are_not_rescaled() -> None:
    data, _ = IMAGE_KINDS["gray-8"].make()

    _, report = run(data, to="rle", rescale_to_8bit=True)

    assert not report.lossy
    assert report.changes == []


# Overlays in unused bits.


def with_overlays(frames: int = 1, planes: tuple[int, ...] = (12, 15), **fields: Any) -> Any:
    """Return a file whose words hold overlays above 12 bits of samples, samples, and planes."""
    shape = (frames, ROWS, COLUMNS)
    random = np.random.default_rng(frames)
    samples = random.integers(0, 4096, shape).astype("<u2")
    bits = [random.integers(0, 2, shape).astype("<u2") for _ in planes]
    words = samples + sum(one << plane for one, plane in zip(bits, planes, strict=True))
    extra: list[Element] = []
    for n, plane in enumerate(planes):
        high = 0x60000000 + (n << 17)
        extra += [
            word(high | 0x10, ROWS), word(high | 0x11, COLUMNS), text(high | 0x40, "CS", "G"),
            (high | 0x50, "SS", struct.pack("<hh", 1, 1)), word(high | 0x100, 16),
            word(high | 0x102, plane),
        ]  # fmt: skip
    data = gray("MONOCHROME2", extra, frames=frames, pixels=words, **fields)
    return data, samples, bits


@pytest.mark.parametrize(
    "target",
    [
        name
        for name in LOSSLESS
        if name
        not in {
            "implicit-le",
            "explicit-le",
            "explicit-be",
            "deflated",
            "encapsulated-uncompressed",
        }
    ],
)
@pytest.mark.parametrize("frames", [1, 3])
def test_overlays_come_out_of_pixel_data(target: str, frames: int) -> None:
    data, samples, bits = with_overlays(frames)

    after, report = run(data, to=target)

    for n, plane in enumerate(bits):
        assert np.array_equal(after.overlay_array(0x6000 + 2 * n).reshape(plane.shape), plane)
        assert after[0x6000 + 2 * n, 0x0100].value == 1
        assert after[0x6000 + 2 * n, 0x0102].value == 0
        assert (0x6000 + 2 * n, 0x0015) in after or frames == 1
    assert len(report.decisions) >= 2
    native, _ = run(convert_bytes(data, to=target), to="explicit-le")
    assert np.array_equal(native.pixel_array.reshape(samples.shape), samples)


@pytest.mark.parametrize("middle", ["explicit-be", "rle", "deflated-frame"])
def test_overlays_from_other_sources(middle: str) -> None:
    data, _, bits = with_overlays()
    if middle == "rle":  # bits above Bits Stored, as GDCM and others leave them in RLE
        wide = data.replace(
            element(0x00280101, "US", b"\x0c\0"), element(0x00280101, "US", b"\x10\0")
        )
        wide = wide.replace(
            element(0x00280102, "US", b"\x0b\0"), element(0x00280102, "US", b"\x0f\0")
        )
        for group in (0x6000, 0x6002):
            wide = wide.replace(element(group << 16 | 0x100, "US", b"\x10\0"), b"")
        packed = convert_bytes(wide, to="rle")
        packed = packed.replace(
            element(0x00280101, "US", b"\x10\0"), element(0x00280101, "US", b"\x0c\0")
        )
        packed = packed.replace(
            element(0x00280102, "US", b"\x0f\0"), element(0x00280102, "US", b"\x0b\0")
        )
        for n, plane in enumerate((b"\x0c\0", b"\x0f\0")):
            old = element((0x6000 + 2 * n) << 16 | 0x102, "US", plane)
            packed = packed.replace(
                old, element((0x6000 + 2 * n) << 16 | 0x100, "US", b"\x10\0") + old
            )
        data = packed
    elif middle == "explicit-be":
        data = convert_bytes(data, to=middle)

    after, _ = run(data, to="jpeg-ls")

    assert np.array_equal(after.overlay_array(0x6002), bits[1][0])


def stated_bits(data: bytes, old: int, new: int) -> bytes:
    """Return a file with another Bits Stored, and the High Bit that goes with it."""
    for tag, less in ((0x00280101, 0), (0x00280102, 1)):
        before, after = (element(tag, "US", bytes([bits - less, 0])) for bits in (old, new))
        data = data.replace(before, after)
    return data


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    "middle", ["jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless"]
)
def test_overlays_that_an_encoder_took_for_samples(middle: str, signed: bool) -> None:
    """GDCM and DCMTK code whole words, whatever Bits Stored says."""
    data, samples, bits = with_overlays(2, (12, 13, 14, 15))
    where = [
        (n, element((0x6000 + 2 * n) << 16 | 0x100, "US", b"\x10\0")) for n in range(len(bits))
    ]
    for _, allocated in where:
        data = data.replace(allocated, b"")
    coded = stated_bits(convert_bytes(stated_bits(data, 12, 16), to=middle), 16, 12)
    for n, allocated in where:
        place = element((0x6000 + 2 * n) << 16 | 0x102, "US", bytes([12 + n, 0]))
        coded = coded.replace(place, allocated + place)
    if signed:
        coded = coded.replace(
            element(0x00280103, "US", b"\0\0"), element(0x00280103, "US", b"\1\0")
        )
        samples = np.where(samples < 2048, samples, samples.astype("i4") - 4096).astype("<i2")

    after, report = run(coded, to="explicit-le")

    assert np.array_equal(after.pixel_array, samples)
    for n, plane in enumerate(bits):
        assert np.array_equal(after.overlay_array(0x6000 + 2 * n), plane)
    assert compare(coded, convert_bytes(coded, to="rle")).pixels.largest_error == 0  # type: ignore[union-attr]
    assert any("bit 15" in one for one in report.decisions)


def test_bits_past_bits_stored_that_are_no_overlays_are_refused() -> None:
    data, _, _ = with_overlays(1, (12, 13))
    wide = stated_bits(data, 12, 16)
    for group in (0x6000, 0x6002):
        wide = wide.replace(element(group << 16 | 0x100, "US", b"\x10\0"), b"")
    coded = stated_bits(convert_bytes(wide, to="jpeg-ls"), 16, 12)
    place = element(0x60000102, "US", b"\x0c\0")  # that of bit 13 is not said to be one
    coded = coded.replace(place, element(0x60000100, "US", b"\x10\0") + place)
    coded = coded.replace(element(0x60020102, "US", b"\x0d\0"), b"")

    with pytest.raises(FrameMismatchError, match="past Bits Stored 12"):
        convert_bytes(coded, to="explicit-le")


@pytest.mark.parametrize("middle", ["explicit-le", "explicit-be"])
def test_overlays_taken_out_compare_as_what_they_were(middle: str) -> None:
    data, _, _ = with_overlays(3)
    freed = convert_bytes(data, to="jpeg-ls")
    embedded = convert_bytes(data, to=middle)

    for one, two in ((embedded, freed), (freed, embedded)):
        found = compare(one, two)
        assert found.equal
        assert {one.reason for one in found.attributes if one.tag.startswith("(60")} == {
            "an overlay in bits of Pixel Data"
        }

    other = pydicom.dcmread(io.BytesIO(freed))
    other[0x6002, 0x3000].value = bytes(len(other[0x6002, 0x3000].value))
    changed = io.BytesIO()
    other.save_as(changed)
    found = compare(embedded, changed.getvalue())
    assert [one.tag for one in found.unexpected] == ["(6002,3000)"]


def test_overlays_stay_where_bytes_are_moved() -> None:
    data, _, _ = with_overlays()

    after, _ = run(data, to="explicit-be")

    assert after[0x6000, 0x0102].value == 12
    assert (0x6000, 0x3000) not in after


def test_overlays_into_big_endian() -> None:
    data, _, bits = with_overlays()
    inverted = convert_bytes(data, to="explicit-be", photometric="MONOCHROME1")

    after = pydicom.dcmread(io.BytesIO(inverted))

    assert np.array_equal(
        pydicom.dcmread(io.BytesIO(convert_bytes(inverted, to="explicit-le"))).overlay_array(
            0x6000
        ),
        bits[0][0],
    )
    assert after.file_meta.TransferSyntaxUID == EXPLICIT_BE


def test_an_overlay_below_the_samples_and_a_high_bit_above() -> None:
    samples = np.arange(ROWS * COLUMNS, dtype="<u2").reshape(1, ROWS, COLUMNS)
    plane = samples & 1
    words = samples << 4 | plane
    extra = [
        word(0x00280102, 15), word(0x60000010, ROWS), word(0x60000011, COLUMNS),
        text(0x60000040, "CS", "G"), word(0x60000100, 16), word(0x60000102, 0),
    ]  # fmt: skip
    data = gray("MONOCHROME2", extra, pixels=words)

    after, _ = run(data, to="rle")

    assert np.array_equal(after.pixel_array, samples[0])
    assert (after.BitsStored, after.HighBit) == (12, 11)
    assert np.array_equal(after.overlay_array(0x6000), plane[0])
    assert list(after[0x6000, 0x0050].value) == [1, 1]


def test_an_overlay_with_data_of_its_own_is_left_alone() -> None:
    extra = [word(0x60000100, 1), word(0x60000102, 0), (0x60003000, "OW", b"\x55\xaa" * 3)]
    data = gray("MONOCHROME2", extra)

    after, report = run(data, to="rle")

    assert after[0x6000, 0x3000].value == b"\x55\xaa" * 3
    assert report.changes == []


def test_an_overlay_in_bits_that_a_stream_does_not_have_is_told() -> None:
    coded = convert_bytes(gray("MONOCHROME2", []), to="jpeg2000-lossless")
    high = element(0x60000100, "US", b"\x10\0") + element(0x60000102, "US", b"\x0d\0")
    place = coded.index(struct.pack("<HH", PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF))
    data = coded[:place] + high + coded[place:]

    after, report = run(data, to="explicit-le")

    assert "but the pixels do not have it" in report.warnings[0]
    assert after[0x6000, 0x0102].value == 13
