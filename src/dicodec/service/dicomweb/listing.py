"""List studies, series and instances of the index, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from dicodec.model.records import NamedTuple
from dicodec.service.dicomweb.index import InstanceIndex

_PAGE = 500
"""Rows that are read at once."""


class StudyRow(NamedTuple):
    """A study.

    Attributes:
        study: its UID.
        day: Study Date.
        attributes: in the DICOM JSON Model, as text.
    """

    study: str
    day: str
    attributes: str


class SeriesRow(NamedTuple):
    """A series.

    Attributes:
        series: its UID.
        modality: Modality.
        attributes: in the DICOM JSON Model, as text.
    """

    series: str
    modality: str
    attributes: str


class InstanceRow(NamedTuple):
    """An instance.

    Attributes:
        instance: its UID.
        attributes: in the DICOM JSON Model, as text.
    """

    instance: str
    attributes: str


def list_studies(index: InstanceIndex, chosen: Mapping[str, Sequence[str]]) -> Iterator[StudyRow]:
    """Yield studies, the latest first.

    Args:
        index: the index.
        chosen: by "study", "series" or "instance", UIDs of which a study has or is one.
    """
    conditions = "".join(
        f" AND study IN (SELECT study FROM files WHERE {name} IN ({', '.join('?' * len(uids))}))"  # noqa: S608 - constants
        for name, uids in chosen.items()
    )
    wanted = [uid for uids in chosen.values() for uid in uids]
    day, study, seen = "", "", False
    while True:
        rows = index.read(
            "SELECT study, day, attributes FROM studies WHERE"  # noqa: S608 - constants
            " EXISTS (SELECT 1 FROM files WHERE files.study = studies.study)"
            " AND (NOT ? OR day < ? OR (day = ? AND study > ?))"
            f"{conditions} ORDER BY day DESC, study LIMIT ?",
            (seen, day, day, study, *wanted, _PAGE),
        )
        found = [StudyRow(*row) for row in rows]
        yield from found
        if len(found) < _PAGE:
            return
        study, day, seen = found[-1].study, found[-1].day, True


def list_series(index: InstanceIndex, study: str) -> Iterator[SeriesRow]:
    """Yield the series of a study in the order of their UIDs."""

    def read(last: str) -> list[SeriesRow]:
        rows = index.read(
            "SELECT series, modality, attributes FROM series WHERE study = ? AND series > ?"
            " AND EXISTS (SELECT 1 FROM files WHERE"
            " files.study = series.study AND files.series = series.series)"
            " ORDER BY series LIMIT ?",
            (study, last, _PAGE),
        )
        return [SeriesRow(*row) for row in rows]

    return _read_pages(read, lambda row: row.series)


def list_instances(index: InstanceIndex, study: str, series: str) -> Iterator[InstanceRow]:
    """Yield the instances of a series in the order of their UIDs, each once."""

    def read(last: str) -> list[InstanceRow]:
        rows = index.read(
            "SELECT instance, attributes, min(name) FROM files"
            " WHERE study = ? AND series = ? AND instance > ?"
            " GROUP BY instance ORDER BY instance LIMIT ?",
            (study, series, last, _PAGE),
        )
        return [InstanceRow(*row[:2]) for row in rows]

    return _read_pages(read, lambda row: row.instance)


def _read_pages[Row](
    read: Callable[[str], list[Row]], find_key: Callable[[Row], str]
) -> Iterator[Row]:
    """Yield rows page by page, each page behind the last row of the one before."""
    last = ""
    while True:
        found = read(last)
        yield from found
        if len(found) < _PAGE:
            return
        last = find_key(found[-1])


def count_instances(index: InstanceIndex, study: str, series: str = "") -> int:
    """Return the number of instances of a study, or of a series of it."""
    ((found,),) = index.read(
        "SELECT count(DISTINCT instance) FROM files WHERE study = ? AND ? IN ('', series)",
        (study, series),
    )
    return int(found)
