"""Import NumPy and imagecodecs at their first use, because they take longer than a conversion.

    if TYPE_CHECKING:
        import numpy as np
    else:
        np = import_late("numpy")

Type checkers see the module. At run time `np` is an object that imports the module when an
attribute is first asked for; so modules whose functions use NumPy may be imported by those that
only plan or move frames. Loading NumPy takes 60 ms of CPU, a file of which only bytes move less.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


class LateModule:
    """Stands for a module, and imports it when an attribute is first asked for.

    It keeps each attribute, so that the next use takes no longer than that of a module's. Tests
    that replace an attribute replace it here. Threads may import at once: the import system has
    locks for that.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self._name), name)
        setattr(self, name, value)
        return value

    def __repr__(self) -> str:
        return f"<late import of {self._name}>"


@cache
def import_late(name: str) -> Any:
    """Return the object that stands for a module; the same for all that ask.

    Args:
        name: of the module, as `import` takes it: `numpy`.
    """
    return LateModule(name)
