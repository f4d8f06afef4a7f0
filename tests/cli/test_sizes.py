"""Sizes in arguments: one way to write them, for all commands, limits and policies."""

from __future__ import annotations

import argparse

import pytest

from dicodec.batch.policy.conditions import parse_named_size
from dicodec.cli.main import run
from dicodec.cli.option_arguments import parse_size_argument
from dicodec.model.limits import parse_limits


def test_a_size_is_the_same_in_an_argument_a_limit_and_a_policy() -> None:
    for text in ("17", "500M", "500MB", "500 MiB", "1.5G"):
        size = parse_size_argument(text)
        assert parse_limits([f"frame_size={text}"]).frame_size == size
        assert parse_named_size(text, "size") == size
    with pytest.raises(argparse.ArgumentTypeError, match="is not a size such as"):
        parse_size_argument("1,5M")


@pytest.mark.parametrize("command", [
    ("convert", "in", "-o", "out", "--to", "rle"), ("serve",), ("worker",),
    ("watch", "in", "-o", "out", "--to", "rle"),
])  # fmt: skip
def test_a_wrong_size_is_wrong_usage(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--memory", "much"]) == 2
    assert "'much' is not a size such as 500M or 2G" in capsys.readouterr().err
