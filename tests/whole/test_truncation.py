"""Real files cut off anywhere: an error and no output, or the same pixels as in the whole file."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from dicodec import convert
from dicodec.errors import DicodecError
from dicodec.part10.dicom_file import DicomFile, open_dicom
from dicodec.repair.opening import open_tolerantly
from dicodec.report import ConversionReport
from helpers.real_files import real_files

_PLACES = 20
_BYTES = 1_000_000
"""Of one file, cut copies together have about this many bytes: large files are cut less often."""


def places(data: bytes, file: DicomFile) -> list[int]:
    """Return where to cut: in what is special of a file, and spread over the rest of it."""
    size = len(data)
    special = {size - 1, size - 2, size - 7}
    frames = file.frames
    if frames.present and file.data_set.source is file.source:
        span = frames.span
        special |= {span.start + 5, span.value, span.value + 3, span.value + span.length - 1}
        special |= {span.value + span.length}
        if frames.encapsulated is not None and len(frames.encapsulated):
            last = frames.encapsulated.starts[-1]
            special |= {last - 8, last - 3, last, last + 1, frames.encapsulated.starts[0] + 40}
    wanted = max(min(_PLACES, _BYTES // size), 3)
    left = max(wanted - len(special), 0)
    spread = {size * place // (left + 1) for place in range(1, left + 1)}
    ordered = sorted(place for place in special | spread if 0 < place < size)
    step = max(len(ordered) // wanted, 1)
    return ordered[::step]


def pixels(content: bytes) -> tuple[bytes, object] | None:
    with open_dicom(content) as file:
        if not file.frames.present:
            return None
        span = file.frames.span
        described = file.frames.description or file.frames.fault
        return file.frames.source.read(span.value, span.length), described


def outcome(data: bytes | memoryview, to: str) -> tuple[ConversionReport, bytes] | DicodecError:
    out = io.BytesIO()
    try:
        report = convert(data, out, to=to)
    except DicodecError as error:
        assert out.getvalue() == b""
        return error
    return report, out.getvalue()


@pytest.mark.parametrize("path", real_files().values(), ids=real_files())
def test_a_file_that_is_cut_off_gives_no_output_or_the_same_pixels(path: Path) -> None:
    data = path.read_bytes()
    try:
        with open_tolerantly(data) as file:
            cuts, own = places(data, file), file.syntax.name
            start = file.frames.span.start if file.frames.present else len(data)
    except DicodecError:
        return  # a broken one: it is cut already, or worse
    whole: dict[str, object] = {}
    for number, cut in enumerate(cuts):
        to = own if number % 2 else "explicit-le"
        found = outcome(memoryview(data)[:cut], to)
        if isinstance(found, DicodecError):
            assert found.message
            continue
        report, content = found
        if pixels(content) is None and cut <= start:
            # Cut between two elements, it is a header like those that have no pixels at all.
            assert report.action in {"none", "copied"}
            continue
        if to not in whole:
            entire = outcome(data, to)
            assert not isinstance(entire, DicodecError), f"cut at {cut} it is converted"
            whole[to] = pixels(entire[1])
        assert pixels(content) == whole[to], f"cut at {cut} of {len(data)}"
        assert report.salvaged == ""
