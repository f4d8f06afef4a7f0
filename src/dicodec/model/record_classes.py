"""Make data classes as `dataclasses` does, in a tenth of the time, for records.py.

The standard library's decorator has the compiler make six methods for each class, and it needs
`inspect`. With 44 classes that was a third of the time that one small file took. Here one method is
compiled, `__init__`, which takes 0.1 ms and more, and only for a class that has many instances;
until then, and for all other methods, one serves all classes.

All classes have slots. Instances of one class are equal if their fields are, in order; frozen ones
have a hash. `dataclasses.fields`, `replace`, `asdict`, `is_dataclass` and `dataclass` (for a
subclass) take these classes too, because the standard library's fields and parameters are made if
somebody asks. A parameter that is not here is a TypeError: nothing of the package needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


FEW = 250
"""Instances that a class has before a method of its own is compiled.

Compiling takes as long as 250 instances longer take without.
"""

MANY = 8
"""Fields from which on instances of a frozen class remember their hash."""


type Filler = Callable[[Any, tuple[Any, ...], dict[str, Any]], bool]
"""Sets the fields of an instance by arguments; returns whether they are such as the class takes."""


class _Missing:
    """Stands for a value that is not given; signatures show it where a factory makes the value."""

    def __repr__(self) -> str:
        return "<factory>"


_MISSING: Any = _Missing()


class _RememberingHash:
    """Base of frozen classes of many fields, whose instances are looked up in every file."""

    __slots__ = ("_hash",)


class Field:
    """One field of a data class.

    Attributes:
        name: of the attribute and of the argument.
        type: the annotation, as it is written.
        default, default_factory: the value if none is given, or its maker.
        init: whether `__init__` takes it.
        kw_only: whether it is given by name only.
    """

    __slots__ = ("default", "default_factory", "init", "kw_only", "name", "type")

    def __init__(self, default: Any, default_factory: Any, *, init: bool) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.name = ""
        self.type: Any = None
        self.kw_only = False


def field(*, default: Any = _MISSING, default_factory: Any = _MISSING, init: bool = True) -> Any:
    """Describe a field's default, as `dataclasses.field` does."""
    return Field(default, default_factory, init=init)


def dataclass(
    *, frozen: bool = False, slots: bool = True, kw_only: bool = False, eq: bool = True
) -> Callable[[type], type]:
    """Make a class a data class with slots, as `dataclasses.dataclass` does.

    Raises:
        ValueError: a default can change, so that all instances would share it.
    """
    if not slots:
        raise TypeError("every data class has slots")
    return lambda plain: _make_class(plain, frozen=frozen, kw_only=kw_only, eq=eq)


def fields(described: Any) -> tuple[Field, ...]:
    """Return the fields of a data class, or of an instance, in order."""
    return tuple(described.__record_fields__.values())


def replace(instance: Any, /, **changes: Any) -> Any:
    """Return a copy of an instance with some fields changed, as `dataclasses.replace` does."""
    names, values = instance.__record_arguments__
    return instance.__class__(**{**dict(zip(names, values(instance), strict=True)), **changes})


def asdict(instance: Any) -> dict[str, Any]:
    """Return the fields by name, and so those of instances in lists, tuples and mappings."""
    return {name: _as_plain(getattr(instance, name)) for name in instance.__record_fields__}


def _as_plain(value: Any) -> Any:
    if hasattr(value, "__record_fields__"):
        return asdict(value)
    if isinstance(value, list | tuple):
        return value.__class__(_as_plain(one) for one in value)
    if isinstance(value, dict):
        return {key: _as_plain(one) for key, one in value.items()}
    return value


