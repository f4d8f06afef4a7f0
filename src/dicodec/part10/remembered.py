"""Remember decisions about data sets by all values that they looked at.

The files of a series differ in places and identifiers, and whatever is decided by the other
attributes is decided alike. Nobody lists these attributes: the first time, a decision is made on a
data set that notes each attribute which it is asked for. Another data set with the same values of
these leads to the same questions, and so to the same decision, which need not be made once more.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Sequence

from dicodec._kernels import COMPILED
from dicodec.part10.data_set import DataSet
from dicodec.part10.element_span import ElementSpan, PackedSpans
from dicodec.part10.source import HEAD_SIZE

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_LONGEST_VALUE = 4096
"""Bytes of a value. Longer ones, such as palettes, are seldom looked at, and are not compared."""

_MOST = 64
"""Decisions that are kept."""

_TRIALS = 64
"""Decisions that may be made in vain: more depend on what no two files share, such as a UID."""


class Remembered:
    """Decisions of one kind. Use it from one thread.

    The class is not generic, because to make such a class Python imports `typing`.

    A decision has to be a value, and a pure function of `facts` and of the attributes that it asks
    the data set for by their tags; of an element's place in the file only whether there is one.
    """

    def __init__(self) -> None:
        self._tags = array("I")  # all that were asked for, in order
        self._known: dict[tuple[Hashable, DataSetKey], Any] = {}
        self._made = self._found = 0

    def find[Decision](
        self, facts: Hashable, data_set: DataSet, decide: Callable[[DataSet], Decision]
    ) -> Decision:
        """Return what was decided about a data set like this one; otherwise decide.

        Args:
            facts: all that the decision depends on besides the attributes.
            data_set: the data set.
            decide: makes the decision, by the data set that it is given.
        """
        elements = data_set.elements
        if not isinstance(elements, PackedSpans) or self._made > _TRIALS + self._found:
            return decide(data_set)
        key = self._make_key(data_set, elements)
        known: Decision | None = None if key is None else self._known.get((facts, key))
        if known is not None:
            self._found += 1
            return known
        noting = NotingDataSet(data_set)
        decision = decide(noting)
        self._made += 1
        asked = {*self._tags, *noting.list_asked()}
        if noting.asked_for_all:
            return decision
        if len(asked) > len(self._tags) or len(self._known) >= _MOST:
            self._tags = array("I", sorted(asked))
            self._known.clear()
            key = self._make_key(data_set, elements)
        if key is not None:
            self._known[facts, key] = decision
        return decision

    def _make_key(self, data_set: DataSet, elements: PackedSpans) -> DataSetKey | None:
        """Return the values of all attributes that were asked for; None if some are too long."""
        assert COMPILED is not None, "spans are packed"
        head = data_set.source.read(0, HEAD_SIZE)
        values = COMPILED.gather_values(elements.records, head, self._tags, _LONGEST_VALUE)
        return None if values is None else (data_set.encoding, values)


type DataSetKey = tuple[Hashable, bytes]


class NotingDataSet(DataSet):
    """A data set that notes which attributes it is asked for.

    Attributes:
        asked_for_all: whether it was asked for its elements, and not for some by their tags.
    """

    def __init__(self, data_set: DataSet) -> None:
        assert isinstance(data_set.elements, PackedSpans), "only packed spans are looked up singly"
        super().__init__(
            data_set.source,
            data_set.encoding,
            data_set.elements,
            data_set.limits,
            data_set.ends,
        )
        self.asked_for_all = False

    def list_asked(self) -> list[int]:
        """Return the tags that it was asked for."""
        return [*self._by_tag]

    @property
    def elements(self) -> Sequence[ElementSpan]:
        """The spans."""
        self.asked_for_all = True
        return self._elements

    @elements.setter
    def elements(self, elements: Sequence[ElementSpan]) -> None:
        self._elements = elements
