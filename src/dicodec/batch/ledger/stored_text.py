"""Names of files as SQLite holds them: they need not be text, and then their bytes are held."""

from __future__ import annotations

import os
from typing import Any


def stored(text: str | None) -> str | bytes | None:
    """Return a text as SQLite can hold it: as it is, or its bytes where it is none."""
    if text is None or text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def restored(value: Any) -> Any:
    """Return a value of a row as it was before `stored`."""
    return os.fsdecode(value) if isinstance(value, bytes) else value
