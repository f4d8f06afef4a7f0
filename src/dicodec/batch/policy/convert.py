"""Convert one file as a policy decides; a kept file is copied, or left alone in place."""

from __future__ import annotations

import time

from dicodec.batch.policy.policy import Choice, Policy, open_once
from dicodec.conversion.convert import convert_with, find_path
from dicodec.conversion.frames.pipeline import Progress
from dicodec.conversion.output.placement import Placement
from dicodec.conversion.output.result_file import Target, open_result
from dicodec.conversion.planning.conversion_plan import Action
from dicodec.errors import (
    DicodecError,
    EncodeError,
    SampleRangeError,
    UnsupportedImageError,
    UnsupportedSourceError,
)
from dicodec.model import tags
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import Source
from dicodec.part10.source import read_chunks
from dicodec.repair.opening import open_tolerantly
from dicodec.report import LEFT_ALONE, ConversionReport, SizeEstimate

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.conversion.pixel_decisions import ConversionMemory

NOT_HELD = (UnsupportedSourceError, UnsupportedImageError, SampleRangeError, EncodeError)
"""Errors of images that targets cannot hold, and of sources that are not decoded."""


def convert_by_policy(
    source: Source,
    target: Target | None,
    base: ConversionOptions,
    *,
    policy: Policy,
    in_place: bool,
    coded_frames: int = 0,
) -> ConversionReport:
    """Convert a file by the first rule that matches it, or keep it.

    Args:
        source: the file.
        target: path or stream for the result; None to plan only.
        base: options of the run; the rule's options change them.
        policy: the policy.
        in_place: whether the target is the source.
        coded_frames: see `convert_with`.

    Raises:
        DicodecError: see `dicodec.convert`.
    """
    try:
        with open_once(source) as opened:
            choice = policy.choose(opened, base)
            report = convert_by_choice(
                opened, target, choice, base, in_place=in_place, coded_frames=coded_frames
            )
    except DicodecError as error:
        error.with_location(path=find_path(source))
        raise
    report.source = find_path(source)  # that of a pipe was opened before
    report.rule = choice.rule
    return report


def convert_by_choice(
    source: Source,
    target: Target | None,
    choice: Choice,
    base: ConversionOptions,
    placement: Placement | None = None,
    progress: Progress | None = None,
    *,
    in_place: bool,
    coded_frames: int = 0,
    memory: ConversionMemory | None = None,
) -> ConversionReport:
    """Convert a file as a policy has chosen, or keep it.

    Args:
        source: the file; it may be read twice.
        target: path or stream for the result; None to plan only.
        choice: the policy's choice for it.
        base: options of the run, for files that are kept.
        placement: puts the result in place later; None to do it at once.
        progress: see `convert_with`.
        in_place: whether the target is the source.
        coded_frames: see `convert_with`.
        memory: see there.

    Raises:
        DicodecError: see `dicodec.convert`.
    """
    if choice.options is None:
        return keep_file(source, target, base, placement, in_place=in_place)
    try:
        return convert_with(
            source,
            target,
            choice.options,
            progress,
            placement,
            coded_frames=coded_frames,
            memory=memory,
        )
    except NOT_HELD as error:
        if not choice.keeps_rest:
            raise
        report = keep_file(source, target, choice.options, placement, in_place=in_place)
        report.warnings.append(f"kept as it is, because it cannot be converted: {error.message}")
        return report


def keep_file(
    source: Source,
    target: Target | None,
    options: ConversionOptions,
    placement: Placement | None = None,
    *,
    in_place: bool,
) -> ConversionReport:
    """Keep a file as it is: copy its bytes to the target.

    Args:
        source: the file.
        target: path or stream for the copy; None to plan only.
        options: options of the run, for `overwrite`, `backup` and `limits`.
        placement: puts the copy in place later; None to do it at once.
        in_place: whether the target is the source, which is then left alone.

    Raises:
        ReadError: the source cannot be read.
        WriteError: the copy cannot be put in place.
    """
    started = time.perf_counter()
    written = None if in_place else target
    report = ConversionReport(
        source=find_path(source),
        target=find_path(target),
        action=LEFT_ALONE,
        dry_run=target is None,
    )
    with open_tolerantly(source, options.limits) as file:
        report.source_syntax = report.target_syntax = file.syntax.name
        report.modality = file.data_set.read_text(tags.MODALITY)
        report.source_size = report.target_size = report.native_size = file.source.size
        if report.dry_run:
            report.estimate = SizeEstimate(file.source.size, 0.0, 0)
        if written is not None:
            report.action = Action.COPY_FILE.value
            with open_result(
                written,
                overwrite=options.overwrite,
                backup=options.backup,
                durability=options.durability,
                notes=report.warnings,
                placement=placement,
            ) as out:
                for chunk in read_chunks(file.source, 0, file.source.size):
                    out.write(chunk)
    report.seconds["total"] = time.perf_counter() - started
    return report
