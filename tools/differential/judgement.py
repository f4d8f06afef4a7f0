"""The judgement of one case of the differential fuzzer."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels.decoders.base import get_decoder

from dicodec import convert_bytes
from dicodec.errors import DicodecError
from differential.chains import EDITED, Hop
from differential.drafts import Draft
from differential.judges import (
    Elements,
    Samples,
    agreed,
    as_colors,
    differ,
    different_elements,
    read_elements,
    read_elements_by_dcmtk,
    read_samples,
    rewrite_with_dcmtk,
)
from differential.known_faults import find_known_element_fault, find_known_fault
from differential.made_files import ICON, ICON_SIDE
from helpers.made import EXPLICIT_BE
from helpers.witnesses import WitnessResult, available, read_transfer_syntax

_OWN = (
    "0028", "7fe0", "0020000", "00080008", "00080018", "00082111", "00082112", "00089215",
    "0088", "fffc", "00080005",
)  # fmt: skip
"""Elements that a conversion may change, or that are judged elsewhere."""
_ITEMS_IN_UN = re.compile(rb"UN\0\0.{4}\xfe\xff\0\xe0", re.DOTALL)
LOSSY_LEVELS = 0.25
"""Part of the range that the mean error of a lossy chain may have: frames and colors are right."""


@dataclass(frozen=True, slots=True)
class Case:
    """One file with faults, and what is asked of it.

    Attributes:
        data: the file.
        right: the same file without faults.
        draft: what is true of it.
        faults: in words.
        chain: the conversions.
        dcmtk: whether DCMTK, which is slow to start, is a judge.
    """

    data: bytes
    right: bytes
    draft: Draft
    faults: list[str]
    chain: list[Hop]
    dcmtk: bool

    def describe(self) -> str:
        """Return family, size, faults and chain."""
        draft, hops = self.draft, " -> ".join(str(hop) for hop in self.chain)
        image = f"{draft.samples.shape} {draft.samples.dtype} {draft.photometric}"
        return f"{draft.family}, {image}; {', '.join(self.faults) or 'right'}; {hops}"


class Judgement:
    """Holds what others read in the source against what they read in a result."""

    def __init__(self, case: Case, source: Path, folder: Path) -> None:
        self._case = case
        self._source = source
        self._folder = folder

    @cached_property
    def _source_readings(self) -> dict[str, WitnessResult]:
        return read_samples(self._source, dcmtk=self._case.dcmtk or self._case.draft.ambiguous)

    @cached_property
    def _right_path(self) -> Path:
        path = self._folder / "right.dcm"
        path.write_bytes(self._case.right)
        return path

    @cached_property
    def _right_elements(self) -> Elements | None:
        return read_elements(self._right_path)

    def readers_agree(self) -> bool:
        """Whether two readers or more read the source, and all alike."""
        readings = [
            one.samples for one in self._source_readings.values() if one.samples is not None
        ]
        return len(readings) > 1 and not any(differ(one, readings[0], 2) for one in readings[1:])

    def of_result(self, result: Path, hops: Sequence[Hop]) -> list[str]:
        """Return findings on the last result."""
        readings = read_samples(result, dcmtk=self._case.dcmtk)
        found = [f"!samples: {one}" for one in self._samples(result, readings, hops)]
        elements = read_elements(result)
        wrong = self._elements(elements, hops)
        facts = {
            "transfer_syntax": read_transfer_syntax(result),
            "items_in_un": _ITEMS_IN_UN.search(result.read_bytes()) is not None,
        }
        if wrong and find_known_element_fault("pydicom", facts):
            rewritten = rewrite_with_dcmtk(result, self._folder)
            if rewritten is not None:
                result, elements = rewritten, read_elements(rewritten)
                wrong = self._elements(elements, hops)
            elif "dcmtk" not in available():
                return found  # nobody else is there to ask
        found += [f"!elements: {one}" for one in wrong]
        if elements is not None:
            found += [f"!icon: {one}" for one in self._icon(result)]
        return found

    def _samples(
        self, result: Path, readings: dict[str, WitnessResult], hops: Sequence[Hop]
    ) -> list[str]:
        readings = self._trusted(result, readings) or self._plain_readings(result)
        if not readings:
            doubtful = self._case.draft.ambiguous and not self._source_readings
            return [] if doubtful else ["no reader reads the result"]
        lossy = any(hop.lossy for hop in hops)
        found = self._differences(readings, self._right_images, lossy=lossy)
        if not found or not self._case.draft.ambiguous:
            return found
        if not self.readers_agree():
            return []
        shown = _shown(self._source_readings, 3 if self._case.draft.lossy else 0)
        return self._differences(readings, [*self._right_images, *shown], lossy=lossy)

    def _differences(
        self,
        readings: dict[str, WitnessResult],
        allowed: list[tuple[Samples, float]],
        *,
        lossy: bool,
    ) -> list[str]:
        """Return in words which readings are not one of some images, each with levels to be off."""
        found = []
        for name, one in readings.items():
            assert one.samples is not None
            stated = str(one.facts["photometric_interpretation"])
            exact = stated == self._case.draft.photometric and not self._case.draft.ambiguous
            mine = one.samples if exact else as_colors(one.samples, stated)
            differences = [
                self._far(mine, other) if lossy else differ(mine, other, tolerance)
                for other, tolerance in allowed
            ]
            if differences and all(differences):
                found.append(f"{name} reads {'; '.join(dict.fromkeys(differences))}")
        return found

    def _trusted(
        self, result: Path, readings: dict[str, WitnessResult]
    ) -> dict[str, WitnessResult]:
        """Return readings without those that known faults may spoil, and others in their place."""
        trusted = _leave_out_spoilt(readings)
        if len(trusted) == len(readings) or len(trusted) > 1:
            return trusted
        trusted |= _leave_out_spoilt(read_samples(result, dcmtk=True))
        return trusted if len(trusted) > 1 else {**trusted, **self._plain_readings(result)}

    def _plain_readings(self, result: Path) -> dict[str, WitnessResult]:
        """Return readings of a result once more converted: few readers take JPEG XL.

        Elements that were odd in the source and were carried over keep readers off, too; where they
        have no standard form, only such readers are left that do not read them.
        """
        plain = self._folder / "plain.dcm"
        for standardize in (True, False):
            with suppress(DicodecError):
                plain.write_bytes(
                    convert_bytes(result.read_bytes(), to="explicit-le", standardize=standardize)
                )
                if readings := _leave_out_spoilt(read_samples(plain, dcmtk=False)):
                    return {f"{name} (explicit-le)": one for name, one in readings.items()}
        return {}

    def _far(self, mine: Samples, other: Samples) -> str:
        if mine.shape != other.shape:
            return differ(mine, other, 0)
        span = int(other.max()) - int(other.min()) or 1
        mean = float(np.abs(mine.astype(float) - other.astype(float)).mean())
        return "" if mean <= max(LOSSY_LEVELS * span, 8) else f"mean error {mean:g} in {span}"

    @cached_property
    def _right_images(self) -> list[tuple[Samples, float]]:
        """The images that a result of the right file may show."""
        draft = self._case.draft
        allowed: list[tuple[Samples, float]] = []
        if not draft.lossy:
            allowed.append((draft.samples, 0))
            if draft.photometric.startswith("YBR"):
                allowed.append((as_colors(draft.samples, draft.photometric), 2))
            if tables := _palette(self._case.right):
                wide = as_colors(draft.samples, "PALETTE COLOR", tables)
                allowed += [(wide, 0), (wide >> 8, 0)]
        else:
            allowed += _shown(read_samples(self._right_path, dcmtk=False), 3)
        return allowed

    def _elements(self, mine: Elements | None, hops: Sequence[Hop]) -> list[str]:
        right = self._right_elements
        if right is None:
            return []
        if mine is None:
            readable = read_elements(self._source) is not None and not self._case.draft.derailed
            return ["neither pydicom nor DCMTK reads the result"] if readable else []
        edited = [hop.options for hop in hops]
        ignored = [*_OWN]
        if any("set_attributes" in one for one in edited):
            ignored.append("00100010")
            if mine.get("00100010") != EDITED:
                return [f"Patient's Name is {mine.get('00100010')!r}"]
        if any("remove_attributes" in one for one in edited):
            ignored.append("00081030")
        if any("charset" in one for one in edited):
            ignored.append("00091006")
        if "no preamble" in self._case.faults:
            ignored.append("00080016")
        expected = {path: {value} for path, value in right.items()}
        if not different_elements(mine, expected, ignored):
            return []
        return different_elements(mine, self._expected(right), ignored)[:4]

    def _expected(self, right: Elements) -> dict[str, set[str]]:
        draft = self._case.draft
        expected = {path: {value} for path, value in right.items()}
        if draft.cut:
            return {}
        if not draft.touched and not draft.derailed:
            return expected
        both = agreed(
            [read_elements(self._source), read_elements_by_dcmtk(self._source, self._folder)]
        )
        for path in list(expected):
            if not draft.derailed and int(path[:8], 16) not in draft.touched:
                continue
            if path in both:
                expected[path].add(both[path])
            else:
                del expected[path]
        return expected

    def _icon(self, result: Path) -> list[str]:
        draft = self._case.draft
        if not draft.icon or draft.cut:
            return []
        with warnings.catch_warnings(action="ignore"):
            data_set = pydicom.dcmread(io.BytesIO(result.read_bytes()), force=True)
            if ICON not in data_set:
                return [] if ICON in draft.touched else ["it is missing"]
            item = data_set[ICON].value[0]
            item.file_meta = data_set.file_meta
            shown = bytes(item.PixelData)
            if data_set.file_meta.TransferSyntaxUID == EXPLICIT_BE and item["PixelData"].VR == "OW":
                shown = np.frombuffer(shown, "<u2").byteswap().tobytes()
            if shown[:4] == b"\xfe\xff\x00\xe0":
                syntax = data_set.file_meta.TransferSyntaxUID
                try:
                    decoder = get_decoder(syntax)
                except NotImplementedError:
                    return []
                if not decoder.is_available or decoder.is_native:
                    return ["it is in fragments that nobody reads"] if decoder.is_native else []
                try:
                    shown = decoder.as_array(item, raw=True)[0].tobytes()
                except Exception as error:  # whatever it is, the icon cannot be shown
                    return [f"pydicom does not decode it: {str(error)[-200:]}"]
        if shown[: ICON_SIDE * ICON_SIDE] != draft.icon:
            return [f"other samples: {shown[:8].hex()} for {draft.icon[:8].hex()}"]
        return []


def _leave_out_spoilt(readings: dict[str, WitnessResult]) -> dict[str, WitnessResult]:
    return {
        name: one for name, one in readings.items() if find_known_fault(name, one.facts) is None
    }


def _shown(readings: dict[str, WitnessResult], tolerance: float) -> list[tuple[Samples, float]]:
    found = []
    for one in readings.values():
        assert one.samples is not None
        shown = as_colors(one.samples, str(one.facts["photometric_interpretation"]))
        found += [(image, tolerance) for image in (shown, one.samples)]
    return found


def _palette(content: bytes) -> list[Samples]:
    data_set = pydicom.dcmread(io.BytesIO(content))
    if "RedPaletteColorLookupTableData" not in data_set:
        return []
    names = ("Red", "Green", "Blue")
    tables = [data_set[f"{name}PaletteColorLookupTableData"].value for name in names]
    return [np.frombuffer(table, "<u2") for table in tables]
