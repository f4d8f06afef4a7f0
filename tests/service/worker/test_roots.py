"""What `--root` can name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicodec.cli.service_arguments import parse_root
from dicodec.errors import InvalidOptionError


def test_a_folder_or_a_prefix_of_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "file").write_text("")

    assert parse_root("in") == str(tmp_path / "in")
    assert parse_root("s3://scans/2026/") == "s3://scans/2026/"
    for name in ("out", "file"):
        with pytest.raises(InvalidOptionError, match="no such folder"):
            parse_root(name)
