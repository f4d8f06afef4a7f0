"""`dicodec jobs`: what a ledger knows, for people, or as CSV or JSON for programs."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME, LedgerEntry, as_fields
from dicodec.cli.printing import SOME_FAILED, WRONG_USAGE, print_error, print_line
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.lines import json_line


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand and return the exit status."""
    if arguments.ledger == "retry":
        from dicodec.cli.retry_command import run as retry

        return retry(arguments)
    path = Path(arguments.ledger)
    if path.is_dir():
        path /= LEDGER_NAME
    try:
        with Ledger(str(path), writing=False) as ledger:
            if arguments.action == "summary":
                _summary(ledger, arguments.format)
            else:
                _SHOWN[arguments.format](ledger, arguments)
    except InvalidOptionError as error:
        print_error(error)
        return WRONG_USAGE
    except DicodecError as error:
        print_error(error)
        return SOME_FAILED
    return 0


def _entries(
    ledger: Ledger, arguments: argparse.Namespace
) -> Iterator[tuple[LedgerEntry, str | None]]:
    reports = arguments.action == "export" and arguments.format == "json"
    return ledger.entries(arguments.state, reports=reports)


def _text(ledger: Ledger, arguments: argparse.Namespace) -> None:
    for entry, _ in _entries(ledger, arguments):
        line = f"{entry.state}: {entry.source}"
        if entry.target is not None and entry.target != entry.source:
            line += f" -> {entry.target}"
        if entry.error_text:
            line += f": {entry.error_text}"
        if entry.error_code:
            line += f" [{entry.error_code}]"
        print_line(line, sys.stdout)


def _csv(ledger: Ledger, arguments: argparse.Namespace) -> None:
    writer = csv.DictWriter(sys.stdout, LedgerEntry.__slots__, lineterminator="\n")
    writer.writeheader()
    for entry, _ in _entries(ledger, arguments):
        writer.writerow(as_fields(entry))


def _json(ledger: Ledger, arguments: argparse.Namespace) -> None:
    for entry, text in _entries(ledger, arguments):
        fields = as_fields(entry)
        if text is not None:
            with suppress(ValueError):
                fields["report"] = json.loads(text)
        print(json_line(fields))


_SHOWN = {"text": _text, "csv": _csv, "json": _json}


def _summary(ledger: Ledger, form: str) -> None:
    columns = ("state", "action", "error_code", "files", "bytes_before", "bytes_after")
    rows = [(*row[:4], int(row[4]), int(row[5])) for row in ledger.totals()]
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *rows])
    elif form == "json":
        print(json.dumps([dict(zip(columns, row, strict=True)) for row in rows]))
    else:
        for state, action, code, files, before, after in rows:
            line = f"{files} {state}"
            if action or code:
                line += f", {action or code}"
            print(f"{line}: {before} -> {after} bytes" if action else line)
