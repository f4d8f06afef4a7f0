"""The settings of a conversion: one frozen value, passed down, never global."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dicodec.errors import InvalidOptionError
from dicodec.model.limits import DEFAULT_LIMITS, Limits
from dicodec.model.option_table import (
    INDEPENDENT,
    OPTIONS,
    TO,
    TOGETHER,
    Option,
    Texts,
    TextsByName,
)
from dicodec.model.records import dataclass, field
from dicodec.model.transfer_syntax import TransferSyntax

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, Self, Unpack

    from dicodec.model.conversion_settings import ConversionSettings

UNDECIDED = ("explicit-le",)
"""Stands for `to` until a policy gives it; no file is converted to it."""

type Targets = str | TransferSyntax | Sequence[str | TransferSyntax]
"""Acceptable transfer syntaxes, the first preferred; several may be in one text, with commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionOptions:
    """Settings of one conversion; types, ranges and defaults are those of model/option_table.py.

    Attributes:
        to: acceptable transfer syntaxes, the first preferred: short names, keywords or UIDs.
        photometric: the Photometric Interpretation of the result; "auto" changes it only if the
            target asks for it, "keep" refuses even that.
        lossy: whether information may be lost. A quality setting that the target takes is
            permission too (`rules.targets.QUALITY_SETTINGS`).
        quality: 1 to 100, JPEG, JPEG XL, JPEG 2000 and HTJ2K.
        near: 0 to 255, largest error of a sample in JPEG-LS near-lossless.
        ratio: 1 to 1000, compression ratio to reach, JPEG 2000 and HTJ2K.
        psnr: 20 to 110, peak signal-to-noise ratio in dB, JPEG 2000 and HTJ2K; not beside `ratio`.
        rescale_to_8bit: map more than 8 bits to 8: gray levels by Rescale Slope and Intercept and
            the first window, or from the smallest to the largest value if there is none;
            colors from their whole range. The result is a derived, lossy image.
        set_attributes: (keyword or tag, text) pairs to set in the result.
        remove_attributes: keywords or tags to remove from the result.
        keep_uid: keep the SOP Instance UID if a lossy result would get a new one.
        offset_table: "auto", "basic", "extended" or "empty"; "auto" writes a Basic Offset Table,
            and an Extended Offset Table if 32 bits may not suffice.
        charset: "utf-8" to have all text of the result in UTF-8, from the character set that the
            source states; "ISO_IR 100:utf-8" from another, if it states a wrong one.
        standardize: bring the data set to the form that a strict reader takes, as far as nothing
            has to be invented; else elements that no edit names stay byte for byte as they are.
        salvage: "fill" or "drop": of a damaged source, convert the frames that are whole, and fill
            the others with padding or leave them out. The result is marked, and another image.
        strict: refuse a source that departs from the standard or contradicts itself.
        engine: "auto" for our own codecs, "gdcm" for GDCM in a process of its own.
        overwrite: whether a target that is there may be replaced.
        backup: suffix of the name under which a file that is replaced is kept beside the new one.
        durability: when a result is synced to the disk: "none" for never, "batch" for together with
            others, "file" for at once. A result that replaces its source is synced always.
        verify: decode the result again and compare it with the source before it is put in place;
            "independent" has GDCM decode it too, in a process of its own, and is an error if
            GDCM cannot.
        workers: 1 to 256, threads that decode and encode frames; None for one a core.
        timeout: 0.1 to 604800, seconds that an engine's process may take; None for 120, and 5
            for each MB of native frames.
        limits: bounds on the claims of a source.
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
    durability: str = TOGETHER
    verify: bool | str = False
    workers: int | None = None
    timeout: float | None = None
    limits: Limits = field(default=DEFAULT_LIMITS)

    @classmethod
    def of(cls, to: Targets, **settings: Unpack[ConversionSettings]) -> Self:
        """Return the options that a call names, in the forms that calls take.

        Args:
            to: acceptable transfer syntaxes, the first preferred.
            **settings: fields of ConversionOptions; `set_attributes` may be a mapping, and an
                option of several texts any iterable.

        Raises:
            InvalidOptionError: there is no such option, or a value has no meaning.
        """
        values: dict[str, Any] = {**settings}
        for name, value in values.items():
            values[name] = _settle(_find_option(name), value)
        return cls(to=name_targets(to), **values)

    def __post_init__(self) -> None:
        """Check types and ranges, and refuse options that exclude each other.

        Raises:
            InvalidOptionError: a value has no meaning.
        """
        _check(TO, self.to)
        if not self.to:
            raise InvalidOptionError("no target transfer syntax is given")
        for name, option in OPTIONS.items():
            value = getattr(self, name)
            if value is not option.default or name == "limits":  # None stands for no switch there
                _check(option, value)
        if self.ratio is not None and self.psnr is not None:
            raise InvalidOptionError(
                "`ratio` and `psnr` cannot both be reached: one of them decides"
            )
        if self.backup is not None and set(self.backup) & {"/", "\0"}:
            raise InvalidOptionError(
                f"{self.backup!r} is not a suffix of a file's name", hint="such as .orig"
            )
        self._check_gdcm()

    def _check_gdcm(self) -> None:
        """Check that nothing is asked for that GDCM cannot do.

        Raises:
            InvalidOptionError: there is.
        """
        if self.salvage is not None and (self.engine == "gdcm" or self.verify == INDEPENDENT):
            raise InvalidOptionError(
                "GDCM cannot tell which frames of a damaged file are whole",
                hint='leave out `engine="gdcm"` and `verify="independent"`',
            )
        if self.engine != "gdcm":
            return
        if self.standardize:
            raise InvalidOptionError(
                "GDCM reads the source itself and cannot standardize it",
                hint="standardize first, by a conversion of its own",
            )
        if self.offset_table in {"basic", "extended"}:
            raise InvalidOptionError(
                "GDCM leaves the Basic Offset Table empty",
                hint=f'a second conversion with `offset_table="{self.offset_table}"` gives its '
                "result one, and changes no frame",
            )


def edits_attributes(options: ConversionOptions) -> bool:
    """Whether the caller sets or removes attributes, or has text in another character set."""
    keeps = not options.set_attributes and not options.remove_attributes
    return not keeps or options.charset is not None


def name_targets(to: Targets) -> tuple[str, ...]:
    """Return acceptable transfer syntaxes by their names; any other value stays as it is."""
    parts = (to,) if isinstance(to, str | TransferSyntax) else to
    if not isinstance(parts, Iterable):
        return (parts,)
    names: list[str] = []
    for part in parts:
        if isinstance(part, TransferSyntax):
            names.append(part.name)
        elif isinstance(part, str):
            names += [name.strip() for name in part.split(",") if name.strip()]
        else:
            names.append(part)
    return tuple(names)


def _find_option(name: str) -> Option:
    option = OPTIONS.get(name)
    if option is None:
        from dicodec.model.similar_names import suggest

        known = [f"`{one}`" for one in OPTIONS]
        hint = suggest(f"`{name}`", known, f"there are {', '.join(OPTIONS)}")
        raise InvalidOptionError(f"there is no option {name!r}", hint=hint)
    return option


def _settle(option: Option, value: Any) -> Any:
    """Return a value in the form that ConversionOptions has it, if it can be brought to it."""
    match option.kind:
        case Texts() if isinstance(value, str):
            return (value,)
        case TextsByName() if isinstance(value, Mapping):
            return tuple(value.items())
        case Texts() | TextsByName() if isinstance(value, Iterable) and not isinstance(value, str):
            return tuple(value)
    return value


def _check(option: Option, value: object) -> None:
    if not option.kind.fits(value):
        raise InvalidOptionError(f"`{option.name}` is {value!r}; it has to be {option.kind.wanted}")
