"""All changes of attributes that a planned conversion brings: rules applied to one data set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from dicodec.conversion.edits.nested_sequences import find_suspicious_sequences
from dicodec.conversion.planning.conversion_plan import Action, ConversionPlan, PixelPlan
from dicodec.model import tags
from dicodec.model.edits import Edit, RemoveAttribute, SetAttribute
from dicodec.options import ConversionOptions, edits_attributes
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.image_attributes import read_stated_attributes
from dicodec.rules.image_edits import make_image_edits, make_statistics_edits


def plan_edits(
    file: DicomFile,
    plan: ConversionPlan,
    options: ConversionOptions,
    warnings: list[str],
    of_pixels: Sequence[Edit] | None = None,
) -> tuple[Edit, ...]:
    """Return the edits of a conversion; of two for one attribute the later one counts.

    An attribute that is absent is not among those that are removed.

    Args:
        file: the source.
        plan: the plan of the pixels.
        options: the caller's options.
        warnings: takes warnings of the edits.
        of_pixels: edits that `make_pixel_edits` returned, if that was asked already.

    Raises:
        InvalidOptionError: see `make_user_edits` and `check_overlay_edits`.
    """
    encoding = plan.encoding
    edits: list[Edit] = [*file.corrections]
    if of_pixels is not None:
        edits += of_pixels
    elif plan.pixels is not None:
        edits += make_pixel_edits(file, plan, plan.pixels, options)
    wanted: list[Edit] = []
    if edits_attributes(options):
        from dicodec.conversion.edits.user_edits import check_overlay_edits, make_user_edits

        wanted = make_user_edits(file.data_set, options, encoding, warnings)
        if plan.pixels is not None and plan.pixels.overlays:
            overlays = {overlay.group for overlay in plan.pixels.overlays}
            check_overlay_edits(file.data_set, wanted, overlays, edits, encoding)
    left_out = {edit.tag for edit in wanted if isinstance(edit, RemoveAttribute)}
    suspicious = find_suspicious_sequences(file.data_set, left_out)
    if (first := next(suspicious, None)) is not None:
        from dicodec.conversion.edits.nested_pixels import make_nested_pixel_edits

        edits += make_nested_pixel_edits(
            file, plan.target, encoding, warnings, chain([first], suspicious), strict=options.strict
        )
    if options.charset is not None:
        from dicodec.conversion.edits.text_encoding import make_utf_8_edits

        own = {edit.tag for edit in wanted}
        edits = make_utf_8_edits(file.data_set, options.charset, edits, encoding, warnings, own)
    edits += wanted
    find = file.data_set.find
    return tuple(
        [
            edit
            for edit in {edit.tag: edit for edit in edits}.values()
            if edit.__class__ is not RemoveAttribute or find(edit.tag) is not None
        ]
    )


def make_pixel_edits(
    file: DicomFile,
    plan: ConversionPlan,
    pixels: PixelPlan,
    options: ConversionOptions,
) -> list[Edit]:
    """Return the edits that follow from the plan of the pixels.

    Args:
        file: the source.
        plan: the plan of the conversion.
        pixels: the part of it that is about the pixels.
        options: the caller's options.
    """
    encoding = plan.encoding
    edits: list[Edit] = []
    if plan.action is not Action.MOVE_VALUE or plan.target.native:
        edits += [RemoveAttribute(tag) for tag in tags.ENCAPSULATED_ATTRIBUTES]
        if plan.target.encapsulated and pixels.table == "extended":
            room = bytes(8 * pixels.frames)
            edits.append(SetAttribute(tags.EXTENDED_OFFSET_TABLE, "OV", room))
            edits.append(SetAttribute(tags.EXTENDED_OFFSET_TABLE_LENGTHS, "OV", room))
    if plan.action is Action.TRANSCODE or pixels.stated != pixels.result:
        # A stated value may be wrong in the source, corrected, and yet right in the result.
        corrected = {edit.tag for edit in file.corrections}
        said = read_stated_attributes(file.data_set)
        said = {tag: value for tag, value in said.items() if tag not in corrected}
        edits += make_image_edits(said, pixels.result)
    edits += pixels.edits
    if pixels.steps:
        from dicodec.conversion.edits.mirrored_tables import make_mirrored_table_edits

        edits += make_mirrored_table_edits(file.data_set, pixels, encoding)
    salvage = file.frames.salvage
    derived = pixels.derived
    if salvage is not None:
        from dicodec.conversion.edits.salvaged_frames import make_salvage_edits

        edits += make_salvage_edits(file.data_set, salvage, encoding)
        derived = "; ".join(filter(None, (salvage.text, derived)))
    if pixels.lossy or derived or pixels.source_lossy:
        edits += _make_loss_edits(file, plan, pixels, options, edits, derived)
    changed = any(step.rounds or step.bits is not None for step in pixels.steps)
    if pixels.lossy or changed or salvage is not None:
        edits += make_statistics_edits()
    return edits


def _make_loss_edits(
    file: DicomFile,
    plan: ConversionPlan,
    pixels: PixelPlan,
    options: ConversionOptions,
    before: list[Edit],
    derived: str,
) -> list[Edit]:
    """Return the edits that record losses of the source and of the conversion."""
    from dicodec.conversion.edits.frame_types import make_frame_type_edits
    from dicodec.conversion.edits.lossy_compression import (
        complete_history,
        complete_record,
        make_lossy_edits,
        make_rescaled_edits,
    )

    encoding = plan.encoding
    edits: list[Edit] = []
    history = complete_history(file, pixels)
    if pixels.lossy:
        done = "; ".join(filter(None, (derived, f"lossy compression: {plan.target.title}")))
        edits += make_lossy_edits(
            file.data_set, plan.target, options, history=history, description=done
        )
    elif derived:
        edits += make_rescaled_edits(file.data_set, options, encoding, derived, history)
    else:
        edits += complete_record(file.data_set, history)
    if pixels.lossy or derived:
        edits += make_frame_type_edits(file.data_set, [*before, *edits], encoding)
    return edits
