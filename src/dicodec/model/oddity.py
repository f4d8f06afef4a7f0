"""Oddity: a departure from the standard in a file that was read all the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Oddity:
    """One departure from the standard.

    Attributes:
        id: stable, for programs: lower case words joined by hyphens.
        text: for people: the finding, and the assumption made.
        offset: byte offset in the source, if it applies.
    """

    id: str
    text: str
    offset: int | None = None
