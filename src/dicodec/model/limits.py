"""Bounds on what a file may claim, checked before memory is taken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits against hostile or broken input; each is far above what real files have.

    Attributes:
        nesting_depth: sequences within sequences.
        elements: elements of one data set, at one level.
        fragments: fragments of Pixel Data.
        inflated_size: bytes that a deflated data set may grow to.
        element_size: bytes of one element that has to be held in memory to be changed.
        frame_size: bytes of one decoded frame.
    """

    nesting_depth: int = 64
    elements: int = 1_000_000
    fragments: int = 10_000_000
    inflated_size: int = 64 << 30
    element_size: int = 1 << 30
    frame_size: int = 4 << 30


DEFAULT_LIMITS = Limits()
