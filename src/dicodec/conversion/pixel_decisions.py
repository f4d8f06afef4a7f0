"""Decide about the pixels of a file: plan and edits. Files that are alike are decided about once.

`Remembered` finds what was decided about a file with the same values of all attributes that
mattered. `_list_facts` names the rest of what decisions depend on. Only plain files have such a
list: whole, described by their attributes as they are, native or with one frame in one fragment.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from operator import attrgetter

from dicodec.codecs.table import find_decoder
from dicodec.conversion.edits.plan_edits import make_pixel_edits
from dicodec.conversion.frames.first_pass import complete_plan
from dicodec.conversion.planning.conversion_plan import ConversionPlan
from dicodec.conversion.planning.plan_conversion import plan_conversion
from dicodec.errors import DicodecError
from dicodec.model.edits import Edit
from dicodec.model.records import dataclass, field, fields, replace
from dicodec.model.stream import StreamDescription
from dicodec.options import ConversionOptions
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.remembered import Remembered
from dicodec.rules.targets import find_target_syntax

_READ_STREAM = attrgetter(*(one.name for one in fields(StreamDescription) if one.name != "details"))


@dataclass(frozen=True, slots=True)
class PixelDecisions:
    """What was decided about the pixels of a file.

    Attributes:
        plan: the plan, before all frames are read for facts that it lacks.
        edits: those that follow from it; None if they are another file's own: they record losses,
            with sizes and new UIDs, or there are no pixels.
    """

    plan: ConversionPlan
    edits: tuple[Edit, ...] | None


@dataclass(frozen=True, slots=True)
class ConversionMemory:
    """What conversions remember for those of further files. Use it from one thread.

    Attributes:
        images: descriptions of images by their attributes.
        decisions: about pixels.
    """

    images: Remembered = field(default_factory=Remembered)
    decisions: Remembered = field(default_factory=Remembered)


def recall_plan(
    file: DicomFile, options: ConversionOptions, workers: int, memory: ConversionMemory
) -> tuple[ConversionPlan, Sequence[Edit] | None]:
    """Return the plan of a conversion, and the edits that follow from its pixels, if known already.

    Args:
        file: the source.
        options: the caller's options.
        workers: threads for frames.
        memory: of conversions before.

    Raises:
        DicodecError: see `plan_conversion` and `complete_plan`.
    """
    stream = _describe_stream(file, options)
    facts = _list_facts(file, options, stream)
    if facts is None:
        return complete_plan(file, plan_conversion(file, options, first=stream), workers), None

    def decide(noting: DataSet) -> PixelDecisions:
        noted = replace(file, data_set=noting)
        plan = plan_conversion(noted, options, first=stream)
        pixels = plan.pixels
        if pixels is None or pixels.lossy or pixels.source_lossy or pixels.derived:
            return PixelDecisions(plan, None)
        return PixelDecisions(plan, tuple(make_pixel_edits(noted, plan, pixels, options)))

    found = memory.decisions.find(facts, file.data_set, decide)
    plan = complete_plan(file, found.plan, workers)
    return plan, found.edits if plan is found.plan else None


def _describe_stream(file: DicomFile, options: ConversionOptions) -> StreamDescription | None:
    """Return the description of a single frame's stream; None where the plan may not need it."""
    frames = file.frames.encapsulated
    if frames is None or len(frames) != 1 or len(frames.lengths) != 1 or not frames.lengths[0]:
        return None
    if not all(find_target_syntax(name).native for name in options.to):
        return None
    try:
        return find_decoder(file.syntax).describe(file.frames.read(0))
    except DicodecError:  # who makes the plan will find the same, and say where
        return None


def _list_facts(
    file: DicomFile, options: ConversionOptions, stream: StreamDescription | None
) -> Hashable | None:
    """Return what decisions depend on besides attributes; None if the file is not plain."""
    frames = file.frames
    if file.oddities or file.corrections or options.strict or frames.description is None:
        return None
    if frames.missing or frames.salvage is not None or frames.empty or frames.tabled is not None:
        return None
    span, stored = frames.span, frames.encapsulated
    common = file.syntax, file.stated_syntax, options, frames.description, span.vr
    if stored is None:
        return (*common, span.length) if file.syntax.native else None
    if stream is None or stored.oddities or stored.mend is not None or stored.by_streams:
        return None
    return *common, _READ_STREAM(stream), tuple(stream.details.items())
