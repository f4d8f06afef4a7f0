"""Make enumerations of texts as `enum.StrEnum` does, in a tenth of the time, for records.py.

The standard library takes 20 us for each member, and at the start of a small conversion there are
130 of them.
"""

from __future__ import annotations

from types import MappingProxyType

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


class _Maker(type):
    """Makes the texts among the attributes of a class its members."""

    _by_name: dict[str, Any]
    _by_value: dict[str, Any]

    def __new__(cls, name: str, bases: tuple[type, ...], contents: dict[str, Any]) -> _Maker:
        values = {
            one: contents.pop(one)
            for one, value in tuple(contents.items())
            if isinstance(value, str) and not one.startswith("_")
        }
        by_name: dict[str, Any] = {}
        by_value: dict[str, Any] = {}
        contents = {"__slots__": (), **contents, "_by_name": by_name, "_by_value": by_value}
        made: Any = super().__new__(cls, name, bases, contents)
        for one, value in values.items():
            if value not in by_value:
                by_value[value] = member = str.__new__(made, value)
                member.name, member.value = one, value
            by_name[one] = by_value[value]
            setattr(made, one, by_value[value])
        return made  # type: ignore[no-any-return]

    def __call__(cls, value: object) -> Any:
        """Return the member that has a value."""
        found = cls._by_value.get(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError(f"{value!r} is not a valid {cls.__qualname__}")
        return found

    def __getitem__(cls, name: str) -> Any:
        """Return the member of a name."""
        return cls._by_name[name]

    def __iter__(cls) -> Iterator[Any]:
        """Yield the members in order."""
        return iter(cls._by_value.values())

    def __len__(cls) -> int:
        return len(cls._by_value)

    def __contains__(cls, value: object) -> bool:
        """Whether it is a member, or the value of one."""
        return isinstance(value, str) and value in cls._by_value

    @property
    def __members__(cls) -> Mapping[str, Any]:
        """The members by name."""
        return MappingProxyType(cls._by_name)


class StrEnum(str, metaclass=_Maker):
    """The base to name: each text among the attributes becomes a member, which is that text.

    Attributes:
        name: of the attribute.
        value: the text.
    """

    __slots__ = ("name", "value")

    if TYPE_CHECKING:
        name: str
        value: str

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__}.{self.name}: {self.value!r}>"

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return self.__class__, (self.value,)
