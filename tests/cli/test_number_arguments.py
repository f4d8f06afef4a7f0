"""Numbers as arguments: those that make no sense are refused at once, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicodec.cli.main import run

WATCH = ("watch", "in", "-o", "out", "--to", "rle", "--once")
SERVE = ("serve", "--data", "data")
WORKER = ("worker", "redis://127.0.0.1:1")


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        (WATCH, "--jobs", "-1"),
        (WATCH, "--jobs", "100001"),
        (WATCH, "--attempts", "0"),
        (WATCH, "--lease", "0"),
        (WATCH, "--drain", "inf"),
        (WATCH, "--drain", "nan"),
        (WATCH, "--interval", "0"),
        (WATCH, "--settle", "-1"),
        (WATCH, "--retry-after", "1e300"),
        (SERVE, "--port", "99999"),
        (SERVE, "--concurrent", "0"),
        (SERVE, "--keep", "0"),
        (SERVE, "--rate", "-1"),
        (WORKER, "--metrics-port", "65536"),
        (WORKER, "--prefetch", "0"),
        (WORKER, "--partitions", "0"),
        (WORKER, "--silence", "0"),
        (("convert", "in", "--to", "rle", "-o", "out"), "--jobs", "0"),
    ],
)
def test_a_number_out_of_range_is_refused(
    command: tuple[str, ...],
    option: str,
    value: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([*command, option, value]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"argument {option}: '{value}' is not a " in line
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("value", ["-1", "0", "nan", "1e9"])
def test_a_timeout_is_one_that_conversions_take(
    value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    folders = ("watch", str(tmp_path / "in"), "-o", str(tmp_path / "out"))
    assert run([*folders, "--to", "rle", "--once", "--timeout", value]) == 2
    assert "and not a number from 0.1 to 604800" in capsys.readouterr().err
