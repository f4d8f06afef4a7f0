"""Parse the options of a conversion that a rule of a policy sets, as TOML gives them."""

from __future__ import annotations

from dicodec.batch.policy.conditions import check_keys
from dicodec.conversion.edits.user_edits import check_user_edits
from dicodec.errors import InvalidOptionError, UnsupportedTargetError
from dicodec.model.option_table import OPTIONS, RULE, TO, Texts, TextsByName, select_options
from dicodec.model.records import dataclass, replace
from dicodec.options import ConversionOptions
from dicodec.rules.targets import find_target_syntax

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_OPTIONS = {option.key: option for option in (TO, *select_options(RULE).values())}

OTHERWISE = "otherwise"
"""The value of `keep` beside `to`: files that cannot be converted so are kept."""

KEYS = ("keep", *_OPTIONS)
"""All keys of a rule beside its name and its conditions."""


@dataclass(frozen=True, slots=True)
class OptionChanges:
    """Changes that a rule makes to the options of the run.

    Attributes:
        values: by name of the option; attributes to set or to remove are added to the run's.
        keeps_rest: whether a file that cannot be converted so is kept as it is.
    """

    values: tuple[tuple[str, Any], ...]
    keeps_rest: bool = False

    def apply(self, base: ConversionOptions) -> ConversionOptions:
        """Return the options of a conversion by this rule."""
        changed = dict(self.values)
        for name, value in self.values:
            if name in OPTIONS and isinstance(OPTIONS[name].kind, Texts | TextsByName):
                changed[name] = (*getattr(base, name), *value)
        return replace(base, **changed)


def parse_options(given: dict[str, Any]) -> OptionChanges | None:
    """Return the changes that a rule makes; None if it keeps files as they are.

    Raises:
        InvalidOptionError: there is no such key, or a value has no meaning.
    """
    check_keys(given, KEYS, "there is no key")
    keep = given.get("keep")
    if keep is not None and keep is not True and keep != OTHERWISE:
        raise InvalidOptionError(f'keep is {keep!r}; it is true, "{OTHERWISE}", or not there')
    if keep is True:
        others = [key for key in given if key != "keep"]
        if others:
            raise InvalidOptionError(f"keep leaves a file as it is, so {others[0]} has no effect")
        return None
    if "to" not in given:
        raise InvalidOptionError("there is neither to nor keep = true")
    names = {_OPTIONS[key].name: value for key, value in given.items() if key != "keep"}
    options = ConversionOptions.of(**names)
    check_user_edits(options)
    return OptionChanges(
        (
            ("to", _name_targets(options.to)),
            *((name, getattr(options, name)) for name in names if name != "to"),
        ),
        keeps_rest=keep == OTHERWISE,
    )


def _name_targets(names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(find_target_syntax(name).name for name in names)
    except UnsupportedTargetError as error:
        raise InvalidOptionError(f"to: {error.message}", hint=error.hint) from error
