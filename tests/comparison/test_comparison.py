"""Comparing two files: metrics against known values, made files, and pairs of the corpus."""

from __future__ import annotations

import io
import itertools
import json
import math
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    MPEG2MPML,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

import dicodec.pixels.metrics as metrics
from dicodec import Comparison, ConversionError, DicodecError, compare, convert_bytes
from dicodec.errors import (
    InvalidOptionError,
    NotDicomError,
    SourceUnavailableError,
    TruncatedFrameError,
    UnsupportedSourceError,
)
from helpers.corpus import ManifestRow
from helpers.made import IMAGE_KINDS, encode_elements, make_samples

PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"

# --- metrics


def pattern() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rows, columns = np.mgrid[0:40, 0:37]
    one = ((rows * 7 + columns * 13) % 256).astype(np.uint8)
    return one, (one // 16 * 16 + 8).astype(np.uint8)


def test_ssim_and_psnr_have_known_values() -> None:
    """Computed once by scikit-image 0.26.0.

    structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    data_range=...), which its documentation calls that of Wang et al., and
    peak_signal_noise_ratio.
    """
    one, two = pattern()
    assert metrics.measure_ssim(one, two, 255) == pytest.approx(0.9874881889861217, abs=1e-12)
    assert metrics.measure_errors(one, two).find_psnr(255) == pytest.approx(34.806419009523054)

    rows, columns = np.mgrid[0:40, 0:37]
    deep = (rows * columns % 4096).astype(np.uint16)
    other = np.clip(deep.astype(int) + ((rows + columns) % 31) * 10 - 150, 0, 4095)
    other = other.astype(np.uint16)
    assert metrics.measure_ssim(deep, other, 4095) == pytest.approx(0.8295535967635967, abs=1e-12)
    assert metrics.measure_errors(deep, other).find_psnr(4095) == pytest.approx(33.686676258236986)


def test_ssim_of_flat_frames_is_what_the_formula_gives() -> None:
    one, two = np.full((11, 11), 100, np.uint8), np.full((11, 11), 150, np.uint8)
    c1 = (0.01 * 255) ** 2

    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)

    assert metrics.measure_ssim(one, two, 255) == pytest.approx(expected)


def ssim_by_definition(one: np.ndarray[Any, Any], two: np.ndarray[Any, Any], span: float) -> float:
    """Equation 13 of the paper, window by window."""
    offsets = np.arange(11) - 5
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    found = []
    for row, column in itertools.product(*(range(size - 10) for size in one.shape)):
        x = one[row : row + 11, column : column + 11].astype(float)
        y = two[row : row + 11, column : column + 11].astype(float)
        mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
        variance_x = (weights * (x - mean_x) ** 2).sum()
        variance_y = (weights * (y - mean_y) ** 2).sum()
        covariance = (weights * (x - mean_x) * (y - mean_y)).sum()
        found.append(
            (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
            / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))
        )  # fmt: skip
    return float(np.mean(found))


FRAME_SHAPES = st.tuples(st.integers(11, 15), st.integers(11, 15))


@settings(max_examples=30, deadline=None)
@given(data=st.data(), shape=FRAME_SHAPES)
def test_ssim_is_that_of_the_paper(data: st.DataObject, shape: tuple[int, int]) -> None:
    one, two = (data.draw(npst.arrays(np.uint16, shape)) for _ in range(2))

    found = metrics.measure_ssim(one, two, 65535)

    assert found == pytest.approx(ssim_by_definition(one, two, 65535), abs=1e-9)
    assert found is not None
    assert found <= 1 + 1e-12
    assert found == pytest.approx(metrics.measure_ssim(two, one, 65535))
    assert metrics.measure_ssim(one, one, 65535) == pytest.approx(1)


def test_bands_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = pattern()
    whole = metrics.measure_ssim(one, two, 255), metrics.measure_errors(one, two)

    monkeypatch.setattr(metrics, "_BAND_SAMPLES", 40)

    assert metrics.measure_ssim(one, two, 255) == pytest.approx(whole[0], abs=1e-12)
    assert metrics.measure_errors(one, two) == whole[1]


def test_ssim_of_color_is_the_mean_of_its_components() -> None:
    one, two = pattern()
    planes = [(one, two), (two, one.T[:37].T), (one, one)]
    color = [np.stack([pair[side] for pair in planes], axis=-1) for side in (0, 1)]

    each = [metrics.measure_ssim(*pair, 255) for pair in planes]

    assert None not in each
    assert metrics.measure_ssim(color[0], color[1], 255) == pytest.approx(
        sum(filter(None, each)) / 3
    )


