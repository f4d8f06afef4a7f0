"""Find out whether the machines of a cluster see the sources and the results of a batch."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

from dicodec.batch.pool.pool import Pool
from dicodec.batch.sources.locations import make_absolute
from dicodec.model.source_names import is_archive, is_object_url

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.batch.cluster.cluster_pool import ClusterPool

_READ_IN_PLACE = (".zip", ".tar")
"""Archives whose members any machine reads from the archive itself."""


@contextmanager
def share_roots(
    arguments: argparse.Namespace,
    output: str | None,
    pool: Pool | ClusterPool,
) -> Iterator[None]:
    """Share the places of a batch with the machines of a cluster until the block ends.

    Args:
        arguments: arguments of the command.
        output: absolute path or URL of the folder for results; None if they replace their sources,
            and for a dry run without one.
        pool: of the batch; on one machine there is nothing to share.

    Raises:
        DicodecError: a machine does not see a place, or cannot write there.
    """
    if isinstance(pool, Pool):
        yield
        return
    from dicodec.batch.cluster.roots import keep_probes

    read = [make_absolute(path) for path in arguments.source]
    written = []
    if arguments.in_place and not arguments.dry_run:
        written += [_find_folder(path) for path in read]
    elif output is not None and not arguments.dry_run:
        written.append(output)
    if any(is_archive(path) and not path.endswith(_READ_IN_PLACE) for path in read):
        from tempfile import gettempdir  # it takes 4 ms

        written.append(gettempdir())  # members pass through temporary files
    if arguments.policy is not None and os.path.exists(arguments.policy):  # noqa: PTH110 - as is
        read.append(make_absolute(arguments.policy))
    with keep_probes(read, written) as roots:
        pool.share(roots)
        yield


def _find_folder(path: str) -> str:
    if is_object_url(path) or os.path.isdir(path):  # noqa: PTH112 - it never raises
        return path
    return os.path.dirname(path)  # noqa: PTH120
