"""Logs of services: one JSON object a line, with the job, its trace and its file.

What is in a data set never comes here: no names, no identifiers of patients. The path of a file
does where paths are shown; else a digest stands for it, the same one each time.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, TextIO


class Log:
    """Writes lines; any thread may.

    Args:
        out: where to; None for nowhere.
        hide_paths: whether a digest stands for the path of a file.
        fields: of every line.
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
        """Write a line.

        Args:
            level: "info", "warning" or "error".
            event: what happened, in a few words that do not change.
            job: its id.
            trace: id that the request came with.
            file: path of the source.
            **fields: what else is known, in a form that JSON can hold.
        """
        if self._out is None:
            return
        if file is not None and self._hide_paths:
            file = hidden(file)
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
        text = json.dumps({name: value for name, value in line.items() if value is not None})
        with self._lock:
            self._out.write(f"{text}\n")  # at once: others may write to the same file
            self._out.flush()


def hidden(path: str) -> str:
    """Return what stands for a path where paths are hidden."""
    digest = blake2b(path.encode(errors="surrogatepass"), digest_size=8)
    return f"path:{digest.hexdigest()}"
