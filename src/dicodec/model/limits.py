"""Limits on sizes that a file claims, checked before memory is taken. See docs/limits.md."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from dicodec.errors import InvalidOptionError
from dicodec.model.records import dataclass, fields, replace

_ANY = 1 << 62
"""A limit that no file reaches."""

_SMALL_FILE = 1 << 20
"""Bytes from which on a file may claim more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits against hostile or broken input; each is far above the needs of real files.

    Attributes:
        nesting_depth: levels of sequences within sequences.
        elements: number of elements of one data set, at one level.
        fragments: number of fragments of Pixel Data.
        frames: number of frames to decode, encode or compare one by one.
        inflated_size: bytes that a deflated data set may grow to.
        element_size: bytes of one element that has to be held in memory to be changed.
        frame_size: bytes of one decoded frame.
        samples: number of samples of all frames together, and of those of nested images.
        expansion: how far a file may expand; see `for_file`.
    """

    nesting_depth: int = 64
    elements: int = 1_000_000
    fragments: int = 10_000_000
    frames: int = 10_000_000
    inflated_size: int = 64 << 30
    element_size: int = 1 << 30
    frame_size: int = 4 << 30
    samples: int = 1 << 40
    expansion: int = 1000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InvalidOptionError(
                    f"the limit {field.name} is {value!r}; it has to be a whole number from 1 on"
                )

    def for_file(self, size: int) -> Limits:
        """Return the limits for a file of a size: a small one may not claim as much as a large one.

        Each bound is `expansion` times a number of bytes, which is fixed for a file of up to 1 MB;
        each byte beyond counts in full (for elements and frames by a thousandth and less). So a
        small file costs a few seconds of CPU time, and a few hundred megabytes, whatever it claims.

        Args:
            size: bytes of the file as it lies on the disk.
        """
        return _bound(self, size - _SMALL_FILE if size > _SMALL_FILE else 0)

    def for_result(self) -> Limits:
        """Return the limits for reading a result that was just made: its size is no claim.

        A black image of a gigabyte may become a kilobyte, and a nested image larger than its file.
        """
        return replace(
            self,
            elements=_ANY,
            fragments=_ANY,
            frames=_ANY,
            samples=_ANY,
            frame_size=_ANY,
            inflated_size=_ANY,
            element_size=_ANY,
            expansion=_ANY,
        )

    def compute_seconds(self, size: int) -> float:
        """Return the CPU seconds that the frames of a file of a size may take."""
        return self.expansion * (3 + (max(0, size - _SMALL_FILE) >> 15)) / 1000

    def count_inflated_elements(self, size: int) -> int:
        """Return how many elements and items a data set may hold that was deflated to a size."""
        return self.expansion * (80 + (max(0, size - _SMALL_FILE) >> 9))


DEFAULT_LIMITS = Limits()

RAISES_EXPANSION = "`limits=Limits(expansion=NUMBER)` raises the limit of a small file"
"""Hint of errors about bounds that grow with the file, to be followed by others."""

_MOST_DEPTH = 200
"""Levels of sequences that can be walked before Python's own bound on recursion."""


@lru_cache(maxsize=64)  # most files are small or of a few sizes, and a class takes time to make
def _bound(limits: Limits, more: int) -> Limits:
    """Return the limits for a file with some bytes more than a small one has."""
    return replace(
        limits,
        elements=min(limits.elements, limits.expansion * (80 + (more >> 9))),
        frames=min(limits.frames, limits.expansion * (16 + (more >> 16))),
        samples=min(limits.samples, limits.expansion * ((128 << 10) + more)),
        frame_size=min(limits.frame_size, limits.expansion * ((80 << 10) + more)),
        inflated_size=min(limits.inflated_size, limits.expansion * ((128 << 10) + more)),
        element_size=min(limits.element_size, limits.expansion * ((32 << 10) + more)),
    )


def parse_limits(settings: Iterable[str]) -> Limits:
    """Return the default limits with some of them set.

    Args:
        settings: such as "frame_size=512M" or "nesting-depth=16".

    Raises:
        InvalidOptionError: no limit has this name, or the value is not a number in its range.
    """
    limits = DEFAULT_LIMITS
    names = {field.name for field in fields(Limits)}
    for setting in settings:
        name, _, text = setting.partition("=")
        name = name.strip().replace("-", "_")
        if name not in names:
            raise InvalidOptionError(
                f"there is no limit {name!r}", hint=f"there are {', '.join(sorted(names))}"
            )
        limits = replace(limits, **{name: _parse_value(name, text)})
    if limits.nesting_depth > _MOST_DEPTH:
        raise InvalidOptionError(f"the limit nesting_depth is at most {_MOST_DEPTH}")
    return limits


def _parse_value(name: str, text: str) -> int:
    from dicodec.model.sizes import parse_size  # most runs set no limit

    value = parse_size(text)
    if value is None:
        raise InvalidOptionError(f"{text!r} is not a value of {name}, such as 1000 or 512M")
    return value


def make_limit_hint(setting: str) -> str:
    """Return the hint of an error about a limit that grows with the file.

    Args:
        setting: the limit of any file, such as "frames=NUMBER".
    """
    return f"{RAISES_EXPANSION}, `limits=Limits({setting})` that of any"
