"""Data classes of the package are those of the standard library in everything but their price."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import re
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicodec
from dicodec.model import record_classes
from dicodec.model.limits import Limits
from dicodec.model.records import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Point:
    """A frozen one, at the top of a module, so that it can be pickled."""

    row: int
    column: int = 0
    names: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Count:
    """One whose fields can change."""

    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed(Point):
    """One that adds a field to another."""

    depth: int = 1
    volume: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "volume", self.row * self.column * self.depth)


_VALUES = st.one_of(st.integers(), st.text(max_size=3), st.none(), st.tuples(st.integers()))
_NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=5)


def _make_both(names: list[str], defaults: list[Any], **options: Any) -> tuple[Any, Any]:
    """Return the class that each decorator makes: the last fields have the defaults."""
    made = []
    for decorate in (record_classes.dataclass, dataclasses.dataclass):
        first = len(names) - len(defaults)
        contents: dict[str, Any] = {"__annotations__": dict.fromkeys(names, "object")}
        contents |= dict(zip(names[first:], defaults, strict=True))
        made.append(decorate(slots=True, **options)(type("Made", (), contents)))
    return made[0], made[1]


@given(_NAMES, st.data(), st.booleans(), st.booleans(), st.sampled_from((0, 2, 250)))
def test_instances_are_as_the_standard_librarys(
    names: list[str], data: st.DataObject, frozen: bool, kw_only: bool, few: int
) -> None:
    with mock.patch.object(record_classes, "FEW", few):
        compare_instances(names, data, frozen=frozen, kw_only=kw_only)


def compare_instances(
    names: list[str], data: st.DataObject, *, frozen: bool, kw_only: bool
) -> None:
    defaults = data.draw(st.lists(_VALUES, max_size=len(names)))
    ours, standard = _make_both(names, defaults, frozen=frozen, kw_only=kw_only)
    values = {name: data.draw(_VALUES) for name in names[: len(names) - len(defaults)]}
    changed = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names, _VALUES)))
    mine, theirs = ours(**values), standard(**values)
    assert repr(mine) == repr(theirs)
    assert dataclasses.asdict(mine) == dataclasses.asdict(theirs) == record_classes.asdict(mine)
    assert ours.__match_args__ == standard.__match_args__
    assert (
        inspect.signature(ours).parameters.keys() == inspect.signature(standard).parameters.keys()
    )
    for copied in (replace(mine, **changed), dataclasses.replace(mine, **changed)):
        assert repr(copied) == repr(dataclasses.replace(theirs, **changed))
        assert (copied == mine) is (dataclasses.replace(theirs, **changed) == theirs)
    assert mine == ours(**values)
    assert mine != theirs
    assert (ours.__hash__ is None) is (standard.__hash__ is None)
    if frozen:
        assert hash(mine) == hash(ours(**values))


@pytest.mark.parametrize("arguments", [(), (1, 2, [], 3)])
def test_wrong_arguments_are_a_type_error(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="__init__"):
        Point(*arguments)
    with pytest.raises(TypeError, match="unexpected"):
        replace(Point(1), depth=2)  # type: ignore[call-arg]


def test_a_frozen_instance_refuses_changes() -> None:
    point = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="row"):
        point.row = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="row"):
        del point.row


@pytest.mark.parametrize("few", [0, 250])
def test_a_subclass_finishes_its_own_instances(few: int) -> None:
    @dataclass(frozen=True, slots=True)
    class Square:
        side: int
        area: int = field(init=False, default=0)

        def __post_init__(self) -> None:
            object.__setattr__(self, "area", self.side**2)

    class Doubled(Square):
        def __post_init__(self) -> None:
            object.__setattr__(self, "area", 2 * self.side**2)

    with mock.patch.object(record_classes, "FEW", few):
        assert (Square(3).area, Doubled(3).area) == (9, 18)


def test_instances_survive_pickling_and_copying() -> None:
    for one in (Point(1, names=["a"]), Placed(2, 3), Count(4)):
        assert pickle.loads(pickle.dumps(one)) == one
        assert copy.deepcopy(one) == one


def test_a_remembered_hash_stays_in_its_process() -> None:
    limits = Limits(frames=3)
    assert hash(limits) == hash(limits) == hash(Limits(frames=3)) != hash(Limits())
    for copied in (pickle.loads(pickle.dumps(limits)), copy.copy(limits)):
        assert copied == limits
        assert not hasattr(copied, "_hash"), "strings have other hashes in another process"


def test_each_instance_has_its_own_list() -> None:
    assert Point(1).names is not Point(1).names
    with pytest.raises(ValueError, match="factory"):
        record_classes.dataclass()(type("Shared", (), {"__annotations__": {"a": "list"}, "a": []}))


def test_a_class_that_adds_fields_has_those_of_both() -> None:
    placed = Placed(2, 3, depth=4)
    assert placed.volume == 24
    assert replace(placed, column=5).volume == 40
    assert [one.name for one in dataclasses.fields(placed)] == [
        "row", "column", "names", "depth", "volume",
    ]  # fmt: skip


def test_slots_refuse_other_names() -> None:
    with pytest.raises(AttributeError):
        Count().other = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="slots"):
        record_classes.dataclass(slots=False)


def test_the_standard_library_knows_public_classes() -> None:
    assert dataclasses.is_dataclass(Limits)
    assert "frames" in {one.name for one in dataclasses.fields(Limits)}
    assert "frames" in inspect.signature(Limits).parameters
    for kind in (Limits, Named, Tagged):
        assert dataclasses.fields(kind)[0] is dataclasses.fields(kind)[0], "made anew each time"


def test_signatures_say_types_and_which_defaults_are_made() -> None:
    assert str(inspect.signature(Point)) == (
        "(row: 'int', column: 'int' = 0, names: 'list[str]' = <factory>) -> None"
    )


class Named(Limits):
    """A plain subclass that takes one argument more and has an attribute of its own."""

    def __init__(self, name: str, **limits: int) -> None:
        super().__init__(**limits)
        self.name = name


@dataclasses.dataclass(frozen=True)
class Tagged(Limits):
    """A subclass by the standard library's decorator."""

    tag: str = ""


