"""docs/command.md and the command say the same; help costs nothing and forgets no option."""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import imagecodecs
import numpy
import pytest

from dicodec import __version__
from dicodec.cli import main, printing
from dicodec.cli.arguments import make_parser
from dicodec.cli.subcommands import SUBCOMMANDS
from dicodec.errors import DicodecError, find_kind
from dicodec.options import ConversionOptions
from helpers.kernels import kernels, without_kernels

REFERENCE = (Path(__file__).parents[2] / "docs" / "command.md").read_text(encoding="utf-8")
GENERAL_CODES = {"error"}


def subcommands() -> dict[str, argparse.ArgumentParser]:
    return {name: make_parser(name) for name in SUBCOMMANDS}


def section(title: str) -> str:
    (found,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", REFERENCE, re.M | re.S)
    return str(found)


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("name", subcommands())
def test_every_option_is_in_the_reference_and_no_other(name: str) -> None:
    parser = subcommands()[name]
    documented = {
        spelling.split()[0]
        for first, *_ in rows(section(f"dicodec {name}"))
        for spelling in re.findall(r"`([^`]+)`", first)
    }
    real = set()
    for action in parser._actions:
        real |= set(action.option_strings) or {str(action.metavar)}

    assert documented == real - {"-h", "--help"}


@pytest.mark.parametrize("name", subcommands())
def test_every_option_has_help(name: str) -> None:
    for action in subcommands()[name]._actions:
        assert action.help, action.option_strings


def test_metavars_are_those_of_the_reference() -> None:
    text = section("dicodec convert")
    for action in subcommands()["convert"]._actions:
        if action.option_strings and isinstance(action.metavar, str):
            assert f"`{action.option_strings[-1]} {action.metavar}`" in text


def test_every_choice_is_in_the_reference() -> None:
    for parser in subcommands().values():
        for action in parser._actions:
            for choice in action.choices or ():
                assert f"`{choice}`" in REFERENCE


def test_every_setting_of_a_conversion_has_an_option() -> None:
    options = {action.dest for action in subcommands()["convert"]._actions}
    settings = set(ConversionOptions.__dataclass_fields__) - {"limits"}

    assert settings <= options


def all_kinds(kind: type[DicodecError]) -> set[type[DicodecError]]:
    return {kind}.union(*(all_kinds(child) for child in kind.__subclasses__()))


def test_every_error_code_is_in_the_reference_with_its_kind() -> None:
    documented = {
        code: kind
        for codes, kind, _ in rows(section("Error codes"))
        for code in re.findall(r"`([^`]+)`", codes)
    }
    real = {
        kind.code: find_kind(kind("x"))
        for kind in all_kinds(DicodecError)
        if kind.__module__ == "dicodec.errors" and kind.code not in GENERAL_CODES
    }

    assert documented == real


def test_exit_statuses_are_in_the_reference() -> None:
    for status in (
        printing.SOME_FAILED,
        printing.WRONG_USAGE,
        printing.HUNG_UP,
        printing.INTERRUPTED,
        printing.TERMINATED,
    ):
        assert re.search(rf"^\| .*\b{status}\b.* \|", REFERENCE, re.M)


@pytest.mark.parametrize("arguments", [["--help"], ["convert", "-h"], ["inspect", "--help"]])
def test_help_goes_to_standard_output(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = [sys.executable, "-m", "dicodec.cli.main", *arguments]
    assert subprocess.run(run, check=True, capture_output=True).returncode == 0
    with suppress(SystemExit):  # by the parser of a subcommand
        main.run(arguments)
    printed = capsys.readouterr()
    assert printed.out.startswith("usage: dicodec")
    assert printed.err == ""


def test_help_names_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    text = capsys.readouterr().out
    for name in subcommands():
        assert re.search(rf"^    {name}\b", text, re.M)
    assert "exit status: 0 all done, 1 some file failed, 2 wrong usage" in text


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out == f"dicodec {__version__}\n"


@pytest.mark.parametrize("arguments", [["--version", "-v"], ["--verbose", "--version"]])
def test_the_versions_of_what_is_used_are_printed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    kernels()
    for there in (True, False):
        with nullcontext() if there else without_kernels():
            assert main.run(arguments) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[:-1] == [
            f"dicodec {__version__}",
            f"Python {platform.python_version()}",
            f"NumPy {numpy.__version__}",
            f"imagecodecs {imagecodecs.__version__}",
        ]
        assert lines[-1].startswith(
            "kernels: compiled; instr" if there else "kernels: not compiled"
        )


def test_kernels_that_are_turned_off_are_said_to_be() -> None:
    """Nothing is loaded to say so, either."""
    script = (
        "import sys\nfrom dicodec.cli.main import run\ntry:\n    run(['--version', '-v'])\n"
        "finally:\n    print({'numpy', 'imagecodecs'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "DICODEC_KERNELS": "none"},
        check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert ended.stdout.splitlines()[-2:] == [
        "kernels: turned off by DICODEC_KERNELS=none",
        "set()",
    ]


@pytest.mark.parametrize("arguments", [["-v"], ["frobnicate", "a.dcm"], ["--vers"]])
def test_what_is_no_subcommand_is_wrong_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == printing.WRONG_USAGE
    error = capsys.readouterr().err
    assert error.startswith("dicodec: error: ")
    for text in (*arguments[:1], *SUBCOMMANDS, "see dicodec --help"):
        assert text in error
