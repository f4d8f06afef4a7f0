"""`dicodec jobs`: print a ledger, for people, or as CSV or JSON; merge ledgers; retry letters."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.merge import find_missing_ledgers, find_shard_ledgers
from dicodec.batch.ledger.tables import LEDGER_NAME, LedgerEntry, State
from dicodec.batch.ledger.totals import By, Total
from dicodec.cli.printing import SOME_FAILED, print_line
from dicodec.cli.service_arguments import QUEUE, check_broker_url
from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.records import asdict
from dicodec.model.wording import dump_json_line, format_size

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, TextIO

_ACTIONS = ("summary", "list", "export")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("ledger", metavar="LEDGER",
        help="a ledger, or its output folder; or merge; or retry, with --broker")  # fmt: skip
    add("action", nargs="*", default=[], metavar="ACTION",
        help="summary (default): numbers by cause; list: names; export: all fields; behind merge: "
        "ledgers of shards, or the output folder with them")  # fmt: skip
    add("-o", "--output", metavar="LEDGER",
        help="ledger that `dicodec jobs merge` makes (default: in the output folder)")  # fmt: skip
    add("--state", action="append", default=[], choices=[state.value for state in State],
        help="only files in this state; may be repeated")  # fmt: skip
    add("--format", choices=("text", "csv", "json"),
        help="text (default), csv, or json: one object a line")  # fmt: skip
    add("--by", action="append", default=[], choices=[by.value for by in By],
        help="summary: totals by modality, syntax, cause or saving; may be repeated")  # fmt: skip
    add("--csv", metavar="FILE", help="write all those totals as one table to FILE")
    add("--html", metavar="FILE",
        help="write a page with tables and charts to FILE; it needs no other file")  # fmt: skip
    add("--broker", metavar="URL", help="broker whose dead letters `dicodec jobs retry` sends back")
    add("--queue", metavar="NAME",
        help=f"queue of the requests there (default {QUEUE})")  # fmt: skip
    add("--cause", metavar="CODE", help="only dead letters with this error code")


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status.

    Raises:
        InvalidOptionError: an argument has no meaning here.
    """
    if arguments.ledger == "retry":
        _refuse(arguments, "action", "state", "format", "output", "by", "csv", "html")
        return _send_dead_back(arguments)
    _refuse(arguments, "broker", "queue", "cause")
    if arguments.ledger == "merge":
        _refuse(arguments, "state", "by", "csv", "html")
        return _merge(arguments)
    _refuse(arguments, "output")
    actions: list[str] = arguments.action or ["summary"]
    if len(actions) > 1 or actions[0] not in _ACTIONS:
        raise InvalidOptionError(
            f"ACTION is {' '.join(actions)!r}", hint=f"one of {', '.join(_ACTIONS)}"
        )
    path = Path(arguments.ledger)
    if os.path.isdir(path):  # noqa: PTH112 - it never raises
        path /= LEDGER_NAME
    with Ledger(str(path), writing=False) as ledger:
        _write_files(ledger, arguments)
        if actions == ["summary"] and arguments.by:
            _print_totals(ledger, arguments)
        elif actions == ["summary"]:
            if arguments.csv is None and arguments.html is None:
                _print_summary(ledger, arguments)
        else:
            _refuse(arguments, "by")
            _PRINTERS[arguments.format or "text"](ledger, arguments)
    return 0


def _merge(arguments: argparse.Namespace) -> int:
    """Merge ledgers of shards, and report gaps and collisions.

    Raises:
        InvalidOptionError: one of them is missing or is no ledger, or the result is there already.
    """
    places: list[str] = arguments.action
    if not places:
        raise InvalidOptionError("no ledger is given to merge")
    paths = [path for place in places for path in find_shard_ledgers(place)]
    if len({os.path.realpath(path) for path in paths}) < len(paths):
        raise InvalidOptionError("a ledger is named twice")
    output: str | None = arguments.output
    if output is None:
        if len(places) > 1 or not os.path.isdir(places[0]):  # noqa: PTH112 - it never raises
            raise InvalidOptionError("no place is given for the merged ledger", hint="-o LEDGER")
        output = str(Path(places[0]) / LEDGER_NAME)
    if os.path.lexists(output):
        raise InvalidOptionError(
            "the merged ledger is there already", path=output, hint="-o LEDGER"
        )
    try:
        with Ledger(output, writing=True) as ledger:
            unfinished = [path for path in paths if not ledger.merge(path)]
            collisions = [*ledger.read_collisions()]
            _print_summary(ledger, arguments)
    except DicodecError:
        Path(output).unlink(missing_ok=True)  # half of it would be taken for all
        raise
    warnings = [f"{path} is not there" for path in find_missing_ledgers(paths)]
    warnings += [f"the run of {path} has not ended: --resume ends it" for path in unfinished]
    warnings += [f"{target} is the result of {', '.join(found)}" for target, found in collisions]
    for warning in warnings:
        print_line(f"dicodec: {warning}", sys.stderr)
    return SOME_FAILED if warnings else 0


