"""Help has groups and examples that parse; shells and manual pages know every word."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

import shell_files
from dicodec.cli import main
from dicodec.cli.arguments import make_parser
from dicodec.cli.completion import FILES
from dicodec.cli.help_layout import EXAMPLES, GROUPS
from dicodec.cli.subcommands import SUBCOMMANDS
from helpers.installed import program
from helpers.real_files import shipped_file


def test_each_option_is_in_one_group() -> None:
    grouped = [dest for dests in GROUPS.values() for dest in dests]
    assert len(grouped) == len(set(grouped))
    declared = {action.dest for name in SUBCOMMANDS for action in make_parser(name).options}
    assert set(grouped) <= declared


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_subcommand_has_three_examples_that_parse(name: str) -> None:
    assert len(EXAMPLES[name]) == 3
    for example in EXAMPLES[name]:
        words = shlex.split(example.partition(" > ")[0])
        assert words[:2] == ["dicodec", name]
        make_parser(name).parse_args(words[2:])


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_forgets_no_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main.run([name, "--help"])
    assert ending.value.code == 0
    said = capsys.readouterr().out
    options, _, examples = said.partition("\nexamples:\n")
    for option in make_parser(name).options:
        for spelling in option.option_strings:
            # Once in the usage, if it is the first one of its option, and once explained.
            assert f"  {spelling}" in options or f", {spelling}" in options, spelling
    assert all(f"  {one}\n" in examples for one in EXAMPLES[name])
    plain = options.partition("\noptions:\n")[2].partition("\n\n")[0]
    rest = [line.split()[0] for line in plain.splitlines() if line.startswith("  -")]
    if len(make_parser(name).options) > 20:
        assert rest == ["-h,", "--config"]


@pytest.mark.parametrize("shell", FILES)
def test_completions_are_those_of_the_present_arguments(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["completion", shell]) == 0
    printed = capsys.readouterr().out
    assert printed == shell_files.make_completion(shell), "python tools/shell_files.py"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_shells_take_the_completions(shell: str) -> None:
    path = shell_files.FOLDER / FILES[shell]
    subprocess.run([program(shell), "-n", path], check=True)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("conv", "convert"),
        ("convert --qu", "--quality --quiet"),
        ("convert --to jpeg2", "jpeg2000-lossless jpeg2000"),
        ("convert --photometric Y", "YBR_FULL YBR_FULL_422"),
        ("completion z", "zsh"),
        ("convert ct", "ct.dcm"),
    ],
)
def test_bash_completes(tmp_path: Path, typed: str, offered: str) -> None:
    (tmp_path / "ct.dcm").touch()
    script = """
        source "$1"; shift
        COMP_WORDS=(dicodec "$@"); COMP_CWORD=$#
        _shtab_dicodec; echo "${COMPREPLY[*]}"
    """
    command = ["bash", "-c", script, "bash", str(shell_files.FOLDER / FILES["bash"])]
    command += typed.split()
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=True, text=True)
    assert done.stdout.strip() == offered


def test_manual_pages_name_every_option(tmp_path: Path) -> None:
    shell_files.write_manual(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {
        "dicodec",
        *(f"dicodec-{name}" for name in SUBCOMMANDS),
    }
    for name in SUBCOMMANDS:
        page = (tmp_path / f"dicodec-{name}.1").read_text()
        assert not [line for line in page.splitlines() if line.startswith("'")]
        for option in make_parser(name).options:
            for spelling in option.option_strings:
                assert spelling.replace("-", "\\-") in page


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["policy"], "ACTION"), (["gateway"], "ACTION, CONFIG"), (["gateway", "run"], "CONFIG"),
        (["jobs"], "LEDGER"), (["restore"], "LEDGER"), (["inspect"], "FILE"),
    ],
)  # fmt: skip
def test_only_arguments_that_are_required_are_called_missing(
    arguments: list[str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == 2
    assert f"the following arguments are required: {missing}; see" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["jobs", "no"], "there is no ledger; a batch makes one in its OUTPUT"),
        (["convert", "FILE", "--to", "rle", "-o", "no/x.dcm"], "does not exist; make it first"),
        (["policy", "check", "--policy", "no.toml"], "read: No such file or directory ["),
    ],
)
def test_errors_about_what_is_not_there_say_the_next_step(
    arguments: list[str], hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    file = str(shipped_file("CT_small.dcm"))
    main.run([file if one == "FILE" else one for one in arguments])
    assert hint in capsys.readouterr().err
