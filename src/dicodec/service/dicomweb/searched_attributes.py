"""Attributes that searches match and return, by level (PS3.18 10.6.1.2.3, 10.6.3.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from dicodec.model import tags
from dicodec.model.records import NamedTuple
from dicodec.part10.data_set import DataSet
from dicodec.service.dicomweb.dicom_json import make_some_json

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

STUDIES, SERIES, INSTANCES = LEVELS = ("studies", "series", "instances")

STUDY_DATE, MODALITY = 0x00080020, tags.MODALITY
MODALITIES_IN_STUDY = 0x00080061
REQUEST_ATTRIBUTES_SEQUENCE = 0x00400275

READ = {
    STUDIES: (
        STUDY_DATE, 0x00080030,  # Study Time
        0x00080050,  # Accession Number
        0x00080090,  # Referring Physician's Name
        0x00080201,  # Timezone Offset From UTC
        0x00081030,  # Study Description
        0x00100010, 0x00100020, 0x00100021,  # Patient's Name, Patient ID, its issuer
        0x00100030, 0x00100040,  # Patient's Birth Date, Patient's Sex
        tags.STUDY_INSTANCE_UID,
        0x00200010,  # Study ID
    ),
    SERIES: (
        0x00080021, 0x00080031,  # Series Date, Series Time
        MODALITY,
        0x0008103E,  # Series Description
        0x00180015, 0x00181030,  # Body Part Examined, Protocol Name
        tags.SERIES_INSTANCE_UID,
        0x00200011, 0x00200060,  # Series Number, Laterality
        0x00400244, 0x00400245,  # Performed Procedure Step Start Date, Start Time
        REQUEST_ATTRIBUTES_SEQUENCE,
    ),
    INSTANCES: (
        tags.IMAGE_TYPE, tags.SOP_CLASS_UID, tags.SOP_INSTANCE_UID,
        0x00080022, 0x00080023,  # Acquisition Date, Content Date
        0x00080032, 0x00080033,  # Acquisition Time, Content Time
        0x00200012, 0x00200013,  # Acquisition Number, Instance Number
        tags.NUMBER_OF_FRAMES, tags.ROWS, tags.COLUMNS, tags.BITS_ALLOCATED,
    ),
}  # fmt: skip
"""Attributes that are read from files, in the level that they belong to. Those of a patient are of
studies, because there is no level above them."""

COUNTED = {
    STUDIES: (MODALITIES_IN_STUDY, 0x00201206, 0x00201208),  # numbers of series and instances
    SERIES: (0x00201209,),  # number of instances
    INSTANCES: (tags.AVAILABLE_TRANSFER_SYNTAX_UID,),
}
"""Attributes that come from the index and not from a data set."""

LAST = max(tag for row in READ.values() for tag in row)
"""Tag of the last one: a file is read up to it."""

_LARGEST = 1024
"""Bytes of a value that is kept; the index of a million instances stays small."""


class SearchedAttributes(NamedTuple):
    """The attributes of one file.

    Attributes:
        study, series, instance: of each level, in the DICOM JSON Model, as text.
        day: Study Date.
        modality: Modality.
    """

    study: str = "{}"
    series: str = "{}"
    instance: str = "{}"
    day: str = ""
    modality: str = ""


def read_searched(data_set: DataSet, syntax: str) -> SearchedAttributes:
    """Return the attributes of a file.

    Args:
        data_set: its top level, at least up to `LAST`.
        syntax: UID of the transfer syntax that the file is in; "" if it states none.
    """
    found = make_some_json(data_set, [tag for row in READ.values() for tag in row], _LARGEST)
    if syntax:
        found[tags.AVAILABLE_TRANSFER_SYNTAX_UID] = {"vr": "UI", "Value": [syntax]}
    study, series, instance = (_choose(found, level) for level in LEVELS)
    day, modality = (data_set.read_text(tag)[:16].strip() for tag in (STUDY_DATE, MODALITY))
    return SearchedAttributes(study, series, instance, day, modality)


def _choose(found: Mapping[int, dict[str, Any]], level: str) -> str:
    own = {f"{tag:08X}": found[tag] for tag in (*READ[level], *COUNTED[level]) if tag in found}
    # A lone half of a surrogate pair is nothing that SQLite takes as text.
    text = json.dumps(own, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()


def find_level(tag: int) -> str:
    """Return the level that an attribute belongs to; "" if it is not searched."""
    return next((level for level in LEVELS if tag in READ[level] + COUNTED[level]), "")
