"""Make named tuples as `typing.NamedTuple` does, in a tenth of the time, for records.py.

The standard library compiles each annotation, which is a text here, and a `__new__` for each class.
With 39 classes that was a tenth of the time that one small file took. Here one method is compiled,
`__new__`, and only for a class that has some instances; until then, and for all other methods, one
serves all classes.
"""

from __future__ import annotations

# The descriptor that the standard library's named tuples have for each field.
from collections import _tuplegetter as make_getter  # type: ignore[attr-defined]

from dicodec.model.record_classes import FEW

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


class _Maker(type):
    """Makes a plain subclass of `tuple` of each class whose base is NamedTuple."""

    def __new__(cls, name: str, bases: tuple[type, ...], contents: dict[str, Any]) -> type:
        if not bases:
            return super().__new__(cls, name, bases, contents)
        if len(bases) > 1:
            raise TypeError(f"{name}: a named tuple has no other base")
        return _make_class(name, contents)


class NamedTuple(metaclass=_Maker):
    """The base to name: annotations are fields, and values after them are their defaults."""


def _make_class(name: str, contents: dict[str, Any]) -> type:
    fields = tuple(contents.get("__annotations__", ()))
    defaults = {one: contents.pop(one) for one in fields if one in contents}
    if fields[len(fields) - len(defaults) :] != tuple(defaults):
        raise TypeError(f"{name}: a field without a default follows one that has a default")

    instances = 0

    def __new__(cls: type, *given: Any, **named: Any) -> Any:  # noqa: N807 - it becomes the method
        nonlocal instances
        instances += 1
        if instances <= FEW and len(given) == len(fields) and not named:
            return tuple.__new__(cls, given)
        made.__new__ = _compile_new(made)
        return made.__new__(cls, *given, **named)

    common: dict[str, Any] = {
        "__slots__": (),
        "_fields": fields,
        "_field_defaults": defaults,
        "__match_args__": fields,
        "__new__": __new__,
        "__repr__": _represent,
        "__getnewargs__": _make_plain,
        "_make": classmethod(_make_instance),
        "_replace": _replace,
        "_asdict": _as_dict,
    }
    for index, one in enumerate(fields):
        common[one] = make_getter(index, "")
    made: Any = type(name, (tuple,), common | contents)
    return made  # type: ignore[no-any-return]


def _compile_new(made: Any) -> Callable[..., Any]:
    """Return the `__new__` of a class."""
    names = ", ".join(made._fields)
    space: dict[str, Any] = {"_new": tuple.__new__}
    exec(f"def __new__(_cls, {names}):\n return _new(_cls, ({names},))", space)  # noqa: S102 - names only
    compiled: Callable[..., Any] = space["__new__"]
    compiled.__defaults__ = tuple(made._field_defaults.values())
    compiled.__qualname__ = f"{made.__qualname__}.__new__"
    compiled.__module__ = made.__module__
    return compiled


def _make_instance(cls: Any, values: Iterable[Any]) -> Any:
    made = tuple.__new__(cls, values)
    if len(made) != len(cls._fields):
        raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
    return made


def _replace(self: Any, /, **changes: Any) -> Any:
    made = self._make(map(changes.pop, self._fields, self))
    if changes:
        raise ValueError(f"Got unexpected field names: {list(changes)!r}")
    return made


def _as_dict(self: Any) -> dict[str, Any]:
    return dict(zip(self._fields, self, strict=True))


def _represent(self: Any) -> str:
    shown = ", ".join(f"{name}={value!r}" for name, value in _as_dict(self).items())
    return f"{self.__class__.__name__}({shown})"


def _make_plain(self: Any) -> tuple[Any, ...]:
    return tuple(self)
