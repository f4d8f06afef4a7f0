"""Shards of a batch: each of several machines converts the sources that belong to its own.

A source belongs to a shard by a digest of its name, so no machine has to know of another, and two
shards never have the same source. The name is the one below the folder that was named: where that
is mounted does not matter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping

from dicodec.batch.sources.folders import PassedOver
from dicodec.batch.sources.listing import ListedSource
from dicodec.batch.sources.references import release
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.records import dataclass

_MOST = 100_000
_FROM_ENVIRONMENT = "auto"


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts of a batch.

    Attributes:
        number: from 1 to `count`.
        count: of all shards.
    """

    number: int
    count: int

    @property
    def takes_all(self) -> bool:
        """Whether there are no others."""
        return self.count == 1

    def takes(self, name: str) -> bool:
        """Whether the source of a name belongs to this shard."""
        from hashlib import blake2b

        digest = blake2b(os.fsencode(name), digest_size=8).digest()
        return int.from_bytes(digest) % self.count == self.number - 1

    def name_ledger(self, name: str) -> str:
        """Return a ledger's name with the shard in it: x.sqlite becomes x.2-of-8.sqlite."""
        if self.takes_all:
            return name
        root, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
        return f"{root}.{self.number}-of-{self.count}{suffix}"


WHOLE = Shard(1, 1)
"""The only shard of a batch that is not divided."""


@dataclass(frozen=True, slots=True)
class _ArrayVariables:
    """Environment variables by which a scheduler tells a task of an array which one it is.

    Attributes:
        scheduler: its name, for errors.
        index: variable with the task's number.
        count: variable with the number of tasks; None if the scheduler sets none.
        first: variable with the lowest number; None if that is 0.
    """

    scheduler: str
    index: str
    count: str | None
    first: str | None = None


_SCHEDULERS = (
    _ArrayVariables(
        "SLURM", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"
    ),
    _ArrayVariables("AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"),
    _ArrayVariables("Google Batch", "BATCH_TASK_INDEX", "BATCH_TASK_COUNT"),
    _ArrayVariables("Cloud Run", "CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT"),
    _ArrayVariables("Kubernetes", "JOB_COMPLETION_INDEX", None),
)


def parse_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """Return a shard from the text of --shard.

    Args:
        text: "I/N"; "auto" takes both numbers from the environment of a scheduler's task, and
            "auto/N" the first one.
        environment: variables of this process.

    Raises:
        InvalidOptionError: the text or the variables are not those of a shard.
    """
    number, _, count = text.partition("/")
    if number == _FROM_ENVIRONMENT:
        return _read_environment(environment, _parse_number(text, count) if count else None)
    return _check(Shard(_parse_number(text, number), _parse_number(text, count)), text)


def _parse_number(text: str, number: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", number):
        raise InvalidOptionError(
            f"--shard is {text!r}", hint="2/8 is the second of eight; auto asks the scheduler"
        )
    return int(number)


def _check(shard: Shard, text: str) -> Shard:
    if not 1 <= shard.number <= shard.count <= _MOST:
        raise InvalidOptionError(
            f"--shard {text} names shard {shard.number} of {shard.count}",
            hint=f"shards are counted from 1, and there are {_MOST} at most",
        )
    return shard


def _read_environment(environment: Mapping[str, str], count: int | None) -> Shard:
    found = [one for one in _SCHEDULERS if one.index in environment]
    if len(found) != 1:
        named = " and ".join(one.index for one in found)
        raise InvalidOptionError(
            f"--shard auto finds {named or 'no variable of an array of tasks'}",
            hint="--shard I/N names the shard",
        )
    (scheduler,) = found
    index = _read_number(environment, scheduler.index, scheduler)
    first = 0
    if scheduler.first is not None and scheduler.first in environment:
        first = _read_number(environment, scheduler.first, scheduler)
    if scheduler.count is not None:
        stated = _read_number(environment, scheduler.count, scheduler)
        if count is not None and count != stated:
            raise InvalidOptionError(
                f"--shard auto/{count} is in an array of {stated} tasks",
                hint="if only some tasks run again, name the shard: --shard I/N",
            )
        count = stated
    if count is None:
        raise InvalidOptionError(
            f"{scheduler.scheduler} does not tell a task how many there are",
            hint="--shard auto/N says it",
        )
    # An array that does not begin at 0 or 1 has some of its tasks only.
    if first > 1 or not 0 <= index - first < count:
        raise InvalidOptionError(
            f"the task {index} of {scheduler.scheduler} is not one of {count}, from {first} on",
            hint="if only some tasks run again, name the shard: --shard I/N",
        )
    return _check(Shard(index - first + 1, count), f"auto/{count}")


def _read_number(environment: Mapping[str, str], variable: str, scheduler: _ArrayVariables) -> int:
    text = environment.get(variable, "")
    if not re.fullmatch("[0-9]{1,9}", text):
        raise InvalidOptionError(f"{variable} of {scheduler.scheduler} is {text!r}, not a number")
    return int(text)


def take_shard(
    listed: Iterable[ListedSource | PassedOver | DicodecError], shard: Shard
) -> Iterator[ListedSource | PassedOver | DicodecError]:
    """Yield the sources of a shard, and the places that could not be listed.

    Every shard lists everything, so each one tells of folders that it cannot list. The first one
    alone counts the files passed over.
    """
    for entry in listed:
        if isinstance(entry, ListedSource):
            name = entry.reference.path if entry.reference.named else entry.relative
            if shard.takes(name):
                yield entry
            else:
                release(entry.reference)
        elif isinstance(entry, DicodecError) or shard.number == 1:
            yield entry
