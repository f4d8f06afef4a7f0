"""Choose the paths of the results of `dicodec convert`: OUTPUT itself, or names below it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import InvalidOptionError, WriteError
from dicodec.model.source_names import is_archive, is_object_url
from dicodec.part10.beneath import make_folders


def holds_many(source: str) -> bool:
    """Whether a source can hold several files: a folder, an archive, a prefix of a bucket."""
    if is_object_url(source):
        return _is_prefix(source)
    return is_archive(source) or os.path.isdir(source)  # noqa: PTH112 - it never raises


def is_folder(output: str, sources: Sequence[str], *, several: bool = False) -> bool:
    """Whether results go below OUTPUT; otherwise OUTPUT is the path of the only result.

    A slash at its end makes OUTPUT a folder, and so do several sources; `several` says that there
    are some that are not among `sources`, or that a layout names their results.

    Raises:
        InvalidOptionError: OUTPUT has to be a folder, but exists and is not one.
    """
    several = several or len(sources) > 1 or holds_many(sources[0])
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
        raise InvalidOptionError("OUTPUT has to be a folder, but is not one")
    if not output.endswith("/") and (is_archive(output) or output.lower().endswith(".dcm")):
        raise InvalidOptionError(
            "many files need a folder as OUTPUT, and it has the name of a file",
            hint="a slash at its end makes it one",
        )
    return True


def make_folder(folder: str, *, synced: bool) -> None:
    """Make a folder, and the folders above it, if they are missing.

    Args:
        folder: its path.
        synced: whether new folders survive a power cut, which has to be waited for.

    Raises:
        WriteError: the folder cannot be made.
    """
    try:
        with translate_write_errors():
            make_folders(folder, synced=synced)
    except WriteError as error:
        error.with_location(path=folder)
        raise


def _is_prefix(url: str) -> bool:
    return url.endswith("/") or url.count("/") == 2
