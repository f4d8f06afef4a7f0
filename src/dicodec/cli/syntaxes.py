"""`dicodec syntaxes`: print the table of transfer syntaxes."""

from __future__ import annotations

import argparse
import json

from dicodec.codecs.table import find_engines
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, TransferSyntax, list_aliases
from dicodec.rules.capabilities import find_capability

_COLUMNS = ("name", "read", "write", "loss", "bits", "UID", "photometric interpretations")
_WIDTH_OF_ALL = 180
"""Characters of a terminal that shows all columns; a narrower one shows the first columns."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    command.add_argument("--json", action="store_true", help="as one JSON array")


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status."""
    rows = [_make_row(syntax) for syntax in TRANSFER_SYNTAXES]
    if arguments.json:
        print(json.dumps(rows, indent=1))
    else:
        _print_table(rows)
    return 0


def _make_row(syntax: TransferSyntax) -> dict[str, str | bool | tuple[str, ...]]:
    held = find_capability(syntax)
    engines = find_engines(syntax)
    return {
        "name": syntax.name,
        "aliases": list_aliases(syntax),
        "uid": syntax.uid,
        "keyword": syntax.keyword,
        "title": syntax.title,
        "stored": syntax.storage.value,
        "read": syntax.reads,
        "write": syntax.writes,
        "loss": syntax.loss.value,
        "photometric_interpretations": held.photometric_interpretations if held else "",
        "bits": held.bits if held else "",
        "engine": "dicodec" if syntax.reads or syntax.writes else "",
        "decoder": engines.decoder,
        "encoder": engines.encoder,
        "retired": syntax.retired,
        "why_not": syntax.why_not,
    }


def _print_table(rows: list[dict[str, str | bool | tuple[str, ...]]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_ALL
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    headings = _COLUMNS if console.width >= _WIDTH_OF_ALL else _COLUMNS[:5]
    for heading in headings:
        table.add_column(heading, no_wrap=heading != _COLUMNS[-1], overflow="fold")
    for row in rows:
        named = row["name"] != row["uid"]
        cells = (
            str(row["name"] if named else row["keyword"]),
            "yes" if row["read"] else "no",
            "yes" if row["write"] else "no",
            str(row["loss"]),
            str(row["bits"]),
            str(row["uid"]),
            str(row["photometric_interpretations"] or row["why_not"]),
        )
        table.add_row(*cells[: len(headings)])
    console.print(table)
