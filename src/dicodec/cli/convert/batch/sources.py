"""List the sources of a batch: those that are named, and those of --files-from, or a shard."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from itertools import chain

from dicodec.batch.ledger.tables import LEDGER_NAME
from dicodec.batch.sources.folders import PassedOver, WalkOptions
from dicodec.batch.sources.listing import ListedSource, NamedSource, list_sources, parse_sources
from dicodec.batch.sources.name_lists import parse_named, read_names
from dicodec.batch.sources.shards import WHOLE, Shard, parse_shard, take_shard
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.limits import Limits
from dicodec.model.source_names import is_archive, is_object_url
from dicodec.part10.beneath import follow_named


def parse_named_sources(arguments: argparse.Namespace, result: str | None) -> list[NamedSource]:
    """Return the sources that the command names; none if a list has them all.

    Raises:
        InvalidOptionError: they contradict each other.
    """
    if "-" in arguments.source:
        raise InvalidOptionError("standard input is not a source for a batch")
    if arguments.in_place and any(is_archive(path) for path in arguments.source):
        raise InvalidOptionError("an archive cannot be converted in place")
    if arguments.files_from is not None:
        if len(arguments.source) > 1 or not all(map(os.path.isdir, arguments.source)):
            raise InvalidOptionError(
                "the only SOURCE beside --files-from is the folder that its names start from"
            )
        return []
    mirrored = arguments.output is not None and arguments.layout is None
    return parse_sources(arguments.source, result, mirrored=mirrored)


def parse_shard_argument(arguments: argparse.Namespace) -> Shard:
    """Return the shard that this process converts.

    Raises:
        InvalidOptionError: there is no such shard, or an option needs all shards.
    """
    if arguments.shard is None:
        return WHOLE
    shard = parse_shard(arguments.shard, os.environ)
    if arguments.map_references and not shard.takes_all:
        raise InvalidOptionError(
            "--map-references needs the ledgers of all shards",
            hint="`dicodec jobs merge` joins them, then the same command without --shard, with "
            "--resume",
        )
    if arguments.layout is not None and arguments.overwrite and not shard.takes_all:
        raise InvalidOptionError(
            "with --layout a shard could replace what another one has written",
            hint="leave out --overwrite",
        )
    return shard


def list_batch(
    arguments: argparse.Namespace,
    named: list[NamedSource],
    shard: Shard,
    options: WalkOptions,
    limits: Limits,
) -> Iterator[ListedSource | PassedOver | DicodecError]:
    """Yield the sources of the batch, or of its shard, in order."""
    if arguments.files_from is None:
        listed = list_sources(named, options, limits)
        return listed if shard.takes_all else take_shard(listed, shard)
    folder = arguments.source[0] if arguments.source else None
    # A line belongs to a shard as a whole, so that no shard looks at files of others.
    names = (name for name in read_names(arguments.files_from) if shard.takes(name))
    return chain.from_iterable(
        _list_line(parse_named(name, folder), arguments, options, limits) for name in names
    )


def _list_line(
    source: NamedSource, arguments: argparse.Namespace, options: WalkOptions, limits: Limits
) -> Iterator[ListedSource | PassedOver | DicodecError]:
    if arguments.in_place and is_archive(source.path):
        error = InvalidOptionError("an archive cannot be converted in place", path=source.path)
        return iter([error])
    return list_sources([source], options, limits)


def find_ledger(
    arguments: argparse.Namespace, named: list[NamedSource], output: str | None, shard: Shard
) -> str:
    """Return the path of the ledger; "" for none, in a dry run without --resume.

    Raises:
        InvalidOptionError: no folder is there for it.
    """
    if arguments.dry_run and not arguments.resume:
        return ""
    if arguments.ledger is not None:
        folder, name = os.path.split(follow_named(str(arguments.ledger)))
        return os.path.join(folder, shard.name_ledger(name))  # noqa: PTH118
    place = output
    if place is None or is_object_url(place):
        first = named[0].path if named else next(iter(arguments.source), None)
        if first is None:
            raise InvalidOptionError(
                "a list has no folder for the ledger", hint="--ledger FILE names a file"
            )
        if is_object_url(first):
            raise InvalidOptionError(
                "a ledger cannot be in object storage", hint="--ledger FILE names a local file"
            )
        place = first if os.path.isdir(first) else os.path.dirname(first) or "."  # noqa: PTH112, PTH120
    return os.path.join(place, shard.name_ledger(LEDGER_NAME))  # noqa: PTH118
