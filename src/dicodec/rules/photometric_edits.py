"""Edits that follow when samples are inverted, colored or given other gray levels.

PS3.3 C.7.5.1.1.2, C.7.6.3, C.8.11.3, C.11.1, C.11.2, C.11.6. docs/photometric.md says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dicodec.errors import UnsupportedImageError
from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetAttribute
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import NamedTuple, dataclass, field
from dicodec.part10.dictionary import find_keyword
from dicodec.pixels.gray import StoredRange

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # it takes milliseconds to load, and few images need it
    from decimal import Decimal


ROI_MEAN = 0x1302
ROI_STANDARD_DEVIATION = 0x1303
"""Of an overlay group (C.9.2): of the samples within it."""

IN_THE_WAY_OF_INVERSION = {
    tags.MODALITY_LUT_SEQUENCE: "Modality LUT Sequence",
    tags.PRESENTATION_LUT_SEQUENCE: "Presentation LUT Sequence",
    tags.SOFTCOPY_VOI_LUT_SEQUENCE: "Softcopy VOI LUT Sequence",
    tags.STORED_VALUE_COLOR_RANGE_SEQUENCE: "Stored Value Color Range Sequence",
    tags.PIXEL_INTENSITY_RELATIONSHIP_LUT_SEQUENCE: "Pixel Intensity Relationship LUT Sequence",
    tags.REAL_WORLD_VALUE_MAPPING_SEQUENCE: "Real World Value Mapping Sequence",
    tags.HISTOGRAM_SEQUENCE: "Histogram Sequence",
    tags.RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR: "Palette Color Lookup Table",
    tags.GRAY_LOOKUP_TABLE_DATA: "Gray Lookup Table Data",
    tags.DOSE_GRID_SCALING: "Dose Grid Scaling",  # RT Dose: stored values are doses
    tags.SEGMENT_SEQUENCE: "Segment Sequence",  # Segmentation: stored values are memberships
    tags.PIXEL_VALUE_MAPPING_TO_CODED_CONCEPT_SEQUENCE: (
        "Pixel Value Mapping to Coded Concept Sequence"
    ),
}
"""Attributes in stored values, or of mappings from them, that cannot simply be mirrored."""

IN_THE_WAY_OF_RESCALING = {
    tags.VOI_LUT_SEQUENCE: "VOI LUT Sequence",
    **{
        tag: name
        for tag, name in IN_THE_WAY_OF_INVERSION.items()
        if tag
        not in {tags.REAL_WORLD_VALUE_MAPPING_SEQUENCE, tags.HISTOGRAM_SEQUENCE}  # these leave
    },
}

NESTED = {
    tags.FRAME_VOI_LUT_SEQUENCE: "Frame VOI LUT Sequence",
    tags.PIXEL_VALUE_TRANSFORMATION_SEQUENCE: "Pixel Value Transformation Sequence",
    tags.REAL_WORLD_VALUE_MAPPING_SEQUENCE: "Real World Value Mapping Sequence",
    tags.PIXEL_INTENSITY_RELATIONSHIP_LUT_SEQUENCE: "Pixel Intensity Relationship LUT Sequence",
    tags.PIXEL_INTENSITY_RELATIONSHIP_SIGN: "Pixel Intensity Relationship Sign",
    tags.STORED_VALUE_COLOR_RANGE_SEQUENCE: "Stored Value Color Range Sequence",
    tags.SOFTCOPY_VOI_LUT_SEQUENCE: "Softcopy VOI LUT Sequence",
    **dict.fromkeys(
        (
            tags.RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags.RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags.SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        ),
        "Palette Color Lookup Table",
    ),
}
"""Sequences about stored values: functional groups, optical paths, enhanced palettes."""

_XA = frozenset({"XA", "RF"})
_NOT_FOR_DISPLAY = frozenset({"LOG", "DISP"})

_WITH_UNITS = {"CT": "Hounsfield units", "PT": "activity"}
_UNSPECIFIED = frozenset({"", "US", "UNSPECIFIED"})

_OF_STORED_VALUES = (tags.PIXEL_PADDING_VALUE, tags.PIXEL_PADDING_RANGE_LIMIT)
_NOT_OF_8_BITS = (
    *_OF_STORED_VALUES,
    tags.WINDOW_CENTER_WIDTH_EXPLANATION,
    tags.VOI_LUT_FUNCTION,
    tags.REAL_WORLD_VALUE_MAPPING_SEQUENCE,
    tags.HISTOGRAM_SEQUENCE,
)

_WORD = 16


@dataclass(frozen=True, slots=True)
class GrayAttributes:
    """A data set's attributes that map stored values to gray levels.

    Numbers of VR US or SS are given as their 16 bits, read as unsigned; None if absent.
    """

    modality: str = ""
    window_centers: tuple[str, ...] = ()
    window_widths: tuple[str, ...] = ()
    voi_function: str = ""
    slope: str = ""
    intercept: str = ""
    rescale_type: str = ""
    padding: int | None = None
    padding_limit: int | None = None
    smallest: int | None = None
    largest: int | None = None
    relationship_sign: int | None = None
    presentation_shape: str = ""
    has_units: bool = False
    relationship: str = ""
    roi_means: tuple[tuple[int, str], ...] = ()
    present: frozenset[int] = frozenset()
    nested: Mapping[int, int] = field(default_factory=dict)

    @property
    def modality_lut_is_for_display(self) -> bool:
        """Whether a Modality LUT comes before the window.

        That of X-Ray angiography and fluoroscopy leads back to a linear relationship with the
        intensity, and is not part of the display (C.8.7.1.1.2, PS3.4 N.2.1).
        """
        return self.modality not in _XA or self.relationship not in _NOT_FOR_DISPLAY


class LookUpTable(NamedTuple):
    """A table of gray levels (C.11.1.1, C.11.2.1.1).

    Attributes:
        entries: the levels.
        first: the value that the first one is for; smaller values get it too.
        bits: of each level.
    """

    entries: tuple[int, ...]
    first: int
    bits: int


def mirror_table(
    table: LookUpTable, gray: GrayAttributes, image: ImagePixelDescription
) -> LookUpTable:
    """Return the table that shows inverted samples as they were shown before.

    A value m of the old one is M - m now, and Photometric Interpretation turns the levels round.

    Args:
        table: the table.
        gray: of its data set.
        image: the image before.

    Raises:
        UnsupportedImageError: values are not whole numbers, or the table makes no sense.
    """
    middle = _compute_middle(gray, image)
    top = (1 << table.bits) - 1
    if middle != int(middle) or not 1 <= table.bits <= _WORD or max(table.entries, default=0) > top:
        raise UnsupportedImageError("there is a VOI LUT Sequence, which cannot be mirrored")
    first = int(middle) - (table.first + len(table.entries) - 1)
    if not -(1 << _WORD - 1) <= first < 1 << _WORD:
        raise UnsupportedImageError("there is a VOI LUT Sequence, which cannot be mirrored")
    return LookUpTable(tuple(top - one for one in reversed(table.entries)), first, table.bits)


def _compute_middle(gray: GrayAttributes, image: ImagePixelDescription) -> Decimal:
    """Return M: the sum of a rescaled value and its counterpart after inversion."""
    low, high = image.sample_range
    return parse_number(gray.slope or "1", "RescaleSlope") * (low + high) + 2 * parse_number(
        gray.intercept or "0", "RescaleIntercept"
    )


def make_inversion_edits(
    gray: GrayAttributes,
    voi_tables: Sequence[LookUpTable],
    image: ImagePixelDescription,
    target: str,
) -> tuple[Edit, ...]:
    """Return the edits that follow when stored values are inverted within Bits Stored.

    A stored value v becomes k - v, k being the sum of the smallest and the largest possible one.
    Rescale Slope s and Intercept b stay, so that a rescaled value m becomes s k + 2 b - m, and the
    window is mirrored likewise; its width stays.

    Args:
        gray: of the source.
        voi_tables: those of VOI LUT Sequence; they are looked at, and put in place elsewhere.
        image: the image before.
        target: MONOCHROME1 or MONOCHROME2.

    Raises:
        UnsupportedImageError: something could not follow; it is named.
    """
    _refuse(gray, IN_THE_WAY_OF_INVERSION, "would have to be mirrored")
    units = _WITH_UNITS.get(gray.modality, gray.rescale_type)
    if gray.rescale_type.upper() not in _UNSPECIFIED or (
        gray.modality in _WITH_UNITS and not gray.rescale_type
    ):
        raise UnsupportedImageError(
            f"the values mean something ({units}), and inverted they would not",
            attribute="RescaleType",
            hint="keep the Photometric Interpretation; viewers show either",
        )
    for table in voi_tables:
        mirror_table(table, gray, image)
    edits: list[Edit] = []
    if gray.window_centers:
        middle = _compute_middle(gray, image)
        # C.11.2.1.2.1: LINEAR is symmetric about center - 0.5, the other functions about center.
        middle += gray.voi_function in {"", "LINEAR"}
        centers = [
            _format_number(middle - parse_number(one, "WindowCenter"))
            for one in gray.window_centers
        ]
        edits.append(SetAttribute(tags.WINDOW_CENTER, "DS", "\\".join(centers)))
    edits += _mirror_values(gray, image)
    edits += _mirror_means(gray, image)
    if gray.relationship_sign in {1, 0xFFFF}:
        sign = -1 if gray.relationship_sign == 1 else 1
        edits.append(SetAttribute(tags.PIXEL_INTENSITY_RELATIONSHIP_SIGN, "SS", (sign,)))
    if gray.presentation_shape in {"IDENTITY", "INVERSE"}:
        shape = "INVERSE" if target == "MONOCHROME1" else "IDENTITY"
        edits.append(SetAttribute(tags.PRESENTATION_LUT_SHAPE, "CS", shape))
    elif gray.presentation_shape:
        raise UnsupportedImageError(
            f"Presentation LUT Shape {gray.presentation_shape} has no inverse",
            attribute="PresentationLUTShape",
        )
    return tuple(edits)


def make_palette_edits() -> tuple[Edit, ...]:
    """Return the edits that follow when PALETTE COLOR becomes RGB: tables and index values go."""
    return tuple(RemoveAttribute(tag) for tag in (*tags.PALETTE_TAGS, *_OF_STORED_VALUES))


def make_rescaling_edits(gray: GrayAttributes) -> tuple[Edit, ...]:
    """Return the edits that follow when window and rescaling are applied: 8 bits, MONOCHROME2."""
    edits: list[Edit] = [
        *(RemoveAttribute(tag) for tag in _NOT_OF_8_BITS),
        SetAttribute(tags.WINDOW_CENTER, "DS", "128"),
        SetAttribute(tags.WINDOW_WIDTH, "DS", "256"),
    ]
    for mean, _ in gray.roi_means:
        edits += [RemoveAttribute(mean), RemoveAttribute(mean - ROI_MEAN + ROI_STANDARD_DEVIATION)]
    if tags.MODALITY_LUT_SEQUENCE in gray.present:  # C.8.7.1.1.2: it is for values that are gone
        edits.append(RemoveAttribute(tags.MODALITY_LUT_SEQUENCE))
        edits.append(SetAttribute(tags.PIXEL_INTENSITY_RELATIONSHIP, "CS", "DISP"))
    if gray.slope or gray.intercept:
        edits += [
            SetAttribute(tags.RESCALE_SLOPE, "DS", "1"),
            SetAttribute(tags.RESCALE_INTERCEPT, "DS", "0"),
            SetAttribute(tags.RESCALE_TYPE, "LO", "US"),
        ]
    if gray.has_units:  # C.8.9.1.1.3
        edits += [SetAttribute(tags.UNITS, "CS", "NONE"), RemoveAttribute(tags.SUV_TYPE)]
    if gray.presentation_shape:
        edits.append(SetAttribute(tags.PRESENTATION_LUT_SHAPE, "CS", "IDENTITY"))
    if gray.relationship_sign is not None:
        edits.append(RemoveAttribute(tags.PIXEL_INTENSITY_RELATIONSHIP_SIGN))
    return tuple(edits)


def check_rescaling(gray: GrayAttributes) -> None:
    """Check that window and rescaling are all that lies between stored values and gray levels.

    Raises:
        UnsupportedImageError: there is another such attribute; the message names it.
    """
    in_the_way = IN_THE_WAY_OF_RESCALING
    if not gray.modality_lut_is_for_display:
        in_the_way = {
            tag: name for tag, name in in_the_way.items() if tag != tags.MODALITY_LUT_SEQUENCE
        }
    _refuse(gray, in_the_way, "is not applied")


def _refuse(gray: GrayAttributes, in_the_way: dict[int, str], why: str) -> None:
    for tag in sorted(gray.present):
        if tag in in_the_way:
            raise UnsupportedImageError(f"there is a {in_the_way[tag]}, which {why}")
    for tag in sorted(gray.nested):
        where, each = f"{find_keyword(gray.nested[tag])}", ""
        if gray.nested[tag] in tags.FUNCTIONAL_GROUPS:
            where, each = "functional groups", " for each frame"
        raise UnsupportedImageError(f"there is a {NESTED[tag]} in {where}, which {why}{each}")


def _mirror_means(gray: GrayAttributes, image: ImagePixelDescription) -> list[Edit]:
    """Return the edits of means that overlays say of samples.

    Raises:
        UnsupportedImageError: they may be of rescaled values.
    """
    if not gray.roi_means:
        return []
    if parse_number(gray.slope or "1", "RescaleSlope") != 1 or parse_number(
        gray.intercept or "0", ""
    ):
        raise UnsupportedImageError("there is a ROI Mean of values that are rescaled or not")
    middle = _compute_middle(gray, image)
    return [
        SetAttribute(tag, "DS", _format_number(middle - parse_number(mean, "ROIMean")))
        for tag, mean in gray.roi_means
    ]


def _mirror_values(gray: GrayAttributes, image: ImagePixelDescription) -> list[Edit]:
    """Return the edits of attributes in stored values."""
    low, high = image.sample_range
    vr = "SS" if image.signed else "US"
    edits: list[Edit] = []

    def put(tag: int, value: int) -> None:
        edits.append(SetAttribute(tag, vr, (low + high - value,)))

    padding = _read_word(gray.padding, image)
    limit = _read_word(gray.padding_limit, image)
    if padding is not None and limit is not None:
        # The part of the range that samples can have; no sample is in another.
        if max(padding, limit) >= low and min(padding, limit) <= high:
            put(tags.PIXEL_PADDING_VALUE, min(max(padding, low), high))
            put(tags.PIXEL_PADDING_RANGE_LIMIT, min(max(limit, low), high))
    elif padding is not None and low <= padding <= high:
        put(tags.PIXEL_PADDING_VALUE, padding)
    smallest, largest = _read_word(gray.smallest, image), _read_word(gray.largest, image)
    for tag, value in (
        (tags.SMALLEST_IMAGE_PIXEL_VALUE, largest),
        (tags.LARGEST_IMAGE_PIXEL_VALUE, smallest),
    ):
        if value is not None and low <= value <= high:
            put(tag, value)
        elif smallest is not None or largest is not None:
            edits.append(RemoveAttribute(tag))
    edits += [
        RemoveAttribute(tags.SMALLEST_PIXEL_VALUE_IN_SERIES),
        RemoveAttribute(tags.LARGEST_PIXEL_VALUE_IN_SERIES),
    ]
    return edits


def find_padding_range(gray: GrayAttributes, image: ImagePixelDescription) -> StoredRange | None:
    """Return the stored values that stand for no part of the image (C.7.5.1.1.2)."""
    padding, limit = _read_word(gray.padding, image), _read_word(gray.padding_limit, image)
    if padding is None:
        return None
    limit = padding if limit is None else limit
    return StoredRange(min(padding, limit), max(padding, limit))


def _read_word(word: int | None, image: ImagePixelDescription) -> int | None:
    """Return the value of 16 bits among samples of the image.

    Signed, they are two's complement of 16 bits, or of Bits Stored if the bits above are 0.
    """
    if word is None or not image.signed:
        return word
    value = word - (1 << 16) if word >= 1 << 15 else word
    _, high = image.sample_range
    if value > high and word < 1 << image.bits_stored:
        value = word - (1 << image.bits_stored)
    return value


def parse_number(text: str, attribute: str) -> Decimal:
    """Return the number that a DS value writes.

    Raises:
        UnsupportedImageError: it writes none.
    """
    from decimal import Decimal, InvalidOperation

    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise UnsupportedImageError(f"{text!r} is not a number", attribute=attribute)
    return found


def _format_number(number: Decimal) -> str:
    """Return a number as DS: exactly, or as near as 16 characters can."""
    text = f"{number.normalize():f}" if number else "0"
    if len(text) <= 16:
        return text
    candidates = (f"{float(number):.{digits}g}" for digits in range(16, 0, -1))
    return next(one for one in candidates if len(one) <= 16)
