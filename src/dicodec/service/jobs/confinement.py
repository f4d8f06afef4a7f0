"""The folders and prefixes of buckets that jobs may read from and write to.

Whoever asks for a conversion chooses paths; the operator chooses where they may lead.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from dicodec.errors import InvalidOptionError, PathNotAllowedError
from dicodec.model.object_url import is_object_url, parse_object_url


@dataclass(frozen=True, slots=True)
class Roots:
    """Folders, without symbolic links in their paths, and prefixes of buckets.

    Attributes:
        sources: that may be read from, with all that is below.
        targets: that may be written to.
    """

    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        sources: Iterable[str | os.PathLike[str]],
        targets: Iterable[str | os.PathLike[str]],
    ) -> Self:
        """Return roots as they were named.

        Raises:
            InvalidOptionError: a URL names no bucket.
        """
        return cls(
            tuple(_real_root(root) for root in sources),
            tuple(_real_root(root) for root in targets),
        )

    def source(self, path: str) -> str:
        """Return where a source really is.

        Raises:
            PathNotAllowedError: in none of the folders.
        """
        return _within(path, self.sources, "read from")

    def target(self, path: str) -> str:
        """Return where a result really goes.

        Raises:
            PathNotAllowedError: to none of the folders.
        """
        return _within(path, self.targets, "written to")


def _real_root(root: str | os.PathLike[str]) -> str:
    if isinstance(root, str) and is_object_url(root):
        return str(parse_object_url(root))
    return os.path.realpath(root)


def _within(path: str, roots: tuple[str, ...], verb: str) -> str:
    real = _real(path)
    for root in roots:
        if real.startswith(root.rstrip("/") + "/"):
            return real
    raise PathNotAllowedError(
        f"the path is in none of the folders that may be {verb}",
        path=path,
        hint="the operator names them with --root",
    )


def _real(path: str) -> str:
    """Return where a path leads; a key of an object leads nowhere else."""
    if is_object_url(path):
        try:
            return str(parse_object_url(path))
        except InvalidOptionError as cause:
            raise PathNotAllowedError(cause.message, path=path) from cause
    if not os.path.isabs(path):  # noqa: PTH117 - names that are no text, too
        raise PathNotAllowedError("a path in a job has to be absolute", path=path)
    try:
        return os.path.realpath(path)
    except (OSError, ValueError) as cause:
        raise PathNotAllowedError(f"the path cannot be followed: {cause}", path=path) from cause
