"""Declare the arguments of `dicodec convert`."""

from __future__ import annotations

import argparse

from dicodec.cli.option_arguments import (
    MOST_JOBS,
    add_option,
    make_count_parser,
    make_seconds_parser,
    parse_rate,
    parse_size_argument,
)
from dicodec.model.option_table import OPTIONS, TO


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add(
        "source",
        nargs="*",
        metavar="SOURCE",
        help="a file, a folder, a zip or tar archive, or - for standard input",
    )
    decision = command.add_mutually_exclusive_group(required=True)
    decision.add_argument(TO.switch, metavar=TO.metavar, help=f"{TO.help}; see `dicodec syntaxes`")
    decision.add_argument(
        "--policy",
        metavar="POLICY",
        help="let the rules of a profile or of a TOML file decide; see `dicodec policy list`",
    )
    place = command.add_mutually_exclusive_group()
    place.add_argument(
        "-o",
        "--output",
        metavar="OUTPUT",
        help="a file, a folder, or - for standard output",
    )
    place.add_argument(
        "--in-place", action="store_true", help="replace each source by its verified result"
    )
    for option in OPTIONS.values():
        add_option(command, option)
    add("--skip-existing", action="store_true", help="skip a source whose target exists")
    _add_batch(command)
    add("--dry-run", action="store_true",
        help="print the plan, and the size of the results, and write nothing")  # fmt: skip
    add("--estimate", type=make_seconds_parser(), metavar="S",
        help="seconds for which a dry run codes files to find that size out (default 30; 0: it "
        "is not estimated)")  # fmt: skip
    add("--report", metavar="FILE", help="write a report of every file, one JSON object a line")
    add("--json", action="store_true", help="print reports and errors as JSON")
    add("-q", "--quiet", action="store_true",
        help="print errors only, and the sums of a dry run")  # fmt: skip
    add("-v", "--verbose", action="store_true", help="print decisions and changes too")


def _add_batch(command: argparse.ArgumentParser) -> None:
    """Declare the arguments for batches: folders, archives and many files."""
    add = command.add_argument
    add("--jobs", type=make_count_parser(1, MOST_JOBS), metavar="N",
        help="processes for a batch (default: one a core)")  # fmt: skip
    add("--executor", metavar="EXECUTOR",
        help="convert on the machines of a cluster: ray is the Ray cluster of this machine, "
        "ray://HEAD:PORT one elsewhere")  # fmt: skip
    add("--memory", type=parse_size_argument, metavar="SIZE",
        help="memory that one process may take, such as 2G")  # fmt: skip
    add("--max-bytes", type=parse_size_argument, metavar="SIZE",
        help="stop before the results of this run pass that, such as 500G")  # fmt: skip
    add("--rate-limit", type=parse_rate, metavar="SIZE/s",
        help="begin no more bytes of sources in a second, in the mean, such as 50M/s")  # fmt: skip
    add("--between", metavar="HH:MM-HH:MM",
        help="start files in this part of the day only, in local time: 22:00-06:00")  # fmt: skip
    add("--pause-file", metavar="FILE", help="start no file while FILE is there")
    add("--layout", metavar="TEMPLATE",
        help="paths of results, made of attributes: {PatientID}/{SOPInstanceUID}.dcm")  # fmt: skip
    add("--files-from", metavar="LIST",
        help="convert the files that LIST names, a line each or with NUL between them; - reads the "
        "list from standard input; SOURCE may be the folder where its names start")  # fmt: skip
    add("--shard", metavar="I/N",
        help="convert one of N parts of the sources, the others elsewhere; auto asks the scheduler "
        "of an array of tasks")  # fmt: skip
    add("--metrics-file", metavar="FILE",
        help="write metrics of a batch for the textfile collector of Prometheus' node exporter, "
        "every 10 seconds and at the end")  # fmt: skip
    add("--hidden", action="store_true", help="convert hidden files and folders too")
    add("--ledger", metavar="FILE", help="file of the ledger (default: in the output folder)")
    add("--resume", action="store_true",
        help="go on with an earlier run: leave out files that its ledger has as done")  # fmt: skip
    add(
        "--map-references",
        action="store_true",
        help="have references between results follow the new SOP Instance UIDs of lossy ones, and "
        "write DICOMDIRs that state what the results are",
    )
    add("--manifest", metavar="FILE",
        help="write a signed manifest with digests of the decoded samples of each frame, which "
        "`dicodec audit` checks; needs --key, and verifies results")  # fmt: skip
    add("--key", metavar="FILE",
        help="private key of --manifest; `dicodec audit --make-key FILE` makes one")  # fmt: skip
    add(
        "--digests",
        action="store_true",
        help="write SHA-256 digests of sources and results to the ledger",
    )
