"""Makes frames that look to a codec as real ones do: smooth structure under noise, and edges.

All are made from seeds, so they are the same everywhere. A few frames of each kind are drawn, the
others are shifted ones, so that no two are equal and making them takes little time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Frame = NDArray[Any]

_DISTINCT = 24


def frames(image: str, rows: int, columns: int, count: int, first: int = 0) -> Iterator[Frame]:
    """Yield `count` frames of (rows, columns[, samples]) from the one numbered `first` on.

    1-bit samples take a byte each. No two frames are equal.
    """
    drawn: dict[int, Frame] = {}
    for number in range(first, first + count):
        seed, shifts = number % _DISTINCT, number // _DISTINCT
        if seed not in drawn:
            drawn[seed] = _MAKERS[image](rows, columns, np.random.default_rng(seed))
        yield np.roll(drawn[seed], (3 * shifts, 7 * shifts), (0, 1))


def _ct(rows: int, columns: int, random: np.random.Generator) -> Frame:
    """Tissue in air under a scanner's noise: 16 bits signed."""
    y, x = _grid(rows, columns)
    values = np.full((rows, columns), -1000.0)
    values[(x / 0.85) ** 2 + (y / 0.65) ** 2 < 1] = 40  # the body
    for _ in range(12):  # organs, vessels, bones
        center_x, center_y = random.uniform(-0.6, 0.6), random.uniform(-0.45, 0.45)
        radius_x, radius_y = random.uniform(0.03, 0.22, 2)
        inside = ((x - center_x) / radius_x) ** 2 + ((y - center_y) / radius_y) ** 2 < 1
        values[inside] = random.choice([-750, -90, 20, 60, 110, 180, 700])
    values += 15 * np.sin(3 * x + random.uniform(0, 6)) * np.cos(2 * y)
    noise = random.normal(0, 12, (rows, columns))
    values += (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)) / 1.7  # neighbors go together
    values[x**2 + y**2 > 1] = -2000  # what the scanner does not reconstruct
    return np.rint(values).astype("<i2")


