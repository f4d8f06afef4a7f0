"""`dicodec convert --executor`: what is refused, and what the machines of a cluster have to see."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from dicodec.batch.cluster.cluster_pool import ClusterPool
from dicodec.batch.cluster.roots import Root
from dicodec.cli.arguments import parse_arguments
from dicodec.cli.convert.batch.roots import share_roots
from dicodec.cli.main import run
from dicodec.model.installation import describe_extra

METRICS = "dicodec.service.metrics.batch"
"""The module that needs prometheus-client."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is also the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(b"a")
    return tmp_path


def convert(*arguments: str) -> int:
    return run(["convert", "in", "--to", "rle", "-o", "out", *arguments])


def test_an_executor_that_there_is_not(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("--executor", "spark") == 2
    assert capsys.readouterr().err == (
        "dicodec: there is no executor 'spark'; ray is the Ray cluster of this machine, "
        "ray://HEAD:PORT one elsewhere [invalid-option]\n"
    )
    assert [*(here / "out").iterdir()] == []


def test_without_ray_the_error_names_the_extra(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for executor in ("ray", "ray://head:10001"):
        assert convert("--executor", executor) == 2
        assert capsys.readouterr().err == (
            "dicodec: Ray as the executor needs a package that is not installed; "
            f"{describe_extra('ray')} [invalid-option]\n"
        )


@pytest.mark.parametrize(("arguments", "missing"), [
    (["--executor", "ray"], "ray"), (["--executor", "ray://head:10001"], "ray"),
    (["--executor", "dask"], ""), (["--metrics-file", "batch.prom"], METRICS),
    (["--manifest", "new.manifest"], ""), (["--between", "noon"], ""),
    (["--manifest", "new.manifest", "--key", "nowhere"], ""),
])  # fmt: skip
def test_what_is_refused_leaves_no_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], missing: str
) -> None:
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    (here / "out").rmdir()

    assert convert("--jobs", "1", *arguments) == 2

    assert [path.name for path in here.iterdir()] == ["in"]


def test_a_cluster_takes_more_jobs_than_one_machine(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert convert("--jobs", "2000") == 2
    assert "from 1 to 1024" in capsys.readouterr().err
    assert convert("--executor", "ray", "--jobs", "2000") == 2
    assert describe_extra("ray") in capsys.readouterr().err
    assert convert("--executor", "ray", "--jobs", "0") == 2
    assert "from 1 to 100000" in capsys.readouterr().err


class Listening:
    """An engine that keeps what it is asked to look at."""

    def __init__(self) -> None:
        self.roots: Sequence[Root] = ()

    def count_cores(self) -> tuple[int, int]:
        return 2, 2

    def check_machines(self, roots: Sequence[Root]) -> None:
        self.roots = roots
        assert all(Path(root.known).is_file() for root in roots if root.known)


@pytest.mark.parametrize(("arguments", "read", "written"), [
    (["in", "-o", "out", "--to", "rle"], ["in"], ["out"]),
    (["in/a.dcm", "-o", "out", "--to", "rle"], ["in/a.dcm"], ["out"]),
    (["in", "--in-place", "--to", "rle"], [], ["in"]),
    (["in/a.dcm", "--in-place", "--to", "rle"], ["in/a.dcm"], ["in"]),
    (["in", "-o", "out", "--to", "rle", "--dry-run"], ["in"], []),
    (["in", "-o", "out", "--policy", "rules.toml"], ["in", "rules.toml"], ["out"]),
    (["in", "-o", "out", "--policy", "archive"], ["in"], ["out"]),
    (["more.zip", "-o", "out", "--to", "rle"], ["more.zip"], ["out"]),
    (["more.tar.gz", "-o", "out", "--to", "rle"], ["more.tar.gz"], ["out", "TEMPORARY"]),
    (["--files-from", "list", "-o", "out", "--to", "rle"], [], ["out"]),
])  # fmt: skip
def test_what_machines_have_to_see(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    read: list[str],
    written: list[str],
) -> None:
    temporary = here / "TEMPORARY"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    for name in ("rules.toml", "more.zip", "more.tar.gz"):
        (here / name).write_bytes(b"content")
    parsed = parse_arguments(["convert", *arguments])
    engine = Listening()
    pool = ClusterPool(engine)  # type: ignore[arg-type]
    output = str(here / "out") if "-o" in arguments else None

    with share_roots(parsed, output, pool):
        assert {root.path for root in engine.roots if not root.written} == {
            str(here / name) for name in read
        }
        assert {root.path for root in engine.roots if root.written} == {
            str(here / name) for name in written
        }
    assert [*here.rglob("*dicodec-probe*")] == []
