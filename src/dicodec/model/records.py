"""Data classes: `dataclass`, `field`, `fields`, `replace` and `asdict` for the whole package.

    from dicodec.model.records import dataclass, replace

Type checkers see the standard library's names here. At run time they are those of
record_classes.py, which make the same classes in a tenth of the time, because the start of a small
conversion is bound by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, fields, replace
else:
    from dicodec.model.record_classes import asdict, dataclass, field, fields, replace

__all__ = ["asdict", "dataclass", "field", "fields", "replace"]
