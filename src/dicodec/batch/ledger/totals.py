"""Totals of a ledger: files and bytes by modality, transfer syntax, cause and saving."""

from __future__ import annotations

from dicodec.model.records import NamedTuple, StrEnum


class By(StrEnum):
    """What totals are made by."""

    MODALITY = "modality"
    SYNTAX = "syntax"
    CAUSE = "cause"
    SAVING = "saving"


class Total(NamedTuple):
    """The numbers of files that have something in common.

    Attributes:
        by: what it is.
        value: for people: "CT", "explicit-le -> rle", "disk-full", "50 to 75 % saved".
        files: how many they are.
        bytes_before, bytes_after: of those that have results.
    """

    by: By
    value: str
    files: int
    bytes_before: int
    bytes_after: int

    @property
    def saved(self) -> float | None:
        """The part of the bytes that is saved; negative if results are larger; None without any."""
        return 1 - self.bytes_after / self.bytes_before if self.bytes_before else None


_JSON = "CASE WHEN json_valid(json) THEN json ELSE '{}' END"
_FINISHED = "state IN ('done', 'left alone')"
_VALUES = {
    By.MODALITY: f"ifnull(nullif(json_extract({_JSON}, '$.modality'), ''), 'none stated')",
    By.SYNTAX: f"ifnull(json_extract({_JSON}, '$.source_syntax') || ' -> ' ||"
    f" json_extract({_JSON}, '$.target_syntax'), 'not known')",
    By.CAUSE: "CASE WHEN error_code IS NOT NULL THEN state || ', ' || error_code"
    " ELSE state || ifnull(', ' || action, '') END",
    By.SAVING: "CASE WHEN target_size > source_size THEN '0 larger than before'"
    " WHEN target_size = source_size THEN '1 as large as before'"
    " WHEN target_size > 0.75 * source_size THEN '2 up to 25 % saved'"
    " WHEN target_size > 0.5 * source_size THEN '3 25 to 50 % saved'"
    " WHEN target_size > 0.25 * source_size THEN '4 50 to 75 % saved'"
    " ELSE '5 75 % saved or more' END",
}
_WHERE = {
    By.MODALITY: _FINISHED,
    By.SYNTAX: _FINISHED,
    By.CAUSE: "1",
    By.SAVING: f"{_FINISHED} AND source_size > 0 AND target_size IS NOT NULL",
}


def make_query(by: By, states: int) -> str:
    """Return the query for totals: rows of value, files, bytes before and bytes after.

    Args:
        by: what they are made by.
        states: number of states, given as parameters, to which files are restricted; 0 for all.
    """
    chosen = f" AND state IN ({', '.join('?' * states)})" if states else ""
    order = "value" if by is By.SAVING else "files DESC, value"
    with_result = f"CASE WHEN {_FINISHED} THEN"
    return (
        f"SELECT cast({_VALUES[by]} AS BLOB) AS value, count(*) AS files,"
        f" cast(total({with_result} source_size END) AS INTEGER),"
        f" cast(total({with_result} target_size END) AS INTEGER)"
        " FROM file LEFT JOIN report ON report.file = file.id"
        f" WHERE {_WHERE[by]}{chosen} GROUP BY value ORDER BY {order}"
    )


def make_total(by: By, row: tuple[bytes, int, int, int]) -> Total:
    """Return the total of a row of such a query."""
    value, numbers = row[0].decode("utf-8", "replace"), row[1:]  # what is in a file may be anything
    return Total(by, value[2:] if by is By.SAVING else value, *numbers)
