"""Real files: each converts exactly, or is refused for a reason that was looked at.

The corpus where it is there, else the files that the pydicom package ships.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dicodec import convert_bytes
from dicodec.errors import DicodecError
from dicodec.model import tags
from dicodec.part10.dicom_file import open_dicom
from dicodec.part10.directory_records import DIRECTORY_TAGS
from helpers.corpus import find_corpus, read_manifest
from helpers.real_files import OUTCOMES, PYDICOM_OUTCOMES, real_files
from helpers.samples import native_samples

COMPRESSED = ("rle", "jpeg-ls", "htj2k-lossless", "jpeg2000-lossless", "jpeg-lossless")
FILES = real_files()
PAIRS = [
    row for folder in [find_corpus()] if folder for row in read_manifest(folder) if row["pair"]
]

ALLOWED_TO_CHANGE = {
    tags.PIXEL_DATA,  # its VR: OB or OW for samples of 8 bits
    tags.PLANAR_CONFIGURATION,
    tags.PHOTOMETRIC_INTERPRETATION,
    tags.LOSSY_IMAGE_COMPRESSION,
    tags.LOSSY_IMAGE_COMPRESSION_RATIO,
    tags.LOSSY_IMAGE_COMPRESSION_METHOD,
    tags.HIGH_BIT,
    *DIRECTORY_TAGS,  # offsets of the records of a DICOMDIR, which follow its lengths
}


@cache
def contents(path: Path) -> bytes:
    """Return a file's bytes."""
    return path.read_bytes()


def elements(data: bytes) -> dict[int, bytes]:
    """Return each top level element's bytes."""
    with open_dicom(data) as file:
        return {span.tag: file.data_set.read_raw(span) for span in file.data_set.elements}


@pytest.mark.parametrize("name", FILES)
def test_real_files_convert_exactly_or_are_refused_for_a_known_reason(name: str) -> None:
    expected = {**PYDICOM_OUTCOMES, **OUTCOMES}.get(name, {})
    for syntax in ("explicit-le", *COMPRESSED):
        code = expected.get(syntax, expected.get("*", ""))
        assert outcome_of(FILES[name], syntax) == code, syntax


def outcome_of(path: Path, syntax: str) -> str:
    """Return the code of the error that a conversion ends in; "" for a verified result."""
    try:
        convert_bytes(contents(path), to=syntax, verify=True)
    except DicodecError as error:
        return error.code
    return ""


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: row["file"])
def test_pairs_decode_to_the_same_samples(row: dict[str, str], corpus: Path) -> None:
    wanted = "RGB" if "another tool" in row["pair_kind"] else "auto"
    data, reference = contents(corpus / row["file"]), contents(corpus / row["pair"])

    found = native_samples(convert_bytes(data, to="explicit-le", photometric=wanted))
    expected = native_samples(convert_bytes(reference, to="explicit-le"))

    assert found.shape == expected.shape
    error = np.abs(found.astype(np.int64) - expected.astype(np.int64)).max()
    assert error <= int(row["pair_max_abs_error"] or 0)


@pytest.mark.parametrize("name", FILES)
def test_what_a_conversion_need_not_change_stays_byte_for_byte(name: str) -> None:
    try:
        first = convert_bytes(contents(FILES[name]), to="explicit-le")
    except DicodecError:
        return  # the reason is checked above
    before = elements(first)  # Group Lengths (gggg,0000) are retired, and dropped
    for syntax in ("explicit-be", "deflated", *COMPRESSED):
        try:
            there = convert_bytes(first, to=syntax)
        except DicodecError:
            continue
        assert there == convert_bytes(first, to=syntax), "the same twice"
        after = elements(convert_bytes(there, to="explicit-le"))
        tags_there = {tag for tag in before.keys() | after.keys() if tag & 0xFFFF}
        changed = {tag for tag in tags_there if before.get(tag) != after.get(tag)}
        assert changed <= ALLOWED_TO_CHANGE, syntax
