"""What a release consists of: equal however often it is built, and whole."""

from __future__ import annotations

import re
import subprocess
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import dist

ROOT = dist.ROOT
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def pure(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Path]]:
    """Two builds of the files that need no compiler."""
    made = []
    for name in ("one", "two"):
        folder = tmp_path_factory.mktemp(name)
        made.append(dist.build(folder, dist.PURE))
    return made


def test_two_builds_are_equal(pure: list[dict[str, Path]]) -> None:
    first, second = pure
    assert len(first) == 2
    assert {name: dist.digest(path) for name, path in first.items()} == {
        name: dist.digest(path) for name, path in second.items()
    }


def test_the_source_holds_all_that_a_clone_holds(pure: list[dict[str, Path]]) -> None:
    (path,) = (path for name, path in pure[0].items() if name.endswith(".tar.gz"))
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "-z", "--name-only", "HEAD"],
        cwd=ROOT, stdout=subprocess.PIPE, check=True,
    ).stdout.decode()  # fmt: skip
    missing = set(listed.split("\0")) - names - {"", ".gitignore"}
    assert not missing


def test_the_pure_wheel_serves_every_platform(pure: list[dict[str, Path]]) -> None:
    (path,) = (path for name, path in pure[0].items() if name.endswith(".whl"))
    assert path.name == f"dicodec-{dist.find_version()}-py3-none-any.whl"
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
    for name in (
        "dicodec/py.typed",
        "dicodec/conformance/converters.toml",
        "dicodec/service/web/static/index.html",
    ):
        assert name in names
    assert not [name for name in names if name.endswith((".so", ".pyc"))]


def test_archives_of_any_owner_and_order_become_one(tmp_path: Path) -> None:
    made = []
    for turn, names in enumerate((["x/b", "x/a"], ["x/a", "x/b"])):
        path = tmp_path / f"{turn}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name in names:
                member = tarfile.TarInfo(name)
                member.uid, member.mtime, member.uname = turn, 1000 + turn, f"user{turn}"
                member.mode = (0o600, 0o644)[turn]
                archive.addfile(member)
        dist.settle_archive(path, 5)
        made.append(path.read_bytes())
    assert made[0] == made[1]


def test_every_action_is_pinned_by_its_digest() -> None:
    assert WORKFLOWS
    for path in WORKFLOWS:
        used = re.findall(r"uses: *(\S+)(.*)", path.read_text())
        assert used
        for action, comment in used:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), f"{path.name}: {action}"
            assert re.match(r" # v\d", comment), f"{path.name}: {action}: of what version?"


def test_workflows_may_write_nothing_but_attestations() -> None:
    for path in WORKFLOWS:
        document = yaml.safe_load(path.read_text())
        assert document["permissions"] == {"contents": "read"}
        for name, job in document["jobs"].items():
            allowed = {"id-token", "attestations"} if name == "publish" else set()
            assert set(job.get("permissions", ())) == allowed


def test_the_versions_of_python_are_the_same_everywhere() -> None:
    tried = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    versions = tried["jobs"]["newcomer"]["strategy"]["matrix"]["python"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [one.rpartition(" ")[2] for one in project["classifiers"] if "Python :: 3." in one]
    assert versions == named
    assert project["requires-python"] == f">={versions[0]}"
