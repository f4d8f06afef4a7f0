"""Named tuples and enumerations of the package are the standard library's but for their price."""

from __future__ import annotations

import copy
import enum
import inspect
import json
import pickle
import re
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicodec
from dicodec.model.enum_classes import StrEnum as LightEnum
from dicodec.model.findings import OddityId
from dicodec.model.records import NamedTuple, StrEnum
from dicodec.model.tuple_classes import NamedTuple as LightTuple
from dicodec.part10.element_span import ElementSpan


class Place(NamedTuple):
    """A tuple at the top of a module, so that it can be pickled."""

    row: int
    column: int = 0

    @property
    def area(self) -> int:
        """A property beside the fields."""
        return self.row * self.column


class Deeper(Place):
    """One that makes its instances in its own way."""

    __slots__ = ()

    def __new__(cls, row: int) -> typing.Self:
        return super().__new__(cls, row + 1, row)


class Color(StrEnum):
    """An enumeration at the top of a module, so that it can be pickled."""

    RED = "red"
    DARK_RED = "dark red"
    CRIMSON = "red"

    def shout(self) -> str:
        """A method beside the members."""
        return self.upper()


_VALUES = st.one_of(st.integers(), st.text(max_size=3), st.none())
_NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1, max_size=6)


def make_tuples(names: list[str], defaults: list[Any]) -> tuple[Any, Any]:
    """Return the class that each of both makes: the last fields have the defaults."""
    space: dict[str, Any] = {}
    lines = [f"    {name}: 'object'" for name in names]
    for index, default in enumerate(reversed(defaults), 1):
        lines[-index] += f" = {default!r}"
    body = "\n".join(lines)
    exec(f"class Ours(Light):\n{body}\nclass Standard(Real):\n{body}\n",
         {"Light": LightTuple, "Real": typing.NamedTuple, "__name__": __name__}, space)  # fmt: skip
    return space["Ours"], space["Standard"]


@given(_NAMES, st.data())
def test_tuples_are_as_the_standard_librarys(names: list[str], data: st.DataObject) -> None:
    defaults = data.draw(st.lists(_VALUES, max_size=len(names)))
    ours, standard = make_tuples(names, defaults)
    values = {name: data.draw(_VALUES) for name in names[: len(names) - len(defaults)]}
    changed = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names, _VALUES)))
    mine, theirs = ours(**values), standard(**values)
    assert mine == theirs == ours(*values.values()) == tuple(mine)
    assert hash(mine) == hash(theirs)
    assert repr(mine).removeprefix("Ours") == repr(theirs).removeprefix("Standard")
    assert mine._asdict() == theirs._asdict() == {name: getattr(mine, name) for name in names}
    assert mine._replace(**changed) == theirs._replace(**changed)
    assert ours._make(range(len(names))) == standard._make(range(len(names)))
    for attribute in ("_fields", "_field_defaults", "__match_args__", "__annotations__"):
        expected: object = getattr(standard, attribute)
        if attribute == "__annotations__":
            expected = dict.fromkeys(names, "'object'")
        assert getattr(ours, attribute) == expected
    parameters = inspect.signature(ours.__new__).parameters
    assert [*parameters][1:] == names
    for wrong in ({**values, "more": 1}, dict.fromkeys([*names, "more"], 1)):
        with pytest.raises(TypeError):
            ours(**wrong)
    if values:
        with pytest.raises(TypeError):
            ours()


def test_wrong_values_of_tuples_are_errors() -> None:
    with pytest.raises(ValueError, match="unexpected field names"):
        Place(1)._replace(depth=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Expected 2 arguments"):
        Place._make([1])
    with pytest.raises(AttributeError):
        Place(1).row = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Place(1).other = 2  # type: ignore[attr-defined]
    make: Any = type(LightTuple)
    with pytest.raises(TypeError, match="without a default"):
        make("Odd", (LightTuple,), {"__annotations__": {"a": "", "b": ""}, "a": 1})
    with pytest.raises(TypeError, match="no other base"):
        make("Odd", (LightTuple, str), {})


def test_tuples_have_methods_subclasses_and_copies() -> None:
    place = Place(2, 3)
    assert place.area == 6
    assert Place.__doc__
    assert (Place.__module__, Place.__qualname__) == (__name__, "Place")
    deeper = Deeper(4)
    assert (deeper, type(deeper)) == ((5, 4), Deeper)
    for copied in (pickle.loads(pickle.dumps(place)), copy.copy(place), copy.deepcopy(place)):
        assert copied == place
        assert type(copied) is Place
    match place:
        case Place(row, column):
            assert (row, column) == (2, 3)


def test_enumerations_are_as_the_standard_librarys() -> None:
    values = {"RED": "red", "DARK_RED": "dark red", "CRIMSON": "red"}
    make: Any = enum.StrEnum
    standard = make("Color", [*values.items()])
    assert isinstance(Color, type(LightEnum))
    assert [*Color] == [*standard] == ["red", "dark red"]
    assert {**Color.__members__} == {**standard.__members__} == values
    assert len(Color) == len(standard) == 2
    for name, value in values.items():
        mine, theirs = Color[name], standard[name]
        assert Color(value) is mine is getattr(Color, name) is Color(mine)
        assert (mine.name, mine.value) == (theirs.name, theirs.value)
        assert mine == theirs == value
        assert hash(mine) == hash(value)
        assert repr(mine) == repr(theirs)
        for shown in (str, "{}".format, json.dumps):
            assert shown(mine) == shown(theirs)
            assert type(shown(mine)) is str
        assert isinstance(mine, Color)
        assert value in Color
        assert mine in Color
    assert "green" not in Color
    assert 1 not in Color
    assert Color.CRIMSON is Color.RED
    assert Color.DARK_RED.shout() == "DARK RED"
    for wrong in ("green", "RED", 1, None):
        with pytest.raises(ValueError, match=re.escape(f"{wrong!r} is not a valid Color")):
            Color(wrong)
        with pytest.raises(ValueError, match="is not a valid"):
            standard(wrong)
    with pytest.raises(KeyError):
        Color["GREEN"]


def test_members_survive_pickling_and_copying() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(Color.CRIMSON, protocol)) is Color.RED
    assert copy.copy(Color.RED) is copy.deepcopy(Color.RED) is Color.RED


def test_the_package_has_them() -> None:
    assert isinstance(OddityId, type(LightEnum))
    assert ElementSpan.__bases__ == (tuple,)
    for path in Path(dicodec.__path__[0]).rglob("*.py"):
        text = path.read_text("utf-8")
        if path.stem == "records" or "service" in path.parts:  # whose frameworks know only theirs
            continue
        assert not re.search(r"^\s*from enum import .*\bStrEnum", text, re.M), path
        assert not re.search(r"^\s*from typing import .*\bNamedTuple", text, re.M), path
