"""Merge the ledgers of shards into one, as one run over all sources would have written it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dicodec.batch.ledger.sqlite_file import Database
from dicodec.batch.ledger.tables import LEDGER_NAME, PROOF_SCHEMA, REFERENCE_SCHEMA
from dicodec.errors import InvalidOptionError

_NUMBERED = re.compile(r"(.*)\.([0-9]{1,6})-of-([0-9]{1,6})((?:\.[^.]*)?)", re.DOTALL)
_REFERENCES = ("renewed", "reference")

# A source that both have is taken from the ledger with its newer outcome.
_OLDER = (
    "SELECT mine.id FROM main.file AS mine JOIN shard.file AS theirs USING (source)"
    " WHERE ifnull(theirs.finished, 0) > ifnull(mine.finished, 0)"
)


def find_shard_ledgers(place: str) -> list[str]:
    """Return the ledgers of all shards in a folder, by name; or a file itself.

    Raises:
        InvalidOptionError: the folder has none.
    """
    folder = Path(place)
    if not folder.is_dir():
        return [place]
    stem = Path(LEDGER_NAME).stem
    found = [path for path in folder.glob(f"{stem}.*") if path.suffix == ".sqlite"]
    if paths := sorted(str(path) for path in found if _NUMBERED.fullmatch(path.name)):
        return paths
    raise InvalidOptionError("no shard has a ledger in this folder", path=place)


def find_missing_ledgers(paths: Sequence[str]) -> list[str]:
    """Return the ledgers of shards that are not named, though others of the same batch are."""
    parts = [found for path in paths if (found := _NUMBERED.fullmatch(path))]
    batches = {(part[1], int(part[3]), part[4]) for part in parts}
    return [
        path
        for stem, count, suffix in sorted(batches)
        for number in range(1, count + 1)
        if (path := f"{stem}.{number}-of-{count}{suffix}") not in paths
    ]


def copy_ledger(path: str, database: Database) -> None:
    """Copy runs, sources, reports and references of a ledger into another one.

    Args:
        path: of a ledger, which is read only.
        database: of the other ledger, open for writing.

    Raises:
        WriteError: the other ledger cannot be written; it is as it was.
    """
    execute = database.execute
    execute("ATTACH ? AS shard", (path,))
    try:
        tables = {name for (name,) in execute("SELECT name FROM shard.sqlite_schema")}
        if tables.issuperset(_REFERENCES):
            database.executescript(REFERENCE_SCHEMA)
        if "proof" in tables:
            database.executescript(PROOF_SCHEMA)
        mine = {name for (name,) in execute("SELECT name FROM main.sqlite_schema")}
        columns = [row[1] for row in execute("PRAGMA main.table_info(file)")]
        execute("BEGIN IMMEDIATE")
        (runs,) = execute("SELECT ifnull(max(number), 0) FROM main.run").fetchone()
        (files,) = execute("SELECT ifnull(max(id), 0) FROM main.file").fetchone()
        for table in ("report", "proof", *_REFERENCES):
            if table in mine:
                execute(f"DELETE FROM main.{table} WHERE file IN ({_OLDER})")
        execute(f"DELETE FROM main.file WHERE id IN ({_OLDER})")
        execute(
            "INSERT INTO main.run (number, options, arguments, started, ended)"
            " SELECT number + ?, options, arguments, started, ended FROM shard.run",
            (runs,),
        )
        moved = {"id": f"id + {files}", "run": f"run + {runs}"}
        execute(
            f"INSERT INTO main.file ({', '.join(columns)})"
            f" SELECT {', '.join(moved.get(name, name) for name in columns)} FROM shard.file"
            " WHERE source NOT IN (SELECT source FROM main.file)"
        )
        for table, rest in (
            ("report", "json"), ("proof", "json"), ("renewed", "old, new"), ("reference", "uid"),
        ):  # fmt: skip
            if table in tables:
                execute(
                    f"INSERT INTO main.{table} (file, {rest}) SELECT file + ?, {rest}"
                    f" FROM shard.{table} WHERE file + ? IN (SELECT id FROM main.file)",
                    (files, files),
                )
        execute("COMMIT")
    finally:
        database.end_transaction()
        execute("DETACH shard")
