"""docs/tutorial.md, followed literally but for the port and the making of the environment."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from dicodec import inspect
from helpers.dicom_network import answers, find_free_port
from helpers.installed import program
from helpers.page_blocks import ROOT, read_blocks
from helpers.patience import wait_for
from helpers.terminals import run_command, terminal

PAGE = ROOT / "docs" / "tutorial.md"
INSTALLS = "make demo"


def test_the_tutorial_leads_through_an_hour(tmp_path: Path) -> None:
    program("curl")
    port = find_free_port()
    blocks = [one for one in read_blocks(PAGE) if one.language == "shell"]
    assert blocks[0].text.startswith(INSTALLS)
    with ExitStack() as stack:
        for number, block in enumerate(blocks[1:]):
            text = block.text.replace("8765", str(port))
            if block.apart:
                log = tmp_path / f"{number}.log"
                stack.enter_context(terminal(text, tmp_path, log))
                wait_for(lambda: answers(port))
                continue
            for command, shown in block.commands() if "$ " in text else [(text, [])]:
                done = run_command(command, tmp_path)
                said = done.stdout + done.stderr
                assert (done.returncode != 0) == bool(shown), f"{command}\n{said}"
                assert "".join("".join(shown).split()) in "".join(said.split())
    assert inspect(tmp_path / "rle.dcm").transfer_syntax == "rle"
    assert inspect(tmp_path / "converted" / "ct.dcm").transfer_syntax == "htj2k-lossless"
    assert inspect(tmp_path / "archive" / "2026" / "2.dcm").transfer_syntax == "jpeg-ls"
    assert (tmp_path / "archive" / "2026" / "2.dcm.orig").exists()
    assert (tmp_path / "difference.html").exists()
