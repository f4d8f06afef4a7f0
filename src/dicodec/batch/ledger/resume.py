"""Decide, from the ledger, whether a resumed run converts, skips or takes over a source."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

from dicodec.batch.ledger.tables import FileOutcome, LedgerEntry, State
from dicodec.batch.sources.locations import read_version, resolve_links
from dicodec.batch.sources.references import SourceReference
from dicodec.batch.work_item import WorkOptions
from dicodec.conversion.output.kept_originals import find_kept_beside
from dicodec.model.implementation import VERSION
from dicodec.model.records import fields
from dicodec.model.source_names import is_object_url
from dicodec.model.wording import dump_json_line

PASSING_CAUSES = frozenset(
    {
        "source-unavailable", "source-changed", "read-error", "disk-full", "target-unavailable",
        "write-error", "worker-crashed", "engine-crashed", "timeout", "out-of-memory",
        "peer-unavailable",
    }
)  # fmt: skip
"""Error codes of failures that may pass without a change to the file."""

LOST = frozenset({"worker-crashed", "timeout", "out-of-memory"})
"""Error codes of conversions that may have put their result in place before they were lost."""

_OTHER_SETTINGS = frozenset({"limit-exceeded", "target-exists", "internal-error", "engine-failed"})
"""Error codes of failures that other settings of a run may avoid."""

_NOT_THE_RESULT = {"overwrite", "verify", "workers", "timeout", "backup", "limits", "durability"}
"""Options that do not decide the bytes of a result."""


class EarlierState(Enum):
    """How far an earlier run came with a source."""

    NEW = "the source has to be converted"
    BEGUN = "the run ended during the conversion; a file at the target is that run's"
    ENDED = "the source is converted, or was skipped, and has not changed since"
    FAILED = "the source failed and will fail again"


def digest_options(settings: WorkOptions) -> str:
    """Return a digest of all options that decide the bytes and places of results."""
    deciding = [
        (option.name, getattr(settings.options, option.name))
        for option in fields(settings.options)
        if option.name not in _NOT_THE_RESULT
    ]
    rules = _describe_rules(settings.policy) if settings.policy is not None else None
    parts = (deciding, rules, settings.layout, settings.in_place)
    return _digest(repr(parts).encode("utf-8", "surrogateescape"))[:16]


def _digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes; to load `hashlib` takes 2 ms, because it loads OpenSSL."""
    try:
        from _sha2 import sha256  # type: ignore[import-not-found]  # what `hashlib` has without it
    except ImportError:
        from hashlib import sha256
    digest: str = sha256(data).hexdigest()
    return digest


def _describe_rules(policy: str) -> str:
    """Return the text of a policy's file; or a profile's name with the version that has it."""
    path = Path(policy)
    return path.read_text(encoding="utf-8") if path.is_file() else f"{policy} of {VERSION}"


def find_earlier_state(
    entry: LedgerEntry | None, reference: SourceReference, target: str | None, *, same_options: bool
) -> EarlierState:
    """Return how far an earlier run came with a source.

    Args:
        entry: the ledger's entry for the source; None if there is none.
        reference: the source as it is now.
        target: path of its result; None if the layout decides.
        same_options: whether the run of that entry had the same options.
    """
    if entry is None or entry.state is State.RESTORED:
        return EarlierState.NEW
    if entry.state in {State.RUNNING, State.PENDING}:
        return EarlierState.BEGUN
    if target is not None and entry.target is not None and target != entry.target:
        return EarlierState.NEW
    if entry.state is State.SKIPPED:
        again = entry.error_code == "target-exists"
        unchanged = not again and _is_unchanged(entry, reference)
        return EarlierState.ENDED if unchanged else EarlierState.NEW
    if not same_options or not _is_unchanged(entry, reference):
        return EarlierState.NEW
    if entry.state is State.FAILED:
        again = entry.error_code in PASSING_CAUSES | _OTHER_SETTINGS
        return EarlierState.NEW if again else EarlierState.FAILED
    return EarlierState.ENDED if _result_is_there(entry, reference) else EarlierState.NEW


def _is_unchanged(entry: LedgerEntry, reference: SourceReference) -> bool:
    """Whether the source has not changed; after a conversion in place it is the result."""
    now = (reference.size, reference.modified)
    before = (entry.source_size, entry.source_modified)
    after = (entry.target_size, entry.target_modified)
    return now == (after if _is_in_place(entry, reference) else before)


def _is_in_place(entry: LedgerEntry, reference: SourceReference) -> bool:
    return (
        entry.state in {State.DONE, State.LEFT_ALONE}
        and reference.member is None
        and entry.target is not None
        and entry.target_modified is not None
        and resolve_links(reference.path) == resolve_links(entry.target)
    )


def _result_is_there(entry: LedgerEntry, reference: SourceReference) -> bool:
    if _is_in_place(entry, reference):
        return True
    found = read_version(entry.target or "")
    return found is not None and found.size == entry.target_size


def find_kept_original(entry: LedgerEntry) -> tuple[str, str] | None:
    """Return the kept original of a source whose end the ledger does not have.

    An original is kept before its result takes its name, and the ledger has the outcome later. So
    a run that is killed between them leaves a result, or the file itself, beside an original that
    only the folder's list knows.

    Args:
        entry: the ledger's entry for the source.

    Returns:
        Its path, and the SHA-256 that the list has; None if the ledger has the outcome, or nothing
        was kept.
    """
    path = entry.target
    if entry.state not in {State.RUNNING, State.PENDING, State.FAILED} or path is None:
        return None
    if entry.source_modified is None or is_object_url(path) or path != resolve_links(entry.source):
        return None
    folder = os.path.dirname(path)  # noqa: PTH120 - it is hot
    try:
        beside = find_kept_beside(path)
    except OSError:
        return None
    for name, digest in beside:
        kept = os.path.join(folder, name)  # noqa: PTH118 - it is hot
        if read_version(kept) == (entry.source_size, entry.source_modified):
            return kept, digest
    return None


def find_replaced(entry: LedgerEntry) -> FileOutcome | None:
    """Return the outcome of a source that a killed run has replaced; None if there is no such."""
    found = find_kept_original(entry)
    if found is None or entry.target is None:
        return None
    kept, digest = found
    result = read_version(entry.target)
    if result is None or os.path.samefile(kept, entry.target):  # noqa: PTH121 - they are texts
        return None
    return FileOutcome(
        state=State.DONE,
        json=dump_json_line({"replaced": {"path": entry.target, "kept": kept}}),
        target=entry.target,
        source_size=entry.source_size,
        target_size=result.size,
        target_modified=result.modified,
        source_digest=digest,
    )
