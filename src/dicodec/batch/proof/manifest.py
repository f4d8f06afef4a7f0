"""The manifest: what a batch has put in place, a line of JSON for each file, signed at its end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from dicodec.batch.proof.signing import Signer
from dicodec.conversion.output.part_file import PartFile
from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import DicodecError, InvalidOptionError, TargetExistsError
from dicodec.model.implementation import VERSION
from dicodec.model.records import NamedTuple
from dicodec.model.wording import dump_json_line

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.batch.ledger.ledger import Ledger

FORMAT, FORMAT_VERSION = "dicodec-manifest", 1

_LONGEST_LINE = 1 << 28
"""Bytes of a line at most: 70 for each frame, before and after."""


class ManifestHead(NamedTuple):
    """The facts of a manifest as a whole.

    Attributes:
        files: how many lines there are for files.
        public_key: the key that it says it is signed with, in hexadecimal.
        made: when, in UTC.
        digest: SHA-256 of all lines before the signature.
        signature: in hexadecimal; "" if there is none.
        stated: how many files the first line states.
    """

    files: int
    public_key: str
    made: str
    digest: bytes
    signature: str
    stated: int


def check_place(path: str) -> None:
    """Check that a manifest may be written: nothing is there, or an older manifest.

    Raises:
        TargetExistsError: another file is there.
    """
    if os.path.lexists(path) and not _is_manifest(path):
        raise TargetExistsError("what is there is not a manifest, and is not replaced", path=path)


def _is_manifest(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(256).startswith(f'{{"format": "{FORMAT}"'.encode())
    except OSError:
        return False


def write_manifest(path: str, root: str, ledger: Ledger, signer: Signer) -> tuple[int, int]:
    """Write the manifest of all results that a ledger has proofs of.

    Args:
        path: its file; an older manifest is replaced.
        root: absolute path of the folder that the paths in it begin from.
        ledger: the ledger of the batch.
        signer: signs it.

    Returns:
        How many files it has, and how many finished files of the ledger have no proof.

    Raises:
        WriteError: it cannot be written.
    """
    proved, unproved = ledger.proofs.count()
    head = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "by": f"dicodec {VERSION}",
        "files": proved,
        "public_key": signer.public_key,
    }
    try:
        with translate_write_errors(), PartFile(Path(path), 0o666) as part:
            digest = sha256()
            with open(part.descriptor, "wb", closefd=False) as out:

                def write(fields: dict[str, Any]) -> None:
                    line = dump_json_line(fields).encode("ascii") + b"\n"
                    digest.update(line)
                    out.write(line)

                write(head)
                for target, text in ledger.proofs.read():
                    name = os.path.relpath(target, root).replace(os.sep, "/")
                    write({"path": name, **json.loads(text)})
                signature = signer.sign(digest.digest())
                write({"signature": signature, "algorithm": "Ed25519"})
            os.fsync(part.descriptor)
            part.path.replace(path)
    except DicodecError as error:
        error.with_location(path=path)
        raise
    return proved, unproved


def read_head(path: str) -> ManifestHead:
    """Read a manifest as a whole, for its digest.

    Raises:
        InvalidOptionError: the file is not a manifest, or of a version that is not known.
    """
    digest, files, signature = sha256(), 0, ""
    head: dict[str, Any] = {}
    for number, line in enumerate(_read_lines(path)):
        try:
            fields = json.loads(line)
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            if not number:
                raise InvalidOptionError("the file is not a manifest", path=path)
            fields = {}  # the digest will not be the one that was signed
        if not number:
            head = fields
            _check_format(head, path)
        if "signature" in fields and not signature:
            signature = str(fields["signature"])
            continue
        digest.update(line)
        files += bool(number)
    return ManifestHead(
        files,
        str(head.get("public_key", "")),
        str(head.get("made", "")),
        digest.digest(),
        signature,
        head["files"] if isinstance(head.get("files"), int) else -1,
    )


def _check_format(head: dict[str, Any], path: str) -> None:
    if head.get("format") != FORMAT:
        raise InvalidOptionError("the file is not a manifest", path=path)
    if head.get("version") != FORMAT_VERSION:
        raise InvalidOptionError(
            f"the manifest is of version {head.get('version')}, and this dicodec knows "
            f"{FORMAT_VERSION}",
            path=path,
            hint="a newer dicodec made it",
        )


def read_files(path: str) -> Iterator[dict[str, Any]]:
    """Yield the line of each file, of a manifest whose signature holds."""
    for number, line in enumerate(_read_lines(path)):
        fields: dict[str, Any] = json.loads(line)
        if number and "signature" not in fields:
            yield fields


def _read_lines(path: str) -> Iterator[bytes]:
    try:
        with Path(path).open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                yield line
    except OSError as cause:
        raise InvalidOptionError(
            f"the manifest cannot be read: {cause.strerror}", path=path
        ) from cause