@dataclasses.dataclass
class Timed(Count):
    """One whose fields can change."""

    seconds: float = 0.0


def test_plain_subclasses_have_attributes_besides_the_fields() -> None:
    named = Named("small", frames=3)
    for copied in (
        named,
        copy.copy(named),
        copy.deepcopy(named),
        pickle.loads(pickle.dumps(named)),
    ):
        assert (copied.name, copied.frames) == ("small", 3)
    assert [*inspect.signature(Named).parameters] == ["name", "limits"]
    with pytest.raises(dataclasses.FrozenInstanceError, match="frames"):
        named.frames = 4  # type: ignore[misc]
    del named.name
    assert not hasattr(named, "name")


def test_the_standard_librarys_subclasses_have_all_fields() -> None:
    tagged = Tagged(frames=3, tag="a")
    for copied in (tagged, copy.deepcopy(tagged), pickle.loads(pickle.dumps(tagged))):
        assert copied == tagged
        assert (copied.frames, copied.tag) == (3, "a")
    assert dataclasses.replace(tagged, tag="b") != tagged
    assert [*inspect.signature(Tagged).parameters][-2:] == ["expansion", "tag"]
    assert dataclasses.asdict(Timed(1, 2.0)) == {"total": 1, "seconds": 2.0}
    with pytest.raises(TypeError, match="frozen"):
        dataclasses.dataclass(type("Thawed", (Limits,), {}))


def test_no_module_takes_the_standard_librarys() -> None:
    """To load it takes as long as to make twenty classes, and each of its own a millisecond."""
    sources = Path(dicodec.__path__[0])
    for path in sources.rglob("*.py"):
        if path.parent.name == "model" and path.stem in {"records", "record_classes"}:
            continue
        assert not re.search(r"^\s*(from|import) dataclasses", path.read_text("utf-8"), re.M), path
