"""docs/gateway.md from nothing to an image, followed literally but for the ports."""

from __future__ import annotations

import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

from helpers.dicom_network import answers, find_free_port
from helpers.installed import program
from helpers.patience import wait_for
from helpers.terminals import make_environment, terminal

PAGE = (Path(__file__).parents[3] / "docs" / "gateway.md").read_text(encoding="utf-8")


def read_terminals() -> list[str]:
    """Return what the page has for each terminal."""
    (section,) = re.findall(r"^## From nothing to an image\n(.*?)(?=^## )", PAGE, re.M | re.S)
    return re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)


def test_the_page_leads_from_nothing_to_an_image(tmp_path: Path) -> None:
    for name in ("storescp", "storescu"):
        program(name)
    ports = {"11112": find_free_port(), "11113": find_free_port()}
    receiver, gateway, sender = read_terminals()
    for old, new in ports.items():
        receiver, gateway, sender = (
            text.replace(old, str(new)) for text in (receiver, gateway, sender)
        )
    with ExitStack() as stack:
        stack.enter_context(terminal(receiver, tmp_path, tmp_path / "receiver.log"))
        wait_for(lambda: answers(ports["11113"]))
        stack.enter_context(terminal(gateway, tmp_path, tmp_path / "gateway.log"))
        said = f"DICODEC on port {ports['11112']}"
        wait_for(lambda: said in (tmp_path / "gateway.log").read_text())
        done = subprocess.run(
            ["bash", "-e", "-c", sender],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            env=make_environment(tmp_path),
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "transcoded: explicit-le -> jpeg2000-lossless" in done.stdout
    assert f"VIEWER: VIEWER at 127.0.0.1:{ports['11113']}, answers" in done.stdout
    assert (tmp_path / "gateway" / "shown.png").read_bytes().startswith(b"\x89PNG")
    assert not [*(tmp_path / "gateway" / "spool" / "objects").iterdir()]
    for shown in ("`transcoded: explicit-le -> jpeg2000-lossless`", "they are equal"):
        assert shown in PAGE
