"""The page of the calls: each example runs, and each call has one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import dicodec
import dicodec.pydicom
from helpers.corpus import ROOT
from helpers.made import IMAGE_KINDS

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_each_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cine.dcm").write_bytes(IMAGE_KINDS["multi-frame"].make()[0])
    names: dict[str, Any] = {"__name__": "page"}
    try:
        for number, example in enumerate(EXAMPLES):
            exec(compile(example, f"example {number}", "exec"), names)
    finally:
        dicodec.pydicom.unregister()
    assert names["differences"].equal
    assert names["back"].pixel_array.shape == names["frames"].shape
    assert len(names["some"]) == 3


def test_each_call_has_an_example() -> None:
    calls = [name for name in dicodec.__all__ if name[0].islower()]
    shown = "".join(EXAMPLES)
    assert [name for name in calls if f"dicodec.{name}(" not in shown] == []
