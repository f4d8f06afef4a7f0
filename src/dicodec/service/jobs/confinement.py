"""Confine jobs to the folders and prefixes of buckets that the operator allows.

Clients choose the paths of a job; the operator chooses the folders in which they may be. A path is
resolved each time it is used, and its file is opened beneath its root, by descriptor.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from dicodec.errors import InvalidOptionError, PathNotAllowedError
from dicodec.model.records import dataclass
from dicodec.model.source_names import is_object_url, parse_object_url
from dicodec.part10.beneath import Beneath

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Self

type Location = Beneath | str
"""Place of a file beneath an allowed folder, or the URL of an object."""


@dataclass(frozen=True, slots=True)
class AllowedRoots:
    """Allowed folders, as paths without symbolic links, and prefixes of buckets.

    Attributes:
        sources: folders and prefixes that jobs may read from, with everything below.
        targets: folders and prefixes that jobs may write to, with everything below.
        closed: folders that jobs may neither read from nor write to, though they are below others.
    """

    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        sources: Iterable[str | os.PathLike[str]],
        targets: Iterable[str | os.PathLike[str]],
        closed: Iterable[str | os.PathLike[str]] = (),
    ) -> Self:
        """Return the roots for given paths and URLs.

        Raises:
            InvalidOptionError: a URL names no bucket.
        """
        return cls(
            tuple(_resolve_root(root) for root in sources),
            tuple(_resolve_root(root) for root in targets),
            tuple(_resolve_root(root) for root in closed),
        )

    def resolve_source(self, path: str) -> Location:
        """Return the location of a source.

        Raises:
            PathNotAllowedError: it is in none of the folders.
        """
        return self._resolve(path, self.sources, "read from")

    def resolve_target(self, path: str) -> Location:
        """Return the location of a result.

        Raises:
            PathNotAllowedError: it is in none of the folders.
        """
        return self._resolve(path, self.targets, "written to")

    def _resolve(self, path: str, roots: tuple[str, ...], verb: str) -> Location:
        if is_object_url(path):
            location: Location | None = _resolve_url(path, roots)
        else:
            location = _resolve_path(path, roots)
            if location and location.path.startswith(tuple(f"{one}/" for one in self.closed)):
                location = None
        if location is None:
            raise PathNotAllowedError(
                f"the path is in none of the folders that may be {verb}",
                path=path,
                hint="the operator names them with --root",
            )
        return location


def _resolve_root(root: str | os.PathLike[str]) -> str:
    if isinstance(root, str) and is_object_url(root):
        return str(parse_object_url(root))
    return os.path.realpath(root)


def _resolve_url(path: str, roots: tuple[str, ...]) -> str | None:
    try:
        url = str(parse_object_url(path))
    except InvalidOptionError as cause:
        raise PathNotAllowedError(cause.message, path=path) from cause
    return url if any(url.startswith(root.rstrip("/") + "/") for root in roots) else None


def _resolve_path(path: str, roots: tuple[str, ...]) -> Beneath | None:
    if not os.path.isabs(path):  # noqa: PTH117 - a name may not be text
        raise PathNotAllowedError("a path in a job has to be absolute", path=path)
    try:
        return Beneath.resolve(path, [root for root in roots if not is_object_url(root)])
    except (OSError, ValueError) as cause:
        text = (isinstance(cause, OSError) and cause.strerror) or "it is not a path"
        raise PathNotAllowedError(f"the path cannot be followed: {text}", path=path) from cause
