"""Faults of the readers that judge in the differential fuzzer; each is left out, with why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from helpers.made import EXPLICIT_BE
from helpers.witnesses import WitnessResult

RLE = "1.2.840.10008.1.2.5"


@dataclass(frozen=True, slots=True)
class KnownFault:
    """A reader that reads some files wrongly.

    Attributes:
        readers: their names.
        reason: why the reading is wrong, by the standard or by the two others.
        of: whether facts that the reader gives are of such a file.
    """

    readers: set[str]
    reason: str
    of: Callable[[dict[str, Any]], bool]

    def holds(self, reader: str, result: WitnessResult) -> bool:
        """Return whether a reading is not to be trusted."""
        return reader in self.readers and self.of(dict(result.facts))


KNOWN_FAULTS = (
    KnownFault(
        {"gdcm"},
        "it takes the six segments of 16-bit colors in another order than PS3.5 G.2; pydicom and "
        "DCMTK read them right",
        lambda facts: (
            facts["transfer_syntax"] == RLE
            and facts["samples_per_pixel"] == 3
            and facts["bits_allocated"] == 16
        ),
    ),
    KnownFault(
        {"gdcm", "dcmtk"},
        "big endian samples of 32 bits: pydicom swaps the bytes of each sample, as such files are "
        "found; these two swap those of each 16-bit word, as PS3.5 7.3 has it for OW",
        lambda facts: facts["transfer_syntax"] == EXPLICIT_BE and facts["bits_allocated"] == 32,
    ),
)
