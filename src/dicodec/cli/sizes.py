"""Sizes in bytes, as arguments have them; nothing heavy is imported for them."""

from __future__ import annotations

import argparse
import re

_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def size(text: str) -> int:
    """Return the bytes that a text such as 500M, 1.5G or 16GiB says; for argparse.

    Raises:
        argparse.ArgumentTypeError: it says none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 500M or 2G")
    return int(float(match[1]) * (1 << _SHIFTS[match[2].upper()]))
