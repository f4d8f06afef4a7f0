"""`dicodec doctor`: what is installed, what is missing, and codecs that do not work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import dicodec
from dicodec import _kernels
from dicodec.cli import doctor
from dicodec.cli.main import run
from dicodec.codecs import rle
from dicodec.errors import EncodeError
from dicodec.model.installation import describe_extra
from dicodec.model.transfer_syntax import list_writable
from helpers.kernels import kernels, without_kernels


def test_every_codec_is_tried_and_every_extra_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    tried = {one["name"]: one["trouble"] for one in found["transfer_syntaxes"]}
    assert tried == {syntax.name: "" for syntax in list_writable()}
    assert set(found["packages"]) == {"numpy", "imagecodecs", "rich"}
    assert found["extras"]["gdcm"]["packages"].keys() == {"python-gdcm"}
    assert all(extra["for"] for extra in found["extras"].values()), "say what each is for"


def test_a_fault_of_a_codec_does_not_end_the_doctor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise AttributeError("the extension has no such function")

    monkeypatch.setattr(rle, "make_encoder", fail)
    assert run(["doctor", "--json"]) == 1

    found = json.loads(capsys.readouterr().out)
    troubles = {one["name"]: one["trouble"] for one in found["transfer_syntaxes"]}
    assert "no such function" in troubles.pop("rle")
    assert not any(troubles.values())


@pytest.mark.parametrize(
    ("sources", "later", "outdated"),
    [(True, 3600, True), (True, -3600, False), (True, 5, False), (False, 3600, False)],
)
def test_kernels_of_an_earlier_checkout_are_outdated(
    sources: bool, later: float, outdated: bool, tmp_path: Path
) -> None:
    extension = tmp_path / "_compiled.abi3.so"
    names = ("_compiled.abi3.so", "_compiled.pyi", *(["glue.h"] if sources else []))
    for name in names:
        (tmp_path / name).write_bytes(b"")
    os.utime(extension, (1e9, 1e9))
    os.utime(tmp_path / "_compiled.pyi", (1e9, 1e9 + later))
    assert _kernels.is_outdated(str(tmp_path), str(extension)) is outdated


def test_outdated_kernels_are_not_used(tmp_path: Path) -> None:
    kernels()
    package = Path(dicodec.__file__).parent
    copy = tmp_path / "dicodec"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (described,) = (copy / "_kernels").glob("_compiled.pyi")
    later = time.time() + 3600
    os.utime(described, (later, later))
    done = subprocess.run(
        [sys.executable, "-m", "dicodec", "--version", "-v"],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert "kernels: not compiled" in done.stdout
    assert "older than their source" in done.stderr


def test_a_codec_that_fails_or_errs_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise EncodeError("no RLE today")

    monkeypatch.setattr(rle, "make_encoder", fail)
    monkeypatch.setattr(doctor, "_LARGEST_ERROR", -1)  # as if lossy codecs were further off
    assert run(["doctor"]) == 1

    printed = capsys.readouterr()
    for name in ("rle", "jpeg", "jpegxl"):
        assert f"  {name:26}WRONG" in printed.out
    assert "  jpeg-ls                   works" in printed.out
    assert "no RLE today" in printed.err


def test_what_is_missing_is_said_with_the_way_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_find_version", lambda package: package == "redis" or None)
    with without_kernels():
        assert run(["doctor"]) == 0

    out = capsys.readouterr().out
    assert "missing: python-gdcm; for --engine gdcm" in out
    assert describe_extra("gdcm") in out
    assert "kernels: not compiled" in out or "kernels: turned off" in out