def _write_files(ledger: Ledger, arguments: argparse.Namespace) -> None:
    """Write the files of --csv and --html.

    Raises:
        WriteError: one of them cannot be written.
    """
    if arguments.csv is not None:
        totals = [one for by in By for one in ledger.read_totals_by(by, arguments.state)]
        text = io.StringIO()
        _write_totals(totals, text)
        _write_file(arguments.csv, text.getvalue())
    if arguments.html is not None:
        from dicodec.cli.jobs_report import make_page

        _write_file(arguments.html, make_page(ledger, arguments.ledger))


def _write_file(path: str, text: str) -> None:
    try:
        with translate_write_errors():
            Path(path).write_text(text, encoding="utf-8", errors="backslashreplace")
    except DicodecError as error:
        error.with_location(path=path)
        raise


def _write_totals(totals: Sequence[Total], stream: TextIO) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((*Total._fields, "saved"))
    for one in totals:
        saved = "" if one.saved is None else f"{one.saved:.4f}"
        writer.writerow((one.by.value, _make_harmless(one.value), *one[2:], saved))


def _print_totals(ledger: Ledger, arguments: argparse.Namespace) -> None:
    found = {by: ledger.read_totals_by(By(by), arguments.state) for by in arguments.by}
    totals = [one for some in found.values() for one in some]
    if arguments.format == "csv":
        _write_totals(totals, sys.stdout)
    elif arguments.format == "json":
        print(json.dumps([{**one._asdict(), "saved": one.saved} for one in totals]))
    else:
        for by, some in found.items():
            print(f"by {by}:")
            for one in some:
                line = f"  {one.files} {one.value}"
                if one.saved is not None:
                    line += f": {format_size(one.bytes_before)} -> {format_size(one.bytes_after)}"
                    line += f" ({-one.saved:+.1%})"
                print_line(line, sys.stdout)


def _refuse(arguments: argparse.Namespace, *names: str) -> None:
    """Refuse arguments that would be ignored, because the numbers would be taken for others.

    Raises:
        InvalidOptionError: one of them is given.
    """
    for name in names:
        if getattr(arguments, name) and name not in arguments.preset:
            shown = "ACTION" if name == "action" else f"--{name}"
            kind = arguments.ledger if arguments.ledger in {"merge", "retry"} else "a ledger"
            raise InvalidOptionError(f"{shown} has no meaning for {kind}")


def _send_dead_back(arguments: argparse.Namespace) -> int:
    """Send dead letters of a broker back as requests."""
    from dicodec.service.brokers.broker import BrokerOptions, QueueNames
    from dicodec.service.worker.publishing import send_dead_back

    url = check_broker_url(arguments.broker)
    options = BrokerOptions(names=QueueNames(arguments.queue or QUEUE))
    count, left = send_dead_back(url, options, cause=arguments.cause)
    text = f"{count} sent back" + (f", {left} left for other causes" if left else "")
    print(text, file=sys.stderr)
    return 0


def _read_entries(
    ledger: Ledger, arguments: argparse.Namespace
) -> Iterator[tuple[LedgerEntry, str | None]]:
    reports = arguments.action == ["export"] and arguments.format == "json"
    return ledger.read_entries(arguments.state, reports=reports)


def _print_text(ledger: Ledger, arguments: argparse.Namespace) -> None:
    for entry, _ in _read_entries(ledger, arguments):
        line = f"{entry.state}: {entry.source}"
        if entry.target is not None and entry.target != entry.source:
            line += f" -> {entry.target}"
        if entry.error_text:
            line += f": {entry.error_text}"
        if entry.error_code:
            line += f" [{entry.error_code}]"
        print_line(line, sys.stdout)


def _print_csv(ledger: Ledger, arguments: argparse.Namespace) -> None:
    writer = csv.DictWriter(sys.stdout, LedgerEntry.__slots__, lineterminator="\n")
    writer.writeheader()
    for entry, _ in _read_entries(ledger, arguments):
        writer.writerow({name: _make_harmless(value) for name, value in asdict(entry).items()})


def _make_harmless(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: names of files may be anybody's."""
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{cell}"
    return cell


def _print_json(ledger: Ledger, arguments: argparse.Namespace) -> None:
    for entry, text in _read_entries(ledger, arguments):
        fields = asdict(entry)
        if text is not None:
            with suppress(ValueError):
                fields["report"] = json.loads(text)
        print(dump_json_line(fields))


_PRINTERS = {"text": _print_text, "csv": _print_csv, "json": _print_json}


def _print_summary(ledger: Ledger, arguments: argparse.Namespace) -> None:
    form = arguments.format
    columns = ("state", "action", "error_code", "files", "bytes_before", "bytes_after")
    rows = [
        (*row[:4], int(row[4]), int(row[5]))
        for row in ledger.read_totals()
        if not arguments.state or row[0] in arguments.state
    ]
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *rows])
    elif form == "json":
        print(json.dumps([dict(zip(columns, row, strict=True)) for row in rows]))
    else:
        for state, action, code, files, before, after in rows:
            line = f"{files} {state}"
            if action or code:
                line += f", {'no pixels' if action == 'none' else action or code}"
            print(f"{line}: {format_size(before)} -> {format_size(after)}" if action else line)
