"""Start the pool of a batch; a module of its own so that workers start before others load."""

from __future__ import annotations

import argparse

from dicodec.batch.pool.making import make_pool
from dicodec.batch.pool.messages import Preparation
from dicodec.batch.pool.pool import Pool
from dicodec.errors import InvalidOptionError

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.batch.cluster.cluster_pool import ClusterPool

_AHEAD = 4
"""Workers that start before the number of sources is known."""


_MOST_HERE = 1024
"""Processes of one machine at most."""


def start_pool(arguments: argparse.Namespace) -> Pool | ClusterPool:
    """Return a pool for the arguments, whose workers already import their modules.

    Raises:
        InvalidOptionError: --jobs is more than one machine takes, or there is no such executor.
    """
    if arguments.executor is None and (arguments.jobs or 1) > _MOST_HERE:
        raise InvalidOptionError(
            f"--jobs is {arguments.jobs}; it has to be a whole number from 1 to {_MOST_HERE}"
        )
    if arguments.executor is not None:
        if arguments.template is not None:  # machines have their own
            arguments.template.close()
        return _join_cluster(arguments)
    pool = make_pool(
        arguments.jobs,
        timeout=arguments.timeout,
        memory=arguments.memory,
        preparation=Preparation(
            "dicodec.batch.preparation",
            "prepare_conversions",
            (tuple((arguments.to or "").split(",")), tuple(arguments.source[:1])),
        ),
        forks=True,
        template=arguments.template,
    )
    pool.start(_AHEAD)
    return pool


def _join_cluster(arguments: argparse.Namespace) -> ClusterPool:
    executor: str = arguments.executor
    if executor != "ray" and not executor.startswith("ray://"):
        raise InvalidOptionError(
            f"there is no executor {executor!r}",
            hint="ray is the Ray cluster of this machine, ray://HEAD:PORT one elsewhere",
        )
    from dicodec.batch.cluster.cluster_pool import ClusterPool
    from dicodec.batch.cluster.ray_engine import RayEngine

    engine = RayEngine("auto" if executor == "ray" else executor)
    return ClusterPool(engine, arguments.jobs, timeout=arguments.timeout, memory=arguments.memory)
