"""What a batch is asked to convert: the sources that were named, and all that is found in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicodec.batch.sources.folders import Found, PassedOver, WalkRules, walk
from dicodec.batch.sources.references import SourceReference, file_reference, object_reference
from dicodec.batch.sources.safe_names import safe_component, safe_relative
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.archive_names import ARCHIVE_SUFFIXES, is_archive
from dicodec.model.limits import Limits
from dicodec.model.object_url import is_object_url, parse_object_url


@dataclass(frozen=True, slots=True)
class Listed:
    """A source to be converted.

    Attributes:
        reference: to it.
        relative: where its result belongs below the output folder, if its name decides.
        unsure: whether another source may have the same place.
    """

    reference: SourceReference
    relative: str
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Root:
    """A source as it was named.

    Attributes:
        path: a file, a folder or an archive.
        prefix: folder of the output that takes what is in it; "" for the output itself.
        result: name of its result, of a single file; "" where that is the file's own.
    """

    path: str
    prefix: str = ""
    result: str = ""


def _objects(root: Root) -> Iterator[Listed]:
    """Yield an object, or all below a prefix.

    Raises:
        ReadError: they cannot be listed.
    """
    url = parse_object_url(root.path)
    if not url.is_prefix:
        name = root.result or safe_component(url.name)
        yield Listed(file_reference(root.path, named=True), name)
        return
    from dicodec.batch.sources.cloud import list_objects

    for facts in list_objects(url):
        relative = safe_relative(facts.url.key.removeprefix(url.key))
        place = f"{root.prefix}/{relative}" if root.prefix else str(relative)
        yield Listed(object_reference(facts), place, unsure=True)


def roots(sources: Sequence[str], result: str | None = None) -> list[Root]:
    """Return where to look; of several folders each has one of its own in the output.

    Args:
        sources: as they were named.
        result: name of the result, if there is one file, and that is not to be its own.

    Raises:
        InvalidOptionError: two sources would have the same place.
    """
    if result is not None:
        return [Root(path, result=result) for path in sources]
    containers = [path for path in sources if _is_container(path)]
    found = [
        Root(path, _prefix(path) if len(sources) > 1 and path in containers else "")
        for path in sources
    ]
    names = [root.prefix or Path(root.path).name for root in found]
    if len(sources) > 1 and (twice := sorted({name for name in names if names.count(name) > 1})):
        raise InvalidOptionError(f"two sources have the name {twice[0]!r} and one would be lost")
    return found


def _is_container(path: str) -> bool:
    if is_object_url(path):
        return parse_object_url(path).is_prefix
    return _is_folder(path) or is_archive(path)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - it raises nothing, whatever the name


def _prefix(path: str) -> str:
    if is_object_url(path):
        url = parse_object_url(path)
        return safe_component(url.name or url.bucket)
    name = Path(path).resolve().name
    if not _is_folder(path):
        suffix = next(one for one in ARCHIVE_SUFFIXES if name.lower().endswith(one))
        name = name[: -len(suffix)]
    return name or "root"


def listed(
    sources: Sequence[Root], rules: WalkRules, limits: Limits
) -> Iterator[Listed | PassedOver | DicodecError]:
    """Yield all sources in order. What cannot be listed is yielded as an error."""
    for root in sources:
        try:
            if is_object_url(root.path):
                yield from _objects(root)
            elif _is_folder(root.path):
                for entry in walk(root.path, rules):
                    if isinstance(entry, Found):
                        yield Listed(entry.reference, os.path.join(root.prefix, entry.relative))  # noqa: PTH118
                    else:
                        yield entry
            elif is_archive(root.path):
                from dicodec.batch.sources.archives import members

                for member in members(root.path, limits):
                    if isinstance(member, SourceReference):
                        relative = safe_relative(member.member or "")
                        yield Listed(member, str(Path(root.prefix) / relative), unsure=True)
                    else:
                        yield member
            else:
                reference = file_reference(root.path, named=True)
                yield Listed(reference, root.result or Path(root.path).name)
        except DicodecError as error:
            yield error
