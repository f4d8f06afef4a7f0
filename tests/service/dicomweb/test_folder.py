"""Images of a folder: each transfer syntax, exact; instances, pictures, metadata; changes."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image as Picture

import dicodec
from dicodec.dicomweb import DicomWeb
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, Loss, TransferSyntax
from dicodec.service.dicomweb.media_types import find_media_type, may_be_sent
from helpers.dicomweb import find_path, serving, split_parts
from helpers.made import DEFLATED, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, Samples, make_file
from helpers.real_files import shipped_file

OCTETS = "application/octet-stream"
SENT = [one for one in TRANSFER_SYNTAXES if one.writes and may_be_sent(one)]
LOSSLESS = [one for one in SENT if one.loss is Loss.NEVER]
LOSSY = [one for one in SENT if one.loss is not Loss.NEVER and one.name != "jpegxl-jpeg"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("images")
    (made / "deeper").mkdir()
    (made / "notes.txt").write_text("no image")
    return made


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    app = DicomWeb(folder, jobs=1)
    with serving(app) as url, httpx.Client(base_url=url, timeout=60) as made:
        yield made


def place(folder: Path, content: bytes, name: str) -> str:
    """Put a file into the folder, and return the path of its instance."""
    data_set = pydicom.dcmread(io.BytesIO(content), force=True)
    uid = pydicom.uid.UID(f"2.25.{hash(name) % 10**20}")
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = uid
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = "1.2.3", f"1.2.3.{len(name)}"
    data_set.save_as(folder / name)
    return find_path(folder / name)


@pytest.fixture(scope="module")
def gray(folder: Path) -> tuple[str, Samples]:
    content, samples = make_file(48, 64, bits_stored=12, frames=5)
    return place(folder, content, "gray.dcm"), samples


def read_frame(client: httpx.Client, path: str, accept: str) -> tuple[str, bytes]:
    """Return the transfer syntax and the bytes of one frame."""
    answer = client.get(path, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    (part,) = split_parts(answer)
    return part.syntax, part.content


def decode(stream: bytes, syntax: str, **fields: Any) -> Samples:
    """Return the samples of a frame, in a file of its own."""
    if syntax in {EXPLICIT_LE, DEFLATED}:
        return np.frombuffer(stream, "<u2").reshape(48, 64)
    content, _ = make_file(48, 64, transfer_syntax=syntax, streams=[[stream]], **fields)
    with dicodec.open_image(content) as image:
        return image.read_frame(0)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda one: one.name)
def test_a_frame_in_each_lossless_transfer_syntax_is_exact(
    client: httpx.Client, folder: Path, gray: tuple[str, Samples], syntax: TransferSyntax
) -> None:
    path, samples = gray
    media_type = find_media_type(syntax)
    for form in (
        f"{media_type}; transfer-syntax={syntax.uid}",
        f'multipart/related; type="{media_type}"; transfer-syntax={syntax.uid}',
        f"multipart/related; type={OCTETS}; transfer-syntax={syntax.uid}",
    ):
        found, stream = read_frame(client, f"{path}/frames/3", form)
        assert found == syntax.uid
        np.testing.assert_array_equal(decode(stream, found, bits_stored=12), samples[2])


def test_a_whole_instance_in_each_transfer_syntax_is_exact(
    client: httpx.Client, gray: tuple[str, Samples]
) -> None:
    path, samples = gray
    for syntax in LOSSLESS:
        accept = f'multipart/related; type="application/dicom"; transfer-syntax={syntax.uid}'
        found, content = read_frame(client, path, accept)
        assert found == syntax.uid
        with dicodec.open_image(content) as image:
            assert image.transfer_syntax.uid == syntax.uid
            np.testing.assert_array_equal([*image], samples)
        assert find_path(content) == path


@pytest.mark.parametrize("stored", [IMPLICIT_LE, EXPLICIT_BE, EXPLICIT_LE])
def test_what_web_services_never_use_is_sent_in_explicit_vr(
    client: httpx.Client, folder: Path, stored: str
) -> None:
    content, samples = make_file(16, 24, bits_stored=12, transfer_syntax=stored)
    name = f"stored-{stored}.dcm"
    path = place(folder, content, name)
    for form in ("*/*", f"multipart/related; type={OCTETS}; transfer-syntax=*"):
        found, stream = read_frame(client, f"{path}/frames/1", form)
        assert found == EXPLICIT_LE
        np.testing.assert_array_equal(np.frombuffer(stream, "<u2").reshape(16, 24), samples[0])
    for form in ("application/dicom", "application/dicom; transfer-syntax=*"):
        found, whole = read_frame(client, path, form)
        assert found == EXPLICIT_LE
        assert pydicom.dcmread(io.BytesIO(whole)).file_meta.TransferSyntaxUID == EXPLICIT_LE
    refused = client.get(path, headers={"accept": f"application/dicom; transfer-syntax={stored}"})
    assert refused.status_code == (200 if stored == EXPLICIT_LE else 406)


def test_frames_are_sent_as_they_are_stored(client: httpx.Client, folder: Path) -> None:
    source = shipped_file("JPEG2000.dcm")
    shutil.copy(source, folder / "deeper" / "j2k")
    path = find_path(source)
    (stored,) = pydicom.encaps.generate_frames(
        pydicom.dcmread(source).PixelData, number_of_frames=1
    )
    accept = f"multipart/related; type={OCTETS}; transfer-syntax=*"
    assert read_frame(client, f"{path}/frames/1", accept) == ("1.2.840.10008.1.2.4.91", stored)
    accept = 'multipart/related; type="image/jp2"; transfer-syntax=*'
    assert read_frame(client, f"{path}/frames/1", accept)[1] == stored
    accept = "application/dicom; transfer-syntax=*"
    assert read_frame(client, path, accept)[1] == source.read_bytes()


def test_many_frames_come_in_the_order_of_the_request(
    client: httpx.Client, gray: tuple[str, Samples]
) -> None:
    path, samples = gray
    answer = client.get(f"{path}/frames/5,1,3,3")
    parts = split_parts(answer)
    assert [part.location.rpartition("/")[2] for part in parts] == ["5", "1", "3", "3"]
    assert {part.content_type for part in parts} == {f"{OCTETS}; transfer-syntax={EXPLICIT_LE}"}
    for part, frame in zip(parts, (4, 0, 2, 2), strict=True):
        np.testing.assert_array_equal(
            np.frombuffer(part.content, "<u2").reshape(48, 64), samples[frame]
        )
    assert answer.headers["vary"] == "Accept"
    every = split_parts(client.get(f"{path}/pixeldata"))
    assert b"".join(part.content for part in every) == samples.astype("<u2").tobytes()


def test_nothing_is_swapped_silently(client: httpx.Client, gray: tuple[str, Samples]) -> None:
    path, _ = gray
    answer = client.get(
        f"{path}/frames/1", headers={"accept": "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"}
    )
    assert answer.status_code == 406  # 12 bits
    error = answer.json()["error"]
    assert error["code"] == "not-acceptable"
    assert "baseline cannot hold Bits Stored 12" in error["message"]
    second = "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50, image/jls;q=0.1"
    assert read_frame(client, f"{path}/frames/1", second)[0] == "1.2.840.10008.1.2.4.80"


def test_a_lossy_transfer_syntax_is_used_if_it_is_asked_for(
    client: httpx.Client, folder: Path
) -> None:
    content, _ = make_file(64, 64, bits_allocated=8, bits_stored=8)
    path = place(folder, content, "gray8.dcm")
    uid = "1.2.840.10008.1.2.4.50"
    found, stream = read_frame(client, f"{path}/frames/1", f"image/jpeg; transfer-syntax={uid}")
    assert (found, stream[:2]) == (uid, b"\xff\xd8")
    found, whole = read_frame(client, path, f"application/dicom; transfer-syntax={uid}")
    lossy = pydicom.dcmread(io.BytesIO(whole))
    assert (lossy.LossyImageCompression, find_path(whole)) == ("01", path)
    found, stream = read_frame(client, f"{path}/frames/1", "image/jpeg")
    assert found == "1.2.840.10008.1.2.4.70"
    for syntax in LOSSY:
        if syntax.name != "jpeg-extended":  # of 12 bits
            form = f"multipart/related; type={OCTETS}; transfer-syntax={syntax.uid}"
            assert read_frame(client, f"{path}/frames/1", form)[0] == syntax.uid


@pytest.mark.parametrize(
    ("path", "accept", "status", "code"),
    [
        ("/studies/9.9.9", "*/*", 404, "not-found"),
        ("/studies/1.2.3/series/9/instances/9/frames/1", "*/*", 404, "not-found"),
        ("{}/frames/6", "*/*", 404, "missing-frame"),
        ("{}/frames/0", "*/*", 400, "invalid-request"),
        ("{}/frames/1,,2", "*/*", 400, "invalid-request"),
        ("{}/frames/x", "*/*", 400, "invalid-request"),
        ("{}/frames/1", "image/webp", 406, "not-acceptable"),
        ("{}/frames/1,2", "image/jls", 406, "not-acceptable"),
        ("{}/frames/1", "image/jls;q=7", 400, "invalid-request"),
        ("{}/rendered", "image/jpeg", 406, "not-acceptable"),
        ("{}/metadata", "application/dicom+xml", 406, "not-acceptable"),
        ("{}/bulkdata/00990099", "*/*", 404, "missing-frame"),
        ("{}/bulkdata/x", "*/*", 400, "invalid-request"),
        ("{}/nothing", "*/*", 404, "not-found"),
        ("/studies?PatientComments=x", "application/dicom+json", 400, "not-searched"),
        ("/studies/..%2f..%2fetc", "*/*", 404, "not-found"),
    ],
)
def test_errors_are_told_apart(
    client: httpx.Client, gray: tuple[str, Samples], path: str, accept: str, status: int, code: str
) -> None:
    answer = client.get(path.format(gray[0]), headers={"accept": accept})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_pictures_are_those_of_a_viewer(
    client: httpx.Client, folder: Path, gray: tuple[str, Samples]
) -> None:
    path, _ = gray
    with dicodec.open_image(folder / "gray.dcm") as image:
        wanted = image.read_frame(1, window="auto")
        narrow = image.read_frame(1, window=(500, 100))
    png = client.get(f"{path}/frames/2/rendered", headers={"accept": "image/png"})
    np.testing.assert_array_equal(np.asarray(Picture.open(io.BytesIO(png.content))), wanted)
    png = client.get(
        f"{path}/frames/2/rendered?window=500,100,linear", headers={"accept": "image/png"}
    )
    np.testing.assert_array_equal(np.asarray(Picture.open(io.BytesIO(png.content))), narrow)
    jpeg = client.get(f"{path}/frames/2/rendered?viewport=32,32&quality=20")
    assert jpeg.headers["content-type"] == "image/jpeg"
    assert Picture.open(io.BytesIO(jpeg.content)).size == (32, 24)
    region = client.get(
        f"{path}/frames/2/rendered?viewport=16,8,8,4,16,8", headers={"accept": "image/png"}
    )
    np.testing.assert_array_equal(
        np.asarray(Picture.open(io.BytesIO(region.content))), wanted[4:12, 8:24]
    )
    gif = Picture.open(
        io.BytesIO(client.get(f"{path}/rendered", headers={"accept": "image/gif"}).content)
    )
    assert (gif.format, getattr(gif, "n_frames", 0)) == ("GIF", 5)
    parts = split_parts(client.get(f"{path}/rendered"))
    assert [part.content_type for part in parts] == ["image/jpeg"] * 5
    for bad in ("window=1", "window=1,0,linear", "window=1,2,cubic", "quality=0", "viewport=0,1",
                "viewport=1,1,1", "viewport=9,9,900,900,1,1"):  # fmt: skip
        assert client.get(f"{path}/frames/2/rendered?{bad}").status_code == 400, bad


def test_metadata_are_those_of_pydicom(client: httpx.Client, folder: Path) -> None:
    for name in (
        "CT_small.dcm",
        "rtplan.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "chrH31.dcm",
    ):
        source = shipped_file(name)
        shutil.copy(source, folder / name)
        path = find_path(source)
        (found,) = client.get(f"{path}/metadata").json()
        ours = pydicom.Dataset.from_json(json.dumps(found), lambda *_: b"")
        theirs = pydicom.dcmread(source)
        for element in theirs:
            if element.VR in {"OB", "OW", "UN", "SQ"} or element.tag.group == 0x0028:
                continue
            if element.keyword == "SpecificCharacterSet":
                continue
            assert ours[element.tag].value == element.value, element
        assert found["00083002"]["Value"] == [theirs.file_meta.TransferSyntaxUID]


def test_bulk_data_are_found_by_their_addresses(client: httpx.Client, folder: Path) -> None:
    data_set = pydicom.dcmread(shipped_file("CT_small.dcm"))
    data_set.add_new(0x00091001, "OB", bytes(range(256)) * 40)
    data_set.add_new(0x00090010, "LO", "TEST")
    item = pydicom.Dataset()
    item.add_new(0x00282000, "OB", b"icc!" * 2000)
    data_set.OpticalPathSequence = [pydicom.Dataset(), item]
    out = io.BytesIO()
    data_set.save_as(out)
    path = place(folder, out.getvalue(), "bulk.dcm")
    (found,) = client.get(f"{path}/metadata").json()
    url = found["00091001"]["BulkDataURI"]
    assert client.get(url, headers={"accept": OCTETS}).content == bytes(range(256)) * 40
    url = found["00480105"]["Value"][1]["00282000"]["BulkDataURI"]
    assert split_parts(client.get(url))[0].content == b"icc!" * 2000
    url = found["7FE00010"]["BulkDataURI"]
    assert split_parts(client.get(url))[0].content == data_set.PixelData


def test_colors_in_metadata_are_those_of_the_frames(client: httpx.Client, folder: Path) -> None:
    source = shipped_file("SC_rgb_jpeg_dcmtk.dcm")
    shutil.copy(source, folder / "colors.dcm")
    path = find_path(source)
    (found,) = client.get(f"{path}/metadata").json()
    converted = pydicom.dcmread(
        io.BytesIO(dicodec.convert_bytes(source.read_bytes(), to="explicit-le"))
    )
    assert found["00280004"]["Value"] == [converted.PhotometricInterpretation]
    assert read_frame(client, f"{path}/frames/1", "*/*")[1] == converted.PixelData


def test_a_study_and_a_series_come_in_parts(
    client: httpx.Client, folder: Path, gray: tuple[str, Samples]
) -> None:
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    study = split_parts(client.get("/studies/1.2.3", headers={"accept": accept}))
    assert gray[0] in {find_path(part.content) for part in study}
    series = client.get(gray[0].partition("/instances")[0], headers={"accept": accept})
    assert gray[0] in {find_path(part.content) for part in split_parts(series)}
    assert all(part.location.endswith(find_path(part.content)) for part in study)
    refused = client.get("/studies/1.2.3", headers={"accept": "application/dicom"})
    assert refused.status_code == 406


def test_new_changed_and_removed_files_are_noticed(client: httpx.Client, folder: Path) -> None:
    first, samples = make_file(8, 8, bits_allocated=8, bits_stored=8)
    path = place(folder, first, "changing.dcm")
    assert read_frame(client, f"{path}/frames/1", "*/*")[1] == samples.tobytes()
    inverted = pydicom.dcmread(folder / "changing.dcm")
    inverted.PixelData = bytes(255 - one for one in inverted.PixelData)
    inverted.save_as(folder / "changing.dcm")
    assert read_frame(client, f"{path}/frames/1", "*/*")[1] == inverted.PixelData
    other = place(folder, first, "other.dcm")
    (folder / "other.dcm").replace(folder / "changing.dcm")
    assert read_frame(client, f"{other}/frames/1", "*/*")[1] == samples.tobytes()
    assert client.get(f"{path}/frames/1").status_code == 404
    (folder / "changing.dcm").unlink()
    assert client.get(f"{other}/frames/1").status_code == 404
