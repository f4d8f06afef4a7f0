"""Attributes are edited in files whose transfer syntax nobody here encodes."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import pydicom
import pytest

from dicodec import convert, convert_bytes
from dicodec.errors import UnsupportedSourceError, UnsupportedTargetError
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, Storage, TransferSyntax
from helpers.data_set_bytes import data_set_of, element, file_of
from helpers.icons import PIXEL_DATA
from helpers.made import encapsulated, make_file

UNWRITTEN = [one for one in TRANSFER_SYNTAXES if not one.writes and not one.native]
FRAGMENTS = encapsulated([[b"\xff\xd8\xff\xc3 nobody looks at this \xff\xd9"]])
URL = element(0x00287FE0, "UR", b"https://pacs.example/jpip ")


def content_in(syntax: TransferSyntax, *, fragments: bool = False) -> bytes:
    native = data_set_of(make_file(4, 4, bits_allocated=8, bits_stored=8)[0])
    elements = native[: native.index(PIXEL_DATA)]
    elements += URL if syntax.storage is Storage.ELSEWHERE and not fragments else FRAGMENTS
    if syntax.deflated:
        deflater = zlib.compressobj(wbits=-15)
        elements = deflater.compress(elements) + deflater.flush()
        elements += b"\0" * (len(elements) % 2)
    return file_of(elements, syntax.uid)


def elements_of(content: bytes, syntax: TransferSyntax) -> bytes:
    data_set = data_set_of(content)
    return zlib.decompress(data_set, wbits=-15) if syntax.deflated else data_set


@pytest.mark.parametrize("syntax", UNWRITTEN, ids=lambda one: one.uid)
def test_edits_change_nothing_else(syntax: TransferSyntax, tmp_path: Path) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(content_in(syntax))

    report = convert(path, path, to=syntax.uid, set_attributes={"PatientID": "X"}, overwrite=True)

    assert report.verified
    result = path.read_bytes()
    if not syntax.deflated:  # pydicom knows one deflated syntax only
        assert pydicom.dcmread(io.BytesIO(result)).PatientID == "X"
    expected = elements_of(content_in(syntax), syntax)
    old, new = element(0x00100020, "LO", b"0 "), element(0x00100020, "LO", b"X ")
    assert elements_of(result, syntax) == expected.replace(old, new)


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("syntax", UNWRITTEN, ids=lambda one: one.uid)
def test_fragments_stay_where_none_should_be(syntax: TransferSyntax, verify: bool) -> None:
    content = content_in(syntax, fragments=True)
    result = convert_bytes(content, to=syntax.uid, set_attributes={"PatientID": "X"}, verify=verify)
    old, new = element(0x00100020, "LO", b"0 "), element(0x00100020, "LO", b"X ")
    assert elements_of(result, syntax) == elements_of(content, syntax).replace(old, new)
    assert FRAGMENTS in elements_of(result, syntax)


@pytest.mark.parametrize("syntax", UNWRITTEN, ids=lambda one: one.uid)
def test_nothing_else_becomes_one_of_them(syntax: TransferSyntax) -> None:
    with pytest.raises(UnsupportedTargetError, match="is not written"):
        convert_bytes(make_file(4, 4)[0], to=syntax.uid)
    if syntax.storage is not Storage.ENCAPSULATED:
        return
    with pytest.raises(UnsupportedSourceError):
        convert_bytes(content_in(syntax), to=syntax.uid, photometric="RGB")
