"""What a run that resumes another does with a source that the ledger knows."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from hashlib import sha256
from pathlib import Path

from dicodec.batch.ledger.tables import Entry, State
from dicodec.batch.sources.locations import real, standing
from dicodec.batch.sources.references import SourceReference
from dicodec.batch.work_item import Settings
from dicodec.model.implementation import VERSION

PASSING_CAUSES = frozenset(
    {
        "source-unavailable", "source-changed", "read-error", "disk-full", "target-unavailable",
        "write-error", "worker-crashed", "engine-crashed", "timeout", "out-of-memory",
    }
)  # fmt: skip
"""Error codes of what may be otherwise the next time, without anything done to the file."""

LOST = frozenset({"worker-crashed", "timeout", "out-of-memory"})
"""Error codes of what may have come as far as to put its result in place."""

_OTHER_SETTINGS = frozenset({"limit-exceeded", "target-exists", "internal-error", "engine-failed"})
"""Error codes of what another run may be set to do otherwise."""

_NOT_THE_RESULT = {"overwrite", "verify", "workers", "timeout", "backup", "limits"}
"""Options that do not decide what a result is."""


class Known(Enum):
    """What the ledger says of a source."""

    NEW = "it is to be converted"
    BEGUN = "it was being converted; what is at its target's place is of that run"
    ENDED = "it is done, or was passed over, and has not changed since"
    FAILED = "it failed and will again"


def options_digest(settings: Settings) -> str:
    """Return a digest of all that decides what results are."""
    deciding = [
        (option.name, getattr(settings.options, option.name))
        for option in fields(settings.options)
        if option.name not in _NOT_THE_RESULT
    ]
    rules = _rules(settings.policy) if settings.policy is not None else None
    parts = (deciding, rules, settings.layout, settings.in_place)
    return sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _rules(policy: str) -> str:
    """Return what a policy says: a profile may change with the version, a file at any time."""
    path = Path(policy)
    return path.read_text(encoding="utf-8") if path.is_file() else f"{policy} of {VERSION}"


def known(
    entry: Entry | None, reference: SourceReference, target: str | None, *, same_options: bool
) -> Known:
    """Return what to do with a source.

    Args:
        entry: what the ledger knows of it.
        reference: to the source as it is now.
        target: where its result belongs; None where the layout decides.
        same_options: whether the run that last dealt with it had the same options.
    """
    if entry is None:
        return Known.NEW
    if entry.state in {State.RUNNING, State.PENDING}:
        return Known.BEGUN
    if target is not None and entry.target is not None and target != entry.target:
        return Known.NEW
    if entry.state is State.SKIPPED:
        again = entry.error_code == "target-exists"
        return Known.ENDED if not again and _unchanged(entry, reference) else Known.NEW
    if not same_options or not _unchanged(entry, reference):
        return Known.NEW
    if entry.state is State.FAILED:
        again = entry.error_code in PASSING_CAUSES | _OTHER_SETTINGS
        return Known.NEW if again else Known.FAILED
    return Known.ENDED if _result_is_there(entry, reference) else Known.NEW


def _unchanged(entry: Entry, reference: SourceReference) -> bool:
    """Whether the source is what it was; in place, that is the result."""
    now = (reference.size, reference.modified)
    before = (entry.source_size, entry.source_modified)
    after = (entry.target_size, entry.target_modified)
    return now == (after if _in_place(entry, reference) else before)


def _in_place(entry: Entry, reference: SourceReference) -> bool:
    return (
        entry.state in {State.DONE, State.LEFT_ALONE}
        and reference.member is None
        and entry.target is not None
        and entry.target_modified is not None
        and real(reference.path) == real(entry.target)
    )


def _result_is_there(entry: Entry, reference: SourceReference) -> bool:
    if _in_place(entry, reference):
        return True
    found = standing(entry.target or "")
    return found is not None and found.size == entry.target_size
