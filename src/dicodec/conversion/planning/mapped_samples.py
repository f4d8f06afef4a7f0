"""Decide about samples that tables or windows map: palette colors, gray levels of 8 bits.

Few conversions come here, so it is imported by those that do.
"""

from __future__ import annotations

from dicodec.conversion.planning.gray_and_color import choose_rescaling as read_rescaling
from dicodec.conversion.planning.gray_and_color import (
    read_gray_attributes,
    read_palette,
    read_voi_tables,
)
from dicodec.conversion.planning.stored_values import check_palette_may_leave
from dicodec.errors import ContradictionError, UnsupportedImageError
from dicodec.model import tags
from dicodec.model.edits import Edit
from dicodec.model.image import ImagePixelDescription
from dicodec.options import ConversionOptions
from dicodec.part10.data_set import DataSet
from dicodec.pixels import palette
from dicodec.pixels.gray import make_narrowing_step, make_rescaling_step
from dicodec.pixels.photometric import PhotometricStep
from dicodec.rules.photometric_edits import (
    check_rescaling,
    make_inversion_edits,
    make_palette_edits,
    make_rescaling_edits,
)


def plan_palette_steps(
    data_set: DataSet,
    decoded: ImagePixelDescription,
    options: ConversionOptions,
    decisions: list[str],
) -> tuple[PhotometricStep, ...]:
    """Return the steps from indices to colors.

    Raises:
        ContradictionError: the tables are odd, and that is not allowed.
        MalformedFileError: a table is missing or makes no sense.
        UnsupportedImageError: the indices stand for more than colors.
    """
    check_palette_may_leave(data_set)
    tables = read_palette(data_set, decoded)
    if tables.notes and options.strict:
        raise ContradictionError(tables.notes[0])
    decisions += tables.notes
    steps = palette.make_palette_steps(tables)
    return steps[-1:] if options.rescale_to_8bit else steps


def plan_rescaling(
    data_set: DataSet,
    decoded: ImagePixelDescription,
    options: ConversionOptions,
    warnings: list[str],
) -> PhotometricStep:
    """Return the step to 8 bits; unused attributes of the data set are added to the warnings.

    Raises:
        UnsupportedImageError: the data set's gray levels cannot be applied.
    """
    stated = decoded.photometric_interpretation
    if options.photometric == "MONOCHROME1":
        raise UnsupportedImageError("a result rescaled to 8 bits is MONOCHROME2")
    if not decoded.monochrome:
        return make_narrowing_step(stated)
    gray = read_gray_attributes(data_set)
    check_rescaling(gray)
    if tags.MODALITY_LUT_SEQUENCE in gray.present:
        warnings.append(
            f"a Modality LUT of {gray.modality} is not for display (PS3.3 C.8.7.1.1.2): it leaves"
        )
    return make_rescaling_step(stated, read_rescaling(gray, decoded, warnings))


def make_edits(
    data_set: DataSet, steps: tuple[PhotometricStep, ...], decoded: ImagePixelDescription
) -> tuple[Edit, ...]:
    """Return the attributes that follow from steps."""
    edits: list[Edit] = []
    image = decoded
    for step in steps:
        if step.source == "PALETTE COLOR":
            edits += make_palette_edits()
        elif image.monochrome and step.bits is not None:
            edits += make_rescaling_edits(read_gray_attributes(data_set))
        elif image.monochrome:
            edits += make_inversion_edits(
                read_gray_attributes(data_set), read_voi_tables(data_set, image), image, step.target
            )
        image = step.describe(image)
    return tuple(edits)
