"""Proofs of the results of a ledger: what a manifest says of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dicodec.batch.ledger.sqlite_file import Database, decode_value
from dicodec.batch.ledger.tables import PROOF_SCHEMA, FileOutcome

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


class Proofs:
    """The table of proofs of an open ledger, which has it if a run makes a manifest.

    Args:
        database: the ledger's.
        flush: writes all held outcomes.
    """

    def __init__(self, database: Database, flush: Callable[[], None]) -> None:
        self._database = database
        self._flush = flush
        self._held: list[tuple[str, Any]] = []
        query = "SELECT count(*) FROM sqlite_schema WHERE name = 'proof'"
        self._kept = bool(database.execute(query).fetchone()[0])

    def keep(self) -> None:
        """Make the table for proofs, if this ledger has none."""
        self._database.executescript(PROOF_SCHEMA)
        self._kept = True

    def hold(self, key: Any, outcome: FileOutcome) -> None:
        """Hold the proof of an outcome until it is written, if this ledger has proofs.

        Args:
            key: name of the source, as the table `file` has it.
            outcome: of the source; without a proof, that of an older result goes.
        """
        if self._kept:
            self._held.append((outcome.proof or "", key))

    def write(self) -> None:
        """Write the proofs of results; those of older results go, which are not there any more."""
        if self._held:
            self._database.executemany(
                "INSERT OR REPLACE INTO proof (file, json) SELECT id, ? FROM file WHERE source = ?",
                self._held,
            )
            self._database.execute("DELETE FROM proof WHERE json = ''")

    def let_go(self) -> None:
        """Hold nothing any more: it is written."""
        self._held.clear()

    def count(self) -> tuple[int, int]:
        """Return how many finished sources have a proof, and how many have none."""
        self._flush()
        proved, finished = self._database.execute(
            "SELECT count(proof.file), count(*) FROM file LEFT JOIN proof ON proof.file = file.id"
            " WHERE state IN ('done', 'left alone')"
        ).fetchone()
        return proved, finished - proved

    def read(self) -> Iterator[tuple[str, str]]:
        """Yield (target, proof) of finished sources, by target."""
        rows = self._database.execute(
            "SELECT target, json FROM file JOIN proof ON proof.file = file.id"
            " WHERE state IN ('done', 'left alone') ORDER BY target"
        )
        for target, text in rows:
            yield decode_value(target), text
