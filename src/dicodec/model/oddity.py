"""Something in a file that the standard does not allow, and that was read all the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Oddity:
    """One departure from the standard.

    Attributes:
        id: stable, for programs: lower case words joined by hyphens.
        text: what was found and what was assumed, for people.
        offset: byte offset in the source, where it applies.
    """

    id: str
    text: str
    offset: int | None = None
