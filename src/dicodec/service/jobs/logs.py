"""Logs of services: one JSON object a line, with the job, its trace and its file.

Logs hold nothing from data sets: no names or identifiers of patients. They hold paths of files only
if paths are shown; otherwise a digest stands for a path, the same one each time.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, TextIO


class Log:
    """Writes lines; any thread may.

    Args:
        out: stream for the lines; None to write nothing.
        hide_paths: whether a digest stands for the path of a file.
        fields: fields that every line has.
    """

    def __init__(
        self,
        out: TextIO | None,
        *,
        hide_paths: bool = False,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        self._out = out
        self._hide_paths = hide_paths
        self._fields = dict(fields or {})
        self._lock = threading.Lock()
        self._lost = 0

    def write(
        self,
        level: str,
        event: str,
        *,
        job: str | None = None,
        trace: str | None = None,
        file: str | None = None,
        **fields: Any,
    ) -> None:
        """Write a line, or count it if the stream cannot be written, because the work goes on.

        The next line that can be written has the count as `lost_lines`. The first of those lines
        may be there all the same if the stream has kept them.

        Args:
            level: "info", "warning" or "error".
            event: name of the event, which never changes.
            job: id of the job.
            trace: trace id of the request.
            file: path of the source.
            **fields: further values that JSON can hold.
        """
        if self._out is None:
            return
        if self._hide_paths:
            fields = {**fields, "message": _hide_paths(fields.get("message"), file)}
            file = None if file is None else hide_path(file)
        line = {
            "time": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            "job": job,
            "trace": trace,
            "file": file,
            **self._fields,
            **fields,
        }
        with self._lock:
            line["lost_lines"] = self._lost or None
            text = json.dumps({name: value for name, value in line.items() if value is not None})
            try:
                self._out.write(f"{text}\n")  # at once: others may write to the same file
                self._out.flush()
            except OSError:
                self._lost += 1
            else:
                self._lost = 0


_QUOTED = re.compile(r"""(["'`])(/(?:(?!\1).)+)\1""")
_BARE = re.compile(r"""(?<![\w/.:<])/[^\s"'`,;:()<>]+/[^\s"'`,;:()<>]*""")


def _hide_paths(value: Any, file: str | None) -> Any:
    """Return a text with digests in place of paths; other values as they are."""
    if not isinstance(value, str) or "/" not in value:
        return value
    if file is not None:
        value = value.replace(file, hide_path(file))
    value = _QUOTED.sub(lambda found: f"{found[1]}{hide_path(found[2])}{found[1]}", value)
    return _BARE.sub(lambda found: hide_path(found[0]), value)


def hide_path(path: str) -> str:
    """Return the digest that stands for a path if paths are hidden."""
    digest = blake2b(path.encode(errors="surrogatepass"), digest_size=8)
    return f"path:{digest.hexdigest()}"
