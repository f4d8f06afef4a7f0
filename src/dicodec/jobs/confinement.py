"""The folders that jobs may read from and write to.

Whoever asks for a conversion chooses paths; the operator chooses where they may lead.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from dicodec.errors import PathNotAllowedError


@dataclass(frozen=True, slots=True)
class Roots:
    """Folders, without symbolic links in their paths.

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
        """Return roots of folders as they were named."""
        return cls(
            tuple(os.path.realpath(folder) for folder in sources),
            tuple(os.path.realpath(folder) for folder in targets),
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


def _within(path: str, roots: tuple[str, ...], verb: str) -> str:
    if not os.path.isabs(path):  # noqa: PTH117 - names that are no text, too
        raise PathNotAllowedError("a path in a job has to be absolute", path=path)
    try:
        real = os.path.realpath(path)
    except (OSError, ValueError) as cause:
        raise PathNotAllowedError(f"the path cannot be followed: {cause}", path=path) from cause
    for root in roots:
        if real.startswith(root.rstrip("/") + "/"):
            return real
    raise PathNotAllowedError(
        f"the path is in none of the folders that may be {verb}",
        path=path,
        hint="the operator names them with --root",
    )