def _make_class(plain: type, *, frozen: bool, kw_only: bool, eq: bool) -> type:
    """Return the class anew, with slots for its fields and the methods of a data class."""
    contents = dict(plain.__dict__)
    own = _take_fields(plain, contents, kw_only=kw_only)
    inherited: dict[str, Field] = {}
    for base in plain.__mro__[-1:0:-1]:
        inherited |= base.__dict__.get("__record_fields__", {})
    described = inherited | own
    contents.pop("__dict__", None)
    contents.pop("__weakref__", None)
    contents["__slots__"] = tuple(name for name in own if name not in inherited)
    contents["__record_fields__"] = described
    for name in ("__dataclass_fields__", "__dataclass_params__"):
        contents[name] = _MadeByStandard(name, frozen=frozen, eq=eq)
    contents["__signature__"] = _Signature()
    contents["__match_args__"] = tuple(
        name for name, one in described.items() if one.init and not one.kw_only
    )
    arguments = tuple(name for name, one in described.items() if one.init)
    contents["__record_arguments__"] = (arguments, _make_getter(arguments))
    contents["__replace__"] = replace
    bases = plain.__bases__
    if frozen and eq and len(described) >= MANY and bases == (object,):
        bases = (_RememberingHash,)
        contents.setdefault("__hash__", _remember_hash)
    _add_methods(contents, tuple(described), frozen=frozen, eq=eq)

    instances = 0
    fill: Filler | None = None

    def __init__(self: Any, *given: Any, **named: Any) -> None:  # noqa: N807 - it becomes the method
        nonlocal instances, fill
        instances += 1
        if fill is None:
            fill = _make_filler(made)
        if instances > FEW or not fill(self, given, named):
            made.__init__ = _compile_init(made, frozen=frozen)
            made.__init__(self, *given, **named)

    contents["__init__"] = __init__
    contents["__qualname__"] = plain.__qualname__
    made: Any = type(plain)(plain.__name__, bases, contents)
    return made  # type: ignore[no-any-return]


def _take_fields(plain: type, contents: dict[str, Any], *, kw_only: bool) -> dict[str, Field]:
    """Return the fields that a class states, and take their defaults out of its contents."""
    own = {}
    for name, kind in plain.__annotations__.items():
        one = contents.pop(name, _MISSING)
        if not isinstance(one, Field):
            one = Field(one, _MISSING, init=True)
        if one.default is not _MISSING and one.default.__class__.__hash__ is None:
            raise ValueError(f"{plain.__name__}.{name}: a default that can change needs a factory")
        one.name, one.type, one.kw_only = name, kind, kw_only
        own[name] = one
    return own


def _make_getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that returns the values of some fields of an instance."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda instance: tuple(getattr(instance, name) for name in names)


