"""Start the template of a batch's workers before the arguments of the command are parsed.

Template and command then load their modules at the same time, each what it alone needs. What both
need is loaded before, because the template has it from the command.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

from dicodec.cli.convert.targets import holds_many
from dicodec.model.platforms import HAS_WORKER_PROCESSES

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.batch.pool.template import Template

MANY = 16
"""Named files that the command converts itself, one after the other; more are a batch."""

_NOT_SOURCES = frozenset(
    {"-o", "--output", "--to", "--policy", "--engine", "--durability", "--effort"}
)
"""Options whose value is a folder, or a word that may be the name of one, and is not a source."""

_OF_BOTH = (
    "datetime",
    "dicodec.batch.ledger.tables",
    "dicodec.batch.pool.channel",
    "dicodec.batch.pool.current_item",
    "dicodec.batch.work_item",
    "dicodec.conversion.frames.window",
    "dicodec.conversion.output.kept_originals",
    "dicodec.conversion.output.part_file",
    "dicodec.model.image",
    "dicodec.report",
    "dicodec.rules.targets",
)
"""Modules that the command of a batch and its workers need, besides those of the template."""


def start_template(given: Sequence[str]) -> Template | None:
    """Start the template, if the arguments of `dicodec convert` look like those of a batch.

    A template that is not needed costs the time of another core; close it.
    """
    if not HAS_WORKER_PROCESSES or not _looks_like_batch(given):
        return None
    from dicodec.batch.pool.messages import Preparation
    from dicodec.batch.pool.template import Template

    for name in _OF_BOTH:
        import_module(name)
    try:
        template = Template(forks=True)
    except OSError:  # there are too many processes; the pool will say so
        return None
    template.prepare(Preparation("dicodec.batch.preparation", "prepare_conversions", ((), ())))
    return template


def _looks_like_batch(given: Sequence[str]) -> bool:
    files = 0
    before = ""
    for one in given:
        if before not in _NOT_SOURCES and not one.startswith("-"):
            if holds_many(one):
                return True
            files += os.path.isfile(one)  # noqa: PTH113 - it never raises
        before = one
    return files > MANY
