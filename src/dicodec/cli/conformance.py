"""`dicodec conformance`: run a converter, any, over made files, and judge its results."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dicodec.cli.option_arguments import parse_size_argument
from dicodec.cli.printing import SOME_FAILED, print_line
from dicodec.conformance import Converter, Examination, examine, load_converters, make_converter
from dicodec.conformance.suite import MEMORY, TIMEOUT, select_cases
from dicodec.conformance.tables import as_values, describe_counts, has_silent_faults, make_tables
from dicodec.conformance.verdicts import Finding, Verdict
from dicodec.conversion.output.result_file import create_side_output
from dicodec.errors import InvalidOptionError
from dicodec.model.similar_names import suggest
from dicodec.model.wording import dump_json_line

_NAMED_UNLESS = (Verdict.RIGHT, Verdict.NOT_OFFERED)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    command.epilog = (
        "exit status: 0 no result was wrong in silence, 1 some was, or a converter that you name "
        "is not installed, 2 wrong usage"
    )
    add = command.add_argument
    add("converters", nargs="*", metavar="NAME",
        help="known converters, or those of --table; without --program, all of them")  # fmt: skip
    add("--program", metavar="COMMAND",
        help="a command with {in}, {out}, and {flags}, {to} or {uid}")  # fmt: skip
    add("--flags", action="append", default=[], metavar="TARGET=FLAGS",
        help="what {flags} is for a target; may be repeated; known of known programs")  # fmt: skip
    add("--table", metavar="FILE", help="further converters, in TOML")
    add("--only", action="append", default=[], metavar="PATTERN",
        help="cases with such names, as 'faults/*'; may be repeated")  # fmt: skip
    add("--list", action="store_true", help="print the names of cases, and run none")
    add("--time-limit", type=float, default=TIMEOUT, metavar="SECONDS",
        help=f"for one conversion (default {TIMEOUT:g})")  # fmt: skip
    add("--memory-limit", type=parse_size_argument, default=MEMORY, metavar="SIZE",
        help="data that a converter may have (default 2G)")  # fmt: skip
    add("--independent", action="store_true",
        help="GDCM decodes right results too; it is always asked about wrong ones")  # fmt: skip
    add("--markdown", metavar="FILE.md", help="write tables into a file")
    add("--json", action="store_true", help="print an object for each converter")
    add("-q", "--quiet", action="store_true", help="print counts only")


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status: 1 if a result was wrong in silence."""
    if arguments.list:
        for case in select_cases(arguments.only):
            print(case.name)
        return 0
    if not arguments.time_limit > 0:
        raise InvalidOptionError(f"a time limit is above 0, not {arguments.time_limit}")
    found = [_examine(one, arguments) for one in _choose(arguments)]
    if arguments.markdown is not None:
        with create_side_output(arguments.markdown, overwrite=True) as temporary:
            Path(temporary).write_text(make_tables(found), encoding="utf-8")
    if arguments.json:
        for one in as_values(found):
            print(dump_json_line(one))
    else:
        for examination in found:
            _print_counts(examination)
    named = arguments.program is not None or arguments.converters
    failed = any(has_silent_faults(one) or (named and one.missing) for one in found)
    return SOME_FAILED if failed else 0


def _choose(arguments: argparse.Namespace) -> list[Converter]:
    chosen = []
    if arguments.program is not None:
        flags = dict(map(_split_flags, arguments.flags)) or None
        chosen.append(make_converter(arguments.program, flags))
    elif arguments.flags:
        raise InvalidOptionError("flags belong to a command", hint="name it: --program")
    known = load_converters()
    if arguments.table is not None:
        known |= load_converters(arguments.table)
    names: Sequence[str] = arguments.converters or (() if chosen else tuple(known))
    for name in names:
        if name not in known:
            hint = suggest(name, list(known), f"there are {', '.join(known)}")
            raise InvalidOptionError(f"no converter is called {name!r}", hint=hint)
        chosen.append(known[name])
    return chosen


def _split_flags(text: str) -> tuple[str, str]:
    target, equals, flags = text.partition("=")
    if not equals:
        raise InvalidOptionError(f"{text!r} is not TARGET=FLAGS")
    return target, flags


def _examine(converter: Converter, arguments: argparse.Namespace) -> Examination:
    def tell(finding: Finding) -> None:
        if finding.verdict not in _NAMED_UNLESS:
            words = "; ".join((str(finding.verdict), *finding.why))
            print_line(f"{converter.name}: {finding.case}: {words}", sys.stdout)

    return examine(
        converter,
        only=arguments.only,
        timeout=arguments.time_limit,
        memory=arguments.memory_limit,
        independent=arguments.independent,
        tell=None if arguments.quiet or arguments.json else tell,
    )


def _print_counts(found: Examination) -> None:
    if found.missing:
        print_line(f"{found.converter}: this machine lacks {found.missing}", sys.stdout)
    for line in describe_counts(found):
        print_line(line, sys.stdout)
