"""Faults of the readers that judge in the differential fuzzer; each is left out, with why.

A reading that a known fault may have spoilt is no witness; two others have to be found for the
file, so that a fault of dicodec is noticed in it all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dicodec.conversion.gdcm.capability import READING_FAULTS, GdcmFault
from dicodec.model.image import ImagePixelDescription
from dicodec.model.transfer_syntax import find_by_name
from helpers.made import EXPLICIT_BE
from helpers.witness_child import ENCAPSULATED_UNCOMPRESSED

RLE = "1.2.840.10008.1.2.5"

type Facts = Mapping[str, Any]
"""Attributes of an image by their names in `ImagePixelDescription`, and transfer_syntax."""


@dataclass(frozen=True, slots=True)
class KnownFault:
    """A reader that reads some files wrongly, or not at all although it reads their like.

    Attributes:
        readers: their names.
        reason: why the reading is wrong, by the standard or by the two others.
        of: whether facts are of such a file.
        refuses: whether it never reads samples that are wrong, but may refuse the file.
    """

    readers: frozenset[str]
    reason: str
    of: Callable[[Facts], bool]
    refuses: bool = False


def find_known_fault(reader: str, facts: Facts, *, refused: bool = False) -> KnownFault | None:
    """Return why a reader's samples of such a file, or its refusal, do not count; None if they do.

    Args:
        reader: its name.
        facts: of the file.
        refused: whether it gave no samples.
    """
    faults = (one for one in KNOWN_FAULTS if refused or not one.refuses)
    return _find(faults, reader, facts)


def find_known_element_fault(reader: str, facts: Facts) -> KnownFault | None:
    """Return why a reader's elements of such a file do not count; None if they do."""
    return _find(KNOWN_ELEMENT_FAULTS, reader, facts)


def _find(faults: Iterable[KnownFault], reader: str, facts: Facts) -> KnownFault | None:
    return next((one for one in faults if reader in one.readers and one.of(facts)), None)


def _of_gdcm(fault: GdcmFault) -> KnownFault:
    """Return a fault that dicodec itself knows of its other engine."""
    uids = {str(syntax.uid) for name in fault.syntaxes if (syntax := find_by_name(name))}

    def holds(facts: Facts) -> bool:
        return facts["transfer_syntax"] in uids and fault.applies(_describe(facts))

    return KnownFault(frozenset({"gdcm"}), f"it {fault.what}", holds)


def _describe(facts: Facts) -> ImagePixelDescription:
    names = (
        "rows", "columns", "samples_per_pixel", "photometric_interpretation", "bits_allocated",
        "bits_stored", "pixel_representation", "planar_configuration", "number_of_frames",
    )  # fmt: skip
    return ImagePixelDescription(
        **{name: facts[name] for name in names}, high_bit=facts["bits_stored"] - 1
    )


def _frame_bits(facts: Facts) -> int:
    samples: int = facts["rows"] * facts["columns"] * facts["samples_per_pixel"]
    return samples * int(facts["bits_allocated"])


_SMALL_FRAME = 512
"""Bytes; GDCM was seen to refuse RLE up to 288."""


KNOWN_FAULTS = (
    *map(_of_gdcm, READING_FAULTS),
    KnownFault(
        frozenset({"gdcm"}),
        "it ends itself at fewer than 8 bits stored in 8, in native syntaxes too",
        lambda facts: facts["bits_allocated"] == 8 and facts["bits_stored"] < 8,
    ),
    KnownFault(
        frozenset({"gdcm", "dcmtk"}),
        "big endian samples of 32 bits: pydicom swaps the bytes of each sample, as such files are "
        "found; these two swap those of each 16-bit word, as PS3.5 7.3 has it for OW",
        lambda facts: facts["transfer_syntax"] == EXPLICIT_BE and facts["bits_allocated"] == 32,
    ),
    KnownFault(
        frozenset({"pydcm"}),
        "it takes colors of 8 bits stored in 16 for bytes; pydicom, DCMTK and dicom-rs read the "
        "same files right, native ones too",
        lambda facts: (
            facts["samples_per_pixel"] == 3
            and facts["bits_allocated"] == 16
            and facts["bits_stored"] <= 8
        ),
    ),
    KnownFault(
        frozenset({"dicom-rs"}),
        "it takes the pad byte of a frame of an odd number of bytes for a sample of the next one "
        "(PS3.5 A.4: fragments are of even length)",
        lambda facts: (
            facts["transfer_syntax"] == ENCAPSULATED_UNCOMPRESSED
            and _frame_bits(facts) // 8 % 2 == 1
        ),
    ),
    KnownFault(
        frozenset({"gdcm"}),
        "it refuses some RLE streams that are longer than their small frames, those of pydicom's "
        "encoder too, which are the same bytes",
        lambda facts: facts["transfer_syntax"] == RLE and _frame_bits(facts) < 8 * _SMALL_FRAME,
        refuses=True,
    ),
)
"""Of samples."""

KNOWN_ELEMENT_FAULTS = (
    KnownFault(
        frozenset({"pydicom"}),
        "it reads the items of a UN in a big endian data set in big endian, and PS3.5 6.2.2 has "
        "them in implicit VR little endian; DCMTK reads them so",
        lambda facts: facts["transfer_syntax"] == EXPLICIT_BE and facts["items_in_un"],
    ),
)
"""Of elements; items_in_un tells whether an element of VR UN holds items."""
