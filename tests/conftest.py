"""Shared by all tests: the corpus, the witnesses, signals, a seeded tenth, what was skipped."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from helpers import witnesses
from helpers.corpus import ManifestRow, find_corpus, read_manifest
from helpers.installed import CORPUS, end_without, summary_of
from helpers.postgres import RunningPostgres, running_postgres

# A clock says how busy the machine is, and nothing about the code.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples every time where a change is judged; new ones where it is made.
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.register_profile("few", settings.get_profile("ci"), max_examples=10)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that runs a tenth of all tests."""
    parser.addoption(
        "--tenth",
        metavar="SEED",
        help="run a tenth of the tests, the same ones whenever SEED is the same",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave nine of ten tests out, if asked for."""
    seed = config.getoption("tenth")
    if seed is None:
        return
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        # By its name alone: every process and every Python has to choose the same ones.
        chosen = random.Random(f"{seed} {item.nodeid}").random() < 0.1
        (kept if chosen else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was skipped because the machine lacks something."""
    skipped = terminalreporter.stats.get("skipped", [])
    if line := summary_of(str(report.longrepr[2]) for report in skipped):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real files; tests that need it are skipped if there is none."""
    return find_corpus() or end_without(CORPUS)


@pytest.fixture(scope="session")
def manifest(corpus: Path) -> list[ManifestRow]:
    """One row for each file of the corpus."""
    return read_manifest(corpus)


@pytest.fixture(scope="session")
def postgres() -> Iterator[RunningPostgres]:
    """A PostgreSQL server; tests that need it are skipped if there is none."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def store_place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The path or URL of a job store that is new, in each database that there is."""
    if request.param == "sqlite":
        return str(tmp_path / "queue.sqlite")
    server: RunningPostgres = request.getfixturevalue("postgres")
    return server.name_store()


@pytest.fixture(scope="session", autouse=True)
def _default_signals() -> None:
    """Let programs that tests start have the default handlers, and this one go on.

    Under nohup and in the background SIGHUP and SIGINT are ignored, which children inherit. A
    signal that is handled is back to its default in a program that is started.
    """
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session", autouse=True)
def _ended_witnesses() -> Iterator[None]:
    """Let the witnesses' processes end with the session."""
    yield
    witnesses.close_all()
