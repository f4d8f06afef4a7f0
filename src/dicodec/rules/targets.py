"""Which transfer syntaxes a user may ask for, and what may be said of their quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dicodec.errors import InvalidOptionError, UnsupportedTargetError
from dicodec.model.transfer_syntax import Storage, TransferSyntax, by_name, writable
from dicodec.options import ConversionOptions

QUALITY_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "jpeg": ("quality",),
    "jpeg-extended": ("quality",),
    "jpegxl": ("quality",),
    "jpeg-ls-near": ("near",),
    "jpeg2000": ("quality", "ratio", "psnr"),
    "htj2k": ("quality", "ratio", "psnr"),
}
"""By lossy transfer syntax: the options that say how much may be lost in it."""

_SETTINGS = ("quality", "near", "ratio", "psnr")


def target_syntax(name: str) -> TransferSyntax:
    """Return the transfer syntax that a user names as a target.

    Raises:
        UnsupportedTargetError: no such name, or one that is never written; what would work is said.
    """
    syntax = by_name(name)
    if syntax is None:
        raise UnsupportedTargetError(
            f"there is no transfer syntax {name!r}", hint=f"there are {_writable_names()}"
        )
    if not syntax.writes and syntax.storage is not Storage.VIDEO:
        raise UnsupportedTargetError(
            f"{syntax.name} ({syntax.title}) is not written: {syntax.why_not}",
            hint=f"possible are {_writable_names()}",
        )
    return syntax


def _writable_names() -> str:
    return ", ".join(syntax.name for syntax in writable())


def may_lose(options: ConversionOptions, target: TransferSyntax) -> bool:
    """Whether the caller permits loss in a target: in words, or by a setting that it takes."""
    settings = QUALITY_SETTINGS.get(target.name, ())
    return options.lossy or any(getattr(options, name) is not None for name in settings)


def idle_settings(options: ConversionOptions, names: Iterable[str]) -> list[str]:
    """Return the quality settings that are given, and that none of some transfer syntaxes takes."""
    taken = {setting for name in names for setting in QUALITY_SETTINGS.get(name, ())}
    given = [one for one in _SETTINGS if getattr(options, one) is not None]
    return [one for one in given if one not in taken]


def check_quality(options: ConversionOptions) -> None:
    """Check that something takes each quality setting that is given.

    Raises:
        InvalidOptionError: no acceptable target does, so that it would mean nothing.
        UnsupportedTargetError: there is no such target.
    """
    names = [target_syntax(name).name for name in options.to]
    for setting in idle_settings(options, names):
        takers = [name for name, taken in QUALITY_SETTINGS.items() if setting in taken]
        raise InvalidOptionError(
            f"{setting} means nothing to {', '.join(names)}",
            hint=f"it is a setting of {', '.join(takers)}",
        )
