"""The worker side of a batch: identify a source, choose its target, convert it, report."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path

from dicodec.batch.ledger.tables import SALVAGED, FileOutcome, State
from dicodec.batch.pool.messages import WorkContext
from dicodec.batch.sources.locations import FileVersion, read_version
from dicodec.batch.sources.opening import open_source
from dicodec.batch.sources.recognition import SNIFFED, find_skip_reason
from dicodec.batch.sources.references import SourceReference
from dicodec.batch.work_item import Item, WorkOptions
from dicodec.conversion.convert import CODED_FRAMES, convert_with
from dicodec.conversion.frames.pipeline import Progress
from dicodec.conversion.output.original import remove_leftovers
from dicodec.conversion.output.replacement import make_backup_path
from dicodec.conversion.output.result_file import Target, check_place
from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.conversion.pixel_decisions import ConversionMemory
from dicodec.errors import DicodecError, OutputLimitError, PathNotAllowedError
from dicodec.model.option_table import NEVER
from dicodec.model.platforms import OPENS_FOLDERS, read_at
from dicodec.model.records import replace
from dicodec.model.source_names import is_object_url, parse_object_url
from dicodec.model.wording import dump_json_line
from dicodec.options import ConversionOptions
from dicodec.part10.beneath import (
    Beneath,
    OpenFolders,
    PinnedFile,
    PinnedPath,
    make_folders,
    pin_target,
)
from dicodec.part10.dicom_file import Source
from dicodec.part10.source import OpenSource, digest_parts, is_byte_source, read_chunks
from dicodec.repair.opening import open_tolerantly
from dicodec.report import LEFT_ALONE, ConversionReport, SizeEstimate

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:  # workers load policies only if a batch has one
    from typing import Any

    from dicodec.batch.policy.policy import Choice, Policy

_PROGRESS_SECONDS = 0.5
"""How often a conversion reports its progress."""

_READ_SIZE = 1 << 20

_TICK_SECONDS = 1.0
"""What the time of a file or object may be behind the clock: stores round it down."""


def name_item(
    work: WorkOptions,
    item: Item,
    context: WorkContext,  # noqa: ARG001 - as each work of the pool has it
) -> str | FileOutcome:
    """Choose the path of a source's result by the layout; a work of the pool.

    Returns:
        The path, relative to the output folder; or the source's outcome if it is not DICOM.

    Raises:
        DicodecError: the source cannot be read.
    """
    assert work.layout is not None
    from dicodec.batch.layout import parse_layout

    layout = parse_layout(work.layout)
    try:
        with open_source(item.reference) as source:
            if skipped := _skip(item.reference, source):
                return skipped
            with open_tolerantly(source, work.options.limits) as file:
                return layout.make_path(file.data_set, work.options)
    except DicodecError as error:
        error.with_path(item.reference.name, instead_of=item.reference.spool)
        raise


def convert_item(work: WorkOptions, item: Item, context: WorkContext) -> FileOutcome:
    """Convert one source; a work of the pool.

    Raises:
        DicodecError: see `dicodec.convert`.
    """
    reference = item.reference
    try:
        if _is_of_earlier_attempt(item, context):
            item = replace(item, overwrite=True)
        with open_source(reference) as named:
            if work.layout is None and (skipped := _skip(reference, named)):
                return skipped
            source_digest = _digest_source(reference) if work.digests else None
            with _open_twice(named, work) as source:
                options = _adjust(work.options, context.threads, overwrite=item.overwrite)
                choice = _choose(work, source, options)
                references = _find_references(source, options) if work.references else None
                waiting = len(context.placement)
                report = _convert(work, source, item, options, choice, context)
        if item.most is not None and report.action != LEFT_ALONE and report.target_size > item.most:
            raise OutputLimitError("the result is larger than the room that is left for results")
        proof = _prove(work, item, report, context, waiting) if work.proofs else None
    except DicodecError as error:
        error.with_path(reference.name, instead_of=reference.spool)
        raise
    report.source = reference.name
    report.rule = rule = "" if choice is None else choice.rule
    written = None if report.dry_run else item.target
    if len(context.placement) > waiting:
        written = os.fspath(context.placement.find_part_of_last())
        found = context.placement.read_state_of_last()
        version: FileVersion | None = FileVersion(found.st_size, found.st_mtime_ns)
    else:
        version = None if written is None else read_version(written)
    return FileOutcome(
        state=State.LEFT_ALONE if report.action == LEFT_ALONE else State.DONE,
        json=dump_json_line(report.as_dict()),
        target=item.target,
        source_size=report.source_size,
        target_size=version.size if version else report.target_size,
        target_modified=version.modified if version else None,
        source_digest=report.replaced_digest or source_digest,
        target_digest=_digest_file(written) if work.digests and written else None,
        rule=rule or None,
        action=report.action,
        error_code=SALVAGED if report.salvaged else None,
        error_text=report.salvaged or None,
        seconds=report.seconds.get("total"),
        instance_uids=report.instance_uids,
        references=references,
        warning_kinds=tuple(report.warning_kinds),
        kind=_name_kind(report) if report.dry_run else (),
        native_size=report.native_size,
        proof=proof,
    )


def _is_of_earlier_attempt(item: Item, context: WorkContext) -> bool:
    """Whether an attempt that ended with its process has put the file at a target there.

    It has if the file is newer than the first attempt: what was there before is not replaced.
    """
    starts = [began for began in (item.began, context.began) if began is not None]
    if not starts or item.target is None:
        return False
    try:
        return _read_time(item.target) >= min(starts) - _TICK_SECONDS
    except (OSError, DicodecError):
        return False


def _read_time(place: str) -> float:
    """Return the time of the last change of a file or object, in seconds since 1970."""
    if is_object_url(place):
        from dicodec.batch.sources.cloud import read_facts

        return read_facts(parse_object_url(place)).modified / 1e9
    return os.stat(place).st_mtime  # noqa: PTH116 - a path object costs more


def _prove(
    work: WorkOptions, item: Item, report: ConversionReport, context: WorkContext, waiting: int
) -> str | None:
    """Return the proof of a result, which may wait for its place behind `waiting` others.

    None if nothing was written.
    """
    from dicodec.batch.policy.policy import open_once
    from dicodec.batch.proof.proving import prove

    if report.dry_run or item.target is None:
        return None
    placed = len(context.placement) == waiting
    written = item.target if placed else os.fspath(context.placement.find_part_of_last())
    named = replace(report, source=item.reference.name)
    limits = work.options.limits
    if placed and work.in_place:  # the source is gone
        return prove(written, written, named, limits, context.threads)
    with (
        open_source(item.reference) as opened,
        open_once(opened) as source,  # it is read twice
    ):
        return prove(source, written, named, limits, context.threads)


def _name_kind(report: ConversionReport) -> tuple[str, ...]:
    """Return what sources have in common that are compressed alike; see `SizeSampling`."""
    words = (report.rule, report.target_syntax, report.action)
    return (*words, report.source_syntax, report.modality)


def estimate_item(work: WorkOptions, item: Item, context: WorkContext) -> SizeEstimate | None:
    """Estimate the size of a source's result; a work of the pool.

    Returns:
        The estimate; None if another engine converts the source.

    Raises:
        DicodecError: see `dicodec.convert`.
    """
    with open_source(item.reference) as named, _open_twice(named, work) as source:
        options = _adjust(work.options, context.threads, overwrite=item.overwrite)
        choice = _choose(work, source, options)
        if choice is None:
            report = convert_with(source, None, options, coded_frames=CODED_FRAMES)
        else:
            from dicodec.batch.policy.convert import convert_by_choice

            report = convert_by_choice(
                source, None, choice, options, in_place=False, coded_frames=CODED_FRAMES
            )
    return report.estimate


def _find_references(source: Source, options: ConversionOptions) -> tuple[str, ...]:
    from dicodec.conversion.edits.references import find_references

    try:
        with open_tolerantly(source, options.limits) as file:
            return tuple(sorted(find_references(file.data_set)))
    except DicodecError:  # the conversion will report the fault
        return ()


def _convert(
    work: WorkOptions,
    source: Source,
    item: Item,
    options: ConversionOptions,
    choice: Choice | None,
    context: WorkContext,
) -> ConversionReport:
    """Convert a source, by a policy's choice if there is one."""
    to_object = is_object_url(item.target)
    in_place = work.in_place and not to_object
    placement = None if to_object else context.placement
    memory: ConversionMemory | None = context.kept.get(ConversionMemory)
    if memory is None:
        memory = context.kept[ConversionMemory] = ConversionMemory()

    def convert(
        opened: Source, target: Target | None, chosen: ConversionOptions
    ) -> ConversionReport:
        progress = _report_progress(context)
        if choice is None:
            return convert_with(opened, target, chosen, progress, placement, memory=memory)
        from dicodec.batch.policy.convert import convert_by_choice

        adjusted = choice if choice.options is None else replace(choice, options=chosen)
        return convert_by_choice(
            opened, target, adjusted, chosen, placement, progress, in_place=in_place, memory=memory
        )

    chosen = options if choice is None or choice.options is None else choice.options
    if work.dry_run:
        if item.target is not None and not to_object:
            check_place(
                Path(item.target),
                overwrite=chosen.overwrite,
                backup=chosen.backup,
                makes_folders=True,
            )
        report = convert(source, None, chosen)
        report.target = item.target
        return report
    if is_object_url(item.target):
        from dicodec.batch.cloud_conversion import convert_objects

        return convert_objects(source, item.target, chosen, convert, context.placement.permit)
    return convert(source, prepare_target(item, work, context.placement.folders), chosen)


