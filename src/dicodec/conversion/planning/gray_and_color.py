"""Read a data set's mappings from stored values to gray levels or colors."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dicodec.errors import MalformedFileError, UnsupportedImageError
from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.records import replace
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_vr
from dicodec.part10.element_span import ElementSpan
from dicodec.part10.encoding import encode_tag
from dicodec.pixels.gray import VOI_FUNCTIONS, Rescaling, Window
from dicodec.pixels.palette import Palette, make_color_table, make_palette
from dicodec.rules import photometric_edits as rules

_SINGLE = (
    *rules.IN_THE_WAY_OF_INVERSION,
    *rules.IN_THE_WAY_OF_RESCALING,
)
_COLORS = (
    # name, descriptor, data, segmented data
    (
        "red",
        tags.RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags.RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags.SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ),
    (
        "green",
        tags.GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags.GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags.SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ),
    (
        "blue",
        tags.BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags.BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags.SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ),
)


def read_gray_attributes(data_set: DataSet) -> rules.GrayAttributes:
    """Return the steps between stored values and gray levels, and where sequences have more.

    Raises:
        MalformedFileError, TruncatedFileError: a sequence cannot be read.
    """
    return replace(
        read_gray_values(data_set),
        present=frozenset(tag for tag in _SINGLE if data_set.find(tag) is not None),
        nested=_find_nested(data_set),
    )


def read_gray_values(data_set: DataSet) -> rules.GrayAttributes:
    """Return the steps between stored values and gray levels that one level of a data set has."""
    return rules.GrayAttributes(
        modality=data_set.read_text(tags.MODALITY).upper(),
        window_centers=_read_values(data_set, tags.WINDOW_CENTER),
        window_widths=_read_values(data_set, tags.WINDOW_WIDTH),
        voi_function=data_set.read_text(tags.VOI_LUT_FUNCTION).upper(),
        slope=_read_first(data_set, tags.RESCALE_SLOPE),
        intercept=_read_first(data_set, tags.RESCALE_INTERCEPT),
        rescale_type=data_set.read_text(tags.RESCALE_TYPE),
        padding=_read_word(data_set, tags.PIXEL_PADDING_VALUE),
        padding_limit=_read_word(data_set, tags.PIXEL_PADDING_RANGE_LIMIT),
        smallest=_read_word(data_set, tags.SMALLEST_IMAGE_PIXEL_VALUE),
        largest=_read_word(data_set, tags.LARGEST_IMAGE_PIXEL_VALUE),
        relationship_sign=_read_word(data_set, tags.PIXEL_INTENSITY_RELATIONSHIP_SIGN),
        presentation_shape=data_set.read_text(tags.PRESENTATION_LUT_SHAPE).upper(),
        has_units=data_set.find(tags.UNITS) is not None,
        relationship=data_set.read_text(tags.PIXEL_INTENSITY_RELATIONSHIP).upper(),
        roi_means=_read_roi_means(data_set),
    )


def choose_rescaling(
    gray: rules.GrayAttributes, image: ImagePixelDescription, warnings: list[str]
) -> Rescaling:
    """Return how stored values become gray levels, by the first window that can be used.

    If there is none, the window is missing: it is to reach over all samples.

    Args:
        gray: the data set's attributes.
        image: whose samples are rescaled.
        warnings: unused attributes of the data set are added.

    Raises:
        UnsupportedImageError: a number is not one.
    """
    slope = float(rules.parse_number(gray.slope or "1", "RescaleSlope"))
    intercept = float(rules.parse_number(gray.intercept or "0", "RescaleIntercept"))
    padding = rules.find_padding_range(gray, image)
    if not slope:
        warnings.append(
            "Rescale Slope is 0, which makes all values equal: rescaling and windows are not used"
        )
        return Rescaling(padding=padding)
    plain = Rescaling(slope, intercept, padding=padding)
    function = gray.voi_function or "LINEAR"
    pairs = tuple(zip(gray.window_centers, gray.window_widths, strict=False))
    if pairs and function not in VOI_FUNCTIONS:
        warnings.append(f"VOI LUT Function {function} is unknown: windows are not used")
        return plain
    for one in pairs:
        center = float(rules.parse_number(one[0], "WindowCenter"))
        width = float(rules.parse_number(one[1], "WindowWidth"))
        if width > 0:
            # LINEAR takes 1 from the width, and is not defined below 1 (C.11.2.1.2.1).
            below = function == "LINEAR" and width < 1
            window = Window(center, width, "LINEAR_EXACT" if below else function)
            shown = replace(plain, window=window)
            if shown.shows_levels(image):
                if below:
                    warnings.append(
                        f"Window Width {width:g} is below 1, but LINEAR needs at least 1: "
                        "LINEAR_EXACT is taken"
                    )
                return shown
        warnings.append(
            f"the window {center:g}, {width:g} is not used: it makes two gray levels at most"
        )
    return plain


def read_palette(data_set: DataSet, image: ImagePixelDescription) -> Palette:
    """Return the Palette Color Lookup Tables, expanded.

    Args:
        data_set: that has them.
        image: whose Pixel Representation decides the sign of the first mapped value.

    Raises:
        MalformedFileError: a table is missing or makes no sense.
    """
    tables = []
    said = 0
    for color, descriptor_tag, data_tag, segmented_tag in _COLORS:
        descriptor = _read_words(data_set, descriptor_tag)
        segmented = data_set.read_value(data_tag) is None
        data = _read_words(data_set, segmented_tag if segmented else data_tag)
        if len(descriptor) < 3 or not data:
            raise MalformedFileError(
                f"the {color} Palette Color Lookup Table or its descriptor is missing",
                attribute=f"{color.title()}PaletteColorLookupTable"
                f"{'Data' if len(descriptor) >= 3 else 'Descriptor'}",
            )
        entries, first, bits = descriptor[:3]
        if image.signed and first >= 1 << 15:
            first -= 1 << 16
        said = max(said, bits)
        tables.append(
            make_color_table(
                color,
                (entries, first, bits),
                data,
                struct.pack(f"<{len(data)}H", *data),
                segmented=segmented,
            )
        )
    return make_palette(tables, said)


def _read_words(data_set: DataSet, tag: int) -> tuple[int, ...]:
    """Return a value as 16-bit numbers; a last odd byte gets a zero.

    Bytes of OB are in pairs with the lower one first, in any byte order (PS3.5 7.3).
    """
    value = data_set.read_value(tag) or b""
    value += b"\0" * (len(value) % 2)
    span = data_set.find(tag)
    in_order = span is not None and span.vr in {"OB", "UN"}
    order = "<" if in_order else data_set.encoding.order
    return struct.unpack(f"{order}{len(value) // 2}H", value)


def _read_values(data_set: DataSet, tag: int) -> tuple[str, ...]:
    text = data_set.read_text(tag)
    return tuple(value.strip() for value in text.split("\\") if value.strip())


def _read_first(data_set: DataSet, tag: int) -> str:
    return next(iter(_read_values(data_set, tag)), "")


def _read_word(data_set: DataSet, tag: int) -> int | None:
    number = data_set.read_number(tag)
    return None if number is None else number & 0xFFFF


def read_table(item: DataSet, image: ImagePixelDescription) -> rules.LookUpTable:
    """Return a table of gray levels.

    Args:
        item: of a sequence of them.
        image: whose samples it is for; without VRs their sign is that of values in the descriptor.

    Raises:
        UnsupportedImageError: it makes no sense.
    """
    descriptor = _read_words(item, tags.LUT_DESCRIPTOR)
    words = _read_words(item, tags.LUT_DATA)
    if len(descriptor) < 3:
        raise UnsupportedImageError("a LUT Descriptor is missing", attribute="LUTDescriptor")
    count, first, bits = descriptor[0] or 1 << 16, descriptor[1], descriptor[2]
    span = item.find(tags.LUT_DESCRIPTOR)
    signed = span is not None and (span.vr == "SS" or (not span.vr and image.signed))
    if signed and first >= 1 << 15:
        first -= 1 << 16
    entries = words if len(words) >= count else struct.pack(f"<{len(words)}H", *words)
    if len(entries) < count:
        raise UnsupportedImageError("LUT Data is too short", attribute="LUTData")
    return rules.LookUpTable(tuple(entries[:count]), first, bits)


def read_voi_tables(
    data_set: DataSet, image: ImagePixelDescription
) -> tuple[rules.LookUpTable, ...]:
    """Return the tables of VOI LUT Sequence.

    Raises:
        UnsupportedImageError: one makes no sense.
    """
    return tuple(read_table(item, image) for item in data_set.read_items(tags.VOI_LUT_SEQUENCE))


def _find_nested(data_set: DataSet) -> dict[int, int]:
    """Return the attributes of stored values in sequences, and the top level sequence of the first.

    Icons are images of their own.
    """
    found: dict[int, int] = {}
    for span in data_set.elements:
        if not _is_sequence(span) or span.tag in {tags.ICON_IMAGE_SEQUENCE, *_SINGLE}:
            continue
        raw, encoding = data_set.read_raw(span), data_set.find_encoding(span)
        wanted = {tag for tag in rules.NESTED if encode_tag(tag, encoding) in raw}
        if wanted:
            for tag in _find_in_items(data_set, span.tag, wanted):
                found.setdefault(tag, span.tag)
    return found


def _find_in_items(data_set: DataSet, sequence: int, wanted: set[int]) -> Iterator[int]:
    for item in data_set.read_items(sequence):
        for span in item.elements:
            if span.tag in wanted and span.length:
                yield span.tag
            if _is_sequence(span) and span.tag != tags.ICON_IMAGE_SEQUENCE:
                yield from _find_in_items(item, span.tag, wanted)


def _is_sequence(span: ElementSpan) -> bool:
    if span.vr in {"", "UN"}:
        return find_vr(span.tag) == "SQ"
    return span.vr == "SQ"


def _read_roi_means(data_set: DataSet) -> tuple[tuple[int, str], ...]:
    found = ((group << 16 | rules.ROI_MEAN) for group in tags.OVERLAY_GROUPS)
    return tuple((tag, text) for tag in found if (text := data_set.read_text(tag)))
