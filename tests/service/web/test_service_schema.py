"""Schemathesis finds nothing: what the service answers is what its OpenAPI says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.service_process import RunningService, running

# What a schema cannot say, such as that a file is DICOM, is refused with 400 or 422 all the same.
CONFIGURATION = """
[[operations]]
include-path-regex = "^/api/(convert|frame|uploads|jobs|jobs/batch)$"
[operations.checks.positive_data_acceptance]
enabled = false
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, "--jobs", "1", "--rate", "0") as made:
        yield made


@pytest.mark.parametrize(
    "selected",
    [
        ("--phases", "fuzzing", "--max-examples", "4", "--exclude-path", "/api/events"),
        (
            "--phases",
            "coverage",
            "--include-path-regex",
            "^/api/jobs/.id.(/(preview|difference|measures).*)?$",
        ),
    ],
)  # fmt: skip
def test_schemathesis(service: RunningService, tmp_path: Path, selected: tuple[str, ...]) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    program = "from schemathesis.cli import schemathesis; schemathesis()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--config-file", str(configuration), "run",
         f"{service.url}api/openapi.json", *selected, "--generation-database", "none",
         "--seed", "1", "--no-color"],
        capture_output=True, text=True, timeout=300, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert not [line for line in service.log() if line["event"] == "fault" or "kind" in line]


def test_every_route_is_described(service: RunningService) -> None:
    described = service.client.get("/api/openapi.json").json()
    operations = {
        f"{method} {path}" for path, methods in described["paths"].items() for method in methods
    }
    assert operations == {
        "post /api/convert", "post /api/frame", "post /api/uploads",
        "post /api/jobs", "post /api/jobs/batch",
        "get /api/jobs", "post /api/jobs/retry", "get /api/jobs/{id}", "get /api/jobs/{id}/result",
        "post /api/jobs/{id}/cancel", "post /api/jobs/{id}/retry", "get /api/events",
        "get /api/jobs/{id}/preview/{which}", "get /api/status", "get /api/syntaxes",
        "get /api/options", "get /api/policies", "get /api/uploads",
        "get /api/jobs/{id}/difference", "get /api/jobs/{id}/measures",
        "post /api/downloads", "get /downloads/{ticket}",
        "get /metrics", "get /health/live", "get /health/ready",
    }  # fmt: skip
