"""Image and compose file: what a container may do, and whether dicodec takes what they tell it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from dicodec.cli.arguments import parse_arguments
from helpers.charts import ask, find_program
from helpers.dicom_network import answers, find_free_port
from helpers.page_blocks import ROOT
from helpers.patience import wait_for
from helpers.terminals import make_environment, terminal

FOLDER = ROOT / "docs" / "deploy"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
OURS = [name for name, one in COMPOSE["services"].items() if "build" in one]


def instruction(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [one.strip() for one in re.findall(rf"^{name} (.+)$", joined, re.M)]


def test_the_base_is_pinned_and_the_user_is_not_root() -> None:
    (base,) = instruction("ARG")
    assert re.fullmatch(r"BASE=python:3\.12[\w.-]*@sha256:[0-9a-f]{64}", base)
    assert {one.split()[0] for one in instruction("FROM")} == {"${BASE}"}
    assert instruction("USER") == ["10001:10001"]
    made = " ".join(instruction("RUN"))
    for volume in json.loads(instruction("VOLUME")[0]):
        assert re.search(rf"install -d -o dicodec -g dicodec[^&]*{volume}\b", made), volume
    assert "--require-hashes" in made


def test_all_that_is_copied_is_there() -> None:
    for words in instruction("COPY"):
        if not words.startswith("--from"):
            for name in words.split()[:-1]:
                assert (ROOT / name).exists(), name


def health(alive: Path, port: int) -> int:
    """Return the exit status of the image's health check, for a file and a port."""
    (command,) = re.findall(r"CMD (\[.+\])$", instruction("HEALTHCHECK")[0])
    words = [
        one.replace("/tmp/alive", str(alive)).replace("8765", str(port))
        for one in json.loads(command)
    ]
    environment = make_environment(alive.parent)
    run = subprocess.run(words, env=environment, capture_output=True, timeout=60, check=False)
    return run.returncode


def test_the_health_check_follows_a_worker_s_file(tmp_path: Path) -> None:
    alive, nobody = tmp_path / "alive", find_free_port()
    assert health(alive, nobody) != 0
    alive.touch()
    assert health(alive, nobody) == 0
    old = time.time() - 300
    os.utime(alive, (old, old))
    assert health(alive, nobody) != 0


def test_the_health_check_asks_the_service(tmp_path: Path) -> None:
    port = find_free_port()
    command = f"dicodec serve --port {port} --data {shlex.quote(str(tmp_path / 'data'))}"
    with terminal(command, tmp_path, tmp_path / "log"):
        wait_for(lambda: answers(port))
        assert health(tmp_path / "alive", port) == 0
    assert health(tmp_path / "alive", port) != 0


@pytest.mark.parametrize("name", OURS)
def test_services_of_the_compose_file_have_no_rights(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["tmpfs"] == ["/tmp"]
    assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).exists()


@pytest.mark.parametrize("name", OURS)
def test_dicodec_takes_the_commands_of_the_compose_file(name: str) -> None:
    service = COMPOSE["services"][name]
    found = parse_arguments(shlex.split(service["command"]))
    mounted = {one.partition(":")[2] for one in service.get("volumes", [])} | {"/tmp"}
    for place in (*found.root, getattr(found, "data", None)):
        if place:
            assert place in mounted
    for variable, value in service.get("environment", {}).items():
        if variable.endswith("_FILE"):
            assert Path(value).name in service["secrets"]
    seconds = re.fullmatch(r"(\d+)s", service.get("stop_grace_period", "0s"))
    assert seconds is not None
    if found.command == "worker" and not found.prepare:
        assert int(seconds[1]) > found.drain


def test_what_the_compose_file_names_it_has() -> None:
    named = {
        volume.partition(":")[0]
        for one in COMPOSE["services"].values()
        for volume in one.get("volumes", [])
        if volume[0] not in "./"
    }
    assert named == COMPOSE["volumes"].keys()
    secrets = {name for one in COMPOSE["services"].values() for name in one.get("secrets", [])}
    assert secrets == COMPOSE["secrets"].keys()
    for one in COMPOSE["services"].values():
        assert one.get("depends_on", {}).keys() <= COMPOSE["services"].keys()
        assert not re.search(r":latest$|^[^:]+$", one["image"])


def test_the_compose_file_is_one() -> None:
    assert ask(compose=json.dumps(COMPOSE)) == []
    wrong = {**COMPOSE, "services": {"worker": {**COMPOSE["services"]["worker"], "cap_drop": 3}}}
    assert ask(compose=json.dumps(wrong)) != []


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [find_program("hadolint"), FOLDER / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
