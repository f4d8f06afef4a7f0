"""Guess the name that was meant by one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable


def suggest(name: str, known: Iterable[str], otherwise: str, *, cutoff: float = 0.6) -> str:
    """Return the hint for a name that does not exist.

    Args:
        name: as it was given.
        known: the names that there are.
        otherwise: the hint if none of them is like it.
        cutoff: how much alike they have to be, from 0 to 1 (all).

    Returns:
        "did you mean jpeg-ls?", or `otherwise`.
    """
    from difflib import get_close_matches  # it takes a while to load

    by_form = {_flatten(one): one for one in known}
    like = get_close_matches(_flatten(name), by_form, 1, cutoff)
    return f"did you mean {by_form[like[0]]}?" if like else otherwise


def _flatten(name: str) -> str:
    """Leave out of a name the parts that people get wrong: case, and marks between words."""
    return "".join(letter for letter in name.lower() if letter not in " _-") or name
