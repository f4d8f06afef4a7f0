"""Conversions as a whole: what comes out, what is reported, and that it comes out the same."""

from __future__ import annotations

import io
import itertools
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicodec import convert, convert_bytes, inspect
from dicodec.errors import (
    ContradictionError,
    DicodecError,
    InvalidOptionError,
    LossyNotAllowedError,
    SourceUnavailableError,
    TargetUnavailableError,
    UnsupportedTargetError,
)
from dicodec.part10.dicom_file import open_dicom
from helpers.data_set_bytes import data_set_of, file_of, item, sequence
from helpers.kernels import kernels, without_kernels
from helpers.made import IMAGE_KINDS, make_file

KIND = IMAGE_KINDS["multi-frame"]
CONTENT, SAMPLES = KIND.make()
WRITTEN = (
    "implicit-le", "explicit-le", "explicit-be", "deflated", "encapsulated-uncompressed",
    "deflated-frame", "rle", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless",
    "htj2k-rpcl", "jpegxl-lossless",
)  # fmt: skip
LOSSY = ("jpeg-extended", "jpeg-ls-near", "jpeg2000", "htj2k", "jpegxl")


def converted(content: bytes, **options: Any) -> tuple[bytes, Any]:
    out = io.BytesIO()
    report = convert(content, out, **options)
    return out.getvalue(), report


# The same bytes.


@pytest.mark.parametrize("target", [*WRITTEN, *LOSSY])
def test_one_worker_or_eight_give_the_same_bytes(target: str) -> None:
    content, _ = KIND.make(frames=9, rows=32, columns=32)
    results = {
        convert_bytes(content, to=target, workers=workers, lossy=True, keep_uid=True)
        for workers in (1, 2, 8, None)
    }

    assert len(results) == 1


@pytest.mark.parametrize("target", [*WRITTEN, *LOSSY])
def test_the_same_file_converted_twice_is_the_same_bytes(target: str) -> None:
    options: dict[str, Any] = {"to": target, "lossy": True, "keep_uid": True}

    assert convert_bytes(CONTENT, **options) == convert_bytes(CONTENT, **options)


@pytest.mark.parametrize("target", WRITTEN)
def test_a_result_converted_to_its_own_syntax_is_itself(target: str) -> None:
    result = convert_bytes(CONTENT, to=target)

    again, report = converted(result, to=target, verify=True)

    assert again == result
    assert report.action == "copied"
    assert report.changes == []


@pytest.mark.parametrize(("first", "second"), [*itertools.permutations(WRITTEN, 2)])
def test_lossless_ways_all_lead_back(first: str, second: str) -> None:
    content, _ = KIND.make(frames=2, rows=9, columns=12)
    there = convert_bytes(convert_bytes(content, to=first), to=second, verify=True)

    assert data_set_of(convert_bytes(there, to="explicit-le")) == data_set_of(content)


# What is reported.


def test_a_report_says_which_engine_decoded_and_encoded() -> None:
    kernels()
    report = convert(CONTENT, io.BytesIO(), to="rle")
    assert (report.decoder, report.encoder) == ("dicodec kernels", "dicodec kernels")
    assert report.as_dict()["encoder"] == "dicodec kernels"
    moved = convert(CONTENT, io.BytesIO(), to="implicit-le")
    assert (moved.decoder, moved.encoder) == ("", "")

    with without_kernels():
        report = convert(CONTENT, io.BytesIO(), to="rle")
    assert (report.decoder, report.encoder) == ("numpy", "imagecodecs")