def test_ssim_needs_a_window_and_a_range() -> None:
    one, two = pattern()

    assert metrics.measure_ssim(one[:10], two[:10], 255) is None
    assert metrics.measure_ssim(one, two, 0) is None


DTYPES = st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])


@given(data=st.data(), dtype=DTYPES)
def test_errors_are_those_of_exact_arithmetic(data: st.DataObject, dtype: str) -> None:
    one, two = (data.draw(npst.arrays(dtype, (3, 4))) for _ in range(2))
    errors = [abs(int(a) - int(b)) for a, b in zip(one.flat, two.flat, strict=True)]

    found = metrics.measure_errors(one, two)

    assert found.samples == 12
    assert found.differing == sum(error > 0 for error in errors)
    assert found.largest == pytest.approx(max(errors))
    assert found.mean == pytest.approx(sum(errors) / 12)
    assert found.squares == pytest.approx(sum(error**2 for error in errors))


def test_errors_between_types_are_those_of_the_values() -> None:
    one, two = np.array([[200, 3]], np.uint8), np.array([[-100, 3]], np.int16)

    assert metrics.measure_errors(one, two).largest == 300


def test_a_number_against_none_is_infinitely_far() -> None:
    one = np.array([[1.0, np.nan, np.inf, -0.0]])
    two = np.array([[1.5, np.nan, np.inf, 0.0]])

    assert metrics.measure_errors(one, two).largest == 0.5
    assert metrics.measure_errors(one, two).differing == 1
    assert metrics.measure_errors(one, one[:, ::-1]).largest == math.inf
    assert metrics.measure_errors(one, one[:, ::-1]).find_psnr(1) is None


# --- files that are made


def made(kind: str = "gray-16", **changes: Any) -> bytes:
    return IMAGE_KINDS[kind].make(**changes)[0]


def edited(content: bytes, **attributes: Any) -> bytes:
    """Return a file with attributes set, or removed where the value is None."""
    data_set = pydicom.dcmread(io.BytesIO(content))
    for keyword, value in attributes.items():
        if value is None:
            delattr(data_set, keyword)
        else:
            setattr(data_set, keyword, value)
    return saved(data_set)


def saved(data_set: Dataset) -> bytes:
    out = io.BytesIO()
    pydicom.dcmwrite(out, data_set)
    return out.getvalue()


def unexpected(found: Comparison) -> list[str]:
    return [f"{change.keyword or change.tag}{change.where}" for change in found.unexpected]


@pytest.mark.parametrize("kind", IMAGE_KINDS)
@pytest.mark.parametrize("syntax", ["implicit-le", "explicit-be", "deflated", "rle"])
def test_what_is_converted_is_equal(kind: str, syntax: str) -> None:
    content = made(kind)
    try:
        converted = convert_bytes(content, to=syntax)
    except ConversionError:
        pytest.skip("this syntax cannot hold this image")

    found = compare(content, converted)

    assert found.equal, (found.pixels, found.unexpected)
    assert found.pixels is not None
    assert found.pixels.worst_frame is None
    assert found.pixels.largest_error == 0
    assert "TransferSyntaxUID" in {change.keyword for change in found.attributes}


def test_a_lossy_result_differs_by_what_is_measured_here() -> None:
    content, before = IMAGE_KINDS["gray-8"].make()
    converted = convert_bytes(content, to="jpeg", quality=60)
    after = pydicom.dcmread(io.BytesIO(converted)).pixel_array

    found = compare(content, converted)

    assert not found.equal
    assert found.unexpected == ()
    assert found.pixels is not None
    errors = np.abs(before[0].astype(float) - after)
    (frame,) = found.pixels.frames
    assert frame.largest_error == found.pixels.largest_error == errors.max()
    assert frame.differing_samples == np.count_nonzero(errors)
    assert frame.mean_absolute_error == pytest.approx(errors.mean())
    assert found.pixels.psnr == pytest.approx(
        10 * math.log10(255**2 / np.square(errors).mean()), abs=1e-4
    )
    assert frame.ssim == pytest.approx(ssim_by_definition(before[0], after, 255), abs=1e-6)
    assert found.pixels.worst_frame == 0


