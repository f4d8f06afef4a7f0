"""Lines for people and for programs: one line of valid text for any name or value."""

from __future__ import annotations

import json
import re
from typing import Any

_ENDS_OR_MOVES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that end a line, or that a terminal reads as a command."""


def one_line(text: str) -> str:
    r"""Return a text for people, its control characters written as in Python: `\n`, `\x1b`."""
    return _ENDS_OR_MOVES.sub(lambda found: ascii(found[0])[1:-1], text)


def json_line(fields: Any) -> str:
    r"""Return JSON in one line that can be encoded in UTF-8.

    Bytes of a name that are not text are surrogates in Python; JSON has `\udcff` for them, so a
    reader gets the name back.
    """
    text = json.dumps(fields, ensure_ascii=False)
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()
