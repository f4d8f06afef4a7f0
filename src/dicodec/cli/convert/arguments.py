"""The arguments of `dicodec convert`; nothing heavy is imported to show its help."""

from __future__ import annotations

import argparse

from dicodec.cli.limit_arguments import add_limit
from dicodec.cli.sizes import size

type Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001


def add_convert(commands: Commands) -> None:
    """Declare the subcommand."""
    command = commands.add_parser("convert", help="convert files to another transfer syntax")
    add = command.add_argument
    add(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="a file, a folder, a zip or tar archive, or - for standard input",
    )
    decision = command.add_mutually_exclusive_group(required=True)
    decision.add_argument(
        "--to",
        metavar="A,B,C",
        help="acceptable transfer syntaxes, the first preferred; see `dicodec syntaxes`",
    )
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
    add(
        "--photometric",
        default="auto",
        metavar="PI",
        help="auto (default), keep, MONOCHROME1, MONOCHROME2, RGB, YBR_FULL, YBR_FULL_422",
    )
    add("--lossy", action="store_true", help="allow a result that loses information")
    add("--quality", type=int, metavar="1-100", help="of JPEG and JPEG XL (default 90)")
    add("--near", type=int, metavar="N", help="largest error of a sample in JPEG-LS near-lossless")
    add("--ratio", type=float, metavar="R", help="compression ratio of JPEG 2000")
    add("--psnr", type=float, metavar="DB", help="signal-to-noise ratio of JPEG 2000")
    add(
        "--rescale-to-8bit",
        action="store_true",
        help="map gray levels by rescaling and window to 8 bits; makes a derived, lossy image",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEYWORD=VALUE",
        dest="set_attributes",
        help="set an attribute of the result; may be repeated",
    )
    add(
        "--remove",
        action="append",
        default=[],
        metavar="KEYWORD",
        dest="remove_attributes",
        help="remove an attribute from the result; may be repeated",
    )
    add(
        "--keep-uid",
        action="store_true",
        help="keep the SOP Instance UID of a lossy result, which is another image",
    )
    add("--offset-table", default="auto", choices=("auto", "basic", "extended", "empty"),
        help="auto (default) is basic, or extended where 32 bits may not suffice")  # fmt: skip
    add(
        "--verify",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="decode the result again and compare before it is put in place",
    )
    add("--verify=independent", action="store_const", const="independent", dest="verify",
        help="have GDCM decode the result too; an error where it cannot")  # fmt: skip
    add("--charset", metavar="[FROM:]utf-8",
        help="have all text in UTF-8, from the character set stated, or from FROM")  # fmt: skip
    add("--standardize", action="store_true",
        help="write what a strict reader takes, where the source does not have it")  # fmt: skip
    add("--salvage", choices=("fill", "drop"),
        help="of a damaged file, keep whole frames, fill or drop others; exits 1")  # fmt: skip
    add_limit(command)
    add("--strict", action="store_true", help="refuse what departs from the standard")
    add("--engine", default="auto", choices=("auto", "gdcm"),
        help="our own codecs (auto), or GDCM in a process of its own")  # fmt: skip
    add("--timeout", type=float, metavar="S",
        help="seconds that a file of a batch may take, or another engine")  # fmt: skip
    add("--workers", type=int, metavar="N", help="threads for the frames of a file")
    add("--overwrite", action="store_true", help="replace a target that is there")
    add("--backup", metavar="SUFFIX",
        help="keep a file that is replaced under its name with SUFFIX added")  # fmt: skip
    add("--skip-existing", action="store_true", help="pass over a source whose target is there")
    _add_batch(command)
    add("--dry-run", action="store_true", help="only say what would be done")
    add("--report", metavar="FILE", help="write a report of every file, one JSON object a line")
    add("--json", action="store_true", help="print reports and errors as JSON")
    add("-q", "--quiet", action="store_true", help="print errors only")
    add("-v", "--verbose", action="store_true", help="print decisions and changes too")


def _add_batch(command: argparse.ArgumentParser) -> None:
    """Declare what folders, archives and many files are converted with."""
    add = command.add_argument
    add("--jobs", type=int, metavar="N", help="processes for a batch (default: one a core)")
    add("--memory", type=size, metavar="SIZE",
        help="memory that one of them may take, such as 2G")  # fmt: skip
    add("--layout", metavar="TEMPLATE",
        help="places of results, made of attributes: {PatientID}/{SOPInstanceUID}.dcm")  # fmt: skip
    add("--hidden", action="store_true", help="take hidden files and folders of a folder too")
    add("--ledger", metavar="FILE", help="the ledger (default: in the output folder)")
    add("--resume", action="store_true",
        help="go on with an earlier run: leave out what its ledger says is done")  # fmt: skip
    add("--digests", action="store_true", help="enter SHA-256 of sources and results in the ledger")