def test_a_report_says_what_was_done(tmp_path: Path) -> None:
    source, target = tmp_path / "a.dcm", tmp_path / "b.dcm"
    source.write_bytes(CONTENT)

    report = convert(source, str(target), to="jpeg-ls", verify=True)

    assert (report.source, report.target) == (str(source), str(target))
    assert (report.source_syntax, report.target_syntax) == ("explicit-le", "jpeg-ls")
    assert (report.action, report.frames, report.engine) == ("transcoded", 5, "dicodec")
    assert report.encoder == "dicodec kernels"
    assert report.photometric_interpretation == ("MONOCHROME2", "MONOCHROME2")
    assert (report.lossy, report.verified, report.dry_run) == (False, True, False)
    assert (report.source_size, report.target_size) == (len(CONTENT), target.stat().st_size)
    assert list(report.seconds) == ["open", "plan", "convert", "verify", "total"]
    with open_dicom(target) as file:
        assert file.frames.present
        assert file.frames.encapsulated is not None
        size = file.frames.encapsulated.measure_all()
    assert report.compression_ratio == round(SAMPLES.size * 2 / size, 4)
    assert json.loads(json.dumps(report.as_dict()))["frames"] == 5


def test_a_dry_run_plans_and_writes_nothing() -> None:
    report = convert(CONTENT, None, to="rle", set_attributes=(("PatientID", "7"),))

    assert report.dry_run
    assert (report.action, report.changes) == ("transcoded", ["PatientID changed"])
    assert report.target_size == 0
    with pytest.raises(LossyNotAllowedError):
        convert(CONTENT, None, to="jpeg2000")


def test_oddities_are_reported_and_refused_where_that_is_asked_for() -> None:
    odd = data_set_of(CONTENT)
    _, report = converted(odd, to="rle")
    assert [oddity.id for oddity in report.oddities] == [
        "no-preamble", "no-file-meta", "no-transfer-syntax",
    ]  # fmt: skip
    with pytest.raises(ContradictionError, match="departs from the standard"):
        convert_bytes(odd, to="rle", strict=True)
    assert convert_bytes(CONTENT, to="rle", strict=True)


# Several acceptable targets.


@pytest.mark.parametrize(
    ("targets", "syntax", "action"),
    [
        ("rle", "rle", "transcoded"),
        ("rle,explicit-le", "explicit-le", "copied"),
        (("jpeg-ls", "explicit-le"), "explicit-le", "copied"),
        ("jpeg, rle", "rle", "transcoded"),  # 12 bits do not fit in the first
        ("1.2.840.10008.1.2.5", "rle", "transcoded"),
        ("RLELossless", "rle", "transcoded"),
        ("RLE", "rle", "transcoded"),
    ],
)
def test_the_first_target_that_fits_is_taken(targets: Any, syntax: str, action: str) -> None:
    report = convert(CONTENT, None, to=targets, lossy=True)

    assert (report.target_syntax, report.action) == (syntax, action)


def test_where_no_target_fits_the_reason_of_the_first_is_given() -> None:
    with pytest.raises(DicodecError, match="JPEG baseline cannot hold Bits Stored 12"):
        convert(CONTENT, None, to="jpeg,jpegxl-jpeg", lossy=True)


@pytest.mark.parametrize(
    ("target", "hint"),
    [("jpeg3000", "jpeg2000?"), ("1.2.3", "explicit-le"), ("rle,nonsense", "explicit-le")],
)
def test_targets_that_do_not_exist_are_refused_with_those_that_do(target: str, hint: str) -> None:
    with pytest.raises(UnsupportedTargetError) as raised:
        convert(CONTENT, None, to=target)
    assert hint in (raised.value.hint or "")


@pytest.mark.parametrize(
    "options",
    [{"qualty": 1}, {"quality": 0}, {"near": 256}, {"ratio": 0.5}, {"psnr": 0}, {"workers": 0},
     {"engine": "magic"}, {"offset_table": "both"}, {"photometric": "HSV"}, {"to": ()},
     {"to": " ,"}],
)  # fmt: skip
def test_options_without_meaning_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError):
        convert(CONTENT, None, **{"to": "rle", **options})


# Lossy results are other images.


