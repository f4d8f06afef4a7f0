"""`--engine gdcm` as a caller meets it: results that are checked, and a report that is true."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest

from dicodec import convert, convert_bytes
from dicodec.conversion.gdcm import GDCM_TARGETS
from dicodec.errors import InvalidOptionError, UnsupportedImageError
from helpers.made import IMAGE_KINDS
from helpers.samples import native_samples

LOSSLESS = sorted(set(GDCM_TARGETS) - {"jpeg", "jpeg-extended", "jpeg-ls-near", "jpeg2000"})


def by_gdcm(content: bytes, **options: Any) -> tuple[bytes, Any]:
    out = io.BytesIO()
    report = convert(content, out, engine="gdcm", **options)
    return out.getvalue(), report


@pytest.mark.parametrize("to", LOSSLESS)
@pytest.mark.parametrize("kind", ["gray-12-in-16", "signed-16", "rgb-8", "multi-frame"])
def test_what_gdcm_writes_holds_the_same_samples(kind: str, to: str) -> None:
    content, samples = IMAGE_KINDS[kind].make()
    result, report = by_gdcm(content, to=to)
    assert report.engine == "gdcm" or report.action == "copied"
    assert np.array_equal(native_samples(convert_bytes(result, to="explicit-le")), samples)


@pytest.mark.parametrize(("to", "options"), [("jpeg2000-lossless", {}), ("jpeg2000", {"ratio": 5})])
def test_the_report_says_what_gdcm_stored(to: str, options: dict[str, Any]) -> None:
    content, _ = IMAGE_KINDS["rgb-8"].make()
    result, report = by_gdcm(content, to=to, **options)
    stored = pydicom.dcmread(io.BytesIO(result)).PhotometricInterpretation
    assert report.photometric_interpretation == ("RGB", stored)
    assert not any("by the codec" in one for one in report.decisions)


def test_numbers_that_lossy_samples_make_untrue_are_gone() -> None:
    extra = [(0x00280106, "US", b"\0\0"), (0x00280107, "US", b"\xff\x0f")]
    content, _ = IMAGE_KINDS["gray-16"].make(extra=extra)
    for engine in ("auto", "gdcm"):
        result = convert_bytes(content, to="jpeg2000", ratio=5, engine=engine)
        assert "LargestImagePixelValue" not in pydicom.dcmread(io.BytesIO(result))


def test_a_dry_run_asks_what_gdcm_can_do() -> None:
    content, _ = IMAGE_KINDS["gray-12-in-16"].make()
    for out in (None, io.BytesIO()):
        with pytest.raises(UnsupportedImageError, match="GDCM does not write htj2k-lossless"):
            convert(content, out, to="htj2k-lossless", engine="gdcm")
    report = convert(content, None, to="jpeg-ls", engine="gdcm")
    assert (report.engine, report.dry_run) == ("gdcm", True)


def test_offset_tables_that_gdcm_does_not_write_are_refused() -> None:
    content, _ = IMAGE_KINDS["multi-frame"].make()
    for table in ("basic", "extended"):
        with pytest.raises(InvalidOptionError, match="empty"):
            by_gdcm(content, to="jpeg-ls", offset_table=table)
    result, _ = by_gdcm(content, to="jpeg-ls", offset_table="empty")
    again = convert_bytes(result, to="jpeg-ls", offset_table="basic")
    assert again != result
    assert np.array_equal(
        native_samples(convert_bytes(again, to="explicit-le")), native_samples(content)
    )
