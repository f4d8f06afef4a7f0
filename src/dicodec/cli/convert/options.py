"""Read the options of a conversion from the arguments of `dicodec convert`."""

from __future__ import annotations

import argparse

from dicodec.errors import InvalidOptionError
from dicodec.model.limits import parse_limits
from dicodec.model.option_table import NEVER, OPTIONS
from dicodec.options import UNDECIDED, ConversionOptions, edits_attributes
from dicodec.rules.targets import check_quality, find_target_syntax

ESTIMATE_SECONDS = 30
"""Seconds for which a dry run of a batch codes files, unless --estimate says otherwise."""


def parse_options(arguments: argparse.Namespace) -> ConversionOptions:
    """Return the options, checked as far as they can be without a file.

    Raises:
        InvalidOptionError: a value has no meaning.
        UnsupportedTargetError: no transfer syntax of that name is written.
    """
    if arguments.in_place and arguments.skip_existing:
        raise InvalidOptionError("--skip-existing has no meaning in place: every target exists")
    if arguments.salvage is not None and arguments.in_place:
        raise InvalidOptionError("--salvage makes another image, which replaces none in place")
    if arguments.in_place and arguments.durability == NEVER:
        raise InvalidOptionError(
            "--in-place syncs each result before its original goes",
            hint="leave out --durability none",
        )
    if arguments.estimate is not None and not arguments.dry_run:
        raise InvalidOptionError("--estimate belongs to --dry-run: a conversion tells the sizes")
    given = {name: getattr(arguments, name) for name in OPTIONS}
    given["set_attributes"] = [_parse_pair(text) for text in arguments.set_attributes]
    if arguments.key is not None and arguments.manifest is None:
        raise InvalidOptionError("--key belongs to --manifest")
    if arguments.manifest is not None:
        given["verify"] = arguments.verify or True  # the error of a lossy result is measured
    given["limits"] = parse_limits(arguments.limits)
    if arguments.in_place:  # an original is replaced only by a verified result
        given |= {"overwrite": True, "verify": arguments.verify or True}
    options = ConversionOptions.of(UNDECIDED if arguments.to is None else arguments.to, **given)
    for name in options.to:
        find_target_syntax(name)
    if arguments.policy is None:
        check_quality(options)
    if edits_attributes(options):
        from dicodec.conversion.edits.user_edits import check_user_edits, find_editable_tag

        check_user_edits(options)
        removed = {find_editable_tag(name) for name in options.remove_attributes}
        for name, _ in options.set_attributes:
            if find_editable_tag(name) in removed:  # a policy may remove one that the command sets
                raise InvalidOptionError(
                    "the attribute is to be set and to be removed", attribute=name
                )
    return options


def _parse_pair(text: str) -> tuple[str, str]:
    keyword, equals, value = text.partition("=")
    if not equals or not keyword:
        raise InvalidOptionError(f"--set takes KEYWORD=VALUE, not {text!r}")
    return keyword, value
