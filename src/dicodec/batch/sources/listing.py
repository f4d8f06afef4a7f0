"""List the sources of a batch: the named files, and all files in named folders and archives."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dicodec.batch.sources.folders import (
    BACKUP,
    NAMED_BACKUP,
    FoundFile,
    PassedOver,
    WalkOptions,
    walk,
)
from dicodec.batch.sources.locations import is_kept, make_absolute, resolve_links
from dicodec.batch.sources.references import SourceReference, refer_to_file, refer_to_object
from dicodec.batch.sources.safe_names import make_safe_component, make_safe_path
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.limits import Limits
from dicodec.model.records import dataclass, replace
from dicodec.model.source_names import (
    ARCHIVE_SUFFIXES,
    ObjectUrl,
    is_archive,
    is_object_url,
    parse_object_url,
)


@dataclass(frozen=True, slots=True)
class ListedSource:
    """A source to convert.

    Attributes:
        reference: the source.
        relative: path of its result below the output folder, if its name decides.
        unsure: whether another source may have the same path.
    """

    reference: SourceReference
    relative: str
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class NamedSource:
    """A source as the user named it.

    Attributes:
        path: path or URL of a file, folder, archive, object or prefix.
        prefix: folder below the output for the results; "" for the output itself.
        result: path of the result below the output, for a single file; "" for the file's own name.
        unsure: whether another source may have the same path there.
    """

    path: str
    prefix: str = ""
    result: str = ""
    unsure: bool = False


def _list_members(root: NamedSource, limits: Limits) -> Iterator[ListedSource | DicodecError]:
    """Yield the members of an archive; an error for each one that cannot be read."""
    from dicodec.batch.sources.archives import list_members

    for member in list_members(root.path, limits):
        if isinstance(member, SourceReference):
            relative = str(Path(root.prefix) / make_safe_path(member.member or ""))
            yield ListedSource(member, relative, unsure=True)
        else:
            yield member


def _list_objects(root: NamedSource, options: WalkOptions) -> Iterator[ListedSource | PassedOver]:
    """Yield an object, or all objects below a prefix.

    Raises:
        ReadError: the store cannot be listed.
    """
    url = parse_object_url(root.path)
    if not url.is_prefix:
        if options.skips_named_backups and is_kept(root.path):
            yield PassedOver(root.path, NAMED_BACKUP)
            return
        name = root.result or make_safe_component(url.name)
        yield ListedSource(refer_to_file(root.path, named=True), name, root.unsure)
        return
    from dicodec.batch.sources.cloud import list_objects, tell_kept_apart

    for facts, kept in tell_kept_apart(list_objects(url)):
        if options.own_objects and _is_own(facts.url, url, options.own_objects):
            continue
        if kept or (options.backup is not None and facts.url.key.endswith(options.backup)):
            yield PassedOver(str(facts.url), BACKUP)
            continue
        relative = make_safe_path(facts.url.key.removeprefix(url.key))
        place = f"{root.prefix}/{relative}" if root.prefix else str(relative)
        yield ListedSource(refer_to_object(facts), place, unsure=True)


def _is_own(url: ObjectUrl, below: ObjectUrl, own_objects: frozenset[str]) -> bool:
    """Whether an object below a prefix, or a prefix between them, is a source of its own."""
    whole, start = str(url), len(str(below))
    ends = [index + 1 for index in range(start, len(whole)) if whole[index] == "/"]
    return any(whole[:end] in own_objects for end in (*ends, len(whole)))


def parse_sources(
    sources: Sequence[str], result: str | None = None, *, mirrored: bool = True
) -> list[NamedSource]:
    """Return the named sources; each of several folders gets a folder of its own in the output.

    Args:
        sources: paths and URLs.
        result: name of the result of a single file; None for the file's own name.
        mirrored: whether the names of sources decide the places of results.

    Raises:
        InvalidOptionError: two sources would have the same path in the output, or are the same.
    """
    if result is not None:
        return [NamedSource(path, result=result) for path in sources]
    containers = [path for path in sources if _is_container(path)]
    found = [
        NamedSource(path, _choose_prefix(path) if len(sources) > 1 and path in containers else "")
        for path in sources
    ]
    if twice := _find_twice(make_absolute(path) for path in sources):
        raise InvalidOptionError(f"the source {twice!r} is named twice")
    names = (root.prefix or Path(root.path).name for root in found)
    if mirrored and (twice := _find_twice(names)):
        raise InvalidOptionError(f"two sources have the name {twice!r} and one would be lost")
    return found


def _find_twice(names: Iterable[str]) -> str | None:
    """Return the first name, in their order, that is there more than once."""
    return min((name for name, times in Counter(names).items() if times > 1), default=None)


def _is_container(path: str) -> bool:
    if is_object_url(path):
        return parse_object_url(path).is_prefix
    return _is_folder(path) or is_archive(path)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - it never raises


def _choose_prefix(path: str) -> str:
    if is_object_url(path):
        url = parse_object_url(path)
        return make_safe_component(url.name or url.bucket)
    name = Path(os.path.realpath(path)).name  # it never raises
    if not _is_folder(path):
        suffix = next(one for one in ARCHIVE_SUFFIXES if name.lower().endswith(one))
        name = name[: -len(suffix)]
    return name or "root"


def separate_sources(
    sources: Sequence[NamedSource], options: WalkOptions
) -> tuple[list[NamedSource], WalkOptions]:
    """Return sources and options such that each file is listed once, though sources overlap.

    Of a folder or prefix and what is named beneath it, each has its own files. Memory depends on
    how many sources are named, not on their files. Hard links are files of their own.
    """
    if len(sources) == 1:
        return [*sources], options
    folders: dict[tuple[int, int], NamedSource] = {}
    files: dict[str, NamedSource] = {}
    objects: dict[str, NamedSource] = {}
    apart = []
    for root in sources:
        if is_object_url(root.path):
            first = objects.setdefault(str(parse_object_url(root.path)), root)
        elif not _is_folder(root.path):
            first = files.setdefault(resolve_links(root.path), root)
        else:
            facts = os.stat(root.path)  # noqa: PTH116 - as walks do
            first = folders.setdefault((facts.st_dev, facts.st_ino), root)
        if first is root:
            apart.append(root)
    return apart, replace(
        options,
        own_folders=frozenset(folders),
        own_files=frozenset(files),
        own_objects=frozenset(objects),
    )


def list_sources(
    sources: Iterable[NamedSource], options: WalkOptions, limits: Limits
) -> Iterator[ListedSource | PassedOver | DicodecError]:
    """Yield all sources in order; an error for each one that cannot be listed."""
    for root in sources:
        try:
            if is_object_url(root.path):
                yield from _list_objects(root, options)
            elif _is_folder(root.path):
                for entry in walk(root.path, options):
                    if isinstance(entry, FoundFile):
                        relative = os.path.join(root.prefix, entry.relative)  # noqa: PTH118 - hot
                        yield ListedSource(entry.reference, relative, root.unsure)
                    else:
                        yield entry
            elif is_archive(root.path):
                yield from _list_members(root, limits)
            elif options.skips_named_backups and is_kept(root.path):
                yield PassedOver(root.path, NAMED_BACKUP)
            else:
                reference = refer_to_file(root.path, named=True)
                yield ListedSource(reference, root.result or Path(root.path).name, root.unsure)
        except DicodecError as error:
            yield error
