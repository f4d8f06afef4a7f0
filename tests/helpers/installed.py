"""Programs and files that tests need and a machine may lack.

A test that lacks one is skipped, and one line at the end of the run counts them. If
`DICODEC_TESTS_MUST_RUN=1` is set, as in continuous integration, each of them fails.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable
from typing import NoReturn

import pytest

MUST_RUN = "DICODEC_TESTS_MUST_RUN"
CORPUS = "the corpus of real files (DICODEC_CORPUS)"
ROOT_RIGHTS = "the rights of root"
RABBIT_FOLDER = "/usr/lib/rabbitmq/bin"
"""Where Debian has the server; in PATH it has a script for root alone."""

_PACKAGES = {
    **dict.fromkeys(
        (
            "dcmconv",
            "dcmdjpeg",
            "dcmdjpls",
            "dcmdrle",
            "dcmdump",
            "dcmftest",
            "dcmsend",
            "storescp",
            "storescu",
        ),
        "dcmtk",
    ),
    "gdcmdump": "libgdcm-tools",
    "java": "default-jre-headless",
    "rabbitmq-server": "rabbitmq-server",
    "epmd": "rabbitmq-server",
    "promtool": "prometheus",
}
"""Debian's packages, if they have another name than the program."""

_REASON = "not on this machine: "


def find_program(name: str) -> str | None:
    """Return the path of a program, or None; servers and cargo's may lie outside a user's PATH."""
    cargo = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))  # noqa: PTH111 - without a home too
    folders = (
        RABBIT_FOLDER, os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin",
        f"{cargo}/bin",
    )  # fmt: skip
    return shutil.which(name, path=os.pathsep.join(folders))


def program(name: str) -> str:
    """Return the path of a program; the test that needs it ends here if there is none."""
    found = find_program(name)
    return found or end_without(_PACKAGES.get(name, name))


def may_skip() -> bool:
    """Whether tests are skipped if the machine lacks something."""
    return os.environ.get(MUST_RUN) != "1"


def end_without(what: str) -> NoReturn:
    """Skip the test that runs, because the machine lacks something; or let it fail."""
    end_lacking(what, may_skip=may_skip())


def end_lacking(what: str, *, may_skip: bool) -> NoReturn:
    """Skip the test that runs, or let it fail if it may not be skipped."""
    if may_skip:
        pytest.skip(f"{_REASON}{what}")
    pytest.fail(f"{_REASON}{what}", pytrace=False)


def summary_of(reasons: Iterable[str]) -> str:
    """Return one line about the tests that were skipped for want of something; "" if none was.

    Args:
        reasons: of all tests that were skipped, for any reason.
    """
    lacking = Counter(reason.partition(_REASON)[2] for reason in reasons if _REASON in reason)
    if not lacking:
        return ""
    kinds = ", ".join(f"{what} ({count})" for what, count in sorted(lacking.items()))
    return f"skipped tests: {lacking.total()}; this machine lacks: {kinds}"
