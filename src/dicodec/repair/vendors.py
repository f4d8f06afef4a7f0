"""Files of before DICOM, and of vendors who put their pixels elsewhere."""

from __future__ import annotations

from array import array

from dicodec.errors import MalformedFileError, UnsupportedSourceError
from dicodec.model import tags
from dicodec.model.findings import Oddity, OddityId
from dicodec.model.records import replace
from dicodec.part10.data_set import DataSet, WalkedDataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.elements import Walker
from dicodec.part10.frames import find_frames
from dicodec.part10.spliced_source import SourceRange, SplicedSource

_ELSCINT_GROUP = 0x07A1
_PAPYRUS_GROUP = 0x0041


def translate_vendor_file(file: DicomFile) -> DicomFile:
    """Return a file whose vendor's or old conventions are replaced by DICOM's.

    Raises:
        ReadError: its way is known, and its pixels cannot be read.
    """
    if file.data_set.find(tags.RECOGNITION_CODE) is not None:
        file = _translate_acr_nema(file)
    if file.frames.present:
        return file
    groups = {span.tag >> 16 for span in file.data_set.elements}
    if _ELSCINT_GROUP in groups:
        return _translate_elscint(file)
    if _PAPYRUS_GROUP in groups:
        return _translate_papyrus(file)
    return file


def _translate_acr_nema(file: DicomFile) -> DicomFile:
    """Name a file of ACR-NEMA 300: its Recognition Code says so."""
    code = file.data_set.read_text(tags.RECOGNITION_CODE)
    if not code.upper().startswith("ACR-NEMA"):
        return file
    lacking = [
        name
        for name, tag in (("SOP Class UID", tags.SOP_CLASS_UID),
                          ("SOP Instance UID", tags.SOP_INSTANCE_UID))
        if not file.data_set.read_text(tag)
    ]  # fmt: skip
    text = f"a file of {code}, from before DICOM"
    if lacking:
        text += f": it has no {' and no '.join(lacking)}"
    return replace(file, oddities=(*file.oddities, Oddity(OddityId.ACR_NEMA, text)))


def find_private_element(
    data_set: DataSet, group: int, creator: str, element: int
) -> ElementSpan | None:
    """Return an element of a private block (PS3.5 7.8.1), None if there is none.

    Args:
        data_set: the data set to search.
        group: odd.
        creator: of the block.
        element: the lower byte of the element's number.
    """
    for block in range(0x10, 0x100):
        tag = group << 16 | block
        if data_set.find(tag) is not None and data_set.read_text(tag) == creator:
            return data_set.find(tag << 8 & 0xFF00 | element | group << 16)
    return None


def _translate_elscint(file: DicomFile) -> DicomFile:
    """Put pixels that Philips and Elscint CT scanners compress on their own into Pixel Data."""
    data_set = file.data_set
    kind = find_private_element(data_set, _ELSCINT_GROUP, "ELSCINT1", 0x11)
    pixels = find_private_element(data_set, _ELSCINT_GROUP, "ELSCINT1", 0x0A)
    if kind is None or pixels is None:
        return file
    from dicodec.repair.vendor_elscint import DECODERS

    name = data_set.read_text(kind.tag)
    decode = DECODERS.get(name)
    if decode is None:
        return file
    walked = WalkedDataSet(data_set, array("Q"), array("Q"), 0, ())
    place = ElementSpan(tags.PIXEL_DATA, kind.vr and "OW", 0, 0, 0, 0, undefined=False)
    oddities: list[Oddity] = []
    described = find_frames(walked, place, file.syntax, oddities).description
    if described is None:
        return file
    coded = data_set.read_value(pixels.tag)
    assert coded is not None
    native = decode(coded, described)
    start = data_set.source.size
    source = SplicedSource((SourceRange(data_set.source, 0, start), native))
    span = place._replace(start=start, value=start, length=len(native), end=start + len(native))
    kept = [one for one in data_set.elements if one.tag not in {kind.tag, pixels.tag}]
    after = next((i for i, one in enumerate(kept) if one.tag > span.tag), len(kept))
    made = DataSet(source, data_set.encoding, [*kept[:after], span, *kept[after:]], data_set.limits)
    walked = WalkedDataSet(made, array("Q"), array("Q"), 0, ())
    text = f"the pixels are in a private element, compressed as {name}"
    return replace(
        file,
        data_set=made,
        frames=find_frames(walked, span, file.syntax, []),
        oddities=(*file.oddities, *oddities, Oddity(OddityId.ELSCINT_PIXELS, text, pixels.start)),
    )


def _translate_papyrus(file: DicomFile) -> DicomFile:
    """Take the data set of an image out of a Papyrus 3 file, which has a sequence of them.

    Raises:
        UnsupportedSourceError: it holds several images, and a DICOM file holds one.
    """
    span = find_private_element(file.data_set, _PAPYRUS_GROUP, "PAPYRUS 3.0", 0x50)
    if span is None:
        return file
    data_set = file.data_set
    encoding = data_set.find_encoding(span)
    walker = Walker(data_set.source, data_set.limits)
    try:
        items = list(
            walker.walk_items(span.value, span.value + span.length, encoding, undefined=False)
        )
        if len(items) > 1:
            raise UnsupportedSourceError(
                f"a Papyrus 3 file of {len(items)} images, each with a data set of its own",
                hint="a DICOM file holds one",
            )
        elements: list[ElementSpan] = []
        walker = Walker(data_set.source, data_set.limits)
        for item in items:
            elements.extend(walker.walk_elements(item.value, item.value + item.length, encoding))
    except MalformedFileError:
        return file
    found = [one for one in elements if one.tag == tags.PIXEL_DATA]
    if not found:
        return file
    made = DataSet(data_set.source, encoding, elements, data_set.limits)
    walked = WalkedDataSet(
        made, walker.fragment_starts, walker.fragment_lengths, walker.missing, ()
    )
    oddities = [
        Oddity(
            OddityId.PAPYRUS, "the image of a Papyrus 3 file, in its private sequence", span.start
        )
    ]
    from dicodec.repair.encapsulation import recognize_syntax

    syntax = file.syntax
    if found[0].undefined:
        syntax = recognize_syntax(file.stated_syntax, syntax, walked, found[0], oddities) or syntax
    frames = find_frames(walked, found[0], syntax, oddities)
    return replace(
        file,
        syntax=syntax,
        data_set=made,
        frames=frames,
        oddities=(*file.oddities, *oddities),
    )
