"""Convert an object to a syntax that its peer accepts; the worker side of the pool."""

from __future__ import annotations

from dicodec.batch.policy.convert import NOT_HELD
from dicodec.batch.pool.messages import WorkContext
from dicodec.conversion.convert import convert_with
from dicodec.conversion.output.placement import Placement
from dicodec.errors import UnsupportedTargetError
from dicodec.model.option_table import NEVER
from dicodec.model.records import dataclass, replace
from dicodec.options import ConversionOptions

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True, slots=True)
class ConversionTask:
    """One conversion.

    Attributes:
        source: path of the object.
        target: path of the result.
        options: options; `to` is not decided.
        to, otherwise, kept: see `offers.Choice`.
    """

    source: str
    target: str
    options: ConversionOptions
    to: tuple[str, ...]
    otherwise: tuple[str, ...] = ()
    kept: bool = False


def convert_for_peer(
    settings: None,  # noqa: ARG001 - as each work of the pool has it
    task: ConversionTask,
    context: WorkContext,
) -> dict[str, Any] | None:
    """Convert an object; a work of the pool.

    Returns:
        The report; None if the object stays as it is.

    Raises:
        DicodecError: see `dicodec.convert`.
    """
    # A result that is lost is made again, so nobody waits for the disk.
    options = replace(task.options, overwrite=True, durability=NEVER, workers=context.threads)
    return _convert(task, task.target, options, context.placement)


def plan_for_peer(task: ConversionTask) -> dict[str, Any] | None:
    """Plan a conversion, and write nothing; see `convert_for_peer`."""
    return _convert(task, None, task.options, None)


def _convert(
    task: ConversionTask,
    target: str | None,
    options: ConversionOptions,
    placement: Placement | None,
) -> dict[str, Any] | None:
    def convert(to: tuple[str, ...]) -> dict[str, Any]:
        wanted = replace(options, to=to)
        return convert_with(task.source, target, wanted, None, placement).as_dict()

    try:
        return convert(task.to)
    except (*NOT_HELD, UnsupportedTargetError):
        if task.otherwise:
            return convert(task.otherwise)
        if task.kept:
            return None
        raise
