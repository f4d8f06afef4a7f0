"""`dicodec doctor`: what is installed, what is missing, and codecs that do not work."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dicodec.cli import doctor
from dicodec.cli.main import run
from dicodec.codecs import rle
from dicodec.errors import EncodeError
from dicodec.model.transfer_syntax import list_writable
from helpers.kernels import without_kernels


def test_every_codec_is_tried_and_every_extra_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    tried = {one["name"]: one["trouble"] for one in found["transfer_syntaxes"]}
    assert tried == {syntax.name: "" for syntax in list_writable()}
    assert set(found["packages"]) == {"numpy", "imagecodecs", "rich"}
    assert found["extras"]["gdcm"]["packages"].keys() == {"python-gdcm"}
    assert all(extra["for"] for extra in found["extras"].values()), "say what each is for"


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
    assert "pip install 'dicodec[gdcm]'" in out
    assert "kernels: not compiled" in out or "kernels: turned off" in out
