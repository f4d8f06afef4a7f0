"""Options are declared once: what is made from the table agrees with it."""

from __future__ import annotations

import runpy
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from dicodec.batch.policy.options import KEYS
from dicodec.errors import InvalidOptionError
from dicodec.model.conversion_settings import ConversionSettings
from dicodec.model.encoder_settings import EncoderSettings
from dicodec.model.limits import Limits
from dicodec.model.option_table import (
    OPTIONS,
    PAGE,
    REQUEST,
    RULE,
    Bounds,
    Choice,
    Flag,
    Kind,
    Number,
    Text,
    Texts,
    TextsByName,
    select_options,
)
from dicodec.model.transfer_syntax import find_by_name
from dicodec.options import ConversionOptions
from dicodec.service.jobs.request_fields import OPTION_FIELDS

ROOT = Path(__file__).parents[2]
FIELDS = {one.name: one for one in fields(ConversionOptions)}


def types_of(hint: Any) -> set[Any]:
    """Return the types of an annotation, without None."""
    parts = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return {*parts} - {type(None)}


def wanted_types(kind: Kind, *, call: bool) -> set[Any]:
    match kind:
        case Flag(words):
            return {bool, str} if words else {bool}
        case Number(_, _, whole):
            return {int if whole else float}
        case Choice() | Text():
            return {str}
        case Texts():
            return {str, Iterable[str]} if call else {tuple[str, ...]}
        case TextsByName():
            pairs = {Mapping[str, str], Iterable[tuple[str, str]]}
            return pairs if call else {tuple[tuple[str, str], ...]}
        case Bounds():
            return {Limits}


def test_the_fields_of_options_and_settings_are_the_rows() -> None:
    assert {*FIELDS} == {"to", *OPTIONS}
    assert {*ConversionSettings.__annotations__} == {*OPTIONS}
    assert ConversionSettings.__required_keys__ == frozenset()


@pytest.mark.parametrize("name", OPTIONS)
def test_types_and_defaults_are_those_of_the_row(name: str) -> None:
    kind, default = OPTIONS[name].kind, OPTIONS[name].default
    field, setting = (get_type_hints(one)[name] for one in (ConversionOptions, ConversionSettings))
    assert types_of(field) == wanted_types(kind, call=False)
    assert types_of(setting) == wanted_types(kind, call=True)
    if not isinstance(kind, Bounds):
        assert FIELDS[name].default == default
        for hint in (field, setting):
            assert (type(None) in get_args(hint)) is (default is None)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_docstring_says_range_and_choices(name: str) -> None:
    docstring = " ".join((ConversionOptions.__doc__ or "").split())
    entry = docstring.partition(f" {name}: ")[2]
    assert entry, "no entry"
    match OPTIONS[name].kind:
        case Number(lowest, highest):
            assert entry.startswith(f"{lowest} to {highest}, ")
        case Choice(words) if name != "photometric":
            assert all(f'"{word}"' in entry for word in words)


def test_what_encoders_get_are_their_settings() -> None:
    of_encoders = {name for name, option in OPTIONS.items() if option.targets}
    assert of_encoders <= {one.name for one in fields(EncoderSettings)}
    for name in of_encoders:
        assert all(find_by_name(target) is not None for target in OPTIONS[name].targets)


def test_each_entrance_takes_its_options() -> None:
    assert {*OPTION_FIELDS} == {*select_options(REQUEST)}
    assert {*select_options(PAGE)} <= {*select_options(REQUEST)}
    assert {*KEYS} == {"keep", "to", *(option.key for option in select_options(RULE).values())}
    assert {*OPTIONS} - {*select_options(REQUEST)} == {
        "backup", "durability", "limits", "timeout", "workers",
    }  # fmt: skip
    assert {*OPTIONS} - {*select_options(RULE)} == {
        "backup", "durability", "limits", "overwrite", "workers",
    }  # fmt: skip


def test_the_page_of_the_command_has_the_table() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "option_table.py"))
    page = tool["PAGE"].read_text(encoding="utf-8")
    assert tool["page_with"](tool["table"](), page) == page, "run the tool and commit"


WRONG: dict[type[Any], list[Any]] = {
    Flag: ["yes", 1, None],
    Choice: ["nonsense", 3, True],
    Text: ["", 3, b"x"],
    Texts: [3, [3], [None], b"x"],
    TextsByName: [3, "PatientID", ["PatientID"], {"PatientID": 3}, [("PatientID",)]],
    Bounds: [3, {"frames": 3}, None],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_value_of_another_type_or_range_is_refused(name: str) -> None:
    kind = OPTIONS[name].kind
    wrong = WRONG.get(type(kind), [])
    right: list[Any] = []
    if isinstance(kind, Number):
        wrong = ["3", True, float("nan"), kind.lowest - 0.05, kind.highest + 1]
        wrong += [kind.lowest + 0.5] if kind.whole else []
        right = [kind.lowest, kind.highest]
    for value in wrong:
        with pytest.raises(InvalidOptionError, match=f"`{name}` is .*; it has to be "):
            ConversionOptions.of("rle", **{name: value})
    for value in right:
        assert getattr(ConversionOptions.of("rle", **{name: value}), name) == value