@pytest.mark.parametrize("target", LOSSY)
def test_a_lossy_result_is_recorded(target: str) -> None:
    earlier = [(0x00082111, "ST", "früher: Zuschnitt".encode("latin-1")),
               (0x00080005, "CS", b"ISO_IR 100")]  # fmt: skip
    content, _ = KIND.make(extra=earlier)

    result, report = converted(content, to=target, lossy=True)

    before, after = (pydicom.dcmread(io.BytesIO(data)) for data in (content, result))
    assert report.lossy
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
    assert after.LossyImageCompression == "01"
    assert after.LossyImageCompressionMethod.startswith("ISO_")
    assert float(after.LossyImageCompressionRatio) == pytest.approx(
        report.compression_ratio, abs=1e-3
    )
    assert after.ImageType[0] == "DERIVED"
    assert after.DerivationDescription.startswith("früher: Zuschnitt; lossy compression: ")
    assert after.DerivationCodeSequence[0].CodeValue == "113040"
    source = after.SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121320"
    assert after.PatientName == before.PatientName


def test_a_lossy_result_may_keep_its_uid() -> None:
    result = convert_bytes(CONTENT, to="jpeg2000", ratio=5, keep_uid=True)

    after = pydicom.dcmread(io.BytesIO(result))
    assert after.SOPInstanceUID == pydicom.dcmread(io.BytesIO(CONTENT)).SOPInstanceUID
    assert "SourceImageSequence" not in after
    assert after.LossyImageCompression == "01"


def test_the_record_of_a_loss_stays_and_grows() -> None:
    once = convert_bytes(CONTENT, to="jpeg-ls-near", near=1)
    native = convert_bytes(once, to="explicit-le")
    twice = convert_bytes(native, to="jpeg2000", ratio=4)

    for content, count in ((native, 1), (twice, 2)):
        data_set = pydicom.dcmread(io.BytesIO(content))
        assert data_set.LossyImageCompression == "01"
        methods = data_set.LossyImageCompressionMethod
        assert ([methods] if isinstance(methods, str) else methods)[0] == "ISO_14495_1"
        assert count == data_set["LossyImageCompressionRatio"].VM
        assert count == data_set["LossyImageCompressionMethod"].VM
    sources = pydicom.dcmread(io.BytesIO(twice)).SourceImageSequence
    assert len(sources) == 2


@pytest.mark.parametrize("target", WRITTEN)
def test_a_lossless_result_is_the_same_image(target: str) -> None:
    result, report = converted(CONTENT, to=target)

    before, after = (pydicom.dcmread(io.BytesIO(data)) for data in (CONTENT, result))
    assert not report.lossy
    assert after.SOPInstanceUID == before.SOPInstanceUID
    assert "LossyImageCompression" not in after
    assert after.ImageType == before.ImageType


def test_a_loss_that_nobody_allowed_is_refused_and_the_way_out_named() -> None:
    with pytest.raises(LossyNotAllowedError) as raised:
        convert(CONTENT, None, to="jpeg2000")
    assert "jpeg2000-lossless" in (raised.value.hint or "")


# Shortcuts.


