"""Where `dicodec convert` puts results: one at OUTPUT itself, or all below it by their names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dicodec.conversion.output.write_errors import translated_writes
from dicodec.errors import InvalidOptionError, WriteError
from dicodec.model.archive_names import is_archive
from dicodec.model.object_url import is_object_url


def holds_many(source: str) -> bool:
    """Whether a source is one that others are in: a folder, an archive, a prefix of a bucket."""
    if is_object_url(source):
        return _is_prefix(source)
    return is_archive(source) or os.path.isdir(source)  # noqa: PTH112 - it raises nothing


def is_folder(output: str, sources: Sequence[str], *, layout: bool = False) -> bool:
    """Whether results go below OUTPUT; there is one result, and OUTPUT is its name, else.

    A slash at its end makes it a folder, and so do several sources and a layout.

    Raises:
        InvalidOptionError: it would have to be a folder, and is none.
    """
    several = layout or len(sources) > 1 or holds_many(sources[0])
    if output == "-":
        if several:
            raise InvalidOptionError("many files need a folder as OUTPUT")
        return False
    if is_object_url(output):
        return several or _is_prefix(output)
    if os.path.isdir(output):  # noqa: PTH112
        return True
    if not several and not output.endswith("/"):
        return False
    if os.path.lexists(output.rstrip("/")):
        raise InvalidOptionError("OUTPUT would have to be a folder, and is none")
    if not output.endswith("/") and (is_archive(output) or output.lower().endswith(".dcm")):
        raise InvalidOptionError(
            "many files need a folder as OUTPUT, and it has the name of a file",
            hint="a slash at its end makes it one",
        )
    return True


def make_folder(folder: str) -> None:
    """Make a folder, and those above it, if they are missing.

    Raises:
        WriteError: it cannot be made.
    """
    try:
        with translated_writes():
            Path(folder).mkdir(parents=True, exist_ok=True)
    except WriteError as error:
        error.path = folder
        raise


def _is_prefix(url: str) -> bool:
    return url.endswith("/") or url.count("/") == 2
