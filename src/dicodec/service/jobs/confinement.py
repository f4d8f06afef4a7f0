"""Confine jobs to the folders and prefixes of buckets that the operator allows.

Clients choose the paths of a job; the operator chooses the folders in which they may be.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Self

from dicodec.errors import InvalidOptionError, PathNotAllowedError
from dicodec.model.records import dataclass
from dicodec.model.source_names import is_object_url, parse_object_url


@dataclass(frozen=True, slots=True)
class AllowedRoots:
    """Allowed folders, as paths without symbolic links, and prefixes of buckets.

    Attributes:
        sources: folders and prefixes that jobs may read from, with everything below.
        targets: folders and prefixes that jobs may write to, with everything below.
    """

    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        sources: Iterable[str | os.PathLike[str]],
        targets: Iterable[str | os.PathLike[str]],
    ) -> Self:
        """Return the roots for given paths and URLs.

        Raises:
            InvalidOptionError: a URL names no bucket.
        """
        return cls(
            tuple(_resolve_root(root) for root in sources),
            tuple(_resolve_root(root) for root in targets),
        )

    def resolve_source(self, path: str) -> str:
        """Return the path of a source without symbolic links.

        Raises:
            PathNotAllowedError: it is in none of the folders.
        """
        return _resolve_within(path, self.sources, "read from")

    def resolve_target(self, path: str) -> str:
        """Return the path of a result without symbolic links.

        Raises:
            PathNotAllowedError: it is in none of the folders.
        """
        return _resolve_within(path, self.targets, "written to")


def _resolve_root(root: str | os.PathLike[str]) -> str:
    if isinstance(root, str) and is_object_url(root):
        return str(parse_object_url(root))
    return os.path.realpath(root)


def _resolve_within(path: str, roots: tuple[str, ...], verb: str) -> str:
    real = _resolve(path)
    for root in roots:
        if real.startswith(root.rstrip("/") + "/"):
            return real
    raise PathNotAllowedError(
        f"the path is in none of the folders that may be {verb}",
        path=path,
        hint="the operator names them with --root",
    )


def _resolve(path: str) -> str:
    """Return a path without symbolic links; a URL unchanged."""
    if is_object_url(path):
        try:
            return str(parse_object_url(path))
        except InvalidOptionError as cause:
            raise PathNotAllowedError(cause.message, path=path) from cause
    if not os.path.isabs(path):  # noqa: PTH117 - a name may not be text
        raise PathNotAllowedError("a path in a job has to be absolute", path=path)
    try:
        return os.path.realpath(path)
    except (OSError, ValueError) as cause:
        raise PathNotAllowedError(f"the path cannot be followed: {cause}", path=path) from cause
