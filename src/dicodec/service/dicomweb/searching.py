"""Search the index: studies, series and instances in the DICOM JSON Model (PS3.18 10.6)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice

from dicodec.model import tags
from dicodec.service.dicomweb.index import InstanceIndex
from dicodec.service.dicomweb.listing import (
    count_instances,
    list_instances,
    list_series,
    list_studies,
)
from dicodec.service.dicomweb.query import Query
from dicodec.service.dicomweb.searched_attributes import (
    COUNTED,
    INSTANCES,
    LEVELS,
    MODALITIES_IN_STUDY,
    SERIES,
    STUDIES,
)
from dicodec.service.dicomweb.sources import Target

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    type _Attributes = dict[str, Any]

_CHARACTER_SET = {"vr": "CS", "Value": ["ISO_IR 192"]}
_UIDS = {
    "study": (STUDIES, tags.STUDY_INSTANCE_UID),
    "series": (SERIES, tags.SERIES_INSTANCE_UID),
    "instance": (INSTANCES, tags.SOP_INSTANCE_UID),
}


class Search:
    """A search of the index, whose results are made as they are asked for.

    Args:
        index: the index.
        target: the study or series that is searched; empty for all.
        level: of the results.
        query: the query.
        base: base URL of the application.
    """

    def __init__(
        self, index: InstanceIndex, target: Target, level: str, query: Query, base: str
    ) -> None:
        self._index = index
        self._target = target
        self._level = level
        self._query = query
        self._base = base
        self._shown = self._choose_levels()

    def find(self) -> Iterator[bytes]:
        """Yield each result as JSON."""
        query = self._query
        end = None if query.limit is None else query.offset + query.limit
        for attributes in islice(self._find_all(), query.offset, end):
            text = json.dumps(attributes, ensure_ascii=False, separators=(",", ":"))
            yield text.encode("utf-8", "replace")

    def _choose_levels(self) -> frozenset[str]:
        """Return the levels whose attributes are in the results.

        Those above a result's own are if they are not in the URL (10.6.3.3.2), or are asked for.
        """
        target, fields = self._target, self._query.fields
        above = LEVELS[: LEVELS.index(self._level)]
        named = {STUDIES: target.study, SERIES: target.series}
        shown = {
            level
            for level in above
            if not named[level] or fields is None or self._query.conditions[level]
        }
        return frozenset(shown | {self._level})

    def _find_all(self) -> Iterator[_Attributes]:
        for study in list_studies(self._index, self._choose_uids()):
            found = json.loads(study.attributes)
            if self._query.conditions[STUDIES]:
                self._count_study(found, study.study)
            if not self._meets(STUDIES, found):
                continue
            if self._level == STUDIES:
                self._count_study(found, study.study, whole=True)
                yield self._finish(found, Target(study.study))
            else:
                yield from self._find_below(study.study, found)

    def _find_below(self, study: str, above: _Attributes) -> Iterator[_Attributes]:
        for series in list_series(self._index, study):
            if self._target.series not in {"", series.series}:
                continue
            found = json.loads(series.attributes)
            if not self._meets(SERIES, found):
                continue
            both = {**self._keep(above, STUDIES), **found}
            if self._level == SERIES:
                _put(both, 0x00201209, "IS", count_instances(self._index, study, series.series))
                yield self._finish(both, Target(study, series.series))
                continue
            for one in list_instances(self._index, study, series.series):
                own = json.loads(one.attributes)
                if self._meets(INSTANCES, own):
                    all_three = {**self._keep(above, STUDIES), **self._keep(found, SERIES), **own}
                    yield self._finish(all_three, Target(study, series.series, one.instance))

    def _choose_uids(self) -> dict[str, list[str]]:
        """Return the UIDs that the index can look up, so that not all studies are looked at."""
        target = self._target
        chosen = {
            name: [uid] for name, uid in (("study", target.study), ("series", target.series)) if uid
        }
        for name, (level, tag) in _UIDS.items():
            for one in self._query.conditions[level]:
                if one.path == (tag,) and "" not in one.wanted and name not in chosen:
                    chosen[name] = [*one.wanted]
        return chosen

    def _meets(self, level: str, attributes: Mapping[str, Any]) -> bool:
        return all(one.holds(attributes) for one in self._query.conditions[level])

    def _count_study(self, attributes: _Attributes, study: str, *, whole: bool = False) -> None:
        """Add what the index knows of a study; the numbers of its parts if `whole`."""
        series = [*list_series(self._index, study)]
        kinds = sorted({one.modality for one in series} - {""})
        _put(attributes, MODALITIES_IN_STUDY, "CS", *kinds)
        counted = {one.path[0] for one in self._query.conditions[STUDIES]} & {*COUNTED[STUDIES]}
        if whole or counted - {MODALITIES_IN_STUDY}:
            _put(attributes, 0x00201206, "IS", len(series))
            _put(attributes, 0x00201208, "IS", count_instances(self._index, study))

    def _keep(self, attributes: _Attributes, level: str) -> _Attributes:
        """Return those attributes of a level above that are in the results."""
        if level in self._shown:
            return attributes
        fields = self._query.fields or frozenset()
        return {tag: one for tag, one in attributes.items() if int(tag, 16) in fields}

    def _finish(self, attributes: _Attributes, target: Target) -> _Attributes:
        attributes["00080005"] = _CHARACTER_SET
        _put(attributes, 0x00080056, "CS", "ONLINE")
        _put(attributes, 0x00081190, "UR", f"{self._base}{target.path}")
        named = (target.study, target.series, target.instance)
        for uid, (_, tag) in zip(named, _UIDS.values(), strict=True):
            if uid:
                _put(attributes, tag, "UI", uid)
        return dict(sorted(attributes.items()))


def _put(attributes: _Attributes, tag: int, vr: str, *values: str | int) -> None:
    attributes[f"{tag:08X}"] = {"vr": vr, "Value": [*values]} if values else {"vr": vr}
