"""The worker side of `batch.result_mapping`: write a result once more, with other UIDs."""

from __future__ import annotations

import os
from functools import partial

from dicodec.batch.conversion_work import pin_item_target, prepare_target
from dicodec.batch.pool.messages import WorkContext
from dicodec.batch.sources.locations import FileVersion, read_version
from dicodec.batch.sources.opening import open_source
from dicodec.batch.work_item import Item, WorkOptions
from dicodec.conversion.convert import convert_with
from dicodec.errors import DicodecError
from dicodec.model.limits import Limits
from dicodec.model.source_names import is_object_url
from dicodec.model.transfer_syntax import EXPLICIT_LE
from dicodec.options import ConversionOptions
from dicodec.part10.directory_records import read_referenced_files
from dicodec.repair.opening import open_tolerantly


def map_references(work: WorkOptions, item: Item, context: WorkContext) -> FileVersion:
    """Have the references of a result follow new SOP Instance UIDs; a work of the pool.

    Returns:
        The version that the result has now.

    Raises:
        DicodecError: see `dicodec.convert`.
    """
    place, limits = item.reference.path, work.options.limits
    try:
        target = place if item.root is None else pin_item_target(item)
        with open_source(item.reference) as source:
            with open_tolerantly(source, limits) as file:
                syntax = file.syntax.name
            options = ConversionOptions(
                to=(syntax,), overwrite=True, verify=True, workers=context.threads, limits=limits
            )
            waiting = len(context.placement)
            if is_object_url(place):
                from dicodec.batch.cloud_conversion import convert_objects

                convert = partial(convert_with, references=dict(item.uids))
                convert_objects(source, place, options, convert)
            else:
                convert_with(
                    target, target, options, None, context.placement, references=dict(item.uids)
                )
    except DicodecError as error:
        error.with_location(path=place)
        raise
    written = context.placement.find_part_of_last() if len(context.placement) > waiting else place
    version = read_version(os.fspath(written))
    assert version is not None, "it was just written"
    return version


def map_records(work: WorkOptions, item: Item, context: WorkContext) -> str:
    """Have the records of a DICOMDIR state the facts of their files' results; a work of the pool.

    A result of an earlier run, which names the same files, is replaced.

    Returns:
        SHA-256 of the DICOMDIR that the result replaced in place; "" if it replaced none.

    Raises:
        DicodecError: see `dicodec.convert`.
    """
    place, limits = item.reference.path, work.options.limits
    try:
        target = place if work.in_place else prepare_target(item, work)
        options = ConversionOptions(
            to=(EXPLICIT_LE.name,),
            overwrite=work.in_place or work.options.overwrite or _names_the_same(item, limits),
            backup=work.options.backup,
            verify=True,
            workers=context.threads,
            limits=limits,
        )
        report = convert_with(
            place,
            target,
            options,
            None,
            context.placement,
            references=dict(item.uids),
            records=item.records,
        )
    except DicodecError as error:
        error.with_location(path=place)
        raise
    return report.replaced_digest


def _names_the_same(item: Item, limits: Limits) -> bool:
    """Whether the file in the place of a DICOMDIR's result names the same files."""
    try:
        with (
            open_tolerantly(item.reference.path, limits) as one,
            open_tolerantly(item.target or "", limits) as two,
        ):
            files = [
                [named.path for named in read_referenced_files(file.data_set)]
                for file in (one, two)
            ]
    except DicodecError:
        return False
    return files[0] == files[1] != []
