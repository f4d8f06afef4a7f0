"""The transfer syntaxes a user may ask for, their settings, and the streams they share."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dicodec.errors import InvalidOptionError, UnsupportedTargetError
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.option_table import OPTIONS, Option
from dicodec.model.transfer_syntax import TransferSyntax, find_by_name, list_writable
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

# Streams that are valid under another transfer syntax too (PS3.5 section 10, A.4)
_ALSO_VALID_AS = {
    "jpeg-lossless": {"jpeg-lossless-p14"},  # selection value 1 is one of seven
    "jpeg-ls": {"jpeg-ls-near"},  # NEAR = 0
    "jpeg2000-lossless": {"jpeg2000"},
    "jpegxl-lossless": {"jpegxl"},
    "htj2k-rpcl": {"htj2k-lossless", "htj2k"},
    "htj2k-lossless": {"htj2k"},
}

_MAY_BE_VALID_AS = {
    "jpeg-lossless-p14": {"jpeg-lossless"},  # selection value 1
    "jpeg-ls-near": {"jpeg-ls"},  # NEAR = 0
}


def find_target_syntax(name: str) -> TransferSyntax:
    """Return the transfer syntax that a user names as a target.

    One that is not encoded here is a target for files that are in it: their attributes are edited.

    Raises:
        UnsupportedTargetError: no such name, or one that no result has; the hint lists names.
    """
    syntax = find_by_name(name)
    if syntax is None:
        from dicodec.model.similar_names import suggest

        names = [each.name for each in list_writable()]
        raise UnsupportedTargetError(
            f"there is no transfer syntax {name!r}",
            hint=suggest(name, names, f"there are {_list_writable_names()}"),
        )
    if not syntax.writes and syntax.native:
        raise refuse_target(syntax)
    return syntax


def refuse_target(syntax: TransferSyntax) -> UnsupportedTargetError:
    """Return the error that a transfer syntax is not written."""
    return UnsupportedTargetError(
        f"{syntax.name} ({syntax.title}) is not written: {syntax.why_not}",
        hint=f"possible are {_list_writable_names()}",
    )


def _list_writable_names() -> str:
    return ", ".join(syntax.name for syntax in list_writable())


def is_also_valid_as(source: TransferSyntax, target: TransferSyntax) -> bool:
    """Whether every stream of one transfer syntax is a stream of the other too."""
    return target.name in _ALSO_VALID_AS.get(source.name, set())


def may_be_valid_as(source: TransferSyntax, target: TransferSyntax) -> bool:
    """Whether some streams of one transfer syntax are, by their headers, streams of the other."""
    return target.name in _MAY_BE_VALID_AS.get(source.name, set())


def takes(target: TransferSyntax, setting: str) -> bool:
    """Whether an option says how much may be lost in a target."""
    return setting in QUALITY_SETTINGS.get(target.name, ())


def may_lose(options: ConversionOptions, target: TransferSyntax) -> bool:
    """Whether the caller permits loss in a target: in words, or by a setting that it takes."""
    settings = QUALITY_SETTINGS.get(target.name, ())
    return options.lossy or any(getattr(options, name) is not None for name in settings)


def make_encoder_settings(options: ConversionOptions, photometric: str | None) -> EncoderSettings:
    """Return the settings of the options for an encoder.

    Args:
        options: of the conversion.
        photometric: Photometric Interpretation wanted inside the stream, or None.
    """
    given = {option.name: getattr(options, option.name) for option in _OF_ENCODERS}
    return EncoderSettings(photometric=photometric, **given)


def find_idle_settings(options: ConversionOptions, names: Collection[str]) -> list[Option]:
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
    names = [find_target_syntax(name).name for name in options.to]
    for option in find_idle_settings(options, names):
        raise InvalidOptionError(
            f"`{option.name}` means nothing to {', '.join(names)}",
            hint=f"it is a setting of {', '.join(option.targets)}",
        )
