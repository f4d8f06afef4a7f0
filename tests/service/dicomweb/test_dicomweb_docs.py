"""docs/dicomweb.md from nothing to an image, followed literally but for the port."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import httpx
import pydicom

from helpers.dicom_network import answers, find_free_port
from helpers.installed import program
from helpers.patience import wait_for
from helpers.terminals import make_environment, terminal

PAGE = (Path(__file__).parents[3] / "docs" / "dicomweb.md").read_text(encoding="utf-8")


def read_terminals(port: int) -> list[str]:
    """Return what the page has for each terminal, at another port."""
    (section,) = re.findall(r"^## From nothing to an image\n(.*?)(?=^## )", PAGE, re.M | re.S)
    found = re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
    return [text.replace("8765", str(port)) for text in found]


def test_the_page_leads_from_nothing_to_an_image(tmp_path: Path) -> None:
    program("curl")
    port = find_free_port()
    service, client = read_terminals(port)
    with terminal(service, tmp_path, tmp_path / "service.log"):
        wait_for(lambda: answers(port))
        done = subprocess.run(
            ["bash", "-e", "-c", client],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            env=make_environment(tmp_path),
            check=False,
        )
        assert done.returncode == 0, done.stderr + (tmp_path / "service.log").read_text()
        shown = httpx.get(done.stdout.splitlines()[-1])
    assert shown.content == (tmp_path / "dicomweb" / "shown.jpg").read_bytes()
    assert shown.content.startswith(b"\xff\xd8")
    converted = pydicom.dcmread(tmp_path / "dicomweb" / "converted.dcm")
    assert converted.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.201"


def test_the_program_of_the_page_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    names: dict[str, object] = {}
    exec(code.replace("/data/images", str(tmp_path)), names)
    assert {"app", "images"} <= names.keys()