def prepare_target(
    item: Item, work: WorkOptions, folders: OpenFolders | None = None
) -> Target | None:
    """Return the path of a result, whose folder is there; in its open folder if it has a root."""
    if item.target is None:
        return None
    if OPENS_FOLDERS and item.root is not None:
        return pin_item_target(item, synced=_is_synced(work), folders=folders)
    if not work.in_place:
        with translate_write_errors():
            make_folders(Path(item.target).parent, synced=_is_synced(work))
    return item.target


def _is_synced(work: WorkOptions) -> bool:
    return work.options.durability != NEVER


def clean_up_item(work: WorkOptions, item: Item) -> None:
    """Remove the part files of a source's result; the clean-up of `convert_item`.

    A folder for results that is missing is not made, and a part file that a process is writing
    stays.
    """
    if item.target is None or is_object_url(item.target):
        return
    with suppress(DicodecError, OSError):  # nobody can be told, and the next result removes them
        target: Path = Path(item.target)
        if OPENS_FOLDERS and item.root is not None:
            target = pin_item_target(item, makes_folders=False)
        remove_leftovers(target)
        if work.options.backup is not None:
            remove_leftovers(make_backup_path(target, work.options.backup))


def pin_item_target(
    item: Item,
    *,
    makes_folders: bool = True,
    synced: bool = True,
    folders: OpenFolders | None = None,
) -> PinnedPath:
    """Return the path of a result beneath its root; links there are followed within the root.

    Args:
        item: names the target and its root.
        makes_folders: whether folders that are missing are made.
        synced: see `pin_target`.
        folders: see `pin_target`.

    Raises:
        PathNotAllowedError: a link leads out of the root.
        WriteError: a folder cannot be made or opened.
    """
    assert item.root is not None
    assert item.target is not None
    place = Beneath.of(item.target, item.root)
    with translate_write_errors():
        try:
            target = pin_target(place, makes_folders=makes_folders, synced=synced, folders=folders)
            if not target.is_symlink():
                return target
        except PathNotAllowedError:
            pass
        resolved = Beneath.resolve(place.path, [os.path.realpath(item.root)])
        if resolved is None:
            raise PathNotAllowedError(
                "a symbolic link leads out of the folder for the results",
                path=item.target,
                hint="give the folder that it leads to as the output",
            )
        return pin_target(resolved, makes_folders=makes_folders, synced=synced)


