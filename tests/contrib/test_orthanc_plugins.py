"""Debian's Orthanc with both plugins, set up as docs/orthanc.md says, and the service they ask."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

from dicodec import compare, convert_bytes, inspect
from dicodec.images.image import Image
from helpers.dicom_network import find_free_port
from helpers.installed import end_without, program
from helpers.made import make_file
from helpers.orthanc import Orthanc, running_orthanc
from helpers.service_process import RunningService, running

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "orthanc.md").read_text(encoding="utf-8")
PYTHON_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancPython.so")
HEADER = Path("/usr/include/orthanc/OrthancCPlugin.h")
TOKEN = "0123456789abcdef0123456789abcdef"
RAMP = np.add.outer(np.arange(64) * 20, np.arange(64) * 20).astype(np.uint16)
FRAMES = np.stack([np.roll(RAMP, 16 * at, axis=1) for at in range(3)])


def file_of(number: int, frames: int = 1) -> bytes:
    """Return an instance, which Orthanc needs identifiers for."""
    extra = [
        (0x00100020, "LO", b"P1"),
        (0x0020000D, "UI", f"2.25.1{number}".encode()),
        (0x0020000E, "UI", f"2.25.2{number}".encode()),
    ]
    content = make_file(64, 64, frames=frames, bits_stored=12, pixels=FRAMES[:frames],
                        extra=extra)[0]  # fmt: skip
    data_set = pydicom.dcmread(BytesIO(content))
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = UID(f"2.25.3{number}")
    out = BytesIO()
    data_set.save_as(out)
    return out.getvalue()


class Pair(NamedTuple):
    orthanc: Orthanc
    service: RunningService


def read_environment() -> dict[str, str]:
    """Return the settings that the page names."""
    return dict(re.findall(r"^Environment=(\w+)=(.+)$", DOCS, re.MULTILINE))


def read_settings() -> dict[str, Any]:
    """Return Orthanc's settings on the page, all blocks together."""
    found: dict[str, Any] = {}
    for block in re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL):
        found |= json.loads(block)
    return found


