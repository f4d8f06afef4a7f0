"""Roots of a batch on several machines: whether a machine sees the same files as the driver.

A folder may be there on every machine and yet be another one, such as the empty place where a
share is not mounted. So the driver shows each machine a file that it cannot mistake: a probe file,
which the driver keeps in each folder that results go to, or the beginning of a source's file.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path

from dicodec.conversion.output.part_file import PartFile
from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import DicodecError, SourceUnavailableError, TargetUnavailableError
from dicodec.model.records import dataclass
from dicodec.model.source_names import is_object_url, parse_object_url

_PROBE = "dicodec-probe"
"""Its part file is the probe: locked while the driver runs, and passed over by whoever lists."""

_COMPARED = 4096
"""Bytes of a file by which a machine proves that it sees it."""

_LOOKED_AT = 1000
"""Entries of folders among which a file is looked for that a machine can prove to see."""

_HINT = (
    "on several machines sources and results have to be on shared storage, at the same path on "
    "each, or in object storage"
)


@dataclass(frozen=True, slots=True)
class Root:
    """A place that every machine has to see.

    Attributes:
        path: absolute path of a folder or file, or URL of objects.
        written: whether results go there.
        known: absolute path of a file there; None if there is none, and for objects.
        digest: of the beginning of that file.
    """

    path: str
    written: bool = False
    known: str | None = None
    digest: bytes = b""


@contextmanager
def keep_probes(read: Iterable[str], written: Iterable[str]) -> Iterator[list[Root]]:
    """Yield the roots of a batch; each folder for results has a probe file until the block ends.

    Args:
        read: absolute paths or URLs of sources.
        written: absolute paths or URLs of folders for results.

    Raises:
        WriteError: a probe file cannot be written.
    """
    roots: list[Root] = []
    with ExitStack() as probes:
        for path in dict.fromkeys(written):
            if is_object_url(path):
                roots.append(Root(path, written=True))
                continue
            content = os.urandom(32)
            with translate_write_errors():
                probe = probes.enter_context(PartFile(Path(path, _PROBE), 0o644))
                os.write(probe.descriptor, content)
            known = str(probe.path)
            roots.append(Root(path, written=True, known=known, digest=_digest(content)))
        done = {root.path for root in roots}
        others = [path for path in dict.fromkeys(read) if path not in done]
        yield roots + [root for path in others if (root := _look_at_source(path)) is not None]


def check_machine(roots: Iterable[Root]) -> None:
    """Find out whether this machine sees the roots as the driver does, and can write to them.

    Raises:
        DicodecError: it does not.
    """
    for root in roots:
        if is_object_url(root.path):
            _reach(root)
        elif root.known is None:
            if not os.path.exists(root.path):  # noqa: PTH110 - it never raises
                raise _make_unseen_error(root)
        elif not _sees(root.known, root.digest):
            raise _make_unseen_error(root)
        elif root.written:
            _try_to_write(root)


def check_again(roots: Iterable[Root]) -> None:
    """Find out whether this machine still sees the roots; it costs next to nothing.

    Sources may be removed by their owner meanwhile. That some are left tells a folder from the
    place of a share that is not mounted.

    Raises:
        DicodecError: it does not.
    """
    for root in roots:
        if root.known is None or root.known == root.path:
            continue
        seen = _sees(root.known, root.digest) if root.written else _has_entries(root.path)
        if not seen:
            raise _make_unseen_error(root)


def _look_at_source(path: str) -> Root | None:
    """Return the root of a source; None if the driver cannot read it, which the batch reports."""
    if is_object_url(path):
        return Root(path)
    known = _find_file(path)
    try:
        return Root(path) if known is None else Root(path, known=known, digest=_read_digest(known))
    except OSError:
        return None


def _find_file(path: str) -> str | None:
    """Return a file at or below a path, if one is found soon."""
    if not os.path.isdir(path):  # noqa: PTH112 - it never raises
        return path
    looked_at = 0
    for folder, _, names in os.walk(path):
        for name in names:
            found = os.path.join(folder, name)  # noqa: PTH118 - names need not be text
            if os.path.isfile(found) and not os.path.islink(found):  # noqa: PTH113, PTH114
                return found
        looked_at += 1 + len(names)
        if looked_at > _LOOKED_AT:
            break
    return None


def _sees(known: str, digest: bytes) -> bool:
    try:
        return _read_digest(known) == digest
    except OSError:
        return False


def _has_entries(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _read_digest(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - it is hot
        return _digest(file.read(_COMPARED))


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _make_unseen_error(root: Root) -> DicodecError:
    kind = TargetUnavailableError if root.written else SourceUnavailableError
    machine = socket.gethostname()
    return kind(f"the machine {machine} does not see the same there", path=root.path, hint=_HINT)


def _try_to_write(root: Root) -> None:
    place = Path(root.path, f"{_PROBE}-{os.urandom(8).hex()}")
    try:
        with PartFile(place, 0o600):
            pass
    except OSError as cause:
        text = f"the machine {socket.gethostname()} cannot write there: {cause.strerror or cause}"
        raise TargetUnavailableError(text, path=root.path) from cause


def _reach(root: Root) -> None:
    from dicodec.batch.sources.cloud import exists

    try:
        exists(parse_object_url(f"{root.path.rstrip('/')}/{_PROBE}"))
    except DicodecError as error:
        error.with_context(f"from the machine {socket.gethostname()}")
        error.path = root.path
        raise
