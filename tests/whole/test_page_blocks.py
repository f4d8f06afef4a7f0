"""Each block of shell and Python in the pages runs, or something says why not.

A block is run by the test that `ELSEWHERE` names, or here. Before a block that is not run, its page
says why: `<!-- not run: ... -->`. Single commands are left out for the reasons of `REASONS`; their
arguments are parsed all the same.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from dicodec.cli.arguments import parse_arguments
from dicodec.cli.subcommands import SUBCOMMANDS
from helpers.installed import program
from helpers.page_blocks import ROOT, Block, pages, read_blocks
from helpers.page_files import move_below, prepare
from helpers.terminals import run_command

ELSEWHERE: dict[tuple[str, str, str], str] = {
    # page, heading ("" for any), language: the test that runs it
    ("docs/python.md", "", "python"): "tests/whole/test_python_page.py",
    ("docs/tutorial.md", "", "shell"): "tests/whole/test_tutorial.py",
    ("docs/queues.md", "", "python"): "tests/service/brokers/test_brokers.py",
    ("docs/dicomweb.md", "", "python"): "tests/service/dicomweb/test_dicomweb_docs.py",
    ("docs/dicomweb.md", "From nothing to an image", "shell"):
        "tests/service/dicomweb/test_dicomweb_docs.py",
    ("docs/gateway.md", "From nothing to an image", "shell"):
        "tests/service/gateway/test_gateway_docs.py",
}  # fmt: skip

REASONS = {
    r"\b(s3|gs|az)://": "it needs a bucket",
    r"^(\w+=\S* )*dicodec (serve|worker|watch|gateway (run|retry|dead))\b(?!.*--once)":
        "it runs until it is stopped, or needs what does; tests of its room start it",
    r"--broker|--queue postgresql:|^(redis|nats|rabbitmq)\S* |kcat ": "it needs a broker",
    r"^dicodec submit": "it needs a service or a broker",
    r"^(pip install|apt-get|docker|kubectl|helm|export) ": "it changes the machine",
    r"^(make|spark-submit|(\.venv/bin/)?python (-m pytest|bench|tools|docs)\S*)\b":
        "it takes minutes; `make test` or its own test runs it",
    r"^curl .*(127\.0\.0\.1|\.example)|^curl .*\.\.\.$": "it needs a service",
    r"--between": "it waits for the hour",
    r"--executor ray": "it needs a cluster",
    r"^dicodec conformance (?!.*--(only|list))": "it takes minutes; tests/conformance runs cases",
    r"gateway.toml": "the file is a site's own; tests/service/gateway has some",
}  # fmt: skip
"""Why a command is not run, by a pattern of it."""

_IN_PLACE = "dicodec convert archive/ --to rle --in-place --backup .orig -q"
BEFORE = (
    # a command's pattern; what has to be there before it; the command that makes that
    (r"^dicodec jobs smaller/", "smaller/.dicodec-ledger.sqlite",
     "dicodec convert archive/ --to htj2k-lossless -o smaller/ -q"),
    (r"--key archive\.key", "archive.key", "dicodec audit --make-key archive.key"),
    (r"audit archive\.manifest", "archive.manifest",
     f"{_IN_PLACE} --manifest archive.manifest --key archive.key"),
    (r"^dicodec (restore|jobs) archive\b", "archive/.dicodec-ledger.sqlite", _IN_PLACE),
)  # fmt: skip
BLOCKS = [block for page in pages() for block in read_blocks(page) if block.language]
RUN = [
    block
    for block in BLOCKS
    if not block.reason
    and not any(
        block.page == page and heading in {"", block.heading} and block.language == language
        for page, heading, language in ELSEWHERE
    )
]


def name_of(block: Block) -> str:
    return f"{block.page}:{block.line}"


def why_not(command: str) -> str:
    return next((why for pattern, why in REASONS.items() if re.search(pattern, command)), "")


@pytest.mark.parametrize("block", [one for one in RUN if one.language == "shell"], ids=name_of)
def test_the_commands_of_a_blockrun_command(block: Block, tmp_path: Path) -> None:
    program("jq")
    for command, shown in block.commands():
        if why_not(command):
            continue
        text = move_below(command, tmp_path)
        for pattern, made, by in BEFORE:
            if re.search(pattern, command) and not (tmp_path / made).exists():
                prepare(by, tmp_path)
                done = run_command(by, tmp_path)
                assert done.returncode == 0, done.stderr
        prepare(text, tmp_path)
        done = run_command(text, tmp_path)
        fails = any(line.startswith("dicodec: ") for line in shown)
        said = done.stdout + done.stderr
        salvaged = done.returncode == 1 and "--salvage" in command
        assert (done.returncode != 0) == fails or salvaged, f"{command}\n{said}"
        assert "Traceback" not in said, said
        for line in shown:
            if line.endswith(" bytes"):
                assert _without_numbers(line) in _without_numbers(said), f"{line}\n{said}"


def _without_numbers(text: str) -> str:
    return re.sub(r"\d+(\.\d+)?", "0", text)


@pytest.mark.parametrize("block", [one for one in RUN if one.language == "python"], ids=name_of)
def test_the_programs_of_a_blockrun_command(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(block.text, tmp_path)
    exec(compile(move_below(block.text, tmp_path), name_of(block), "exec"), {"__name__": "page"})


def test_the_arguments_of_all_commands_are_understood() -> None:
    wrong = []
    for block in BLOCKS:
        if block.language != "shell" or "synopsis" in block.reason:
            continue
        for command, _ in block.commands():
            text = re.sub(r"--config \S+", "", command.replace("\\\n", " "))
            words = shlex.split(text, comments=True)
            for arguments in _find_calls(words):
                try:
                    parse_arguments(arguments)
                except Exception as error:
                    wrong.append(f"{name_of(block)}: {command}: {error}")
    assert not wrong


def _find_calls(words: list[str]) -> list[list[str]]:
    """Return the arguments of each `dicodec` in a line of the shell."""
    calls = []
    for at, word in enumerate(words[:-1]):
        if word == "dicodec" and words[at + 1] in SUBCOMMANDS:
            end = next(
                (n for n in range(at, len(words)) if words[n] in {"|", "&", "||", "&&", ">"}
                 or re.match(r"\d?>", words[n]) or words[n].endswith(";")),
                len(words),
            )  # fmt: skip
            calls.append(words[at + 1 : end])
    return calls


def test_tests_that_run_blocks_are_there_and_name_their_page() -> None:
    for (page, heading, language), test in ELSEWHERE.items():
        assert any(
            one.page == page and heading in {"", one.heading} and one.language == language
            for one in BLOCKS
        ), page
        assert Path(page).name in (ROOT / test).read_text(encoding="utf-8")


def test_most_blocksrun_command() -> None:
    """A block counts if something of it is run, here or elsewhere."""
    left = [
        one for one in RUN if one.language == "shell" and all(why_not(c) for c, _ in one.commands())
    ]
    stated = [one for one in BLOCKS if one.reason]
    assert (len(left) + len(stated)) / len(BLOCKS) < 0.45


def test_no_reason_is_left_over() -> None:
    commands = [one for block in BLOCKS if block.language == "shell" for one, _ in block.commands()]
    for pattern in REASONS:
        assert any(re.search(pattern, command) for command in commands), pattern