@pytest.mark.parametrize(("tolerance", "equal"), [(0, False), (2, False), (3, True), (3.5, True)])
def test_the_tolerance_is_the_largest_error_that_counts_as_equal(
    tolerance: float, equal: bool
) -> None:
    content, before = IMAGE_KINDS["multi-frame"].make()
    changed = np.clip(before.astype(int) + 1, 0, 4095).astype(before.dtype)
    changed[3, 5, 6] = int(before[3, 5, 6]) + (3 if before[3, 5, 6] < 2000 else -3)

    found = compare(content, made("multi-frame", pixels=changed), tolerance=tolerance)

    assert found.equal is equal
    assert found.pixels is not None
    assert found.pixels.largest_error == 3
    assert found.pixels.worst_frame == 3
    assert [frame.frame for frame in found.pixels.frames] == [0, 1, 2, 3, 4]
    assert [frame.equal for frame in found.pixels.frames] == [
        tolerance >= (3 if frame == 3 else 1) for frame in range(5)
    ]


def test_equal_frames_have_no_noise() -> None:
    content, before = IMAGE_KINDS["multi-frame"].make()
    changed = before.copy()
    changed[2] ^= 1

    found = compare(content, made("multi-frame", pixels=changed), workers=3).pixels

    assert found is not None
    assert [frame.psnr is None for frame in found.frames] == [True, True, False, True, True]
    assert [frame.ssim is None for frame in found.frames] == [True, True, False, True, True]
    assert found.ssim == pytest.approx((4 + (found.frames[2].ssim or 0)) / 5, abs=1e-6)
    assert found.mean_absolute_error == pytest.approx(1 / 5)
    assert (found.psnr or 0) > (found.frames[2].psnr or 0)


def test_planar_configuration_does_not_matter() -> None:
    found = compare(made("rgb-8"), made("rgb-8-by-plane"))

    assert found.equal
    assert {change.keyword for change in found.attributes} == {"PlanarConfiguration"}


def test_colors_are_compared_as_rgb() -> None:
    content, before = IMAGE_KINDS["rgb-8"].make()
    converted = convert_bytes(content, to="explicit-le", photometric="YBR_FULL")

    found = compare(content, converted)

    assert found.pixels is not None
    assert found.pixels.photometric_interpretation == "RGB"
    assert found.pixels.notes == ("RGB and YBR_FULL: compared as RGB",)
    assert 0 < found.pixels.largest_error <= 2, "rounding, no more"
    assert found.unexpected == ()

    relabeled = edited(content, PhotometricInterpretation="YBR_FULL")
    wrong = compare(content, relabeled).pixels
    assert wrong is not None
    assert wrong.largest_error > 50, "the same numbers are other colors"
    assert before.shape[-1] == 3


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"rows": 47}, "Rows 48 and 47"),
        ({"columns": 63}, "Columns 64 and 63"),
        ({"frames": 2}, "Number of Frames 1 and 2"),
        ({"samples": 3, "photometric": "RGB"}, "Photometric Interpretation MONOCHROME2 and RGB"),
    ],
)
def test_another_size_is_a_difference(other: dict[str, Any], words: str) -> None:
    content, pixels = IMAGE_KINDS["gray-8"].make()
    if other == {"frames": 2}:
        other["pixels"] = np.concatenate([pixels, pixels + 1])

    found = compare(content, made("gray-8", **other))

    assert not found.equal
    assert found.pixels is not None
    assert words in found.pixels.differences
    assert len(found.pixels.frames) == ("frames" in other), "the frames that both have"


def test_pixels_on_one_side_only_are_a_difference() -> None:
    content = made()
    bare = edited(content, PixelData=None)

    for pair, words in (((content, bare), "only A has pixels"), ((bare, content), "only B has")):
        found = compare(*pair)
        assert not found.equal
        assert found.pixels is not None
        assert words in found.pixels.differences[0]
    assert compare(bare, bare).pixels is None
    assert compare(bare, bare).equal


def test_other_bits_are_compared_by_value_and_said() -> None:
    pixels = make_samples(16, 16, 1, 12, False, 1, 3)

    found = compare(
        made("gray-12-in-16", rows=16, columns=16, pixels=pixels.astype(np.uint16)),
        made("signed-16", rows=16, columns=16, pixels=pixels.astype(np.int16)),
    )

    assert found.pixels is not None
    assert found.pixels.equal
    assert len(found.pixels.notes) == 2
    assert {"BitsStored", "PixelRepresentation"} <= set(unexpected(found))


