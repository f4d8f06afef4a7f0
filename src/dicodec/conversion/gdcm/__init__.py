"""GDCM: the other engine and the other witness, in a process of its own."""

from dicodec.conversion.gdcm.capability import GDCM_SOURCES, GDCM_TARGETS, find_reason_against
from dicodec.conversion.gdcm.engine import GdcmOutcome, bound_seconds, convert_file, decode_file

__all__ = [
    "GDCM_SOURCES",
    "GDCM_TARGETS",
    "GdcmOutcome",
    "bound_seconds",
    "convert_file",
    "decode_file",
    "find_reason_against",
]
