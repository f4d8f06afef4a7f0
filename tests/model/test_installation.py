"""How to install an extra: from the checkout, or from the index."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from dicodec.model import installation


@pytest.mark.parametrize("checkout", [True, False])
def test_an_extra_is_installed_from_where_the_package_is(
    checkout: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "new comer"
    module = root / "src" / "dicodec" / "model" / "installation.py"
    module.parent.mkdir(parents=True)
    if checkout:
        (root / "pyproject.toml").touch()
    monkeypatch.setattr(installation, "__file__", str(module))
    command = shlex.split(installation.describe_extra("gdcm"))
    expected = ["-e", f"{root.resolve()}[gdcm]"] if checkout else ["dicodec[gdcm]"]
    assert command == ["pip", "install", *expected]