@contextmanager
def running_plugins(folder: Path, compiled: Path | None, **environment: str) -> Iterator[Orthanc]:
    if not PYTHON_PLUGIN.exists():
        end_without("orthanc-python")
    settings = read_settings()
    named = [Path(one).name for one in settings.pop("Plugins")]
    assert named[:2] == ["libOrthancDicodec.so", PYTHON_PLUGIN.name]
    script = ROOT / "contrib" / "orthanc" / Path(settings.pop("PythonScript")).name
    plugins = [PYTHON_PLUGIN] if compiled is None else [compiled, PYTHON_PLUGIN]
    variables = {**read_environment(), "PYTHONPATH": "", **environment}
    with running_orthanc(
        folder, plugins, variables, PythonScript=str(script), **settings
    ) as orthanc:
        yield orthanc


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make orthanc-plugin` makes it."""
    if not HEADER.exists():
        end_without("orthanc-dev")
    make = ["make", "--silent", "--file", str(ROOT / "Makefile"), "--directory"]
    folder = tmp_path_factory.mktemp("clone")
    (folder / "contrib").symlink_to(ROOT / "contrib")
    subprocess.run([program(make[0]), *make[1:], str(folder), "orthanc-plugin"], check=True)
    return folder / "build" / "orthanc" / "libOrthancDicodec.so"


@pytest.fixture(scope="module")
def pair(compiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("orthanc")
    with (
        running(folder / "service", "--jobs", "2", "--rate", "0", token=TOKEN) as service,
        running_plugins(
            folder / "orthanc", compiled, DICODEC_URL=service.url, DICODEC_TOKEN=TOKEN
        ) as orthanc,
    ):
        yield Pair(orthanc, service)


def store(orthanc: Orthanc, content: bytes) -> str:
    """Store an instance, and return Orthanc's identifier of it."""
    answer = httpx.post(f"{orthanc.url}/instances", content=content, timeout=60)
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["ID"]
    return found


def follow(command: str, orthanc: Orthanc, folder: Path, **variables: str) -> None:
    """Run the command of the page that begins so, in a folder."""
    lines = [line.strip() for line in DOCS.splitlines() if line.startswith(f"    {command}")]
    assert len(lines) == 1, lines
    line = lines[0].replace("http://127.0.0.1:8042", orthanc.url)
    environment = {**os.environ, **variables}
    silent = line.replace("curl ", "curl --silent --show-error --fail --globoff ", 1)
    subprocess.run(["bash", "-c", silent], check=True, cwd=folder, env=environment, timeout=60)


def test_what_comes_in_fits_the_policy(pair: Pair, tmp_path: Path) -> None:
    content = file_of(1)
    (tmp_path / "in.dcm").write_bytes(content)
    follow("curl http://127.0.0.1:8042/instances", pair.orthanc, tmp_path)
    stored = pair.orthanc.read_file(store(pair.orthanc, content))
    assert inspect(stored).transfer_syntax == "jpeg-ls"
    assert compare(content, stored).equal
    sent = file_of(2)
    (tmp_path / "sent.dcm").write_bytes(sent)
    subprocess.run(
        [program("dcmsend"), "127.0.0.1", str(pair.orthanc.port), str(tmp_path / "sent.dcm")],
        check=True, timeout=60,
    )  # fmt: skip
    found = [pair.orthanc.read_file(one) for one in pair.orthanc.list_instances()]
    syntaxes = {pydicom.dcmread(BytesIO(one)).SOPInstanceUID: inspect(one) for one in found}
    assert syntaxes["2.25.32"].transfer_syntax == "jpeg-ls"


def test_a_route_gives_any_transfer_syntax(pair: Pair, tmp_path: Path) -> None:
    content = file_of(3, frames=3)
    identifier = store(pair.orthanc, content)
    start = 'curl "http://127.0.0.1:8042/dicodec/instances/$ID/'
    follow(f"{start}file", pair.orthanc, tmp_path, ID=identifier)
    with Image(tmp_path / "small.dcm") as small:
        assert (small.transfer_syntax.name, len(small)) == ("jpeg2000", 3)
    follow(f"{start}frames", pair.orthanc, tmp_path, ID=identifier)
    decoded = imagecodecs.jpegls_decode((tmp_path / "frame.jls").read_bytes())
    assert np.array_equal(decoded, FRAMES[0])
    route = f"{pair.orthanc.url}/dicodec/instances"
    last = httpx.get(f"{route}/{identifier}/frames/2?to=explicit-le", timeout=60)
    assert last.content == FRAMES[2].tobytes()
    refused = httpx.get(f"{route}/{identifier}/frames/3?to=rle", timeout=60)
    assert refused.status_code == 422
    assert refused.json()["error"]["message"] == "there is no frame 3"
    assert httpx.get(f"{route}/00/file?to=rle").status_code == 404
    assert httpx.delete(f"{route}/{identifier}/file").status_code == 405


def test_wado_rs_is_answered_in_jpeg_ls(pair: Pair, tmp_path: Path) -> None:
    content = file_of(4, frames=3)
    store(pair.orthanc, content)
    variables = {"STUDY": "2.25.14", "SERIES": "2.25.24", "INSTANCE": "2.25.34"}
    follow('curl "http://127.0.0.1:8042/dicom-web', pair.orthanc, tmp_path, **variables)
    assert inspect(read_part(tmp_path / "instance.multipart")).transfer_syntax == "jpeg-ls"
    line = next(line for line in DOCS.splitlines() if "dicom-web/studies" in line)
    url = re.findall(r'"(http.*?)"', line)[0].replace("http://127.0.0.1:8042", pair.orthanc.url)
    for name, value in variables.items():
        url = url.replace(f"${name}", value)
    for syntax, name in (("1.2.840.10008.1.2.4.90", "jpeg2000-lossless"), ("1.2.840.10008.1.2.5", "rle")):  # fmt: skip # noqa: E501
        accept = f'multipart/related; type="application/dicom"; transfer-syntax={syntax}'
        answer = httpx.get(url, headers={"Accept": accept}, timeout=60)
        assert answer.status_code == 200, answer.text
        (tmp_path / name).write_bytes(answer.content)
        part = read_part(tmp_path / name)
        assert inspect(part).transfer_syntax == name
        assert compare(content, part).equal


def read_part(path: Path) -> bytes:
    """Return the only part of a multipart answer."""
    content = path.read_bytes()
    return content[content.index(b"\r\n\r\n") + 4 : content.rindex(b"\r\n--")]


def test_nothing_is_lost_if_the_service_is_away_or_refuses(
    compiled: Path, pair: Pair, tmp_path: Path
) -> None:
    whole = convert_bytes(file_of(5, frames=3), to="rle")
    damaged = whole[:-300] + b"\x80" * 280 + whole[-20:]  # instructions to do nothing (PS3.5 G.3.1)
    assert pair.orthanc.read_file(store(pair.orthanc, damaged)) == damaged
    log = pair.orthanc.log_path.read_text()
    assert "dicodec: an instance is stored as it came, because of truncated-frame" in log
    nobody = f"http://127.0.0.1:{find_free_port()}"
    with running_plugins(tmp_path, compiled, DICODEC_URL=nobody) as orthanc:
        content = file_of(6)
        identifier = store(orthanc, content)
        assert orthanc.read_file(identifier) == content
        message = re.findall(r"^    (dicodec: .*)$", DOCS, re.MULTILINE)[0]
        assert message in orthanc.log_path.read_text()
        route = f"{orthanc.url}/dicodec/instances/{identifier}/file?to=rle"
        answer = httpx.get(route, timeout=60)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service-unavailable")
        # Orthanc's own transcoder takes over.
        native = httpx.post(
            f"{orthanc.url}/instances/{identifier}/modify",
            json={"Transcode": "1.2.840.10008.1.2", "Keep": ["SOPInstanceUID"], "Force": True},
            timeout=60,
        )
        assert inspect(native.content).transfer_syntax == "implicit-le"
