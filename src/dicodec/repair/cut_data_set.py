"""A data set that ends inside an element, with everything that its pixels need."""

from __future__ import annotations

from dicodec.errors import TruncatedFileError
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.limits import Limits
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import PIXEL_DATA_TAGS, Walker
from dicodec.part10.encoding import DataSetEncoding
from dicodec.part10.source import ByteSource


def walk_to_the_cut(
    source: ByteSource, start: int, encoding: DataSetEncoding, limits: Limits
) -> WalkedDataSet | None:
    """Return the elements before the one that is cut off; None unless Pixel Data is among them.

    Raises:
        MalformedFileError: something else is wrong.
    """
    walker = Walker(source, limits)
    elements: list[ElementSpan] = []
    try:
        elements.extend(walker.walk_elements(start, source.size, encoding))
    except TruncatedFileError as error:
        if not elements or all(span.tag not in PIXEL_DATA_TAGS for span in elements):
            return None
        text = f"the file ends after Pixel Data: {error.message}; all elements behind it are lost"
        walker.oddities.append(Oddity(OddityId.ELEMENTS_LOST, text, error.offset))
    return WalkedDataSet(
        DataSet(source, encoding, elements, limits),
        walker.fragment_starts,
        walker.fragment_lengths,
        walker.missing,
        tuple(walker.oddities),
    )
