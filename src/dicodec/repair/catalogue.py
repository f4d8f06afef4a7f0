"""Every oddity that is recognised: how grave it is, what is assumed, what is written instead."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much an oddity matters to whoever reads the file."""

    HARMLESS = "harmless"  # every reader takes it
    WRONG = "wrong"  # there is one sensible reading; some readers fail
    DOUBTFUL = "doubtful"  # one reading is assumed where another is possible


@dataclass(frozen=True, slots=True)
class OddityKind:
    """One departure from the standard that is read all the same.

    Attributes:
        id: stable, for programs: lower case words joined by hyphens.
        severity: how much it matters.
        recognised: how it shows.
        assumed: how it is read.
        standardized: what the result of `--standardize` has instead.
        section: of the standard, where it says otherwise.
    """

    id: str
    severity: Severity
    recognised: str
    assumed: str
    standardized: str
    section: str


_HARMLESS, _WRONG, _DOUBTFUL = Severity

_ROWS = (
    OddityKind("no-preamble", _WRONG, "no 128 bytes and prefix DICM at the start",
               "the data set, or the prefix, begins at the first byte",
               "preamble of zeros and prefix", "PS3.10 7.1"),
    OddityKind("no-file-meta", _WRONG, "no element of group 2 at the start",
               "the transfer syntax that the data shows",
               "complete File Meta Information", "PS3.10 7.1"),
    OddityKind("implicit-file-meta", _WRONG, "the first element of group 2 states no VR",
               "group 2 is in implicit VR little endian",
               "group 2 in explicit VR little endian", "PS3.10 7.1"),
    OddityKind("no-file-meta-length", _WRONG, "(0002,0000) is missing",
               "group 2 ends with its last element", "(0002,0000) with the right length",
               "PS3.10 7.1"),
    OddityKind("wrong-file-meta-length", _WRONG,
               "(0002,0000) says another length than the elements have",
               "group 2 ends with its last element", "(0002,0000) with the right length",
               "PS3.10 7.1"),
    OddityKind("other-encoding", _WRONG,
               "the first element shows another VR form or byte order than is stated",
               "what the element shows", "the encoding of the target", "PS3.10 7.1"),
    OddityKind("no-transfer-syntax", _WRONG, "Transfer Syntax UID is missing",
               "the encoding that the first element shows", "Transfer Syntax UID", "PS3.10 7.1"),
    OddityKind("missing-attribute", _DOUBTFUL, "an attribute of the Image Pixel Module is missing",
               "the value named in the message", "the attribute with that value",
               "PS3.3 C.7.6.3"),
    OddityKind("wrong-high-bit", _DOUBTFUL, "High Bit lies outside of Bits Allocated",
               "Bits Stored - 1", "High Bit as assumed", "PS3.3 C.7.6.3.1.4"),
    OddityKind("zero-frames", _WRONG, "Number of Frames is 0", "1 frame", "Number of Frames 1",
               "PS3.3 C.7.6.6.1.1"),
    OddityKind("extended-offset-table-fragments", _WRONG,
               "an Extended Offset Table where frames have several fragments",
               "the table's offsets", "one fragment a frame", "PS3.3 C.7.6.3.1.8"),
    OddityKind("wrong-offset-table-lengths", _HARMLESS,
               "Extended Offset Table Lengths does not fit the fragments",
               "the fragments' own lengths", "the right lengths", "PS3.3 C.7.6.3.1.9"),
    OddityKind("wrong-offset-table", _HARMLESS, "an offset that is no fragment's",
               "frames by counting fragments, or by where streams begin", "the right table",
               "PS3.5 A.4"),
    OddityKind("wrong-number-of-frames", _WRONG,
               "Number of Frames is not that of the frames in Pixel Data",
               "nothing: converting such frames is refused", "nothing", "PS3.3 C.7.6.6.1.1"),
    OddityKind("pixel-data-truncated", _DOUBTFUL, "the file ends inside Pixel Data",
               "nothing: the frame at fault is named", "nothing", "PS3.5 7.1"),
    OddityKind("explicit-in-un", _WRONG, "a UN of undefined length whose elements state VRs",
               "explicit VR little endian inside", "a sequence in the data set's encoding",
               "PS3.5 6.2.2"),
    OddityKind("no-delimiter", _WRONG, "encapsulated Pixel Data ends without its delimiter",
               "it ends with the file", "the delimiter", "PS3.5 A.4"),
    OddityKind("stray-delimiter", _HARMLESS, "a delimiter outside of a sequence", "nothing",
               "it is left out", "PS3.5 7.5"),
    OddityKind("trailing-zeros", _HARMLESS, "nothing but zeros after the last element",
               "the data set ends before them", "they are left out", "PS3.10 7.2"),
    OddityKind("implicit-element", _WRONG, "an element without VR among elements that have one",
               "the VR of the dictionary", "the VR is stated", "PS3.5 7.1"),
    OddityKind("sequence-kept-as-un", _DOUBTFUL,
               "the dictionary says sequence, and the value is none", "bytes of no known meaning",
               "UN with the same bytes", "PS3.5 6.2.2"),
    OddityKind("encapsulated-outside-explicit-le", _WRONG,
               "encapsulated Pixel Data in a data set of another encoding",
               "fragments as they are", "explicit VR little endian", "PS3.5 A.4"),
)  # fmt: skip

ODDITIES = {row.id: row for row in _ROWS}
"""By id."""
