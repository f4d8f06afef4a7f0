"""The worker's side of a cluster: carry out a group of items in a process of this machine.

The engine's own process only watches. Items run in a worker of the local pool, so that a crash, a
lack of time or of memory costs one item here as it does on one machine.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import FrameType

from dicodec.batch.cluster.roots import Root, check_again, check_machine
from dicodec.batch.pool.messages import Preparation
from dicodec.batch.pool.pool import ItemGroup, ItemProgress, Pool, PoolEvent
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.implementation import VERSION
from dicodec.model.records import dataclass
from dicodec.part10.temporary import TemporaryFolder

PATIENCE = 10.0
"""Seconds that the current item gets to finish after an interruption, as in a local batch."""

_WAIT_SECONDS = 0.2

type Answer = Sequence[PoolEvent] | DicodecError
"""An event for the end of each item, keyed by its index in the group; or why none was begun."""


@dataclass(frozen=True, slots=True)
class GroupOrder:
    """A group of items, as it is sent to a machine.

    Attributes:
        group: the items; its keys are their indices.
        threads: threads for each item.
        timeout: seconds that one item may take; None for no bound.
        memory: bytes that the process of the items may use; None for no bound.
        folder: current folder of the driver, from which relative paths start.
        roots: places that the machine has to see.
    """

    group: ItemGroup
    threads: int
    timeout: float | None
    memory: int | None
    folder: str
    roots: Sequence[Root]


def carry_out(order: GroupOrder, count_interruptions: Callable[[], int]) -> Answer:
    """Carry out a group, and return how its items ended.

    Args:
        order: the group.
        count_interruptions: returns the number of interruptions: after the first one no item is
            begun, and the current one has PATIENCE to finish; after the second it has none.
    """
    try:
        check_again(order.roots)
        pool = _open_pool(order.folder, order.timeout, order.memory, order.threads)
        pool.submit(order.group)
        return _wait_for_items(pool, count_interruptions)
    except DicodecError as error:
        return error


def check(roots: Sequence[Root], version: str) -> DicodecError | None:
    """Return why this machine cannot take part in a batch; None if it can.

    Args:
        roots: places that it has to see.
        version: of this package at the driver.
    """
    if version != VERSION:
        return InvalidOptionError(
            f"a worker has dicodec {VERSION}, the driver {version}",
            hint="install the same version on each machine",
        )
    try:
        check_machine(roots)
    except DicodecError as error:
        return error
    return None


def carry_out_in_engine(order: GroupOrder) -> Answer:
    """Carry out a group as an engine's task, which SIGINT interrupts.

    The handler stays: an interruption that comes as the task ends would take its answer away.
    """
    interruptions = 0

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal interruptions
        interruptions += 1

    signal.signal(signal.SIGINT, interrupt)
    return carry_out(order, lambda: interruptions)


def _wait_for_items(pool: Pool, count_interruptions: Callable[[], int]) -> Sequence[PoolEvent]:
    events: list[PoolEvent] = []
    until: float | None = None
    while pool.busy:
        if until is None and count_interruptions():
            until = time.monotonic() + PATIENCE
            events += pool.stop()
        if until is not None and (count_interruptions() > 1 or time.monotonic() > until):
            events += pool.discard()
            break
        events += pool.wait(_WAIT_SECONDS)
    return [event for event in events if not isinstance(event, ItemProgress)]


@lru_cache
def _keep_empty_folder() -> TemporaryFolder:
    return TemporaryFolder()


@lru_cache
def _open_pool(folder: str, timeout: float | None, memory: int | None, threads: int) -> Pool:
    """Return the pool of this process, whose worker is kept for later groups.

    The worker's current folder is the driver's. Where that is not there, it is an empty one, so
    that no relative path leads to a file that only has the same name.
    """
    try:
        os.chdir(folder)
    except OSError:
        os.chdir(_keep_empty_folder().name)
    pool = Pool(
        1,
        timeout=timeout,
        memory=memory,
        cores=threads,
        preparation=Preparation("dicodec.batch.preparation", "prepare_conversions", ((), ())),
    )
    pool.start(1)
    return pool
