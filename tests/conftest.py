"""What several tests share: the corpus of real files and the witnesses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from helpers import witnesses
from helpers.corpus import ManifestRow, find_corpus, read_manifest

# A clock says how busy the machine is, and nothing about the code.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples every time where a change is judged; new ones where it is made.
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real files; tests that need it are skipped where there is none."""
    folder = find_corpus()
    if folder is None:
        pytest.skip("no corpus: set DICODEC_CORPUS to a folder with a MANIFEST.tsv")
    return folder


@pytest.fixture(scope="session")
def manifest(corpus: Path) -> list[ManifestRow]:
    """One row for each file of the corpus."""
    return read_manifest(corpus)


@pytest.fixture(scope="session")
def witness_names() -> Iterator[list[str]]:
    """The witnesses that are installed; their processes end with the session."""
    yield witnesses.available()
    witnesses.close_all()


def _require(name: str, names: list[str]) -> str:
    if name not in names:
        pytest.skip(f"witness {name} is not installed")
    return name


@pytest.fixture
def pydicom_witness(witness_names: list[str]) -> str:
    """The name "pydicom", where it is installed."""
    return _require("pydicom", witness_names)


@pytest.fixture
def gdcm_witness(witness_names: list[str]) -> str:
    """The name "gdcm", where it is installed."""
    return _require("gdcm", witness_names)


@pytest.fixture
def dcmtk_witness(witness_names: list[str]) -> str:
    """The name "dcmtk", where it is installed."""
    return _require("dcmtk", witness_names)