def _ultrasound(rows: int, columns: int, random: np.random.Generator) -> Frame:
    """A sector of gray speckle with a box of color flow, letters at its side: RGB."""
    y, x = _grid(rows, columns)
    depth, angle = np.hypot(x, y + 1.1), np.arctan2(x, y + 1.1)
    tissue = 70 + 60 * _smooth(rows, columns, random, 24) + 30 * _smooth(rows, columns, random, 6)
    speckle = random.rayleigh(1, (rows, columns))
    speckle = (speckle + np.roll(speckle, 1, 1) + np.roll(speckle, 2, 1)) / 3.8  # wider than deep
    gray = np.clip(tissue * speckle * np.exp(-0.35 * depth), 0, 255)
    gray[(np.abs(angle) > 0.7) | (depth > 2) | (depth < 0.2)] = 0
    color = np.stack([gray] * 3, axis=-1)
    flow = 0.7 * _smooth(rows, columns, random, 20) + 0.3 * random.normal(0, 0.4, (rows, columns))
    vessel = (np.abs(x - 0.1) < 0.35) & (np.abs(y - 0.2 - 0.2 * np.sin(4 * x)) < 0.1) & (gray > 0)
    strength = np.clip(120 + 130 * np.abs(flow), 0, 255)
    toward = vessel & (flow > 0)
    color[toward] = np.stack([strength, 0.3 * strength, 0 * strength], axis=-1)[toward]
    away = vessel & (flow <= 0)
    color[away] = np.stack([0 * strength, 0.4 * strength, strength], axis=-1)[away]
    letters = random.random((rows // 24, columns // 40)) < 0.5
    drawn = np.kron(letters, np.ones((3, 3), bool))
    color[8 : 8 + drawn.shape[0], 8 : 8 + drawn.shape[1]][drawn] = 230
    return color.astype(np.uint8)


def _mammography(rows: int, columns: int, random: np.random.Generator) -> Frame:
    """A breast at the edge of an empty background: 12 bits."""
    y, x = _grid(rows, columns)
    breast = ((x + 1) / 1.5) ** 2 + (y / 0.85) ** 2
    values = 1500 * np.sqrt(np.clip(1 - breast, 0, None)) + 900
    for scale in (256, 64, 16):  # glands and fat, coarse to fine
        values += 1.6 * scale**0.9 * _smooth(rows, columns, random, scale)
    values += random.normal(0, 14, (rows, columns))
    for _ in range(30):  # calcifications
        row, column = random.integers(rows // 4, rows // 2), random.integers(20, columns // 3)
        values[row : row + 6, column : column + 6] += 900
    values[breast > 1] = 0
    return np.asarray(np.rint(np.clip(values, 0, 4095)), "<u2")


def _slide(rows: int, columns: int, random: np.random.Generator) -> Frame:
    """A tile of stained tissue, or of the white around it: RGB."""
    white = 243 + random.normal(0, 1.0, (rows, columns, 3))
    if random.random() < 0.3:
        return np.clip(white, 0, 255).astype(np.uint8)
    y, x = np.mgrid[:rows, :columns]
    texture = _smooth(rows, columns, random, 12) + 0.6 * _smooth(rows, columns, random, 3)
    tissue = np.array([222.0, 150.0, 195.0]) + np.array([14, 26, 16]) * texture[..., None]
    for _ in range(rows * columns // 900):  # nuclei
        row, column = random.integers(rows), random.integers(columns)
        radius, flat = random.uniform(3, 7), random.uniform(0.6, 1.6)
        nucleus = (y - row) ** 2 * flat + (x - column) ** 2 / flat < radius**2
        tissue[nucleus] = np.array([105.0, 60.0, 150.0]) + 12 * texture[nucleus][:, None]
    edge = _smooth(rows, columns, random, 48) > -1.2  # where the section ends
    made = np.where(edge[..., None], tissue + random.normal(0, 3, (rows, columns, 3)), white)
    return np.clip(made, 0, 255).astype(np.uint8)


def _segmentation(rows: int, columns: int, random: np.random.Generator) -> Frame:
    """A few organs with uneven outlines: 0 and 1."""
    y, x = _grid(rows, columns)
    uneven = 0.15 * _smooth(rows, columns, random, 20)
    mask = np.zeros((rows, columns), bool)
    for _ in range(random.integers(1, 5)):
        center_x, center_y = random.uniform(-0.6, 0.6, 2)
        radius_x, radius_y = random.uniform(0.05, 0.4, 2)
        mask |= ((x - center_x) / radius_x) ** 2 + ((y - center_y) / radius_y) ** 2 + uneven < 1
    return mask.astype(np.uint8)


def _grid(rows: int, columns: int) -> tuple[Frame, Frame]:
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    return y, x


def _smooth(rows: int, columns: int, random: np.random.Generator, scale: int) -> Frame:
    """Return noise of unit strength whose hills are about `scale` pixels wide."""
    coarse = random.normal(0, 1, (rows // scale + 2, columns // scale + 2))
    at_rows, at_columns = np.arange(rows) / scale, np.arange(columns) / scale
    row, column = at_rows.astype(int), at_columns.astype(int)
    down, right = (at_rows - row)[:, None], at_columns - column
    upper = coarse[row][:, column] * (1 - right) + coarse[row][:, column + 1] * right
    lower = coarse[row + 1][:, column] * (1 - right) + coarse[row + 1][:, column + 1] * right
    return np.asarray(1.5 * (upper * (1 - down) + lower * down))


_MAKERS: dict[str, Callable[[int, int, np.random.Generator], Frame]] = {
    "ct": _ct,
    "ultrasound": _ultrasound,
    "mammography": _mammography,
    "slide": _slide,
    "segmentation": _segmentation,
}
