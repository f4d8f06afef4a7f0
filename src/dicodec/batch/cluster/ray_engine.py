"""Ray as the engine of a cluster: it brings groups to machines, and repeats none by itself."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from contextlib import suppress

from dicodec.batch.cluster import group_work
from dicodec.batch.cluster.cluster_pool import Ending
from dicodec.batch.cluster.group_work import Answer, GroupOrder
from dicodec.batch.cluster.roots import Root
from dicodec.errors import DicodecError, InternalError, InvalidOptionError, WorkerCrashedError
from dicodec.model.implementation import VERSION
from dicodec.model.installation import describe_extra

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_START_SECONDS = 120.0
"""Seconds that a machine may take to start its first worker."""

_QUIET = "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"
"""Variable that keeps Ray's warning about GPUs from the lines of the command."""


class RayEngine:
    """A Ray cluster that is there already; see `cluster_pool.Engine`.

    Args:
        address: ray://HEAD:PORT for a cluster elsewhere; "auto" for the one that this machine
            belongs to, or that RAY_ADDRESS names.

    Raises:
        InvalidOptionError: Ray is not installed, or there is no such cluster.
    """

    def __init__(self, address: str) -> None:
        os.environ.setdefault(_QUIET, "0")
        try:
            import ray
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
        except ImportError as cause:
            raise InvalidOptionError(
                "Ray as the executor needs a package that is not installed",
                hint=describe_extra("ray"),
            ) from cause
        self._ray: Any = ray
        self._affinity: Any = NodeAffinitySchedulingStrategy
        self._connect(address)
        # A task that is repeated by Ray would convert items anew that are in their places.
        once = ray.remote(max_retries=0)
        self._carry_out = once(group_work.carry_out_in_engine)
        self._check = once(group_work.check)

    def _connect(self, address: str) -> None:
        ray = self._ray
        try:
            # Its own lines are not for people who convert files; errors come as exceptions.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        except ray.exceptions.AuthenticationError as cause:
            raise InvalidOptionError(
                "the Ray cluster asks for a token", hint="RAY_AUTH_TOKEN is the place for it"
            ) from cause
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as cause:
            if address == "auto":
                text = "this machine belongs to no Ray cluster"
                hint = "`ray start` makes it the head of one; ray://HEAD:PORT names another one"
            else:
                text = f"no Ray cluster answers at {address}"
                hint = (
                    "the port is that of Ray's clients, by default 10001; a cluster with a token "
                    "needs it in RAY_AUTH_TOKEN"
                )
            raise InvalidOptionError(f"{text}: {_cut(cause)}", hint=hint) from cause

    def count_cores(self) -> tuple[int, int]:
        """Return the cores of all machines, and those of the smallest; 0 if there is none."""
        cores = [int(node["Resources"].get("CPU", 0)) for node in self._list_machines()]
        return sum(cores), min(cores, default=0)

    def check_machines(self, roots: Sequence[Root]) -> None:
        """Find out whether each machine can take part.

        Raises:
            DicodecError: one of them cannot.
        """
        ray = self._ray
        checks = {}
        for node in self._list_machines():
            there = self._affinity(node["NodeID"], soft=False)
            task = self._check.options(num_cpus=0, scheduling_strategy=there)
            checks[task.remote(roots, VERSION)] = node["NodeManagerHostname"]
        for check, machine in checks.items():
            try:
                error = ray.get(check, timeout=_START_SECONDS)
            except ray.exceptions.GetTimeoutError:
                error = WorkerCrashedError(f"the machine {machine} has started no worker in time")
            except ray.exceptions.RayError as cause:
                error = self._explain(cause, machine)
            if error is not None:
                raise error

    def begin(self, order: GroupOrder) -> Any:
        """Send a group to a machine with as many free cores as it has threads."""
        return self._carry_out.options(num_cpus=order.threads).remote(order)

    def wait(self, tasks: Sequence[Any], seconds: float) -> list[tuple[Any, Answer | Ending]]:
        """Wait for the end of any task, and return those that have ended, with their answers.

        Raises:
            DicodecError: the cluster is not there any more, or cannot begin any task.
        """
        if not tasks:
            return []
        ray = self._ray
        try:
            if not ray.wait(tasks, num_returns=1, timeout=seconds)[0]:
                return []
            ended, _ = ray.wait(tasks, num_returns=len(tasks), timeout=0)
            return [(task, self._get(task)) for task in ended]
        except (ConnectionError, ray.exceptions.RaySystemError) as cause:
            raise WorkerCrashedError(
                f"the Ray cluster does not answer any more: {_cut(cause)}",
                hint="the same command with --resume goes on",
            ) from cause

    def interrupt(self, task: Any) -> None:
        """Interrupt a task, or take it back if it has not begun."""
        self._cancel(task, force=False)

    def kill(self, task: Any) -> None:
        """End a task at once."""
        self._cancel(task, force=True)

    def close(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()

    def _list_machines(self) -> list[dict[str, Any]]:
        """Return the machines that take tasks."""
        nodes: list[dict[str, Any]] = self._ray.nodes()
        return [node for node in nodes if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]

    def _get(self, task: Any) -> Answer | Ending:
        errors = self._ray.exceptions
        try:
            answer: Answer = self._ray.get(task)
        except errors.TaskCancelledError:
            return Ending()
        except (
            errors.WorkerCrashedError, errors.NodeDiedError, errors.LocalRayletDiedError,
            errors.OutOfMemoryError, errors.ObjectLostError, errors.OutOfDiskError,
        ) as cause:  # fmt: skip
            return Ending(f"{type(cause).__name__}: {_cut(cause)}")
        except errors.RayError as cause:
            return self._explain(cause, "a machine")
        return answer

    def _explain(self, cause: Exception, machine: str) -> DicodecError:
        """Return why a machine cannot carry out any task."""
        if "No module named 'dicodec'" in str(cause):
            return InvalidOptionError(
                f"{machine} has no dicodec", hint="install the same version on each machine"
            )
        return InternalError(f"{machine} cannot begin work: {_cut(cause)}")

    def _cancel(self, task: Any, *, force: bool) -> None:
        with suppress(ConnectionError, ValueError, self._ray.exceptions.RayError):
            self._ray.cancel(task, force=force, recursive=False)


def _cut(cause: BaseException) -> str:
    """Return the line of one of Ray's errors that says most: the last one."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return (lines[-1] if lines else type(cause).__name__)[:300]