def test_floating_point_samples_are_compared_and_json_can_hold_it() -> None:
    values = np.linspace(-5, 5, 16 * 16, dtype="<f4").reshape(16, 16)
    data_set = pydicom.dcmread(io.BytesIO(made(rows=16, columns=16)))
    del data_set.PixelData
    data_set.BitsAllocated = 32
    data_set.FloatPixelData = values.tobytes()
    one = saved(data_set)
    values[3, 4] += 0.25
    data_set.FloatPixelData = values.tobytes()
    near = compare(one, saved(data_set)).pixels
    values[3, 4] = np.nan
    data_set.FloatPixelData = values.tobytes()
    far = compare(one, saved(data_set))

    assert near is not None
    assert near.largest_error == pytest.approx(0.25, abs=1e-6)
    assert near.psnr == pytest.approx(10 * math.log10(10**2 * 256 / 0.25**2), abs=0.01)
    assert far.pixels is not None
    assert far.pixels.largest_error == math.inf
    assert json.loads(json.dumps(far.as_dict(), allow_nan=False))["pixels"]["largest_error"] is None


def test_video_is_compared_as_bytes() -> None:
    def video(stream: bytes) -> bytes:
        return made("rgb-8", photometric="YBR_FULL", frames=3, transfer_syntax=MPEG2MPML,
                    streams=[[stream]])  # fmt: skip

    same, other = compare(video(b"film"), video(b"film")), compare(video(b"film"), video(b"movi"))

    assert same.equal
    assert same.pixels is not None
    assert "compared as bytes" in same.pixels.notes[0]
    assert not other.equal


# --- attributes


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"PatientName": "Other"}, ["PatientName"]),
        ({"PatientID": None}, ["PatientID"]),
        ({"InstitutionName": "Here"}, ["InstitutionName"]),
        ({"PixelSpacing": [1, 1], "Modality": "CT"}, ["Modality", "PixelSpacing"]),
        ({"SOPInstanceUID": "1.2.3"}, ["SOPInstanceUID"]),
        ({"LossyImageCompression": "00"}, []),
        ({"PatientName": "Made^Image "}, []),
    ],
)
def test_changed_attributes_are_named(changes: dict[str, Any], names: list[str]) -> None:
    content = made()
    found = compare(content, edited(content, **changes))

    assert unexpected(found) == names
    assert found.equal is not bool(names)
    assert compare(content, edited(content, **changes), allow=list(changes)).equal
    assert compare(content, edited(content, **changes), ignore_attributes=True).equal


def test_which_side_has_an_attribute_is_said() -> None:
    content = made()
    other = edited(content, PatientID=None, InstitutionName="Here", PatientName="Other")

    found = {change.keyword: change for change in compare(content, other).unexpected}

    assert (found["PatientID"].change, found["PatientID"].a) == ("only in A", '"0"')
    assert (found["InstitutionName"].change, found["InstitutionName"].b) == ("only in B", '"Here"')
    assert found["PatientName"].change == "changed"
    assert (found["PatientName"].a, found["PatientName"].b) == ('"Made^Image"', '"Other"')
    assert found["PatientID"].tag == "(0010,0020)"


def nested(code: str = "A", *, undefined: bool = False, items: int = 2) -> Dataset:
    data_set = pydicom.dcmread(io.BytesIO(made()))
    sequence = []
    for number in range(items):
        inner = Dataset()
        inner.CodeValue = code if number else "first"
        inner.CodeMeaning = "x"
        item = Dataset()
        item.PurposeOfReferenceCodeSequence = Sequence([inner])
        item.ReferencedFrameNumber = [1, 2]
        item.is_undefined_length_sequence_item = undefined
        sequence.append(item)
    data_set.ReferencedImageSequence = Sequence(sequence)
    data_set["ReferencedImageSequence"].is_undefined_length = undefined
    return data_set


