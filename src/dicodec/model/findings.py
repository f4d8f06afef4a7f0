"""Findings about a file: departures from the standard, and damaged frames with their treatment."""

from __future__ import annotations

from dataclasses import dataclass

from dicodec.model.option_table import FILL

_MOST_RUNS = 24
"""Runs of frame numbers that are named, because a Derivation Description has 1024 characters."""


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


@dataclass(frozen=True, slots=True)
class DamagedFrame:
    """A frame that cannot be decoded.

    Attributes:
        frame: its number, from 0.
        reason: why it cannot be decoded.
        offset: byte offset in the file, if it is known.
        kept: number of its samples, from the first, that are there and are kept.
    """

    frame: int
    reason: str
    offset: int | None = None
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Salvage:
    """The treatment of a damaged file.

    Attributes:
        mode: "fill" or "drop": the damaged frames are filled with padding or left out.
        frames: the damaged frames, in order.
        number_of_frames: the number that the file should have.
        end_lost: whether the file ends before its last fragment or element does.
    """

    mode: str
    frames: tuple[DamagedFrame, ...]
    number_of_frames: int
    end_lost: bool = False

    @property
    def text(self) -> str:
        """A sentence for people, in ASCII and below 500 characters; frames are counted from 1."""
        parts: list[str] = []
        if self.frames:
            numbers = [one.frame + 1 for one in self.frames]
            done = "filled with padding" if self.mode == FILL else "left out"
            parts.append(
                f"{len(numbers)} of {self.number_of_frames} frames could not be read and were "
                f"{done} (counted from 1: {_join_runs(numbers)})"
            )
            parts += [
                f"the first {one.kept} samples of frame {one.frame + 1} are kept"
                for one in self.frames
                if one.kept
            ]
        if self.end_lost:
            parts.append("the end of the file is lost")
        return "Salvaged from a damaged file: " + "; ".join(parts)


def _join_runs(numbers: list[int]) -> str:
    """Return rising numbers as text, those that follow each other as one run: 3, 7-9."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    texts = [f"{first}-{last}" if last > first else f"{first}" for first, last in runs]
    if len(texts) > _MOST_RUNS:
        texts = [*texts[:_MOST_RUNS], "and others"]
    return ", ".join(texts)
