"""Make what shells and `man` know of the command, from the declarations of its arguments.

    python tools/shell_files.py              # completions of bash, zsh and fish, into the package
    python tools/shell_files.py man FOLDER   # manual pages, for a release

A test holds that the completions are those of the present arguments.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from pathlib import Path

import shtab

from dicodec.cli.arguments import make_parser
from dicodec.cli.completion import FILES
from dicodec.cli.help_layout import EXAMPLES
from dicodec.cli.subcommands import SUBCOMMANDS
from dicodec.model.implementation import VERSION
from dicodec.model.transfer_syntax import list_writable

FOLDER = Path(__file__).resolve().parent.parent / "src" / "dicodec" / "cli" / "completions"

PATHS = {
    "FILE",
    "SOURCE",
    "OUTPUT",
    "LIST",
    "A",
    "B",
    "LEDGER",
    "MANIFEST",
    "CONFIG",
    "FILE.png",
    "FILE.html",
}
FOLDERS = {"FOLDER"}
"""Placeholders of values that are paths: a shell completes files or folders."""


def main(arguments: list[str]) -> None:
    """Write the completions, or the manual pages to a folder."""
    if arguments[:1] == ["man"]:
        write_manual(Path(arguments[1]))
        return
    FOLDER.mkdir(exist_ok=True)
    for shell, name in FILES.items():
        (FOLDER / name).write_text(make_completion(shell), encoding="utf-8")


def make_completion(shell: str) -> str:
    """Return the text that has a shell complete the command's words."""
    parser = argparse.ArgumentParser(prog="dicodec", description="Converts DICOM files.")
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers()
    for name, (_, about) in SUBCOMMANDS.items():
        own = make_parser(name)
        command = commands.add_parser(name, help=about, add_help=False, parents=[own])
        command.description = about
        for action in command._actions:  # noqa: SLF001 - argparse shows them nowhere else
            complete(action)
    text: str = shtab.complete(parser, shell=shell)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def complete(action: argparse.Action) -> None:
    """Say how a shell completes the value of an argument, if it can know."""
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if action.choices is not None:
        action.choices = list(action.choices)  # a table of choices looks like subcommands
    if action.dest == "to":
        action.choices = [syntax.name for syntax in list_writable()]
    elif metavar in PATHS:
        action.complete = shtab.FILE  # type: ignore[attr-defined]
    elif metavar in FOLDERS:
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]


def write_manual(folder: Path) -> None:
    """Write a manual page of the command, and one of each subcommand."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"dicodec": make_overview()}
    for name, (_, about) in SUBCOMMANDS.items():
        pages[f"dicodec-{name}"] = make_page(name, about)
    for name, text in pages.items():
        (folder / f"{name}.1").write_text(text, encoding="utf-8")


def make_overview() -> str:
    """Return the page of the command itself."""
    parts = [head("dicodec", "converts DICOM files from any transfer syntax to any other")]
    parts.append('.SH SYNOPSIS\n.B dicodec\n.I COMMAND\n.RI [ ARGUMENT "...]"\n.SH COMMANDS')
    parts += [
        f".TP\n.BR dicodec\\-{name} (1)\n{escape(about)}"
        for name, (_, about) in SUBCOMMANDS.items()
    ]
    parts.append(".SH EXIT STATUS\n0 all done, 1 some file failed, 2 wrong usage, 130 interrupted")
    return "\n".join(parts) + "\n"


def make_page(name: str, about: str) -> str:
    """Return the page of a subcommand."""
    parser = make_parser(name)
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    parts = [head(f"dicodec-{name}", about), f".SH SYNOPSIS\n{escape(usage)}", ".SH ARGUMENTS"]
    for action in parser._actions:  # noqa: SLF001 - as above
        value = action.metavar if isinstance(action.metavar, str) else ""
        names = ", ".join(action.option_strings)
        title = f"{names} {value}".strip() if action.nargs != 0 else names
        said = str(action.help) % {"default": action.default, "prog": parser.prog}
        parts.append(f".TP\n.B {escape(title)}\n{escape(said)}")
    parts.append(".SH EXAMPLES")
    parts += [f".PP\n.EX\n{escape(one)}\n.EE" for one in EXAMPLES[name]]
    parts.append(".SH SEE ALSO\n.BR dicodec (1)")
    return "\n".join(parts) + "\n"


def head(name: str, about: str) -> str:
    """Return the first lines of a page (groff_man(7))."""
    return (
        f'.TH {escape(name.upper())} 1 "" "dicodec {VERSION}"\n.SH NAME\n{escape(name)} \\- {about}'
    )


def escape(text: str) -> str:
    """Return text as groff takes it: a line may not begin with a dot or an apostrophe."""
    lines = textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)
    quoted = (line.replace("\\", "\\e").replace("-", "\\-") for line in lines)
    return "\n".join("\\&" + line if line[:1] in {".", "'"} else line for line in quoted)


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "100")
    main(sys.argv[1:])
