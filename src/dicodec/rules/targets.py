"""Which transfer syntaxes a user may ask for, and what may be said of their quality."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dicodec.errors import InvalidOptionError, UnsupportedTargetError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.option_table import OPTIONS, Option
from dicodec.model.transfer_syntax import Storage, TransferSyntax, by_name, writable
from dicodec.options import ConversionOptions

_OF_ENCODERS = tuple(option for option in OPTIONS.values() if option.targets)

QUALITY_SETTINGS: Mapping[str, tuple[str, ...]] = {
    target: tuple(
        option.name for option in _OF_ENCODERS if option.permits_loss and target in option.targets
    )
    for option in _OF_ENCODERS
    if option.permits_loss
    for target in option.targets
}
"""By lossy transfer syntax: the options that say how much may be lost in it."""


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


def encoder_settings(options: ConversionOptions, photometric: str | None) -> EncoderSettings:
    """Return what the options say to an encoder.

    Args:
        options: of the conversion.
        photometric: Photometric Interpretation wanted inside the stream, or None.
    """
    given = {option.name: getattr(options, option.name) for option in _OF_ENCODERS}
    return EncoderSettings(photometric=photometric, **given)


def idle_settings(options: ConversionOptions, names: Collection[str]) -> list[Option]:
    """Return the settings of encoders that are given, and that none of some targets takes."""
    return [
        option
        for option in _OF_ENCODERS
        if getattr(options, option.name) is not None and not {*names} & {*option.targets}
    ]


def check_quality(options: ConversionOptions) -> None:
    """Check that something takes each setting of encoders that is given.

    Raises:
        InvalidOptionError: no acceptable target does, so that it would mean nothing.
        UnsupportedTargetError: there is no such target.
    """
    names = [target_syntax(name).name for name in options.to]
    for option in idle_settings(options, names):
        raise InvalidOptionError(
            f"`{option.name}` means nothing to {', '.join(names)}",
            hint=f"it is a setting of {', '.join(option.targets)}",
        )
