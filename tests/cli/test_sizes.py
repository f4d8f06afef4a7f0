"""Sizes in arguments: one way to write them, for all commands."""

from __future__ import annotations

import argparse

import pytest

from dicodec.cli.main import run
from dicodec.cli.option_arguments import parse_size


@pytest.mark.parametrize(("text", "wanted"), [
    ("0", 0), ("17", 17), ("4k", 4096), ("1.5M", 3 << 19), ("2G", 2 << 30), (" 2 GiB ", 2 << 30),
    ("1TB", 1 << 40),
])  # fmt: skip
def test_sizes(text: str, wanted: int) -> None:
    assert parse_size(text) == wanted


@pytest.mark.parametrize("text", ["", "much", "-5", "1e3", "nan", "G", "2X", "1,5M", "٣x"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a size such as"):
        parse_size(text)


@pytest.mark.parametrize("command", [
    ("convert", "in", "-o", "out", "--to", "rle"), ("serve",), ("worker",),
    ("watch", "in", "-o", "out", "--to", "rle"),
])  # fmt: skip
def test_a_wrong_size_is_wrong_usage(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--memory", "much"]) == 2
    assert "'much' is not a size such as 500M or 2G" in capsys.readouterr().err