def test_the_path_to_the_first_difference_in_a_sequence_is_given() -> None:
    found = compare(saved(nested()), saved(nested("B")))
    (change,) = found.unexpected

    assert change.keyword == "ReferencedImageSequence"
    assert change.where == "[1].PurposeOfReferenceCodeSequence[0].CodeValue"
    assert (change.a, change.b) == ('"A"', '"B"')

    (change,) = compare(saved(nested()), saved(nested(items=3))).unexpected
    assert (change.where, change.a, change.b) == ("", "2 items", "3 items")

    longer = nested()
    longer.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2"
    (change,) = compare(saved(nested()), saved(longer)).unexpected
    assert change.where == "[0].ReferencedSOPInstanceUID"
    assert (change.change, change.a, change.b) == ("changed", "", '"1.2"')


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
@pytest.mark.parametrize("undefined", [False, True])
def test_lengths_and_encodings_of_sequences_mean_nothing(syntax: str, undefined: bool) -> None:
    one, two = saved(nested()), nested(undefined=undefined)
    two.file_meta.TransferSyntaxUID = UID(syntax)
    if syntax == ExplicitVRBigEndian:
        pixels = np.frombuffer(two.PixelData, "<u2")
        two.PixelData = pixels.astype(">u2").tobytes()
    out = io.BytesIO()
    pydicom.dcmwrite(
        out, two, implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )  # fmt: skip

    found = compare(one, out.getvalue())

    assert found.equal, found.unexpected


def test_a_private_sequence_that_became_unknown_is_still_itself() -> None:
    def private(code: str, *, known: bool) -> bytes:
        data_set = pydicom.dcmread(io.BytesIO(made()))
        item = Dataset()
        item.CodeValue = code
        data_set.add_new(0x00091002, "SQ", [item])
        data_set["00091002"].is_undefined_length = True
        content = saved(data_set)
        return (
            content
            if known
            else convert_bytes(convert_bytes(content, to="implicit-le"), to="explicit-le")
        )

    found = compare(private("A", known=True), private("A", known=False))
    other = compare(private("A", known=True), private("B", known=False))

    assert found.equal, found.unexpected
    assert [change.change for change in found.attributes if change.tag == "(0009,1002)"] == ["VR"]
    assert unexpected(other) == ["(0009,1002)[0].CodeValue"]


def test_a_delimiter_after_a_defined_length_means_nothing() -> None:
    items = encode_elements([(0x00080100, "SH", b"A ")])
    value = b"\xfe\xff\x00\xe0" + len(items).to_bytes(4, "little") + items
    delimiter = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    one = made(extra=[(0x00081140, "SQ", value)])

    assert compare(one, made(extra=[(0x00081140, "SQ", value + delimiter)])).equal
    other = made(extra=[(0x00081140, "SQ", value.replace(b"A ", b"B ") + delimiter)])
    assert unexpected(compare(one, other)) == ["ReferencedImageSequence[0].CodeValue"]


def test_an_unknown_vr_is_told_from_another_value() -> None:
    content = made(extra=[(0x00091001, "UN", b"text")])
    known = made(extra=[(0x00091001, "LO", b"text")])
    other = made(extra=[(0x00091001, "LO", b"else")])

    found = compare(content, known)
    assert found.equal
    (change,) = found.attributes
    assert (change.change, change.a, change.b) == ("VR", "UN", "LO")
    assert unexpected(compare(content, other)) == ["(0009,1001)"]

    wrong = compare(known, made(extra=[(0x00091001, "SH", b"text")]))
    assert unexpected(wrong) == ["(0009,1001)"], "both are known and differ"


def test_text_is_compared_as_its_character_set_reads_it() -> None:
    name = "Müller^Jörg"
    latin = made(
        extra=[(0x00080005, "CS", b"ISO_IR 100"), (0x00100010, "PN", name.encode("latin-1"))]
    )
    utf8 = made(extra=[(0x00080005, "CS", b"ISO_IR 192"), (0x00100010, "PN", name.encode())])
    wrong = made(
        extra=[(0x00080005, "CS", b"ISO_IR 192"), (0x00100010, "PN", name.encode("latin-1"))]
    )

    assert unexpected(compare(latin, utf8)) == ["SpecificCharacterSet"]
    assert unexpected(compare(latin, wrong)) == ["SpecificCharacterSet", "PatientName"]


def test_large_values_are_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    import dicodec.comparison.attributes as attributes

    monkeypatch.setattr(attributes, "_HELD_SIZE", 64)
    value = bytes(range(200))
    content = made(extra=[(0x00091003, "OW", value)])

    assert compare(content, convert_bytes(content, to="explicit-be")).equal
    other = compare(content, made(extra=[(0x00091003, "OW", value[:-1] + b"x")]))
    assert unexpected(other) == ["(0009,1003)"]


