"""Send many results as one ZIP file, made while it is sent: no disk and little memory is needed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator

from dicodec.errors import DicodecError
from dicodec.model.records import NamedTuple
from dicodec.part10.beneath import Beneath, open_beneath

_PIECE = 1 << 20
_REPORT = "missing.txt"
_MOST_FOLDERS, _LONGEST = 16, 200
"""Folders in a name, and characters of each, at most."""


class ZipEntry(NamedTuple):
    """A file to send.

    Attributes:
        name: name in the ZIP file, with "/" between folders.
        place: place of the file; or why there is none, as a sentence.
    """

    name: str
    place: Beneath | str


def stream_zip(entries: Iterable[ZipEntry]) -> Iterator[bytes]:
    """Yield the pieces of a ZIP file, without compression because images hardly shrink.

    A file that is not there any more is left out, and named in `missing.txt` at the end.
    """
    out = _Pieces()
    missing = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        for name, place in entries:
            if isinstance(place, str):
                missing.append(f"{name}: {place}")
                continue
            try:
                with open_beneath(place) as pinned, open(pinned, "rb", buffering=0) as file:  # noqa: PTH123
                    yield from _add(packed, out, name, file)
            except DicodecError as error:
                missing.append(f"{name}: {error.message}")
        if missing:
            packed.writestr(_REPORT, "\n".join(missing) + "\n")
    yield out.take()


def _add(packed: zipfile.ZipFile, out: _Pieces, name: str, file: io.FileIO) -> Iterator[bytes]:
    # Its size stands behind it (a data descriptor), because what was sent cannot be changed.
    with packed.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
        while piece := file.read(_PIECE):
            entry.write(piece)
            yield out.take()


def choose_names(names: Iterable[str]) -> list[str]:
    """Return names for a ZIP file: none leads out of a folder, none stands twice in any case.

    Args:
        names: names that a client wishes for, with "/" between folders.
    """
    taken = {_REPORT}
    return [_choose_name(name, taken) for name in names]


def _choose_name(name: str, taken: set[str]) -> str:
    parts = [_clean(part) for part in name.split("/")[-_MOST_FOLDERS:]]
    wanted = "/".join(part for part in parts if part) or "result.dcm"
    stem, dot, suffix = wanted.rpartition(".")
    if not dot:
        stem, suffix = wanted, ""
    found, number = wanted, 1
    while found.casefold() in taken:
        number += 1
        found = f"{stem}-{number}{dot}{suffix}"
    taken.add(found.casefold())
    return found


def _clean(part: str) -> str:
    kept = "".join(one if one.isalnum() or one in "._- " else "_" for one in part)
    return kept.strip(". ")[-_LONGEST:]


class _Pieces(io.RawIOBase):
    """A file that can only be written, and whose bytes are taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def write(self, data: object) -> int:
        """Keep bytes until they are taken."""
        view = memoryview(data)  # type: ignore[arg-type]
        self._held += view
        return view.nbytes

    def take(self) -> bytes:
        """Return the bytes since the last call."""
        taken = bytes(self._held)
        self._held.clear()
        return taken
