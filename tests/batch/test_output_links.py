"""Links below the folder for results: followed as long as they stay below it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.made import make_file

SECRET = b"somebody's"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in ("in/study", "out", "outside"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "in" / "study" / "a.dcm").write_bytes(make_file(8, 8)[0])
    (tmp_path / "outside" / "a.dcm").write_bytes(SECRET)
    return tmp_path


def convert(here: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dicodec.cli.main", "convert", "in", "--to", "rle"]
    return subprocess.run(
        [*command, "-o", "out", "--jobs", "1", *more],
        cwd=here, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("more", [(), ("--overwrite",), ("--layout", "study/{Modality}.dcm")])
def test_a_link_out_of_the_folder_is_refused(here: Path, more: tuple[str, ...]) -> None:
    (here / "out" / "study").symlink_to(here / "outside")
    done = convert(here, *more)
    assert done.returncode == 1
    if more[:1] != () or "target-exists" not in done.stderr:
        assert "path-not-allowed" in done.stderr
    assert {path.name for path in (here / "outside").iterdir()} == {"a.dcm"}
    assert (here / "outside" / "a.dcm").read_bytes() == SECRET


def test_a_result_that_is_a_link_out_of_the_folder_is_not_replaced(here: Path) -> None:
    (here / "out" / "study").mkdir()
    (here / "out" / "study" / "a.dcm").symlink_to(here / "outside" / "a.dcm")
    done = convert(here, "--overwrite")
    assert done.returncode == 1
    assert "path-not-allowed" in done.stderr
    assert (here / "outside" / "a.dcm").read_bytes() == SECRET


def test_links_within_the_folder_and_the_folder_itself_are_followed(here: Path) -> None:
    (here / "real" / "deep").mkdir(parents=True)
    (here / "out").rmdir()
    (here / "out").symlink_to("real")
    (here / "real" / "study").symlink_to("deep")
    done = convert(here)
    assert done.returncode == 0, done.stderr
    assert (here / "real" / "deep" / "a.dcm").exists()
    assert done.stderr.startswith("1 converted")


def test_in_place_stays_in_the_folder(here: Path) -> None:
    (here / "link").symlink_to("in")
    command = [sys.executable, "-m", "dicodec.cli.main", "convert", "link", "--to", "rle"]
    done = subprocess.run(
        [*command, "--in-place", "--ledger", "led"], cwd=here, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (here / "in" / "study" / "a.dcm").read_bytes() != make_file(8, 8)[0]
    assert [path.name for path in (here / "in" / "study").iterdir()] == ["a.dcm"]


def test_results_that_differ_in_case_alone_are_warned_of(here: Path) -> None:
    for number, name in enumerate(("DOE", "Doe", "doe", "ROE")):
        extra = [(0x00100010, "PN", name.encode())]
        path = here / "in" / "study" / f"{number}.dcm"
        path.write_bytes(make_file(8, 8, extra=extra)[0])
    (here / "in" / "study" / "a.dcm").unlink()
    done = convert(here, "--layout", "{PatientName}.dcm")
    assert "the paths of 2 results are those of others but for upper" in done.stderr, done.stderr
    assert len([*(here / "out").glob("*.dcm")]) == 4
    assert "upper and lower" not in convert(here, "--overwrite").stderr
