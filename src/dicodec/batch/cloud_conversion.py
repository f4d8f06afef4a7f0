"""Convert files whose source, target or both are objects in object storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dicodec.batch.sources.cloud import (
    KEPT_SUFFIX,
    copy_object,
    exists,
    is_kept_object,
    upload,
)
from dicodec.batch.sources.cloud_source import CloudObject, open_object
from dicodec.conversion.output.placement import Permit
from dicodec.conversion.output.result_file import Target
from dicodec.conversion.planning.conversion_plan import Action
from dicodec.errors import DicodecError, TargetExistsError, find_kind
from dicodec.model.records import replace
from dicodec.model.source_names import is_object_url, parse_object_url
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import Source
from dicodec.part10.temporary import TemporaryFolder
from dicodec.report import LEFT_ALONE, ConversionReport

type Convert = Callable[[Source, Target | None, ConversionOptions], ConversionReport]
"""Converts local files: `convert_with`, or a conversion by a policy."""


def convert_objects(
    source: Source,
    target: Target | None,
    options: ConversionOptions,
    convert: Convert,
    permit: Permit | None = None,
) -> ConversionReport:
    """Convert a file; its source, its target or both may be objects.

    Ranges of the source are read as they are needed. The result is finished and verified in a
    temporary file, then uploaded: the object appears whole or not at all. If the target is the
    source, only a verified result replaces it, and only if the source has not changed meanwhile.

    Args:
        source: a URL, or any source that `convert` takes.
        target: a URL, or any target that `convert` takes.
        options: options of the conversion.
        convert: converts the source if it is local, or open.
        permit: is called just before an object is written; see `Permit`.

    Raises:
        DicodecError: see `dicodec.convert`.
    """
    with _open(source) as opened:
        if not isinstance(target, str) or not is_object_url(target):
            report = _convert(source, opened, target, options, convert)
        else:
            report = _convert_to_object(source, opened, target, options, convert, permit)
    if is_object_url(source):
        report.source = str(source)
    return report


@contextmanager
def _open(source: Source) -> Iterator[Source]:
    if not isinstance(source, str) or not is_object_url(source):
        yield source
        return
    with open_object(parse_object_url(source)) as opened:
        yield opened


def _convert_to_object(
    source: Source,
    opened: Source,
    target: str,
    options: ConversionOptions,
    convert: Convert,
    permit: Permit | None,
) -> ConversionReport:
    url = parse_object_url(target)
    in_place = isinstance(opened, CloudObject) and opened.url == url
    if in_place:
        options = replace(options, verify=options.verify or True)
    elif not options.overwrite and exists(url):
        raise TargetExistsError.at(target)
    if options.overwrite and is_kept_object(url):
        raise TargetExistsError.of_kept_original(target, f"its mark, {target}{KEPT_SUFFIX}")
    with TemporaryFolder() as folder:
        result = Path(folder) / "result.dcm"
        local = replace(options, overwrite=False, backup=None)
        report = _convert(source, opened, str(result), local, convert)
        report.target = target
        if in_place and report.action == Action.COPY_FILE:
            report.action = LEFT_ALONE
            return report
        if permit is not None:
            permit()
        if options.backup is not None and options.overwrite and (in_place or exists(url)):
            copy_object(url, options.backup)
        replaced = opened.facts.etag if in_place and isinstance(opened, CloudObject) else None
        upload(result, url, overwrite=options.overwrite, replaces=replaced)
    return report


def _convert(
    source: Source,
    opened: Source,
    target: Target | None,
    options: ConversionOptions,
    convert: Convert,
) -> ConversionReport:
    """Convert, and add the object's URL to an error about reading it."""
    try:
        return convert(opened, target, options)
    except DicodecError as error:
        if isinstance(source, str) and find_kind(error) != "writing":
            error.with_location(path=source)
        raise
