"""Chains of conversions that the differential fuzzer asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from differential.made_files import LOSSLESS, LOSSY, NATIVE

EDITED = "Edited^Name"


@dataclass(frozen=True, slots=True)
class Hop:
    """One conversion.

    Attributes:
        to: short name of the target.
        in_place: whether the file is replaced by its result.
        options: as `convert` takes them.
    """

    to: str
    in_place: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def lossy(self) -> bool:
        """Whether samples may change."""
        return self.to in LOSSY

    def __str__(self) -> str:
        words = [f"{name}={value}" for name, value in self.options.items()]
        return " ".join([self.to, *(["in place"] if self.in_place else []), *words])


def draw_chain(random: Random) -> list[Hop]:
    """Draw one to three conversions; two in three chains end in a native syntax."""
    hops = [_draw_hop(random) for _ in range(random.choice((0, 0, 1, 1, 2)))]
    last = random.choice((*NATIVE, *NATIVE, *LOSSLESS))
    return [*hops, Hop(last, random.random() < 0.2, _draw_options(random, last))]


def _draw_hop(random: Random) -> Hop:
    to = random.choice((*NATIVE, *LOSSLESS, *LOSSLESS, *LOSSY))
    return Hop(to, random.random() < 0.2, _draw_options(random, to))


def _draw_options(random: Random, to: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if to in LOSSY:
        options["lossy"] = True
    if random.random() < 0.2:
        options["verify"] = True
    if random.random() < 0.1:
        options["standardize"] = True
    if random.random() < 0.15:
        options["set_attributes"] = {"PatientName": EDITED}
    if random.random() < 0.1:
        options["remove_attributes"] = ["StudyDescription"]
    if random.random() < 0.06:
        options["charset"] = "utf-8"
    if to not in NATIVE and random.random() < 0.3:
        options["offset_table"] = random.choice(("basic", "extended", "empty"))
    return options
