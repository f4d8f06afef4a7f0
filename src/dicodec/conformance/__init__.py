"""A suite for every converter: made files, the converter's results, and a verdict on each."""

from __future__ import annotations

from dicodec.conformance.converters import Converter, load_converters, make_converter
from dicodec.conformance.suite import Examination, examine
from dicodec.conformance.verdicts import Verdict

__all__ = [
    "Converter",
    "Examination",
    "Verdict",
    "examine",
    "load_converters",
    "make_converter",
]
