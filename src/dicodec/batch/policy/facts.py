"""Facts: a table of the properties of a file that the rules of a policy can ask for."""

from __future__ import annotations

from collections.abc import Callable

from dicodec.errors import DicodecError, MalformedFileError
from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import StrEnum, dataclass
from dicodec.model.transfer_syntax import Loss
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.dictionary import find_vr
from dicodec.part10.values import NUMBER_CODES, parse_values

type FactValue = str | int | float | bool

_VALUES_OF = frozenset(NUMBER_CODES) | {
    "AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR",
    "UT",
}  # fmt: skip


class OpaqueValue(StrEnum):
    """Value that is there and cannot be compared: only `present` asks about it."""

    ITEMS = "items"
    BYTES = "bytes"


type FoundValue = FactValue | OpaqueValue


class FactKind(StrEnum):
    """Kind of a fact's values."""

    TEXT = "text"
    NUMBER = "a number"
    FLAG = "true or false"


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact about a file.

    Attributes:
        kind: kind of its values.
        read: returns its values; none if the file does not tell.
        meaning: description for people.
    """

    kind: FactKind
    read: Callable[[DicomFile], tuple[FactValue, ...]]
    meaning: str


def _find_image(file: DicomFile) -> ImagePixelDescription | None:
    return file.frames.description


def _from_image(
    read: Callable[[ImagePixelDescription], FactValue],
) -> Callable[[DicomFile], tuple[FactValue, ...]]:
    def read_values(file: DicomFile) -> tuple[FactValue, ...]:
        image = _find_image(file)
        return () if image is None else (read(image),)

    return read_values


def _read_text(tag: int) -> Callable[[DicomFile], tuple[FactValue, ...]]:
    def read_values(file: DicomFile) -> tuple[FactValue, ...]:
        text = file.data_set.read_text(tag)
        return (text,) if text else ()

    return read_values


def _read_lossy(file: DicomFile) -> tuple[FactValue, ...]:
    """Return whether information was lost, by the data set (PS3.3 C.7.6.1.1.5) or the stream."""
    if file.data_set.read_text(tags.LOSSY_IMAGE_COMPRESSION) == "01":
        return (True,)
    if file.syntax.loss is not Loss.POSSIBLE:
        return (file.syntax.loss is Loss.ALWAYS,)
    if file.frames.encapsulated is None:
        return ()
    from dicodec.codecs.table import find_decoder

    try:
        lossless = find_decoder(file.syntax).describe(file.frames.read(0)).lossless
    except DicodecError:  # the conversion will report it
        return ()
    return () if lossless is None else (not lossless,)


FACTS: dict[str, Fact] = {
    "syntax": Fact(
        FactKind.TEXT,
        lambda file: (file.syntax.name, file.syntax.uid, file.syntax.keyword),
        "transfer syntax: short name, UID or keyword",
    ),
    "storage": Fact(
        FactKind.TEXT,
        lambda file: (file.syntax.storage.value,),
        "native, encapsulated, encapsulated video, or elsewhere",
    ),
    "modality": Fact(FactKind.TEXT, _read_text(tags.MODALITY), "Modality"),
    "sop_class": Fact(FactKind.TEXT, _read_text(tags.SOP_CLASS_UID), "SOP Class UID"),
    "pixels": Fact(FactKind.FLAG, lambda file: (file.frames.present,), "whether there are any"),
    "photometric_interpretation": Fact(
        FactKind.TEXT, _from_image(lambda image: image.photometric_interpretation), "as stated"
    ),
    "samples_per_pixel": Fact(
        FactKind.NUMBER, _from_image(lambda image: image.samples_per_pixel), "1 or 3"
    ),
    "bits_allocated": Fact(
        FactKind.NUMBER, _from_image(lambda image: image.bits_allocated), "1, 8, 16, 32 or 64"
    ),
    "bits_stored": Fact(FactKind.NUMBER, _from_image(lambda image: image.bits_stored), "1 to 64"),
    "signed": Fact(
        FactKind.FLAG, _from_image(lambda image: image.signed), "Pixel Representation 1"
    ),
    "floating": Fact(
        FactKind.FLAG,
        _from_image(lambda image: image.floating),
        "Float or Double Float Pixel Data",
    ),
    "rows": Fact(FactKind.NUMBER, _from_image(lambda image: image.rows), "Rows"),
    "columns": Fact(FactKind.NUMBER, _from_image(lambda image: image.columns), "Columns"),
    "frames": Fact(
        FactKind.NUMBER,
        _from_image(lambda image: image.number_of_frames),
        "Number of Frames, or 1",
    ),
    "size": Fact(
        FactKind.NUMBER, lambda file: (file.source.size,), 'bytes of the file; "10 MB" is taken'
    ),
    "lossy": Fact(
        FactKind.FLAG, _read_lossy, "whether information was lost, by the data set or the stream"
    ),
}
"""The conditions of a rule, by name."""


def read_attribute(file: DicomFile, tag: int) -> tuple[FoundValue, ...]:
    """Return the values of any attribute of the data set's top level.

    Returns:
        Text without padding, or numbers; an OpaqueValue for a sequence with items, for bytes, tags,
        and values that cannot be read; nothing if the attribute is absent or empty.
    """
    span = file.data_set.find(tag)
    if span is None or not span.length:
        return ()
    vr = span.vr if span.vr not in {"", "UN"} else (find_vr(tag) or "")
    if vr == "SQ" or span.undefined:
        return (OpaqueValue.ITEMS,)
    if vr == "US or SS":
        vr = "SS" if file.data_set.read_number(tags.PIXEL_REPRESENTATION) == 1 else "US"
    if vr not in _VALUES_OF:
        return (OpaqueValue.BYTES,)
    raw = file.data_set.read_value(tag) or b""
    character_set = file.data_set.read_text(tags.SPECIFIC_CHARACTER_SET)
    encoding = file.data_set.choose_value_encoding(span)
    try:
        values = parse_values(vr, raw, encoding, character_set)
    except MalformedFileError:
        return (OpaqueValue.BYTES,)
    return tuple(value for value in values if isinstance(value, str | int | float) and value != "")
