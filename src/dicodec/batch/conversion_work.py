"""What a worker does with a source: looks what it is, finds its place, converts it, and tells."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from dicodec.batch.layout import parse_layout
from dicodec.batch.ledger.tables import SALVAGED, Ending, State
from dicodec.batch.ledger.unconverted import skipped
from dicodec.batch.pool.worker_process import Surroundings
from dicodec.batch.sources.locations import standing
from dicodec.batch.sources.opening import open_source
from dicodec.batch.sources.recognition import SNIFFED, why_not
from dicodec.batch.sources.references import SourceReference
from dicodec.batch.work_item import Item, Settings
from dicodec.conversion.convert import convert_with
from dicodec.conversion.frames.pipeline import Progress
from dicodec.conversion.output.result_file import Target, check_place
from dicodec.conversion.output.write_errors import translated_writes
from dicodec.errors import DicodecError
from dicodec.model.lines import json_line
from dicodec.model.object_url import is_object_url
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import Source
from dicodec.part10.source import OpenSource, is_byte_source, read_chunks
from dicodec.repair.opening import open_tolerantly
from dicodec.report import LEFT_ALONE, ConversionReport

_PROGRESS_SECONDS = 0.5


class Choice(Protocol):
    """What a policy says of a source: options, or None to keep it as it is; and by which rule."""

    options: ConversionOptions | None
    rule: str


class Policy(Protocol):
    """What decides about each source; see `dicodec.batch.policy.policy`."""

    def choose(self, source: Source, base: ConversionOptions) -> Choice:
        """Return what is to become of a source."""
        ...


def name_item(settings: Settings, item: Item, around: Surroundings) -> str | Ending:  # noqa: ARG001
    """Return where a source's result goes by the layout, relative to the output folder.

    Returns:
        The path; or how the source ends here, where it is no DICOM.
    """
    assert settings.layout is not None
    layout = parse_layout(settings.layout)
    try:
        if skipped := _skipped(item.reference):
            return skipped
        with (
            open_source(item.reference) as source,
            open_tolerantly(source, settings.options.limits) as file,
        ):
            return layout.path_of(file.data_set, settings.options)
    except DicodecError as error:
        _name(error, item.reference)
        raise


def convert_item(settings: Settings, item: Item, around: Surroundings) -> Ending:
    """Convert one source; a work of the pool."""
    reference = item.reference
    try:
        if settings.layout is None and (skipped := _skipped(reference)):
            return skipped
        if around.attempt > 1:  # the first one may have come as far as to put the result in place
            item = replace(item, overwrite=True)
        source_digest = _digest(reference) if settings.digests else None
        with open_source(reference) as named, _opened(named, settings) as source:
            options, rule = _chosen(settings, source, around.threads, overwrite=item.overwrite)
            waiting = len(around.placement)
            report = _converted(settings, source, item, options, around)
    except DicodecError as error:
        _name(error, reference)
        raise
    report.source = reference.name
    report.rule = rule or ""
    fields = report.as_dict()
    left = report.action == LEFT_ALONE
    place = None if report.dry_run else item.target
    if len(around.placement) > waiting:
        place = str(around.placement.part_of_last())
    target = None if place is None else standing(place)
    return Ending(
        state=State.LEFT_ALONE if left else State.DONE,
        json=json_line(fields),
        target=item.target,
        source_size=report.source_size,
        target_size=target.size if target else report.target_size,
        target_modified=target.modified if target else None,
        source_digest=source_digest,
        target_digest=_digest_of(place) if settings.digests and place else None,
        rule=rule,
        action=report.action,
        error_code=SALVAGED if report.salvaged else None,
        error_text=report.salvaged or None,
        seconds=report.seconds.get("total"),
    )


def _converted(
    settings: Settings,
    source: Source,
    item: Item,
    options: ConversionOptions | None,
    around: Surroundings,
) -> ConversionReport:
    """Convert a source, or keep it where there are no options."""

    def convert(
        opened: Source, target: Target | None, chosen: ConversionOptions
    ) -> ConversionReport:
        placement = None if is_object_url(item.target) else around.placement
        if options is not None:
            return convert_with(opened, target, chosen, _progress(around), placement)
        from dicodec.batch.policy.convert import keep

        return keep(opened, target, chosen, placement, in_place=in_place)

    in_place = settings.in_place and not is_object_url(item.target)
    chosen = options or _adjusted(settings.options, around.threads, overwrite=item.overwrite)
    if settings.dry_run:
        if item.target is not None and not is_object_url(item.target):
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

        return convert_objects(source, item.target, chosen, convert)
    if item.target is not None and not settings.in_place:
        _make_folder(str(Path(item.target).parent))
    return convert(source, item.target, chosen)


def _skipped(reference: SourceReference) -> Ending | None:
    """Return how a source ends that was found among others, and is no DICOM."""
    if reference.named:
        return None
    with open_source(reference) as source:
        reason = why_not(_first_bytes(source))
    return skipped(reference.name, reason) if reason else None


def _first_bytes(source: Source) -> bytes:
    if isinstance(source, str):
        try:
            with open(source, "rb", buffering=0) as file:  # noqa: PTH123 - it is hot
                return file.read(SNIFFED)
        except OSError:
            with OpenSource(source) as opened:  # its error says what is wrong
                return opened.read(0, SNIFFED)
    if is_byte_source(source):
        return source.read(0, SNIFFED)
    return bytes(cast("BinaryIO", source).read(SNIFFED))


def _chosen(
    settings: Settings, source: Source, threads: int, *, overwrite: bool
) -> tuple[ConversionOptions | None, str | None]:
    """Return the options for a source, None to keep it as it is; and the rule of the policy."""
    options = _adjusted(settings.options, threads, overwrite=overwrite)
    if settings.policy is None:
        return options, None
    choice = _policy(settings.policy).choose(source, options)
    return choice.options, choice.rule


@contextmanager
def _opened(source: Source, settings: Settings) -> Iterator[Source]:
    """Yield a source that can be read twice, where a policy reads it first."""
    if settings.policy is None:
        yield source
        return
    from dicodec.batch.policy.policy import opened_once

    with opened_once(source) as opened:
        yield opened


@lru_cache(maxsize=2)
def _policy(name: str) -> Policy:
    policy: Policy = import_module("dicodec.batch.policy.policy").load_policy(name)
    return policy


@lru_cache(maxsize=8)
def _adjusted(options: ConversionOptions, threads: int, *, overwrite: bool) -> ConversionOptions:
    return replace(
        options,
        workers=options.workers or threads,
        overwrite=options.overwrite or overwrite,
    )


def _make_folder(folder: str) -> None:
    with translated_writes():
        Path(folder).mkdir(parents=True, exist_ok=True)


def _progress(around: Surroundings) -> Progress:
    """Return what tells the pool now and then how many frames are written."""
    told = time.monotonic()

    def progress(done: int, frames: int) -> None:
        nonlocal told
        if time.monotonic() - told > _PROGRESS_SECONDS:
            told = time.monotonic()
            around.tell((done, frames))

    return progress


def _name(error: DicodecError, reference: SourceReference) -> None:
    if error.path is None or error.path == reference.spool:
        error.path = reference.name


def _digest(reference: SourceReference) -> str:
    with open_source(reference) as source:
        if isinstance(source, str):
            return _digest_of(source)
        if is_byte_source(source):
            return _digested(read_chunks(source, 0, source.size))
        return _digested(iter(lambda: cast("BinaryIO", source).read(1 << 20), b""))


def _digest_of(path: str) -> str:
    if is_object_url(path):
        return _digest(SourceReference(path, 0, 0))
    with Path(path).open("rb") as file:
        return _digested(iter(lambda: file.read(1 << 20), b""))


def _digested(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
