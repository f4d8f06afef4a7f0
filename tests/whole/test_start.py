"""What the start of a small conversion loads: neither NumPy nor imagecodecs, if it can do without.

NumPy takes 60 ms of CPU to load and imagecodecs 20 more, as long as all the rest of a small file.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from dicodec import convert
from helpers.environment import without_options
from helpers.kernels import kernels

CT = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
RLE = CT.with_name("MR_small_RLE.dcm")

LOADS = """
import io, sys
from dicodec.conversion.convert import convert_with
from dicodec.options import ConversionOptions

target = io.BytesIO() if sys.argv[3] == "convert" else None
report = convert_with(sys.argv[1], target, ConversionOptions.of(sys.argv[2]))
assert report.dry_run == (target is None)
print(sorted({"numpy", "imagecodecs"} & sys.modules.keys()))
"""


def find_heavy_modules(source: Path, to: str, *, convert: bool) -> str:
    """Return which of NumPy and imagecodecs a conversion loads, or its plan."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOADS, str(source), to,
         "convert" if convert else "plan"],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return run.stdout.strip()


@pytest.mark.parametrize(
    "to",
    [
        "implicit-le", "explicit-be", "deflated", "rle", "jpeg-lossless", "jpeg-ls",
        "jpeg2000-lossless", "htj2k-lossless", "jpegxl-lossless", "encapsulated-uncompressed",
        "deflated-frame",
    ],
)  # fmt: skip
def test_plans_load_no_numpy(to: str) -> None:
    assert find_heavy_modules(CT, to, convert=False) == "[]"


@pytest.mark.parametrize("to", ["implicit-le", "jpeg-ls", "jpeg-lossless"])
def test_plans_of_encapsulated_files_load_no_numpy(to: str) -> None:
    assert find_heavy_modules(RLE, to, convert=False) == "[]"


@pytest.mark.parametrize("to", ["implicit-le", "explicit-be", "deflated", "explicit-le"])
def test_moves_load_no_numpy(to: str) -> None:
    assert find_heavy_modules(CT, to, convert=True) == "[]"


@pytest.mark.parametrize("to", ["rle", "jpeg-lossless", "jpeg-ls", "htj2k-lossless", "htj2k-rpcl"])
def test_kernels_load_no_numpy(to: str, tmp_path: Path) -> None:
    kernels()
    coded = tmp_path / "coded.dcm"
    convert(CT, coded, to=to)
    assert find_heavy_modules(CT, to, convert=True) == "[]"
    assert find_heavy_modules(coded, "explicit-le", convert=True) == "[]"


COUNTED = """
import sys
from dicodec.cli.main import run
assert run(sys.argv[1:]) == 0
print(len([name for name in sys.modules if name.partition(".")[0] == "dicodec"]))
print(sorted({"argparse", "typing", "json", "threading", "numpy", "imagecodecs", "enum"}
             & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    ("arguments", "most", "others"),
    [
        (["--help"], 7, ["enum"]),
        (["--version"], 7, ["enum"]),
        (["convert", "--to", "implicit-le"], 112, ["argparse", "enum"]),
        (["convert", "--to", "rle"], 126, ["argparse", "enum"]),
        (["convert", "--to", "jpeg-lossless"], 132, ["argparse", "enum"]),
        (["convert", "--to", "jpeg-ls"], 128, ["argparse", "enum"]),
        (["convert", "--to", "htj2k-lossless"], 130, ["argparse", "enum"]),
    ],
)
def test_modules_that_the_command_loads(
    arguments: list[str], most: int, others: list[str], tmp_path: Path
) -> None:
    """A module takes 0.2 ms of CPU to load, and its classes as much again."""
    kernels()
    if arguments[0] == "convert":
        arguments = [*arguments, str(CT), "-q", "-o", str(tmp_path / "out.dcm")]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", COUNTED, *arguments],
        stdout=subprocess.PIPE, text=True, check=True, env=without_options(),
    )  # fmt: skip
    *_, count, loaded = run.stdout.splitlines()
    assert int(count) <= most
    assert loaded == str(others)


def test_threads_load_no_logging(tmp_path: Path) -> None:
    """`concurrent.futures` loads it and others, which takes as long as a fifth of the start."""
    run = subprocess.run(
        [sys.executable, "-c", COUNTED.replace('"numpy"', '"logging", "concurrent.futures"'),
         "convert", "--to", "explicit-le", str(RLE.with_name("rtdose_rle.dcm")), "-q", "-o",
         str(tmp_path / "out.dcm"), "--workers", "2"],
        stdout=subprocess.PIPE, text=True, check=True, env=without_options(),
    )  # fmt: skip
    loaded = run.stdout.splitlines()[-1]
    assert "threading" in loaded
    assert "logging" not in loaded
    assert "concurrent" not in loaded


PATTERNS = """
import re
import sys
compile_now, compiled = re.compile, set()
def note(*arguments):
    compiled.add(sys._getframe(1).f_globals["__name__"])
    return compile_now(*arguments)
re.compile = note
from dicodec.cli.main import run
assert run(sys.argv[1:]) == 0
print(sorted(name for name in compiled if name.startswith("dicodec")))
"""


def test_no_pattern_is_compiled_that_is_seldom_used(tmp_path: Path) -> None:
    """Patterns of many characters or alternatives take as long to compile as modules to load."""
    run = subprocess.run(
        [sys.executable, "-c", PATTERNS, "convert", "--to", "implicit-le", str(CT), "-q", "-o",
         str(tmp_path / "out.dcm")],
        stdout=subprocess.PIPE, text=True, check=True, env=without_options(),
    )  # fmt: skip
    for name in ("dicodec.model.wording", "dicodec.part10.value_forms"):
        assert name not in run.stdout
