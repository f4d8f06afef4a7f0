"""The fuzzer of the kernels: a short run of it, and that it sees what it is for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import fuzz_kernels
from helpers.installed import end_without, program


@pytest.fixture(autouse=True)
def _sanitizers(tmp_path: Path) -> None:
    source = tmp_path / "nothing.c"
    source.write_text("int main(void) { return 0; }\n")
    command = [program("gcc"), *fuzz_kernels.FLAGS, str(source), "-o", str(tmp_path / "nothing")]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        end_without("gcc with sanitizers")


def test_a_short_run_finds_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert fuzz_kernels.main(["--inputs", "20000", "--seconds", "20", "--seed", "7"]) == 0

    told = capfd.readouterr().out
    for family in sorted(fuzz_kernels.DRIVER.glob("fuzz_*.c")):
        assert told.count(f"{family.stem.removeprefix('fuzz_')}: ") == len(fuzz_kernels.BUILDS)
    assert ": 0 inputs" not in told


_FAULTS = {
    "a byte too far is read": ("left >= LONGEST_RUN", "left >= LONGEST_RUN - 1", "overflow"),
    "a byte too far is written": ("room = BLOCK + LONGEST_RUN", "room = BLOCK", "overflow"),
    "a cut run is taken": ("if (left < length)", "if (left + 1 < length)", "overflow"),
    "a sample is another": ("(uint8_t)(257 - length)", "(uint8_t)(258 - length)", "round"),
}
"""What is right, what is wrong, and what is said about it."""


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_fault_is_found(fault: str, tmp_path: Path) -> None:
    right, wrong, told = _FAULTS[fault]
    folder = tmp_path / "src" / "dicodec" / "_kernels"
    shutil.copytree(fuzz_kernels.KERNELS, folder)
    text = (folder / "rle.c").read_text()
    assert text.count(right) == 1
    (folder / "rle.c").write_text(text.replace(right, wrong))

    driver = fuzz_kernels.build(tmp_path, "plain", fuzz_kernels.list_sources(folder))
    ended = subprocess.run(
        [driver, "100000", "20", "1"], check=False, capture_output=True, text=True
    )

    assert ended.returncode
    assert told in ended.stderr
