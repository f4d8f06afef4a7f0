"""References among the results of a ledger: which refer to instances that have new UIDs now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby

from dicodec.batch.ledger.sqlite_file import Database, decode_value
from dicodec.batch.ledger.tables import REFERENCE_SCHEMA, FileOutcome

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


class References:
    """The tables of references and new UIDs of an open ledger, which has them if they are kept.

    Args:
        database: the ledger's.
        flush: writes all held outcomes.
    """

    def __init__(self, database: Database, flush: Callable[[], None]) -> None:
        self._database = database
        self._flush = flush
        self._forgotten: list[tuple[Any]] = []
        self._found: list[tuple[str, Any]] = []
        self._renewed: list[tuple[str, str, Any]] = []

    def keep(self) -> None:
        """Make the tables for references, if this ledger has none."""
        self._database.executescript(REFERENCE_SCHEMA)

    def hold(self, key: Any, outcome: FileOutcome) -> None:
        """Hold what an outcome says of references until it is written; nothing if nobody looked.

        Args:
            key: name of the source, as the table `file` has it.
            outcome: of the source.
        """
        if outcome.references is None:
            return
        self._forgotten.append((key,))
        self._found += [(uid, key) for uid in outcome.references]
        if outcome.instance_uids is not None:
            self._renewed.append((*outcome.instance_uids, key))

    def write(self) -> None:
        """Write what is held, in the transaction of the outcomes."""
        execute = self._database.executemany
        if not self._forgotten:
            return
        for table in ("renewed", "reference"):
            execute(
                f"DELETE FROM {table} WHERE file = (SELECT id FROM file WHERE source = ?)",
                self._forgotten,
            )
        execute(
            "INSERT OR IGNORE INTO reference (file, uid) SELECT id, ? FROM file WHERE source = ?",
            self._found,
        )
        execute(
            "INSERT INTO renewed (file, old, new) SELECT id, ?, ? FROM file WHERE source = ?",
            self._renewed,
        )

    def let_go(self) -> None:
        """Hold nothing any more: it is written."""
        for held in (self._forgotten, self._found, self._renewed):
            held.clear()

    def read_stale(self) -> Iterator[tuple[int, str, str, dict[str, str]]]:
        """Yield (id, source, target, new UIDs by old ones) of results that refer to old UIDs.

        An old UID that has become two new ones, because two sources had it, is left out.
        """
        self._flush()
        self._database.executescript("DROP TABLE IF EXISTS temp.stale")
        self._database.execute(  # entries made meanwhile change nothing here
            "CREATE TEMP TABLE stale AS"
            " SELECT file.id AS file, source, target, uid, min(new) AS new FROM reference"
            " JOIN renewed ON renewed.old = reference.uid AND renewed.file <> reference.file"
            " JOIN file ON file.id = reference.file"
            " WHERE state IN ('done', 'left alone') AND target IS NOT NULL"
            " GROUP BY file.id, uid HAVING count(DISTINCT new) = 1 ORDER BY file.id"
        )
        rows = self._database.execute("SELECT * FROM temp.stale ORDER BY rowid")
        for (number, source, target), group in groupby(rows, key=lambda row: row[:3]):
            uids = {old: new for *_, old, new in group}
            yield number, decode_value(source), decode_value(target), uids

    def count_stale(self) -> int:
        """Return how many results refer to instances of this ledger that have new UIDs."""
        self._flush()
        count: int = self._database.execute(
            "SELECT count(DISTINCT reference.file) FROM reference"
            " JOIN renewed ON renewed.old = reference.uid AND renewed.file <> reference.file"
            " JOIN file ON file.id = reference.file WHERE state IN ('done', 'left alone')"
        ).fetchone()[0]
        return count

    def enter_mapped(self, number: int, version: tuple[int, int], uids: Mapping[str, str]) -> None:
        """Enter that the references of a result were mapped.

        Args:
            number: id of the source.
            version: size of the result and the time of its last change.
            uids: new UIDs by old ones.
        """
        execute = self._database.execute
        execute(
            "UPDATE file SET target_size = ?, target_modified = ? WHERE id = ?", (*version, number)
        )
        for old, new in uids.items():
            execute(
                "UPDATE OR REPLACE reference SET uid = ? WHERE file = ? AND uid = ?",
                (new, number, old),
            )
