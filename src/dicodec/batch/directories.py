"""Find the records of DICOMDIRs that are no longer true of the results of the files they name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import State
from dicodec.errors import DicodecError
from dicodec.model.limits import Limits
from dicodec.model.records import NamedTuple
from dicodec.model.transfer_syntax import find_by_name
from dicodec.part10.directory_records import ReferencedFile, read_referenced_files
from dicodec.repair.opening import open_tolerantly

_FINISHED = frozenset({State.DONE, State.LEFT_ALONE})


class DirectoryUpdate(NamedTuple):
    """A DICOMDIR whose records have to state something else.

    Attributes:
        source: its path.
        target: the path of its result; the same one in place.
        records: the records that change, with the facts they have to state.
        uids: new SOP Instance UIDs of the files that it names, by old ones.
        lost: how many records name files that have no result.
    """

    source: str
    target: str
    records: tuple[ReferencedFile, ...]
    uids: tuple[tuple[str, str], ...]
    lost: int


class _Result(NamedTuple):
    syntax_uid: str
    instance_uids: tuple[str, str] | None


def plan_directory_updates(
    ledger: Ledger, limits: Limits, *, earlier: bool
) -> Iterator[DirectoryUpdate]:
    """Yield the DICOMDIRs of a batch that need other records, or a place in the output.

    Args:
        ledger: of the batch, once its files have ended.
        limits: bounds on the claims of a DICOMDIR.
        earlier: whether DICOMDIRs of earlier runs count.
    """
    for source, target in ledger.read_directories(earlier=earlier):
        if not Path(source).is_file():  # in an archive
            continue
        try:
            with open_tolerantly(source, limits) as file:
                named = list(read_referenced_files(file.data_set))
        except DicodecError:  # it stays as it is, and its records are counted as stale
            continue
        update = _plan_update(ledger, source, target, named)
        if update is not None:
            yield update


def _plan_update(
    ledger: Ledger, source: str, target: str, named: Sequence[ReferencedFile]
) -> DirectoryUpdate | None:
    records: list[ReferencedFile] = []
    uids: list[tuple[str, str]] = []
    found = 0
    for one in named:
        result = _find_result(ledger, os.path.dirname(source), one.path)  # noqa: PTH120
        if result is None:
            continue
        found += 1
        renewed = result.instance_uids
        instance_uid = one.instance_uid if renewed is None else renewed[1]
        right = one._replace(instance_uid=instance_uid, syntax_uid=result.syntax_uid)
        if renewed is not None:
            uids.append(renewed)
        if right != one:
            records.append(right)
    if not found or (source == target and not records):
        return None
    return DirectoryUpdate(source, target, tuple(records), tuple(uids), len(named) - found)


def _find_result(ledger: Ledger, folder: str, path: Sequence[str]) -> _Result | None:
    """Return the result of a file; some systems mount discs with names in small letters."""
    for parts in (path, [part.lower() for part in path]):
        report = ledger.find_report(os.path.join(folder, *parts), _FINISHED)  # noqa: PTH118
        if report is None:
            continue
        fields = json.loads(report)
        syntax = find_by_name(fields["target_syntax"])
        if syntax is not None:
            uids = fields["instance_uids"]
            return _Result(syntax.uid, None if uids is None else (uids[0], uids[1]))
    return None
