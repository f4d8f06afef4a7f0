"""Sizes in bytes as people write them, the same for arguments, policies and configuration."""

from __future__ import annotations

import re

_SIZE = re.compile(
    r"([0-9]{1,18})(?:\.([0-9]{1,18}))? ?(?:([kmgt])(i?b|i)?|b)?", re.ASCII | re.IGNORECASE
)
_PREFIXES = "kmgt"


def parse_size(text: str) -> int | None:
    """Return the bytes of a size such as 500M, 1.5 GiB or 10 MB; None if it is none.

    As GNU's programs have it: K, M, G, T and KiB, MiB, GiB, TiB are powers of 1,024, and kB, MB,
    GB, TB are powers of 1,000 (IEC 80000-13). Case does not count.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    whole, fraction, prefix, rest = found.groups(default="")
    if not prefix:
        return None if fraction else int(whole)
    base = 1000 if rest.lower() == "b" else 1024
    unit: int = base ** (_PREFIXES.index(prefix.lower()) + 1)
    parts: int = 10 ** len(fraction)
    return int(whole) * unit + int(fraction or "0") * unit // parts
