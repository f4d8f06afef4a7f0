"""The subcommands; without one, the command prints its help or its version.

The module loads next to nothing, argparse neither: help takes no longer than Python itself.
"""

from __future__ import annotations

from dicodec.model.implementation import VERSION

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

SUBCOMMANDS = {
    "convert": ("dicodec.cli.convert.command", "convert files to another transfer syntax"),
    "compare": ("dicodec.cli.compare", "say how far two files are apart"),
    "show": ("dicodec.cli.show", "write frames as pictures, or a folder as a contact sheet"),
    "inspect": ("dicodec.cli.inspect", "describe files and the targets they can have"),
    "syntaxes": ("dicodec.cli.syntaxes", "list transfer syntaxes and their images"),
    "jobs": (
        "dicodec.cli.jobs",
        "show or merge ledgers of batches; send dead letters back",
    ),
    "audit": ("dicodec.cli.audit", "check a folder against the signed manifest of a batch"),
    "restore": ("dicodec.cli.restore", "put originals back that a batch replaced and kept"),
    "policy": ("dicodec.cli.policy", "print the rule of a policy that files meet, and why"),
    "gateway": ("dicodec.cli.gateway", "receive over DICOM, convert, and forward to peers"),
    "serve": ("dicodec.cli.serve", "serve a page and an HTTP interface to a queue"),
    "submit": ("dicodec.cli.submit", "put files into a queue to be converted"),
    "watch": ("dicodec.cli.watch", "convert files that appear in a folder"),
    "worker": ("dicodec.cli.worker", "carry out requests from a message broker"),
    "conformance": ("dicodec.cli.conformance", "judge a converter, any, by made files"),
    "doctor": ("dicodec.cli.doctor", "say what is installed and missing, and try every codec"),
    "completion": ("dicodec.cli.completion", "print what has a shell complete these words"),
}
"""All subcommands by name, in the order of the help: a module, and one line for the help.

The module has the functions `add_arguments` and `run`, and is imported if the subcommand is named.
"""

_HELP = """\
usage: dicodec [-h] [--version] COMMAND ...

Converts DICOM files from any transfer syntax to any other.

positional arguments:
  COMMAND
{subcommands}

examples:
  dicodec inspect ct.dcm                            what it is, what it can become
  dicodec convert ct.dcm --to jpeg2000-lossless -o small.dcm
  dicodec convert folder --to jpeg-ls -o converted  a tree of files, on all cores

options:
  -h, --help  show this help message and exit
  --version   print the version; with -v those of what is used, and whether
              there are kernels

exit status: 0 all done, 1 some file failed, 2 wrong usage, 130 interrupted"""


def print_help(stream: TextIO | None = None) -> None:
    """Print the help of the command without a subcommand, to standard output if nothing is said."""
    lines = [f"    {name:12}{about}" for name, (_, about) in SUBCOMMANDS.items()]
    print(_HELP.format(subcommands="\n".join(lines)), file=stream)


def answer_without_subcommand(arguments: Sequence[str]) -> bool:
    """Print the help or the version, and return whether that is all that the arguments ask for.

    Args:
        arguments: arguments of the command; those after the name of a subcommand are its own.
    """
    for one in arguments:
        if one in SUBCOMMANDS:
            return False
        if one in {"-h", "--help"}:
            print_help()
            return True
        if one == "--version":
            print(f"dicodec {VERSION}")
            if not {"-v", "--verbose"}.isdisjoint(arguments):
                from dicodec.cli.versions import list_versions

                print("\n".join(list_versions()))
            return True
    return False
