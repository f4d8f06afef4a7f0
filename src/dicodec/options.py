"""What a caller may ask of a conversion: one frozen value, passed down, never global."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from dicodec.errors import InvalidOptionError
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.salvage import SALVAGE_CHOICES

PHOTOMETRIC_CHOICES = (
    "auto",
    "keep",
    "MONOCHROME1",
    "MONOCHROME2",
    "RGB",
    "YBR_FULL",
    "YBR_FULL_422",
)
ENGINES = ("auto", "gdcm")
OFFSET_TABLES = ("auto", "basic", "extended", "empty")
INDEPENDENT = "independent"
"""The value of `verify` that asks for another decoder's opinion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionOptions:
    """Settings of one conversion.

    Attributes:
        to: acceptable transfer syntaxes, the first preferred: short names, keywords or UIDs.
        photometric: the Photometric Interpretation of the result; "auto" changes it only where
            the target asks for it, "keep" refuses even that.
        lossy: whether information may be lost. A quality setting that the target takes is
            permission too (`rules.targets.QUALITY_SETTINGS`).
        quality: 1 to 100, JPEG, JPEG XL, JPEG 2000 and HTJ2K.
        near: 0 to 255, largest error of a sample in JPEG-LS near-lossless.
        ratio: compression ratio to reach, JPEG 2000; above 1.
        psnr: peak signal-to-noise ratio in dB, JPEG 2000; 20 to 110; not beside `ratio`.
        rescale_to_8bit: map more than 8 bits to 8: gray levels by Rescale Slope and Intercept and
            the first window, or from the smallest to the largest value where there is none;
            colors from their whole range. The result is a derived, lossy image.
        set_attributes: (keyword or tag, text) pairs to set in the result.
        remove_attributes: keywords or tags to remove from the result.
        keep_uid: keep the SOP Instance UID where a lossy result would get a new one.
        offset_table: "auto" writes a Basic Offset Table, and an Extended Offset Table where 32
            bits may not suffice.
        charset: "utf-8" to have all text of the result in UTF-8, from the character set that the
            source states; "ISO_IR 100:utf-8" from another, where it states a wrong one.
        standardize: bring the data set to the form that a strict reader takes, as far as nothing
            has to be invented; else what no edit names stays byte for byte as it is.
        salvage: "fill" or "drop": of a damaged source, convert the frames that are whole, and fill
            the others with padding or leave them out. The result is marked, and another image.
        strict: refuse a source that departs from the standard or contradicts itself.
        engine: "auto" for our own codecs, "gdcm" for GDCM in a process of its own.
        overwrite: whether a target that is there may be replaced.
        backup: suffix of the name under which a file that is replaced is kept beside the new one.
        verify: decode the result again and compare it with the source before it is put in place;
            "independent" has GDCM decode it too, in a process of its own, and is an error where
            GDCM cannot.
        workers: threads that decode and encode frames; None for one a core.
        timeout: seconds that an engine's process may take; None for no bound.
        limits: bounds on what a source may claim.
    """

    to: tuple[str, ...]
    photometric: str = "auto"
    lossy: bool = False
    quality: int | None = None
    near: int | None = None
    ratio: float | None = None
    psnr: float | None = None
    rescale_to_8bit: bool = False
    set_attributes: tuple[tuple[str, str], ...] = ()
    remove_attributes: tuple[str, ...] = ()
    keep_uid: bool = False
    offset_table: str = "auto"
    charset: str | None = None
    standardize: bool = False
    salvage: str | None = None
    strict: bool = False
    engine: str = "auto"
    overwrite: bool = False
    backup: str | None = None
    verify: bool | str = False
    workers: int | None = None
    timeout: float | None = None
    limits: Limits = field(default=DEFAULT_LIMITS)

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            InvalidOptionError: a value has no meaning.
        """
        self._check_types()
        if not self.to:
            raise InvalidOptionError("no target transfer syntax is given")
        _one_of("photometric", self.photometric, PHOTOMETRIC_CHOICES)
        _one_of("engine", self.engine, ENGINES)
        _one_of("offset_table", self.offset_table, OFFSET_TABLES)
        if self.standardize and self.engine == "gdcm":
            raise InvalidOptionError(
                "GDCM reads the source itself and cannot standardize it",
                hint="standardize first, by a conversion of its own",
            )
        if self.engine == "gdcm" and self.offset_table in {"basic", "extended"}:
            raise InvalidOptionError(
                "GDCM leaves the Basic Offset Table empty",
                hint=f"a second conversion with --offset-table {self.offset_table} gives its "
                "result one, and changes no frame",
            )
        if self.salvage is not None:
            _one_of("salvage", self.salvage, SALVAGE_CHOICES)
            if self.engine == "gdcm" or self.verify == INDEPENDENT:
                raise InvalidOptionError(
                    "GDCM cannot tell which frames of a damaged file are whole",
                    hint="leave out --engine gdcm and --verify=independent",
                )
        if self.backup is not None and (not self.backup or set(self.backup) & {"/", "\0"}):
            raise InvalidOptionError(
                f"{self.backup!r} is no suffix of a file's name", hint="such as .orig"
            )
        if isinstance(self.verify, str):
            _one_of("verify", self.verify, (INDEPENDENT,))
        _within("quality", self.quality, 1, 100)
        _within("near", self.near, 0, 255)
        _within("ratio", self.ratio, 1, 1000)
        _within("psnr", self.psnr, 20, 110)
        if self.ratio is not None and self.psnr is not None:
            raise InvalidOptionError("ratio and psnr cannot both be reached: one of them decides")
        _within("workers", self.workers, 1, 256)
        _within("timeout", self.timeout, 0.1, 7 * 24 * 3600)

    def _check_types(self) -> None:
        """Find out what a call without a type checker may have brought.

        Raises:
            InvalidOptionError: a value is of another type than its field.
        """
        for name, kinds in _KINDS.items():
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, kinds)):
                whole = "whole " if kinds is int else ""
                raise InvalidOptionError(f"{name} is {value!r}, which is no {whole}number")
        for name in ("to", "remove_attributes"):
            value = getattr(self, name)
            if isinstance(value, str) or not _all(value, lambda one: isinstance(one, str)):
                raise InvalidOptionError(f"{name} is {value!r}; it takes several texts")
        if not _all(self.set_attributes, _is_pair):
            raise InvalidOptionError(
                f"set_attributes is {self.set_attributes!r}; it takes pairs of a keyword and a text"
            )
        if not isinstance(self.limits, Limits):
            raise InvalidOptionError(f"limits is {self.limits!r}, which is no Limits")


_KINDS: dict[str, type | tuple[type, ...]] = {
    "quality": int,
    "near": int,
    "workers": int,
    "ratio": (int, float),
    "psnr": (int, float),
    "timeout": (int, float),
}


def _all(values: object, fits: Callable[[object], bool]) -> bool:
    return isinstance(values, list | tuple) and all(map(fits, values))


def _is_pair(value: object) -> bool:
    return _all(value, lambda one: isinstance(one, str)) and len(cast("tuple[str]", value)) == 2


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidOptionError(f"{name} is {value!r}; it can be {', '.join(choices)}")


def _within(name: str, value: float | None, lowest: float, highest: float) -> None:
    if value is not None and not lowest <= value <= highest:
        raise InvalidOptionError(f"{name} is {value}; it can be {lowest} to {highest}")
