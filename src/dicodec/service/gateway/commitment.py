"""Storage commitment (PS3.4 Annex J): its messages, and the files that hold them between processes.

spool/commitments/asked-TRANSACTION.json     objects whose storage a peer was asked to commit to
spool/commitments/answer-TRANSACTION.json    its answer, whichever process got it
spool/commitments/report-TRANSACTION.json    our answer to a sender, until it has it
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom import Sequence as Items
from pydicom.uid import UID, generate_uid

from dicodec.model.records import dataclass, field
from dicodec.part10.beneath import sync_names

PUSH_MODEL = "1.2.840.10008.1.20.1"
PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
SYNTAXES = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]

REQUEST = 1
"""Action Type ID of a request (PS3.4 J.3.2)."""

ALL_COMMITTED, SOME_FAILED = 1, 2
"""Event Type IDs of an answer (PS3.4 J.3.3)."""

NO_SUCH_OBJECT, CLASS_CONFLICT, PROCESSING_FAILURE = 0x0112, 0x0119, 0x0110
"""Reasons of failure (PS3.3 C.14-1)."""

type Reference = tuple[str, str]
"""UIDs of a SOP class and of a SOP instance."""


@dataclass(frozen=True, slots=True)
class CommitmentAnswer:
    """The answer to a request for storage commitment.

    Attributes:
        transaction: Transaction UID of the request.
        committed: objects that are safe.
        failed: reasons by the objects that are not.
    """

    transaction: str
    committed: tuple[Reference, ...] = ()
    failed: Mapping[Reference, int] = field(default_factory=dict)

    def make_data_set(self) -> Dataset:
        """Return the Event Information of an N-EVENT-REPORT."""
        found = Dataset()
        found.TransactionUID = self.transaction
        if self.committed:
            found.ReferencedSOPSequence = Items(map(_make_reference, self.committed))
        if self.failed:
            items = []
            for reference, reason in self.failed.items():
                item = _make_reference(reference)
                item.FailureReason = reason
                items.append(item)
            found.FailedSOPSequence = Items(items)
        return found

    @classmethod
    def of(cls, given: Dataset) -> CommitmentAnswer:
        """Return the answer in the Event Information of an N-EVENT-REPORT."""
        return cls(
            str(given.get("TransactionUID", "")),
            tuple(map(read_reference, given.get("ReferencedSOPSequence") or ())),
            {
                read_reference(item): int(item.get("FailureReason") or PROCESSING_FAILURE)
                for item in given.get("FailedSOPSequence") or ()
            },
        )

    def as_json(self) -> dict[str, Any]:
        """Return its fields as values that JSON can hold."""
        failed = [[*reference, reason] for reference, reason in self.failed.items()]
        return {"transaction": self.transaction, "committed": [*self.committed], "failed": failed}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> CommitmentAnswer:
        """Return the answer that `as_json` has made a value of."""
        return cls(
            given["transaction"],
            tuple((one, two) for one, two in given["committed"]),
            {(one, two): reason for one, two, reason in given["failed"]},
        )


def make_request(references: Sequence[Reference]) -> Dataset:
    """Return the Action Information of a request, with a Transaction UID of its own."""
    found = Dataset()
    found.TransactionUID = generate_uid()
    found.ReferencedSOPSequence = Items(map(_make_reference, references))
    return found


def _make_reference(reference: Reference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = map(UID, reference)
    return item


def read_reference(item: Dataset) -> Reference:
    """Return the object that an item of a sequence refers to."""
    return str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", ""))


def write_note(folder: Path, kind: str, transaction: str, content: Mapping[str, Any]) -> None:
    """Write a file about a transaction, whole or not at all; it is on the disk after that."""
    path = _find_note(folder, kind, transaction)
    part = path.with_suffix(".part")
    with part.open("w", encoding="ascii") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_names(folder)


def read_note(folder: Path, kind: str, transaction: str) -> dict[str, Any] | None:
    """Return the contents of a transaction's file; None if there is none."""
    try:
        content: dict[str, Any] = json.loads(_find_note(folder, kind, transaction).read_bytes())
    except (OSError, ValueError):
        return None
    return content


def list_notes(folder: Path, kind: str) -> Iterator[str]:
    """Yield the transactions that there are files of a kind about."""
    for path in folder.glob(f"{kind}-*.json"):
        yield path.stem.removeprefix(f"{kind}-")


def remove_note(folder: Path, kind: str, transaction: str) -> None:
    """Remove a file about a transaction, if there is one."""
    with suppress(OSError):
        _find_note(folder, kind, transaction).unlink()


def _find_note(folder: Path, kind: str, transaction: str) -> Path:
    """Return the path of a file; a UID has digits and dots alone, so nothing else gets into it."""
    if not transaction or set(transaction) - set("0123456789.") or len(transaction) > 64:
        raise ValueError(transaction)
    return folder / f"{kind}-{transaction}.json"
