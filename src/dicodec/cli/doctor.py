"""`dicodec doctor`: list installed and missing parts with their uses, and try every codec."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import struct
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, requires, version

from dicodec import _kernels, convert_bytes
from dicodec.cli.versions import describe_kernels
from dicodec.codecs.table import find_engines
from dicodec.conversion.frames.window import count_cores
from dicodec.errors import DicodecError
from dicodec.model.implementation import VERSION
from dicodec.model.installation import describe_extra
from dicodec.model.records import NamedTuple
from dicodec.model.transfer_syntax import Loss, TransferSyntax, list_writable
from dicodec.model.wording import describe_fault, write_on_one_line

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_PURPOSES = {
    "audit": "dicodec audit, --manifest of a batch",
    "cloud": "objects in S3, Google Cloud and Azure as sources and targets",
    "gateway": "dicodec gateway",
    "gdcm": "--engine gdcm, --verify=independent",
    "metrics": "dicodec worker --metrics-port, --metrics-file of a batch",
    "otel": "traces by OpenTelemetry",
    "postgres": "--store postgresql://..., one store for several machines",
    "ray": "--executor ray",
    "serve": "dicodec serve",
    "worker": "dicodec worker, submit and watch with RabbitMQ, Kafka, NATS and Redis",
}
"""By optional extra: what needs its packages."""

_SIDE = 64
"""Rows and columns of the picture that is converted."""

_LARGEST_ERROR = 16
"""Of 256 values: how far a sample of the smooth picture may be off by a lossy codec."""


class _Trial(NamedTuple):
    """A round trip of a picture through one transfer syntax.

    Attributes:
        name: of the transfer syntax.
        decoder, encoder: see `codecs.table.Engines`.
        trouble: the error's words; "" if there was none.
    """

    name: str
    decoder: str
    encoder: str
    trouble: str


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    command.description = (
        "Lists what is installed and what is missing for what, and converts a picture to "
        "every transfer syntax and back. Exit status 1 if that goes wrong anywhere."
    )
    command.add_argument("--json", action="store_true", help="as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status."""
    trials = [_try_syntax(syntax) for syntax in list_writable()]
    found = {
        "dicodec": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "kernels": describe_kernels(),
        "cores": count_cores(),
        "temporary": _describe_temporary(),
        "packages": {name: version(name) for name in ("numpy", "imagecodecs", "rich")},
        "extras": _find_extras(),
        "transfer_syntaxes": [trial._asdict() for trial in trials],
    }
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        _print_found(found, trials)
    return 1 if any(trial.trouble for trial in trials) else 0


def _find_extras() -> dict[str, dict[str, Any]]:
    """Return the purpose of each optional extra, and the versions of its packages."""
    extras: dict[str, dict[str, Any]] = {}
    for requirement in requires("dicodec") or ():
        needed, _, marker = requirement.partition(";")
        _, found, extra = marker.replace("'", '"').partition('extra == "')
        if not found:
            continue
        name = extra.rstrip('"').strip()
        package = needed.strip()
        for end in "[<>=!~ (":
            package = package.partition(end)[0]
        of_extra = extras.setdefault(name, {"for": _PURPOSES.get(name, ""), "packages": {}})
        of_extra["packages"][package] = _find_version(package)
    return dict(sorted(extras.items()))


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _describe_temporary() -> dict[str, Any]:
    """Return the folder of temporary files, and how much room it has, in bytes."""
    folder = tempfile.gettempdir()
    return {"folder": folder, "free": shutil.disk_usage(folder).free}


def _try_syntax(syntax: TransferSyntax) -> _Trial:
    engines = find_engines(syntax)
    try:
        trouble = _find_trouble(syntax)
    except DicodecError as error:
        trouble = str(error)
    except Exception as fault:  # it tells what is broken, whatever that is
        trouble = describe_fault(fault)
    return _Trial(syntax.name, engines.decoder, engines.encoder, trouble)


def _find_trouble(syntax: TransferSyntax) -> str:
    """Convert a picture and convert it back; return how its samples came back, "" if right."""
    source, samples = _make_picture()
    loss = syntax.loss is not Loss.NEVER
    if syntax.name == "jpegxl-jpeg":  # it packs streams of JPEG, and nothing else
        source = convert_bytes(source, to="jpeg", lossy=True)
        samples = convert_bytes(source, to="explicit-le")[-len(samples) :]
    there = convert_bytes(source, to=syntax, lossy=loss)
    back = convert_bytes(there, to="explicit-le")[-len(samples) :]
    furthest = max(abs(one - other) for one, other in zip(samples, back, strict=True))
    allowed = _LARGEST_ERROR if loss else 0
    return "" if furthest <= allowed else f"samples came back wrong by up to {furthest}"


def _make_picture() -> tuple[bytes, bytes]:
    """Return a file with 8-bit gray samples, and the samples."""
    samples = bytes((2 * row + column) & 0xFF for row in range(_SIDE) for column in range(_SIDE))
    elements = [
        (0x0008, 0x0016, b"UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
        (0x0008, 0x0018, b"UI", b"2.25.1"),
        (0x0028, 0x0002, b"US", struct.pack("<H", 1)),
        (0x0028, 0x0004, b"CS", b"MONOCHROME2 "),
        (0x0028, 0x0010, b"US", struct.pack("<H", _SIDE)),
        (0x0028, 0x0011, b"US", struct.pack("<H", _SIDE)),
        (0x0028, 0x0100, b"US", struct.pack("<H", 8)),
        (0x0028, 0x0101, b"US", struct.pack("<H", 8)),
        (0x0028, 0x0102, b"US", struct.pack("<H", 7)),
        (0x0028, 0x0103, b"US", struct.pack("<H", 0)),
    ]
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
    parts = [bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta]
    for group, number, vr, value in elements:
        parts.append(struct.pack("<HH2sH", group, number, vr, len(value)) + value)
    parts.append(struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, len(samples)) + samples)
    return b"".join(parts), samples


def _print_found(found: dict[str, Any], trials: list[_Trial]) -> None:
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    room = found["temporary"]["free"] / 1e9
    print(f"dicodec {found['dicodec']}, Python {found['python']}, {packages}")
    print(f"{found['platform']}, {found['cores']} cores")
    print(f"kernels: {found['kernels']}")
    print(f"temporary files: {write_on_one_line(found['temporary']['folder'])}, {room:.1f} GB free")
    print("\ntransfer syntaxes, each tried with a picture:")
    for trial in trials:
        engines = f"{trial.decoder}, {trial.encoder}"
        told = trial.decoder if trial.decoder == trial.encoder else engines
        print(f"  {trial.name:26}{'WRONG' if trial.trouble else 'works':7}{told}")
        if trial.trouble:
            print(f"    {trial.trouble}", file=sys.stderr)
    print("\noptional packages:")
    for name, extra in found["extras"].items():
        missing = [package for package, number in extra["packages"].items() if number is None]
        state = f"missing: {', '.join(missing)}" if missing else "installed"
        print(f"  {name:10}{state}" + (f"; for {extra['for']}" if extra["for"] else ""))
        if missing:
            print(f"            {describe_extra(name)}")
    if _kernels.COMPILED is None and os.environ.get(_kernels.VARIABLE) != "none":
        print("\nWithout kernels all works, JPEG lossless and RLE slower: see docs/kernels.md")