def _add_methods(
    contents: dict[str, Any], names: tuple[str, ...], *, frozen: bool, eq: bool
) -> None:
    """Put the methods that need no compiler into the contents of a class, but those it has."""
    values = _make_getter(names)

    def compare(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    contents.setdefault("__repr__", _represent)
    if eq:
        contents.setdefault("__eq__", compare)
        contents.setdefault("__hash__", (lambda self: hash(values(self))) if frozen else None)
    if frozen:
        contents["__setattr__"] = _refuse_setting
        contents["__delattr__"] = _refuse_deletion
        contents.setdefault("__setstate__", _set_state)


def _remember_hash(self: Any) -> int:
    """Return the hash, which is computed once."""
    try:
        known: int = self._hash
    except AttributeError:
        known = hash(tuple([getattr(self, name) for name in self.__record_fields__]))
        object.__setattr__(self, "_hash", known)
    return known


def _make_filler(made: Any) -> Filler:
    """Return a function that sets the fields of an instance of a class, without a compiler."""
    steps = [
        (
            name if one.init else "",
            one.init and not one.kw_only,
            getattr(made, name).__set__,
            one.default,
            one.default_factory,
        )
        for name, one in made.__record_fields__.items()
        # `__post_init__` sets the others
        if one.init or one.default is not _MISSING or one.default_factory is not _MISSING
    ]
    finishes = hasattr(made, "__post_init__")

    def fill(self: Any, given: tuple[Any, ...], named: dict[str, Any]) -> bool:
        count, place, taken = len(given), 0, 0
        for name, positional, set_value, default, factory in steps:
            value = default
            if positional and place < count:
                value = given[place]
                place += 1
            elif name in named:
                value = named[name]
                taken += 1
            elif value is _MISSING:
                if factory is _MISSING:
                    return False
                value = factory()
            set_value(self, value)
        if place < count or taken < len(named):
            return False
        if finishes:
            self.__post_init__()
        return True

    return fill


def _compile_init(made: Any, *, frozen: bool) -> Callable[..., None]:
    """Return the `__init__` of a class; a frozen one sets slots, because names are refused."""
    space: dict[str, Any] = {"_MISSING": _MISSING}
    places: list[str] = []
    keywords: list[str] = []
    lines: list[str] = []
    for name, one in made.__record_fields__.items():
        if not one.init and one.default is _MISSING and one.default_factory is _MISSING:
            continue  # __post_init__ sets it
        argument, value = name, name
        if one.default is not _MISSING:
            space[f"_default_{name}"] = one.default
            argument = f"{name}=_default_{name}"
            value = name if one.init else f"_default_{name}"
        elif one.default_factory is not _MISSING:
            space[f"_make_{name}"] = one.default_factory
            argument = f"{name}=_MISSING"
            value = f"_make_{name}()" + (f" if {name} is _MISSING else {name}" if one.init else "")
        if one.init:
            (keywords if one.kw_only else places).append(argument)
        if frozen:
            space[f"_set_{name}"] = getattr(made, name).__set__
            lines.append(f" _set_{name}(self, {value})")
        else:
            lines.append(f" self.{name} = {value}")
    if hasattr(made, "__post_init__"):
        lines.append(" self.__post_init__()")
    given = ", ".join(["self", *places, *(["*", *keywords] if keywords else [])])
    exec(f"def __init__({given}):\n" + ("\n".join(lines) or " pass"), space)  # noqa: S102 - names only
    compiled: Callable[..., None] = space["__init__"]
    compiled.__qualname__ = f"{made.__qualname__}.__init__"
    compiled.__module__ = made.__module__
    return compiled


def _represent(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__record_fields__)
    return f"{self.__class__.__qualname__}({shown})"


def _refuse_setting(self: Any, name: str, value: Any) -> None:
    _refuse_change(self, name)
    object.__setattr__(self, name, value)


def _refuse_deletion(self: Any, name: str) -> None:
    _refuse_change(self, name)
    object.__delattr__(self, name)


def _refuse_change(self: Any, name: str) -> None:
    """Raise, unless it is an attribute that a plain subclass has besides the fields."""
    if "__record_fields__" in vars(self.__class__) or name in self.__record_fields__:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot change field {name!r}")


def _set_state(self: Any, state: Any) -> None:
    """Take the state that `object.__getstate__` returns: a `__dict__` and slots, or one of them."""
    for part in state if isinstance(state, tuple) else (state,):
        for name, value in (part or {}).items():
            if name != "_hash":  # in another process it is another
                object.__setattr__(self, name, value)


class _MadeByStandard:
    """An attribute as the standard library makes it, once somebody asks a class for it.

    It takes 3 ms, so the class keeps it in place of this object.
    """

    __slots__ = ("_name", "_options")

    def __init__(self, name: str, **options: Any) -> None:
        self._name = name
        self._options = options

    def __get__(self, _: Any, owner: Any) -> Any:
        import dataclasses

        made = next(one for one in owner.__mro__ if "__record_fields__" in vars(one))
        described: list[tuple[str, Any, Any]] = []
        for one in fields(made):
            options = {
                key: value
                for key in ("default", "default_factory")
                if (value := getattr(one, key)) is not _MISSING
            }
            like = dataclasses.field(init=one.init, kw_only=one.kw_only, **options)
            described.append((one.name, one.type, like))
        standard = dataclasses.make_dataclass(made.__name__, described, slots=True, **self._options)
        setattr(made, self._name, vars(standard)[self._name])
        return vars(made)[self._name]


class _Signature:
    """Makes the signature of a class, if somebody asks for it before there is an instance."""

    __slots__ = ()

    def __get__(self, _: Any, owner: Any) -> Any:
        import inspect

        made = next(one for one in owner.__mro__ if "__init__" in vars(one))
        if "__record_fields__" not in vars(made):  # a subclass has its own
            return None
        described = made.__record_fields__
        signature = inspect.signature(_compile_init(made, frozen=False))
        return signature.replace(
            parameters=[
                one.replace(annotation=described[one.name].type)
                for one in list(signature.parameters.values())[1:]
            ],
            return_annotation=None,
        )
