"""The worker processes of `dicodec convert`, which start while the command itself still does."""

from __future__ import annotations

import argparse

from dicodec.batch.pool.pool import Pool
from dicodec.errors import InvalidOptionError

_AHEAD = 4
"""Workers that are started before it is known how many sources there are."""


def batch_pool(arguments: argparse.Namespace) -> Pool:
    """Return a pool as the arguments ask for, with workers that import what they will need.

    Raises:
        InvalidOptionError: the arguments have no meaning.
    """
    if arguments.jobs is not None and not 1 <= arguments.jobs <= 1024:
        raise InvalidOptionError(f"jobs is {arguments.jobs}; it can be 1 to 1024")
    pool = Pool(arguments.jobs, timeout=arguments.timeout, memory=arguments.memory)
    pool.start(_AHEAD, "dicodec.batch.conversion_work")
    return pool
