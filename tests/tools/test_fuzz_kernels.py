"""The fuzzer of the kernels: a short run of it, and that it sees what it is for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import fuzz_kernels
from helpers.installed import end_without, program


class Run(NamedTuple):
    """A short run of the fuzzer, and the folder with its objects."""

    ended: subprocess.CompletedProcess[str]
    folder: Path


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("kernels")
    source = folder / "nothing.c"
    source.write_text("int main(void) { return 0; }\n")
    command = [program("gcc"), *fuzz_kernels.FLAGS, str(source), "-o", str(folder / "nothing")]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        end_without("gcc with sanitizers")
    arguments = ["--inputs", "20000", "--seed", "7", "--builds", "plain", "--keep", str(folder)]
    ended = subprocess.run(
        [sys.executable, fuzz_kernels.__file__, *arguments],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return Run(ended, folder)


def test_a_short_run_finds_nothing(short_run: Run) -> None:
    assert short_run.ended.returncode == 0, short_run.ended.stderr
    for family in fuzz_kernels.DRIVER.glob("fuzz_*.c"):
        assert f"{family.stem.removeprefix('fuzz_')}: " in short_run.ended.stdout
    assert ": 0 inputs" not in short_run.ended.stdout


def test_every_family_is_fuzzed() -> None:
    functions = {path.stem.removeprefix("glue_") for path in fuzz_kernels.KERNELS.glob("glue_*.c")}
    fuzzed = {path.stem.removeprefix("fuzz_") for path in fuzz_kernels.DRIVER.glob("fuzz_*.c")}
    assert functions == fuzzed


_FAULTS = {
    "a byte too far is read": ("left >= LONGEST_RUN", "left >= LONGEST_RUN - 1", "overflow"),
    "a byte too far is written": ("room = BLOCK + LONGEST_RUN", "room = BLOCK", "overflow"),
    "a cut run is taken": ("if (left < length)", "if (left + 1 < length)", "overflow"),
    "a sample is another": ("(uint8_t)(257 - length)", "(uint8_t)(258 - length)", "round"),
}
"""What is right, what is wrong, and what is said about it."""


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_fault_is_found(fault: str, short_run: Run, tmp_path: Path) -> None:
    right, wrong, told = _FAULTS[fault]
    text = (fuzz_kernels.KERNELS / "rle.c").read_text()
    assert text.count(right) == 1
    (tmp_path / "rle.c").write_text(text.replace(right, wrong))

    faulty = fuzz_kernels.compile_sources(tmp_path, "plain", [tmp_path / "rle.c"])
    others = [path for path in short_run.folder.glob("*.o") if path.name != faulty[0].name]
    driver = fuzz_kernels.link(tmp_path, "plain", others + faulty)
    ended = subprocess.run(
        [driver, "100000", "60", "1"], check=False, capture_output=True, text=True
    )

    assert ended.returncode
    assert told in ended.stderr
