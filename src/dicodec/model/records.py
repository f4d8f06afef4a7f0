"""Data classes, named tuples, enumerations and protocols for the whole package.

    from dicodec.model.records import NamedTuple, StrEnum, dataclass, replace

Type checkers see the standard library's names here. At run time they are those of
record_classes.py, tuple_classes.py and enum_classes.py, which make the same classes in a tenth of
the time, because the start of a small conversion is bound by it. For the same reason a protocol,
which only type checkers read, is a plain class at run time; and `typing`, which takes as long as
fifteen modules of the package, is imported for type checkers only.
"""

from __future__ import annotations

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, fields, replace
    from enum import StrEnum
    from typing import NamedTuple, Protocol
else:
    from dicodec.model.enum_classes import StrEnum
    from dicodec.model.record_classes import asdict, dataclass, field, fields, replace
    from dicodec.model.tuple_classes import NamedTuple

    Protocol = object

__all__ = [
    "NamedTuple",
    "Protocol",
    "StrEnum",
    "asdict",
    "dataclass",
    "field",
    "fields",
    "replace",
]
