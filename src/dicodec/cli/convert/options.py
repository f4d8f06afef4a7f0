"""What `dicodec convert` was asked for, as the options of a conversion."""

from __future__ import annotations

import argparse

from dicodec.errors import InvalidOptionError
from dicodec.model.limits import limits_of
from dicodec.options import ConversionOptions
from dicodec.rules.targets import check_quality, target_syntax

_UNDECIDED = ("explicit-le",)
"""What stands for the target until a rule of the policy gives it; no file is converted to it."""


def conversion_options(arguments: argparse.Namespace) -> ConversionOptions:
    """Return the options, checked as far as they can be without a file.

    Raises:
        InvalidOptionError: a value has no meaning.
        UnsupportedTargetError: no transfer syntax of that name is written.
    """
    if arguments.output == "":
        raise InvalidOptionError("OUTPUT is empty")
    if arguments.in_place and arguments.skip_existing:
        raise InvalidOptionError("--skip-existing has no meaning in place: every target exists")
    if arguments.salvage is not None and arguments.in_place:
        raise InvalidOptionError("--salvage makes another image, which replaces none in place")
    names = _UNDECIDED
    if arguments.policy is None:
        names = tuple(name for name in arguments.to.split(",") if name.strip())
    for name in names:
        target_syntax(name)
    options = ConversionOptions(
        to=names,
        photometric=arguments.photometric,
        lossy=arguments.lossy,
        quality=arguments.quality,
        near=arguments.near,
        ratio=arguments.ratio,
        psnr=arguments.psnr,
        rescale_to_8bit=arguments.rescale_to_8bit,
        set_attributes=tuple(_pair(text) for text in arguments.set_attributes),
        remove_attributes=tuple(arguments.remove_attributes),
        keep_uid=arguments.keep_uid,
        offset_table=arguments.offset_table,
        charset=arguments.charset,
        standardize=arguments.standardize,
        salvage=arguments.salvage,
        strict=arguments.strict,
        engine=arguments.engine,
        overwrite=arguments.overwrite or arguments.in_place,
        backup=arguments.backup,
        # An original is replaced only by a verified result.
        verify=arguments.verify or arguments.in_place,
        workers=arguments.workers,
        timeout=arguments.timeout,
        limits=limits_of(arguments.limits),
    )
    if arguments.policy is None:
        check_quality(options)
    if options.set_attributes or options.remove_attributes or options.charset is not None:
        from dicodec.conversion.edits.plan_edits import (  # with the conversion itself
            check_user_edits,
            editable_tag,
        )

        check_user_edits(options)
        removed = {editable_tag(name) for name in options.remove_attributes}
        for name, _ in options.set_attributes:
            if editable_tag(name) in removed:  # a policy may remove what the command sets
                raise InvalidOptionError("is to be set and to be removed", attribute=name)
    return options


def _pair(text: str) -> tuple[str, str]:
    keyword, equals, value = text.partition("=")
    if not equals or not keyword:
        raise InvalidOptionError(f"--set takes KEYWORD=VALUE, not {text!r}")
    return keyword, value
