"""The index: which instance is in which file, in a table on the disk, so memory stays bounded."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing

from dicodec.errors import TargetUnavailableError
from dicodec.model.records import NamedTuple
from dicodec.service.dicomweb.searched_attributes import SearchedAttributes

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_FACTS = "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    name BLOB PRIMARY KEY,
    version TEXT NOT NULL,
    study TEXT NOT NULL,
    series TEXT NOT NULL,
    instance TEXT NOT NULL,
    attributes TEXT NOT NULL,
    scan INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_instance ON files (instance);
CREATE INDEX IF NOT EXISTS by_study ON files (study, series, instance);
CREATE TABLE IF NOT EXISTS studies (
    study TEXT PRIMARY KEY,
    day TEXT NOT NULL,
    attributes TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_day ON studies (day DESC, study);
CREATE TABLE IF NOT EXISTS series (
    study TEXT NOT NULL,
    series TEXT NOT NULL,
    modality TEXT NOT NULL,
    attributes TEXT NOT NULL,
    PRIMARY KEY (study, series)
) WITHOUT ROWID;
"""
"""Attributes of a study or series are those of the file of it that was looked into last; one
without files may stay until the next scan, and is passed over."""

_TABLES = ("files", "studies", "series")
_FORMAT = "2"
_PAGE = 500
"""Rows that are read at once."""


class FileRow(NamedTuple):
    """A file that was found.

    Attributes:
        name: path below the folder, or URL of the object.
        version: size and time, or etag; another one if the content may be another.
        study, series, instance: UIDs; all empty if it is not a DICOM file.
        attributes: for searches.
    """

    name: str
    version: str
    study: str
    series: str
    instance: str
    attributes: SearchedAttributes = SearchedAttributes()


class InstanceIndex:
    """An index of one folder or bucket; any thread may use it.

    Args:
        path: of its file, which is made if it is missing; "" for a temporary one.
        of: the folder or prefix; what a file says of another one is not believed.

    Raises:
        TargetUnavailableError: the file cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str], of: str) -> None:
        self._lock = threading.Lock()
        try:
            self._rows = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._rows.executescript(
                # What is lost in a power cut is found again by looking into the files.
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + _FACTS
            )
            known = dict(self._rows.execute("SELECT name, value FROM facts"))
            facts = {"format": _FORMAT, "of": of}
            if known != facts:
                for table in _TABLES:
                    self._rows.execute(f"DROP TABLE IF EXISTS {table}")
            self._rows.executescript(_SCHEMA)
            if known != facts:
                self._rows.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())
        except sqlite3.Error as cause:
            raise TargetUnavailableError(
                f"the index cannot be used: {cause}", path=os.fspath(path), hint="remove it"
            ) from cause

    def close(self) -> None:
        """Close the file; a temporary one is gone then."""
        with self._lock:
            self._rows.close()

    def find(self, study: str, series: str = "", instance: str = "") -> list[FileRow]:
        """Return the files of some instances in the order of their UIDs; one file for each.

        Args:
            study: Study Instance UID.
            series: Series Instance UID; "" for all.
            instance: SOP Instance UID; "" for all.
        """
        given = {"study": study, "series": series, "instance": instance}
        wanted = {name: value for name, value in given.items() if value}
        text = " AND ".join(f"{name} = ?" for name in wanted)
        return self._query(
            "SELECT min(name), version, study, series, instance FROM files"  # noqa: S608 - constants
            f" WHERE {text} GROUP BY study, series, instance ORDER BY study, series, instance",
            tuple(wanted.values()),
        )

    def count(self) -> int:
        """Return the number of files that are instances."""
        with self._lock:
            found = self._rows.execute("SELECT count(*) FROM files WHERE instance != ''")
            return int(found.fetchone()[0])

    def find_known(self, names: Sequence[str]) -> dict[str, str]:
        """Return the versions of those files that are in the index, by name."""
        found: dict[str, str] = {}
        for start in range(0, len(names), _PAGE):
            part = names[start : start + _PAGE]
            marks = ", ".join("?" * len(part))
            with self._lock:
                rows = self._rows.execute(
                    f"SELECT name, version FROM files WHERE name IN ({marks})",  # noqa: S608
                    [os.fsencode(name) for name in part],
                )
                found |= {os.fsdecode(name): version for name, version in rows}
        return found

    def put(self, rows: Iterable[FileRow], scan: int) -> None:
        """Enter files, in place of what was known of them."""
        put = self._rows.executemany
        with self._lock, self._transaction():
            rows = [*rows]
            put(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(os.fsencode(row.name), *row[1:5], row.attributes.instance, scan) for row in rows],
            )
            found = [row for row in rows if row.instance]
            put(
                "INSERT OR REPLACE INTO studies VALUES (?, ?, ?)",
                {
                    row.study: (row.study, row.attributes.day, row.attributes.study)
                    for row in found
                }.values(),
            )
            put(
                "INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?)",
                {
                    (row.study, row.series): (
                        row.study, row.series, row.attributes.modality, row.attributes.series
                    )
                    for row in found
                }.values(),
            )  # fmt: skip

    def keep(self, names: Iterable[str], scan: int) -> None:
        """Note that files are still there."""
        with self._lock, self._transaction():
            self._rows.executemany(
                "UPDATE files SET scan = ? WHERE name = ?",
                [(scan, os.fsencode(name)) for name in names],
            )

    def remove_others(self, scan: int) -> None:
        """Remove the files that a scan has not found, and studies and series without files."""
        run = self._rows.execute
        with self._lock, self._transaction():
            run("DELETE FROM files WHERE scan < ?", (scan,))
            run("DELETE FROM studies WHERE study NOT IN (SELECT study FROM files)")
            run(
                "DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM files WHERE"
                " files.study = series.study AND files.series = series.series)"
            )

    def read(self, text: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return the rows of a statement of SQL."""
        with self._lock, closing(self._rows.execute(text, values)) as rows:
            return rows.fetchall()

    def find_last_scan(self) -> int:
        """Return the number of the latest scan; 0 if there was none."""
        with self._lock:
            return int(self._rows.execute("SELECT max(scan) FROM files").fetchone()[0] or 0)

    def _query(self, text: str, values: Sequence[str]) -> list[FileRow]:
        with self._lock, closing(self._rows.execute(text, values)) as rows:
            return [FileRow(os.fsdecode(name), *rest) for name, *rest in rows]

    def _transaction(self) -> _Transaction:
        return _Transaction(self._rows)


class _Transaction:
    """Statements that are carried out together, which takes a hundredth of the time."""

    def __init__(self, rows: sqlite3.Connection) -> None:
        self._rows = rows

    def __enter__(self) -> None:
        self._rows.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self._rows.execute("COMMIT" if kind is None else "ROLLBACK")