def _skip(reference: SourceReference, opened: Source) -> FileOutcome | None:
    """Return the outcome of a source that was found, not named, and is not DICOM."""
    if reference.named:
        return None
    if is_byte_source(opened) or isinstance(opened, str | os.PathLike):
        reason = find_skip_reason(_read_first_bytes(opened))
    else:  # a stream, which the conversion reads from its start
        with open_source(reference) as source:
            reason = find_skip_reason(_read_first_bytes(source))
    return FileOutcome.of_skipped(reference.name, reason) if reason else None


def _read_first_bytes(source: Source) -> bytes:
    if isinstance(source, PinnedFile):
        try:
            return read_at(source.descriptor, SNIFFED, 0)
        except OSError:
            with OpenSource(source) as opened:  # its error says why
                return opened.read(0, SNIFFED)
    if isinstance(source, str | os.PathLike):
        try:
            with open(source, "rb", buffering=0) as file:  # noqa: PTH123 - it is hot
                return file.read(SNIFFED)
        except OSError:
            with OpenSource(source) as opened:  # its error says why
                return opened.read(0, SNIFFED)
    if is_byte_source(source):
        return source.read(0, SNIFFED)
    stream: Any = source  # no other kind is left
    return bytes(stream.read(SNIFFED))


def _choose(work: WorkOptions, source: Source, options: ConversionOptions) -> Choice | None:
    return None if work.policy is None else _load_policy(work.policy).choose(source, options)


def _open_twice(source: Source, work: WorkOptions) -> AbstractContextManager[Source]:
    """Open a source that can be read twice if a policy, or who looks for references, reads it."""
    if work.policy is None and not work.references:
        return nullcontext(source)
    from dicodec.batch.policy.policy import open_once

    return open_once(source)


@lru_cache(maxsize=2)
def _load_policy(name: str) -> Policy:
    from dicodec.batch.policy.policy import load_policy

    return load_policy(name)


@lru_cache(maxsize=8)
def _adjust(options: ConversionOptions, threads: int, *, overwrite: bool) -> ConversionOptions:
    return replace(
        options,
        workers=options.workers or threads,
        overwrite=options.overwrite or overwrite,
    )


def _report_progress(context: WorkContext) -> Progress:
    """Return a callback that reports written frames to the pool, twice a second."""
    reported = time.monotonic()

    def report(done: int, frames: int) -> None:
        nonlocal reported
        if time.monotonic() - reported > _PROGRESS_SECONDS:
            reported = time.monotonic()
            context.report((done, frames))

    return report


def _digest_source(reference: SourceReference) -> str:
    with open_source(reference) as source:
        if isinstance(source, str | os.PathLike):
            return _digest_file(source)
        if is_byte_source(source):
            return digest_parts(read_chunks(source, 0, source.size))
        stream: Any = source  # no other kind is left
        return digest_parts(iter(lambda: stream.read(_READ_SIZE), b""))


def _digest_file(path: str | os.PathLike[str]) -> str:
    if isinstance(path, str) and is_object_url(path):
        return _digest_source(SourceReference(path, 0, 0))
    with Path(path).open("rb") as file:
        return digest_parts(iter(lambda: file.read(_READ_SIZE), b""))
