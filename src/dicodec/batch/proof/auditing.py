"""Audit a folder: compare its files, or a sample of them, with a manifest, decoding them anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

from dicodec.batch.ledger.tables import LEDGER_NAMES
from dicodec.batch.proof.manifest import read_files
from dicodec.batch.proof.proving import describe_frames, digest_bytes
from dicodec.conversion.frames.window import count_cores
from dicodec.conversion.output.kept_originals import LIST_NAME, read_kept_names
from dicodec.errors import DicodecError, EngineError, SourceUnavailableError
from dicodec.model.limits import Limits
from dicodec.model.records import NamedTuple, StrEnum

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


class Fault(StrEnum):
    """What is wrong with a file."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    SWAPPED = "swapped"
    PIXELS = "changed-pixels"
    BYTES = "changed-bytes"
    DECODING = "other-decoding"
    WITNESS = "other-witness"
    OUTSIDE = "outside"
    EXTRA = "extra"


class Finding(NamedTuple):
    """What an audit says of a file.

    Attributes:
        path: as the manifest has it.
        fault: what is wrong; None if all is as it was.
        detail: more about it, for people.
        frames: how many frames were decoded and compared.
        witness: the other decoder that has the same samples; "" if none was asked, or can tell.
    """

    path: str
    fault: Fault | None
    detail: str = ""
    frames: int = 0
    witness: str = ""


def draw_sample(files: int, wanted: int, seed: int) -> frozenset[int]:
    """Return the numbers of the files that are audited, drawn at random."""
    if wanted >= files:
        return frozenset(range(files))
    return frozenset(Random(seed).sample(range(files), wanted))  # noqa: S311 - it can be repeated


def audit(
    manifest: str, folder: str, drawn: frozenset[int], limits: Limits, *, witnessed: bool
) -> Iterator[Finding]:
    """Audit files of a manifest, and look for files that it does not have.

    Args:
        manifest: path of a manifest whose signature holds.
        folder: path of the folder that its paths begin from.
        drawn: numbers of the files that are audited, from 0, in the order of the manifest.
        limits: bounds on claims of the files.
        witnessed: whether GDCM decodes them too.
    """
    known: set[str] = set()
    for number, fields in enumerate(read_files(manifest)):
        known.add(os.path.normpath(fields["path"]))
        if number in drawn:
            yield _audit_file(manifest, folder, fields, limits, witnessed=witnessed)
    yield from _find_extra(folder, known, os.path.realpath(manifest))


def _audit_file(
    manifest: str, folder: str, fields: dict[str, Any], limits: Limits, *, witnessed: bool
) -> Finding:
    name: str = fields["path"]
    path = os.path.normpath(os.path.join(folder, name))  # noqa: PTH118 - it is a text
    if os.path.isabs(name) or os.path.normpath(name).startswith(".."):  # noqa: PTH117
        return Finding(name, Fault.OUTSIDE)
    try:
        size, digest = digest_bytes(path)
    except SourceUnavailableError as error:
        fault = Fault.UNREADABLE if os.path.lexists(path) else Fault.MISSING
        return Finding(name, fault, error.message)
    except DicodecError as error:
        return Finding(name, Fault.UNREADABLE, error.message)
    same = (size, digest) == (fields["size"], fields["sha256"])
    try:
        now = describe_frames(path, limits, count_cores())
    except DicodecError as error:
        return Finding(name, Fault.UNREADABLE, f"{error.message} [{error.code}]")
    frames = len(now["frames"] or ())
    different = _compare(fields, now)
    if not same:
        if other := _find_by_digest(manifest, digest):
            return Finding(name, Fault.SWAPPED, f"it is {other}", frames)
        if different:
            return Finding(name, Fault.PIXELS, different, frames)
        return Finding(name, Fault.BYTES, "the samples of all frames are the same", frames)
    if different:
        return Finding(name, Fault.DECODING, f"the bytes are the same; {different}", frames)
    if witnessed and fields["image"] is not None:
        return _ask_witness(path, name, fields, limits, frames)
    return Finding(name, None, frames=frames)


def _compare(fields: dict[str, Any], now: dict[str, Any]) -> str:
    """Return in words how frames differ from those of a manifest; "" if they do not."""
    if fields["image"] != now["image"]:
        return "the image is described otherwise"
    before, after = fields["frames"] or [], now["frames"] or []
    if len(before) != len(after):
        return f"there are {len(after)} frames, and there were {len(before)}"
    wrong = [str(at) for at, pair in enumerate(zip(before, after, strict=True)) if len({*pair}) > 1]
    if not wrong:
        return ""
    more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
    return f"other samples in frame {', '.join(wrong[:5])}{more}"


def _find_by_digest(manifest: str, digest: str) -> str:
    return next((str(one["path"]) for one in read_files(manifest) if one["sha256"] == digest), "")


def _ask_witness(
    path: str, name: str, fields: dict[str, Any], limits: Limits, frames: int
) -> Finding:
    """Have GDCM decode a file in a process of its own, and compare the samples."""
    from dicodec.conversion.gdcm import bound_seconds, decode_file, find_reason_against
    from dicodec.model.transfer_syntax import EXPLICIT_LE, Loss
    from dicodec.part10.temporary import TemporaryFolder
    from dicodec.repair.opening import open_tolerantly

    with open_tolerantly(path, limits) as file:
        syntax, image = file.syntax, file.frames.description
    reason = find_reason_against(syntax, EXPLICIT_LE, image, lossless=True)
    if reason is not None or syntax.loss is Loss.ALWAYS or fields["lossy"]:
        return Finding(name, None, reason or "two decoders of a lossy stream may differ", frames)
    with TemporaryFolder() as made:
        decoded = str(Path(made) / "decoded.dcm")
        try:
            size = 0 if image is None else image.native_size
            outcome = decode_file(path, decoded, timeout=bound_seconds(None, size))
            now = describe_frames(decoded, limits, count_cores())
        except (EngineError, DicodecError) as error:
            return Finding(name, None, error.message, frames)
    if now["image"] != fields["image"]:
        return Finding(name, None, "GDCM describes the image otherwise", frames)
    if different := _compare(fields, now):
        return Finding(name, Fault.WITNESS, f"GDCM {outcome.version}: {different}", frames)
    return Finding(name, None, "", frames, f"GDCM {outcome.version}")


def _find_extra(folder: str, known: set[str], manifest: str) -> Iterator[Finding]:
    """Yield the files of a folder that a manifest does not have, but for what dicodec keeps."""
    for place, _, names in os.walk(folder):
        try:
            kept = read_kept_names(place)
        except OSError:
            kept = read_kept_names(os.devnull)
        for name in sorted(names):
            path = os.path.join(place, name)  # noqa: PTH118 - it is hot
            relative = os.path.relpath(path, folder)
            ours = name == LIST_NAME or name.startswith(LEDGER_NAMES) or name in kept
            if relative not in known and not ours and os.path.realpath(path) != manifest:
                yield Finding(relative.replace(os.sep, "/"), Fault.EXTRA)
