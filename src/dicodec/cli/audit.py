"""`dicodec audit`: check a folder against the signed manifest of the batch that made it."""

from __future__ import annotations

import argparse
import re
import secrets
import sys
from collections import Counter

from dicodec.cli.packages import require_packages
from dicodec.cli.printing import SOME_FAILED, print_line
from dicodec.cli.wrong_usage import WrongUsage
from dicodec.errors import InvalidOptionError
from dicodec.model.limits import parse_limits
from dicodec.model.wording import dump_json_line

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.batch.proof.auditing import Finding
    from dicodec.batch.proof.manifest import ManifestHead

_CONFIDENCE = 0.95

_FAULTS = {
    "missing": "the file is not there",
    "unreadable": "the file cannot be read",
    "swapped": "another file of the manifest has its place",
    "changed-pixels": "the bytes are others, and so are the samples",
    "changed-bytes": "the bytes are others, and the samples are not",
    "other-decoding": "the bytes are decoded to other samples than they were",
    "other-witness": "GDCM decodes the bytes to other samples",
    "outside": "its path leads out of the folder",
    "extra": "the manifest does not have it",
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("manifest", nargs="?", metavar="MANIFEST", help="manifest of `dicodec convert --manifest`")
    add("folder", nargs="?", metavar="FOLDER", help="folder that the paths in it begin from")
    add("--key", metavar="FILE", help="public key that the manifest has to be signed with")
    add("--sample", metavar="PART",
        help="audit so many files (200), or such a part (5%%), drawn at random")  # fmt: skip
    add("--seed", type=int, metavar="N", help="seed of the draw, to repeat one")
    add("--independent", action="store_true", help="have GDCM decode the files too")
    add("--limit", action="append", default=[], dest="limits", metavar="NAME=VALUE",
        help="bound a claim of a file, such as frame_size=512M; may be repeated")  # fmt: skip
    add("--make-key", metavar="FILE", help="make a key instead: FILE, and FILE.pub for auditors")
    add("--json", action="store_true", help="print a line of JSON for each file, and the summary")
    add("-q", "--quiet", action="store_true", help="print faults only")


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status."""
    if arguments.make_key is None and arguments.folder is None:
        raise WrongUsage("dicodec audit", "MANIFEST and FOLDER are required, or --make-key")
    with require_packages("audit", "the signatures of cryptography"):
        from dicodec.batch.proof import signing
    if arguments.make_key is not None:
        if arguments.manifest is not None:
            raise InvalidOptionError("--make-key has no meaning beside a manifest")
        print_line(f"the public key is {signing.make_key(arguments.make_key)}", sys.stderr)
        return 0
    from dicodec.batch.proof.auditing import audit, draw_sample
    from dicodec.batch.proof.manifest import read_head

    wanted_key = None if arguments.key is None else signing.read_public_key(arguments.key)
    limits = parse_limits(arguments.limits)
    head = read_head(arguments.manifest)
    wanted = _parse_sample(arguments.sample, head.files)
    seed = secrets.randbelow(1 << 32) if arguments.seed is None else arguments.seed
    if trouble := _find_trouble(head, wanted_key, signing.is_signed):
        _print_trouble(trouble, arguments)
        return SOME_FAILED
    numbers: Counter[str] = Counter()
    for finding in audit(
        arguments.manifest,
        arguments.folder,
        draw_sample(head.files, wanted, seed),
        limits,
        witnessed=arguments.independent,
    ):
        numbers[finding.fault or "sound"] += 1
        numbers["frames"] += finding.frames
        numbers["witnessed"] += bool(finding.witness)
        _print(finding, arguments)
    _print_summary(head, numbers, seed, arguments, pinned=wanted_key is not None)
    return SOME_FAILED if numbers.keys() & _FAULTS.keys() else 0


def _parse_sample(text: str | None, files: int) -> int:
    """Return the number of files that are audited.

    Raises:
        InvalidOptionError: the text is neither a number nor a part.
    """
    if text is None:
        return files
    match = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)\s*%", text.strip())
    if match and match[1] and int(match[1]):
        return min(int(match[1]), files)
    if match and match[2] and 0 < float(match[2]) <= 100:
        return max(1, -int(-files * float(match[2]) // 100)) if files else 0
    raise InvalidOptionError(f"--sample is a number of files or a part such as 5%, not {text!r}")


def _find_trouble(head: ManifestHead, key: str | None, is_signed: Any) -> str:
    """Return why a manifest is not to be trusted; "" if it is."""
    if not head.signature:
        return "the manifest is not signed: its last line is missing"
    if not is_signed(head.digest, head.signature, head.public_key):
        return "the signature does not hold: the manifest was changed after it was signed"
    if key is not None and key != head.public_key:
        return "the manifest is signed with another key than that of --key"
    if head.files != head.stated:
        return f"the manifest has {head.files} files, and states {head.stated}"
    return ""


def _print_trouble(trouble: str, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(dump_json_line({"summary": {"signature": trouble, "sound": 0}}))
    else:
        print_line(f"dicodec: {arguments.manifest}: {trouble} [bad-signature]", sys.stderr)


def _print(finding: Finding, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(dump_json_line({**finding._asdict()}))
    elif finding.fault is not None:
        detail = f": {finding.detail}" if finding.detail else ""
        text = f"dicodec: {finding.path}: {_FAULTS[finding.fault]}{detail} [{finding.fault}]"
        print_line(text, sys.stderr)


def _print_summary(
    head: ManifestHead,
    numbers: Counter[str],
    seed: int,
    arguments: argparse.Namespace,
    *,
    pinned: bool,
) -> None:
    faults = {name: numbers[name] for name in _FAULTS if numbers[name]}
    audited = numbers["sound"] + sum(faults.values()) - numbers["extra"]
    whole = audited == head.files
    wrong = audited - numbers["sound"]
    # With n drawn files all sound, a part p of bad ones is passed over with (1 - p) ** n.
    at_most = None
    if not wrong and not whole and audited:
        at_most = 1 - (1 - _CONFIDENCE) ** (1 / audited)
    summary: dict[str, Any] = {
        "signature": "holds",
        "public_key": head.public_key,
        "pinned": pinned,
        "made": head.made,
        "files": head.files,
        "audited": audited,
        "sound": numbers["sound"],
        "frames": numbers["frames"],
        "witnessed": numbers["witnessed"],
        "faults": faults,
        "seed": None if whole else seed,
        "at_most": at_most,
    }
    if arguments.json:
        print(dump_json_line({"summary": summary}))
    elif not arguments.quiet:
        for line in _format_summary(summary, independent=arguments.independent):
            print_line(line, sys.stderr)


def _format_summary(summary: dict[str, Any], *, independent: bool) -> list[str]:
    """Return the summary for people."""
    key = f"key {summary['public_key']}, which --key can pin"
    if summary["pinned"]:
        key = "the key of --key"
    lines = [
        f"signed with {key}, on {summary['made']}",
        f"{summary['sound']} of {summary['audited']} audited files are sound",
        f"  {summary['frames']} frames were decoded; the manifest has {summary['files']} files",
    ]
    if independent:
        lines.append(f"  GDCM has the same samples of {summary['witnessed']} files")
    if summary["seed"] is not None:
        lines.append(f"  drawn with --seed {summary['seed']}")
    if summary["at_most"] is not None:
        lines.append(
            f"  with a confidence of {_CONFIDENCE:.0%}, at most {summary['at_most']:.2%} of all "
            "files are not sound"
        )
    return [*lines, *(f"  {count} {name}" for name, count in summary["faults"].items())]
