"""An Orthanc of Debian's in a process of its own, with DICOM and DICOMweb on free ports."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from helpers.dicom_network import find_free_port
from helpers.installed import end_without, find_program
from helpers.patience import wait_for

_PLUGINS = Path("/usr/share/orthanc/plugins")
_DICOM_WEB, _GDCM = "libOrthancDicomWeb.so", "libOrthancGdcm.so"


class Orthanc(NamedTuple):
    """A running Orthanc.

    Attributes:
        port: its DICOM port.
        url: URL of its HTTP server.
        log_path: path of its log.
    """

    port: int
    url: str
    log_path: Path

    def list_instances(self) -> list[str]:
        """Return its own ids of all instances."""
        found: list[str] = httpx.get(f"{self.url}/instances", timeout=60).json()
        return found

    def read_file(self, instance: str) -> bytes:
        """Return the file of an instance, by its own id."""
        return httpx.get(f"{self.url}/instances/{instance}/file", timeout=60).content


@contextmanager
def running_orthanc(
    folder: Path,
    plugins: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> Iterator[Orthanc]:
    """Yield an Orthanc, whose modality DICODEC is at the port in `options`, if it is there.

    Args:
        folder: for its files.
        plugins: paths of plugins, which come before Debian's.
        environment: variables beside those of the tests.
        **options: settings of Orthanc.
    """
    path = find_program("Orthanc") or end_without("orthanc")
    if not (_PLUGINS / _DICOM_WEB).exists():
        end_without("orthanc-dicomweb")
    folder.mkdir(parents=True, exist_ok=True)
    dicom, web = find_free_port(), find_free_port()
    debian = [_PLUGINS / name for name in (_DICOM_WEB, _GDCM) if (_PLUGINS / name).exists()]
    settings: dict[str, Any] = {
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "DicomAet": "ORTHANC",
        "DicomPort": dicom,
        "HttpPort": web,
        "HttpServerEnabled": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "TcpNoDelay": True,
        "Plugins": [str(one) for one in (*plugins, *debian)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **options,
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [path, str(folder / "orthanc.json")], stdout=log, stderr=log, cwd=folder,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
    url = f"http://127.0.0.1:{web}"
    try:
        wait_for(lambda: _answers(url), 60, (folder / "log").read_text()[-2000:])
        yield Orthanc(dicom, url, folder / "log")
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/system").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
