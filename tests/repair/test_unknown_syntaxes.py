"""Transfer Syntax UIDs that are unknown, or not written as UIDs are."""

from __future__ import annotations

import io
import struct

import numpy as np
import pydicom
import pytest

from dicodec import convert_bytes, inspect
from dicodec.errors import UnknownTransferSyntaxError
from helpers.made import IMAGE_KINDS
from helpers.samples import native_samples

PHILIPS = b"1.3.46.670589.33.1.4.1"


def stating(data: bytes, uid: bytes) -> bytes:
    """Return a file that states another Transfer Syntax UID, of any length."""
    uid += b"\0" * (len(uid) % 2)
    at = data.index(b"\x02\0\x10\0UI")
    (old,) = struct.unpack_from("<H", data, at + 6)
    (group,) = struct.unpack_from("<I", data, 140)
    head = data[:140] + struct.pack("<I", group + len(uid) - old) + data[144 : at + 6]
    return head + struct.pack("<H", len(uid)) + uid + data[at + 8 + old :]


def ids(data: bytes) -> list[str]:
    return [one.id for one in inspect(data).oddities]


@pytest.mark.parametrize("uid", [b" 1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.1\r\n", b"\t%s "])
@pytest.mark.parametrize("syntax", ["explicit-le", "rle", "jpeg-ls"])
def test_blanks_around_a_uid_are_left_out(syntax: str, uid: bytes) -> None:
    data, samples = IMAGE_KINDS["gray-16"].make()
    file = convert_bytes(data, to=syntax)
    own = pydicom.dcmread(io.BytesIO(file)).file_meta.TransferSyntaxUID.encode()
    odd = stating(file, uid.replace(b"1.2.840.10008.1.2.1", own).replace(b"%s", own))

    assert ids(odd) == ["blank-in-uid"]
    for to in ("explicit-le", syntax):
        result = convert_bytes(odd, to=to, verify=True)
        assert np.array_equal(native_samples(convert_bytes(result, to="explicit-le")), samples)
        assert not ids(result)


@pytest.mark.parametrize("kind", ["gray-8", "gray-16", "rgb-8"])
def test_a_private_uid_over_explicit_vr_is_read(kind: str) -> None:
    data, samples = IMAGE_KINDS[kind].make()
    odd = stating(data, PHILIPS)

    assert ids(odd) == ["unknown-transfer-syntax"]
    assert np.array_equal(native_samples(convert_bytes(odd, to="explicit-le")), samples)


def test_words_under_implicit_vr_prove_nothing_and_the_hint_says_what_they_look_like() -> None:
    odd = stating(convert_bytes(IMAGE_KINDS["gray-16"].make()[0], to="implicit-le"), PHILIPS)

    with pytest.raises(UnknownTransferSyntaxError) as raised:
        convert_bytes(odd, to="explicit-le")

    assert raised.value.hint is not None
    assert "implicit VR little endian, Pixel Data is native" in raised.value.hint


def test_a_data_set_without_pixels_needs_no_known_syntax() -> None:
    data = convert_bytes(IMAGE_KINDS["gray-8"].make()[0], to="implicit-le")
    dataset = pydicom.dcmread(io.BytesIO(data))
    del dataset.PixelData
    text = pydicom.uid.UID("1.2.840.10008.5.1.4.1.1.88.11")
    dataset.SOPClassUID = text
    dataset.file_meta.MediaStorageSOPClassUID = text
    out = io.BytesIO()
    dataset.save_as(out)
    odd = stating(out.getvalue(), PHILIPS)

    result = pydicom.dcmread(io.BytesIO(convert_bytes(odd, to="explicit-le")))

    assert result.PatientID == dataset.PatientID
