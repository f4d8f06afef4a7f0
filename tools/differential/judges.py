"""Judges results of conversions by readers that do not know dicodec: samples and elements.

Samples are held against those that the file was made of; if a fault left more than one way to read
them, against what the readers agree on. Elements are held against those of the right file; the ones
that a fault touched, against what pydicom and DCMTK agree on in the wrong file.
"""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from helpers.installed import find_program
from helpers.made import EXPLICIT_BE
from helpers.witnesses import (
    TIMEOUT,
    WitnessResult,
    available,
    read_transfer_syntax,
    read_with,
)

type Samples = NDArray[Any]
type Elements = dict[str, str]
"""Values in one form for all encodings, by path of tags: "00081140[0].00081150"."""

_SWAPPED = {"OW": 2, "US": 2, "SS": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "OL": 4, "OF": 4,
            "FD": 8, "OD": 8, "OV": 8, "UV": 8, "SV": 8}  # fmt: skip
UNREADABLE = "(unreadable)"


def read_samples(path: Path, *, dcmtk: bool) -> dict[str, WitnessResult]:
    """Return what each reader that takes the file reads, by its name.

    pydicom, which reads what DCMTK writes too, gives frames behind those of Number of Frames; these
    are cut off.
    """
    names = [name for name in _available() if dcmtk or name != "dcmtk"]
    found = {name: read_with(name, path) for name in names}
    return {
        name: replace(one, samples=one.samples[: one.facts["number_of_frames"]])
        for name, one in found.items()
        if one.samples is not None
    }


@cache
def _available() -> list[str]:
    return available()


def as_colors(samples: Samples, photometric: str, tables: list[Samples] | None = None) -> Samples:
    """Return YCbCr of 8 bits and, with its tables, palette color as RGB; all else as it is."""
    if photometric == "PALETTE COLOR" and tables:
        last = len(tables[0]) - 1
        return np.stack([table[np.clip(samples, 0, last)] for table in tables], axis=-1)
    if samples.ndim == 4 and photometric in {"YBR_FULL", "YBR_FULL_422"}:
        y, cb, cr = (samples[..., n].astype(float) for n in range(3))
        middle = 128.0
        rgb = [
            y + 1.402 * (cr - middle),
            y - 0.344136 * (cb - middle) - 0.714136 * (cr - middle),
            y + 1.772 * (cb - middle),
        ]
        return np.clip(np.rint(np.stack(rgb, axis=-1)), 0, 255).astype(np.int64)
    return samples


def differ(left: Samples, right: Samples, tolerance: float) -> str:
    """Return in words how two images differ by more than so many levels; "" if they do not."""
    if left.shape != right.shape:
        return f"shape {left.shape} for {right.shape}"
    errors = np.abs(left.astype(np.int64) - right.astype(np.int64))
    worst = int(errors.max(initial=0))
    if worst <= tolerance:
        return ""
    count = int((errors > tolerance).sum())
    return f"{count} of {errors.size} samples off by up to {worst}"


def read_elements(path: Path) -> Elements | None:
    """Return the elements of a file as pydicom reads them; None if it does not."""
    try:
        with warnings.catch_warnings(action="ignore"):
            data_set = pydicom.dcmread(path, force=True)
            big = data_set.file_meta.get("TransferSyntaxUID") == EXPLICIT_BE
            found: Elements = {}
            _walk(data_set, "", big, found)
    except Exception:  # whatever it is: this reader does not read the file
        return None
    return found


def read_elements_by_dcmtk(path: Path, folder: Path) -> Elements | None:
    """Return the elements as DCMTK writes them again; None if it does not."""
    rewritten = rewrite_with_dcmtk(path, folder)
    return None if rewritten is None else read_elements(rewritten)


def rewrite_with_dcmtk(path: Path, folder: Path) -> Path | None:
    """Return the file as DCMTK writes it again; None if it does not."""
    program = find_program("dcmconv")
    if program is None:
        return None
    target = folder / f"{path.stem}-dcmtk.dcm"
    target.unlink(missing_ok=True)
    options = ["+te"] if read_transfer_syntax(path) == EXPLICIT_BE else []
    run = subprocess.run(
        [program, *options, path, target], capture_output=True, timeout=TIMEOUT, check=False
    )
    return target if run.returncode == 0 and target.exists() else None


def agreed(readings: Iterable[Elements | None]) -> Elements:
    """Return the elements that all readers read, and read alike."""
    known = [one for one in readings if one is not None]
    if len(known) < 2:
        return {}
    return {
        path: value
        for path, value in known[0].items()
        if value != UNREADABLE and all(other.get(path) == value for other in known[1:])
    }


def _walk(data_set: Dataset, path: str, big: bool, found: Elements) -> None:
    for tag in list(data_set.keys()):
        if tag.group == 2 or tag.element == 0:
            continue
        place = f"{path}{int(tag):08x}"
        raw = data_set.get_item(tag)
        value = bytes(raw.value) if raw is not None and isinstance(raw.value, bytes) else None
        stated = getattr(raw, "VR", None)
        try:
            element = data_set[tag]
        except Exception:  # a value that pydicom does not read: nothing is expected of it
            found[place] = UNREADABLE
            continue
        if element.VR == "SQ":
            items = list(element.value)
            found[place] = f"{len(items)} items"
            for number, item in enumerate(items):
                _walk(item, f"{place}[{number}].", big, found)
        elif tag.is_private:
            content = str(element.value).encode() if value is None else value
            found[place] = _plain(content, None if value is None else stated, big)
        else:
            found[place] = _form(element, value, big)


def _plain(value: bytes, vr: str | None, big: bool) -> str:
    unit = _SWAPPED.get(vr or "", 1)
    if big and unit > 1 and len(value) % unit == 0:
        value = np.frombuffer(value, f"u{unit}").byteswap().tobytes()
    return value.rstrip(b" \0").hex()


def _form(element: DataElement, value: bytes | None, big: bool) -> str:
    content = element.value
    if isinstance(content, bytes):
        return _plain(value if value is not None else content, element.VR, big)
    if content is None:
        return ""
    many = content if element.VM > 1 else [content]
    return "\\".join(_one(part) for part in many)


def _one(part: Any) -> str:
    text = str(part).strip(" \0")
    try:
        return repr(float(text))
    except ValueError:
        return text


def different_elements(
    result: Elements, expected: Mapping[str, set[str]], ignored: Iterable[str]
) -> list[str]:
    """Return in words which elements of a result are not as any of the expected values."""
    starts = tuple(ignored)
    found = []
    for path, values in expected.items():
        if (
            path.startswith(starts)
            or UNREADABLE in values
            or any(_in_private_sequence(path, value) for value in values)
        ):
            continue
        if path not in result:
            found.append(f"{path} is missing, expected {_short(values)}")
        elif result[path] not in values and result[path] != UNREADABLE:
            found.append(f"{path} is {result[path]!r:.60}, expected {_short(values)}")
    return found


def _in_private_sequence(path: str, value: str) -> bool:
    """Whether an element is a private sequence, which implicit VR shows as bytes, or in one."""
    private = bool(int(path[:8], 16) >> 16 & 1)
    return private and ("[" in path or value.endswith(" items") or value.startswith("feff00e0"))


def _short(values: set[str]) -> str:
    return " or ".join(repr(value)[:60] for value in sorted(values))
