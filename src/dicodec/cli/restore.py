"""`dicodec restore`: put originals back that a batch replaced in place and kept."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LEDGER_NAME
from dicodec.batch.restoring import Refusal, Restoration, describe_putting_back, restore
from dicodec.cli.interruptions import Interruptions
from dicodec.cli.printing import SOME_FAILED, print_line
from dicodec.conversion.output.kept_originals import find_owner, list_kept
from dicodec.errors import InvalidOptionError
from dicodec.model.wording import dump_json_line

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_NAMED = 10
"""Kept originals that are named at most if there is no ledger."""

_REASONS = {
    Refusal.NOT_KEPT: "the original that the run replaced is not there: it was not kept, or moved",
    Refusal.KEPT_CHANGED: "the kept original has other content than the file that was replaced",
    Refusal.RESULT_CHANGED: "the file is not the result of the run any more; --overwrite gives it "
    "up",
    Refusal.TIME_CHANGED: "its time has changed since the run, which had no --digests to "
    "compare its content with; --overwrite gives the file up",
    Refusal.UNFINISHED: "the run was killed before the ledger had its result; --resume "
    "enters it, and --overwrite puts the original back at once",
    Refusal.OBJECT: "originals in object storage are put back by its own tools",
    Refusal.UNWRITABLE: "the original cannot be put back",
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("ledger", metavar="LEDGER", help="a ledger, or the folder with it")
    add("--dry-run", action="store_true", help="only say what would be put back, and what not")
    add("--overwrite", action="store_true", help="give up results that were changed since")
    add("--forget", action="store_true", help="remove the ledger once all originals are back")
    add("--json", action="store_true", help="print a line of JSON for each file, and the summary")
    add("-q", "--quiet", action="store_true", help="print refusals only")


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status."""
    path = Path(arguments.ledger)
    if os.path.isdir(path):  # noqa: PTH112 - it never raises
        path /= LEDGER_NAME
    if not os.path.lexists(path) and (hint := _describe_kept(os.path.dirname(path) or ".")):  # noqa: PTH120
        raise InvalidOptionError("there is no ledger", path=str(path), hint=hint)
    with Ledger(str(path), writing=False):  # a ledger that is missing is not made
        pass
    numbers: Counter[str] = Counter()
    dry_run: bool = arguments.dry_run
    with Interruptions() as interruptions, Ledger(str(path), writing=not dry_run) as ledger:
        for one in restore(
            ledger,
            overwrite=arguments.overwrite,
            dry_run=dry_run,
            interruptions=interruptions.count,
        ):
            numbers["refused" if not one.done else "before" if one.before else "restored"] += 1
            _print(one, arguments)
    interrupted = bool(interruptions.count())
    if arguments.forget and not (dry_run or interrupted or numbers["refused"]):
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(f"{path}{suffix}")  # noqa: PTH108 - it is a text
    _print_summary(numbers, arguments, interrupted=interrupted)
    if interrupted:
        return interruptions.status
    return SOME_FAILED if numbers["refused"] else 0


def _describe_kept(folder: str) -> str:
    """Return which originals a folder's list names, and the way to put them back; "" for none."""
    try:
        kept = list_kept(folder)
    except OSError:
        return ""
    if not kept:
        return ""
    more = f" and {len(kept) - _NAMED} more" if len(kept) > _NAMED else ""
    owner = find_owner(kept[0])
    way = "give each its old name" if owner is None else describe_putting_back(kept[0], owner)
    return f"originals are kept there: {', '.join(kept[:_NAMED])}{more}; {way}"


def _print(one: Restoration, arguments: argparse.Namespace) -> None:
    if arguments.json:
        fields: dict[str, Any] = {"path": one.path, "kept": one.kept or None, "done": one.done}
        fields |= {"before": one.before, "refusal": one.refusal}
        print(dump_json_line(fields))
    elif one.refusal is not None:
        detail = f" ({one.detail})" if one.detail else ""
        kept = f"; {one.kept}" if one.kept else ""
        text = f"dicodec: {one.path}: {_REASONS[one.refusal]}{kept}{detail} [{one.refusal}]"
        print_line(text, sys.stderr)
    elif arguments.dry_run and not arguments.quiet and not one.before:
        print_line(f"{one.path}: {one.kept} would be put back", sys.stderr)


def _print_summary(
    numbers: Counter[str], arguments: argparse.Namespace, *, interrupted: bool
) -> None:
    if arguments.json:
        found = {name: numbers[name] for name in ("restored", "before", "refused")}
        print(dump_json_line({"summary": {**found, "interrupted": interrupted}}))
    elif not arguments.quiet or interrupted:
        if interrupted:
            print_line("interrupted; the same command goes on from here", sys.stderr)
        verb = "would be restored" if arguments.dry_run else "restored"
        before = f", {numbers['before']} restored before" if numbers["before"] else ""
        text = f"{numbers['restored']} {verb}{before}, {numbers['refused']} refused"
        print_line(text, sys.stderr)