def test_values_that_a_terminal_would_obey_are_made_harmless() -> None:
    content = made()
    other = edited(content, InstitutionName="a\x07\rb")

    (change,) = compare(content, other).unexpected

    assert change.b == '"a\\x07\\rb"'


def test_long_texts_are_shown_where_they_differ() -> None:
    content = made(extra=[(0x00204000, "LT", b"x" * 300 + b"one")])
    other = made(extra=[(0x00204000, "LT", b"x" * 300 + b"two")])

    (change,) = compare(content, other).unexpected

    assert change.a == f'..."{"x" * 12}one"'
    assert change.b == f'..."{"x" * 12}two"'


# --- options and errors


@pytest.mark.parametrize(
    "options",
    [
        {"tolerance": -1},
        {"tolerance": math.nan},
        {"allow": ["NoSuchKeyword"]},
        {"workers": 0},
        {"picture": "out.dcm"},
        {"frame": 0},
        {"picture": "out.png", "frame": -1},
    ],
)
def test_options_without_meaning_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError):
        compare(made(), made(), **options)


def test_errors_name_the_file_at_fault(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.dcm", tmp_path / "bad.dcm"
    content = made("multi-frame")
    good.write_bytes(content)

    with pytest.raises(SourceUnavailableError, match=r"bad\.dcm"):
        compare(good, bad)
    bad.write_bytes(b"nothing of the sort")
    with pytest.raises(NotDicomError, match=r"bad\.dcm"):
        compare(bad, good)
    bad.write_bytes(content[:-100])
    with pytest.raises(TruncatedFrameError, match=r"bad\.dcm.*frame 4"):
        compare(good, bad)


# --- the picture


def read_picture(path: Path) -> np.ndarray[Any, Any]:
    picture: np.ndarray[Any, Any] = imagecodecs.png_decode(path.read_bytes())
    return picture


def test_the_picture_shows_both_frames_and_their_difference(tmp_path: Path) -> None:
    pixels = make_samples(48, 64, 1, 8, False, 3, 5).astype(np.uint8)
    pixels[:, 0, :2] = 0, 255  # from the smallest to the largest value: shown as they are
    content = made("gray-8", frames=3, pixels=pixels)
    changed = pixels.copy()
    changed[1, 5, 7] ^= 4
    changed[1, 6, 7] ^= 2
    path = tmp_path / "out.png"

    found = compare(content, made("gray-8", frames=3, pixels=changed), picture=path)

    assert (found.picture, found.picture_frame) == (str(path), 1)
    picture = read_picture(path)
    assert picture.shape == (48, 3 * 64 + 2 * 4, 3)
    one, two, difference = picture[:, :64], picture[:, 68:132], picture[:, 136:]
    assert np.array_equal(one, np.repeat(pixels[1][..., None], 3, axis=2))
    assert np.array_equal(two, np.repeat(changed[1][..., None], 3, axis=2))
    assert difference[5, 7].tolist() == [255] * 3
    assert difference[6, 7].tolist() == [128] * 3
    assert np.count_nonzero(difference) == 6

    compare(content, content, picture=path, frame=2)
    assert np.array_equal(read_picture(path)[:, :64, 0], pixels[2]), "the file is replaced"


def test_the_picture_is_windowed_as_a_viewer_would(tmp_path: Path) -> None:
    pixels = np.arange(4096, dtype=np.uint16).reshape(1, 64, 64)
    fields = {"rows": 64, "columns": 64, "pixels": pixels}
    window = [(0x00281050, "DS", b"1040"), (0x00281051, "DS", b"401 "),
              (0x00281052, "DS", b"-1000 "), (0x00281053, "DS", b"1 ")]  # fmt: skip
    one = made("gray-12-in-16", extra=window, **fields)
    two = made("inverted", extra=window, **fields)
    path = tmp_path / "out.png"

    compare(one, two, picture=path)

    # PS3.3 C.11.2.1.2.1 with center 1040 and width 401, of the value less 1000
    values = pixels[0].astype(float) - 1000
    expected = np.clip((values - 1039.5) / 400 + 0.5, 0, 1) * 255
    picture = read_picture(path)
    assert np.abs(picture[:, :64, 0] - expected).max() <= 0.5
    assert np.abs(picture[:, 68:132, 0] - (255 - expected)).max() <= 0.5


def test_large_frames_are_made_smaller_and_no_error_is_lost(tmp_path: Path) -> None:
    pixels = np.zeros((1, 3, 5000), np.uint8)
    changed = pixels.copy()
    changed[0, 1, 4001] = 9
    fields = {"rows": 3, "columns": 5000}
    path = tmp_path / "out.png"

    compare(made("gray-8", pixels=pixels, **fields), made("gray-8", pixels=changed, **fields),
            picture=path)  # fmt: skip

    picture = read_picture(path)
    width = -(-5000 // 3)
    assert picture.shape == (1, 3 * width + 8, 3)
    assert picture[0, 2 * width + 8 + 4001 // 3].tolist() == [255] * 3


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_every_kind_of_image_can_be_shown(kind: str, tmp_path: Path) -> None:
    image = IMAGE_KINDS[kind]
    compare(made(kind), made(kind), picture=tmp_path / "out.png")

    assert read_picture(tmp_path / "out.png").shape == (image.rows, 3 * image.columns + 8, 3)


def test_images_of_other_sizes_are_shown_without_a_difference(tmp_path: Path) -> None:
    compare(made("rgb-8"), made("odd-size"), picture=tmp_path / "out.png")

    assert read_picture(tmp_path / "out.png").shape == (48, 64 + 4 + 47, 3)


def test_no_picture_is_made_of_nothing(tmp_path: Path) -> None:
    bare = edited(made(), PixelData=None)
    with pytest.raises(UnsupportedSourceError, match="no picture can be made"):
        compare(bare, made(), picture=tmp_path / "out.png")
    with pytest.raises(InvalidOptionError, match="no frame 7"):
        compare(made(), made(), picture=tmp_path / "out.png", frame=7)
    assert list(tmp_path.iterdir()) == []


# --- real files


def test_real_files_are_equal_to_themselves_in_another_syntax() -> None:
    checked = 0
    for path in sorted(PYDICOM_FILES.glob("*.dcm")):
        try:
            converted = convert_bytes(path.read_bytes(), to="implicit-le")
            found = compare(path, converted)
        except DicodecError:
            continue
        assert found.equal, (path.name, found.pixels and found.pixels.differences, found.unexpected)
        checked += 1
    assert checked > 50


@pytest.mark.parametrize("syntax", ["implicit-le", "explicit-be", "rle"])
def test_files_of_the_corpus_mean_the_same_in_another_syntax(
    corpus: Path, manifest: list[ManifestRow], syntax: str
) -> None:
    checked = 0
    for row in manifest:
        path = corpus / row["file"]
        try:
            converted = convert_bytes(path.read_bytes(), to=syntax)
        except DicodecError:
            continue
        found = compare(path, converted)
        assert found.equal, (row["file"], found.pixels, found.unexpected)
        checked += 1
    assert checked > 200


def test_an_icon_that_became_native_is_the_same_until_a_pixel_changes(corpus: Path) -> None:
    path = corpus / "icon" / "slicethickness_empty_string.dcm"
    converted = convert_bytes(path.read_bytes(), to="implicit-le")
    data_set = pydicom.dcmread(io.BytesIO(converted))
    icon = data_set.IconImageSequence[0]
    icon.PixelData = bytes([icon.PixelData[0] ^ 1]) + icon.PixelData[1:]

    (change,) = (
        change
        for change in compare(path, converted).attributes
        if change.keyword == "IconImageSequence"
    )

    assert change.allowed
    assert change.reason == "nested pixels, the same once decoded"
    assert unexpected(compare(path, saved(data_set))) == ["IconImageSequence[0].PixelData"]


def test_pairs_of_the_corpus_differ_as_far_as_is_known(
    corpus: Path, manifest: list[ManifestRow]
) -> None:
    identical = lossy = 0
    for row in manifest:
        if not row["pair"] or row["file"].startswith("broken/"):
            continue
        found = compare(corpus / row["pair"], corpus / row["file"], ignore_attributes=True)
        assert found.pixels is not None
        assert not found.pixels.differences, row["file"]
        if row["pair_kind"] == "identical":
            identical += 1
            assert found.equal, row["file"]
        elif row["pair_kind"] == "lossy":
            lossy += 1
            assert found.pixels.largest_error == int(row["pair_max_abs_error"]), row["file"]
            assert found.pixels.psnr is not None
            assert found.pixels.psnr > 20
    assert identical > 50
    assert lossy > 10