@pytest.mark.parametrize(
    ("source", "target", "action"),
    [
        ("explicit-le", "implicit-le", "moved"),
        ("implicit-le", "explicit-be", "moved"),
        ("deflated", "explicit-le", "moved"),
        ("explicit-le", "encapsulated-uncompressed", "reframed"),
        ("encapsulated-uncompressed", "explicit-le", "reframed"),
        ("htj2k-rpcl", "htj2k-lossless", "moved"),
        ("jpeg-lossless", "jpeg-lossless-p14", "moved"),
        ("rle", "rle", "copied"),
    ],
)
def test_pixels_that_do_not_change_are_not_decoded(
    source: str, target: str, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = convert_bytes(CONTENT, to=source)
    expected = convert_bytes(CONTENT, to="explicit-le")

    result, report = converted(content, to=target)

    assert report.action == action
    assert data_set_of(convert_bytes(result, to="explicit-le")) == data_set_of(expected)


def test_memory_views_and_arrays_of_bytes_are_taken() -> None:
    expected = convert_bytes(CONTENT, to="rle")
    for buffer in (bytearray(CONTENT), memoryview(CONTENT), np.frombuffer(CONTENT, "u1").data):
        assert convert_bytes(buffer, to="rle") == expected


def test_errors_name_the_file_that_is_at_fault(tmp_path: Path) -> None:
    source, target = tmp_path / "a.dcm", tmp_path / "b.dcm"
    source.write_bytes(CONTENT[:-9])
    with pytest.raises(DicodecError) as raised:
        convert(source, target, to="rle")
    assert (raised.value.path, raised.value.frame) == (str(source), 4)
    with pytest.raises(DicodecError) as raised:
        convert(CONTENT, tmp_path / "no" / "b.dcm", to="rle")
    assert raised.value.path == str(tmp_path / "no" / "b.dcm")
    with pytest.raises(DicodecError) as raised:
        convert(CONTENT[:-9], None, to="rle")
    assert raised.value.path is None


def test_limits_are_heeded() -> None:
    from dicodec.model.limits import Limits

    with pytest.raises(DicodecError, match="too many elements"):
        convert(CONTENT, None, to="rle", limits=Limits(elements=3))
    huge, _ = make_file(
        4, 4, extra=[(0x00280010, "US", struct.pack("<H", 60000))],
        transfer_syntax="1.2.840.10008.1.2.5", streams=[[bytes(64) + b"\x81\0"]],
    )  # fmt: skip
    with pytest.raises(DicodecError):
        convert(huge, io.BytesIO(), to="explicit-le", limits=Limits(frame_size=1000))


@pytest.mark.parametrize("target", ["explicit-le", "implicit-le", "explicit-be", "deflated"])
def test_an_encapsulated_icon_does_not_stay_so_in_a_native_file(target: str) -> None:
    small, samples = IMAGE_KINDS["gray-8"].make(rows=4, columns=4)
    compressed = data_set_of(convert_bytes(small, to="rle"))
    icon = compressed[compressed.index(b"\x28\x00\x02\x00") :]
    content = file_of(
        sequence(0x00880200, item(icon, undefined=True), undefined=True), "1.2.840.10008.1.2.5"
    )
    content += compressed[compressed.index(b"\xe0\x7f\x10\x00") :]
    image = compressed[: compressed.index(b"\xe0\x7f\x10\x00")]
    content = file_of(image, "1.2.840.10008.1.2.5") + data_set_of(content)

    found = pydicom.dcmread(io.BytesIO(convert_bytes(content, to=target))).IconImageSequence[0]

    assert not found["PixelData"].is_undefined_length
    assert found.PixelData == samples.astype("u1").tobytes()


def test_a_file_that_is_right_already_is_left_alone_in_place(tmp_path: Path) -> None:
    path = tmp_path / "right.dcm"
    convert(CONTENT, path, to="rle")
    before = path.stat()

    report = convert(path, path, to=("jpeg-ls", "rle"), overwrite=True)

    assert report.action == "left alone"
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "wish",
    [
        {"to": None}, {"to": 5}, {"set_attributes": {"PatientID": 3}},
        {"set_attributes": [("InstanceNumber", 3)]}, {"set_attributes": [("PatientID",)]},
        {"remove_attributes": b"PatientID"}, {"lossy": "no"}, {"limits": "x"},
        {"quality": "x", "to": "jpeg"},
        {"near": 1.5, "to": "jpeg-ls-near"}, {"quality": True, "to": "jpeg"}, {"nonsense": 1},
    ],
    ids=str,
)  # fmt: skip
def test_wishes_of_another_type_are_invalid_options(wish: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError):
        convert(CONTENT, io.BytesIO(), **{"to": "rle", **wish})


def test_what_is_no_binary_stream_is_no_source_and_no_target() -> None:
    source: Any
    for source in (None, 5, io.StringIO("x")):
        with pytest.raises(SourceUnavailableError):
            convert(source, io.BytesIO(), to="rle")
        with pytest.raises(SourceUnavailableError):
            inspect(source)
    target: Any = io.StringIO()
    with pytest.raises(TargetUnavailableError):
        convert(CONTENT, target, to="rle")
