"""Fuzz the kernels under AddressSanitizer and UndefinedBehaviorSanitizer: `make fuzz-kernels`.

Compiles all of src/dicodec/_kernels but what knows Python, with tools/fuzz_kernels: once plainly,
and once with vectors. Each build works through its share of the inputs, which are the same for the
same seed. See docs/kernels.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DRIVER = ROOT / "tools" / "fuzz_kernels"
KERNELS = ROOT / "src" / "dicodec" / "_kernels"
BUILDS = {"plain": ("-O1",), "vectors": ("-O3", "-mavx2")}
FLAGS = (
    "-std=c11", "-g", "-Wall", "-Wextra", "-Werror", "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
)  # fmt: skip


def list_sources(kernels: Path = KERNELS) -> list[Path]:
    """Return the kernels' C files, and the driver's; none of them knows Python."""
    found = [path for path in kernels.glob("*.c") if not path.name.startswith(("glue", "module"))]
    return sorted(found) + sorted(DRIVER.glob("*.c"))


def build(folder: Path, name: str, sources: Sequence[Path]) -> Path:
    """Compile a driver into a folder, and return its path."""
    program = folder / f"fuzz-{name}"
    command = [
        "gcc",
        *FLAGS,
        *BUILDS[name],
        "-I",
        str(KERNELS),
        *map(str, sources),
        "-o",
        str(program),
    ]
    subprocess.run(command, check=True)
    return program


def main(given: Sequence[str] | None = None) -> int:
    """Run the fuzzer, and return 1 if a kernel failed."""
    parser = argparse.ArgumentParser(description="fuzz the kernels under sanitizers")
    parser.add_argument("--inputs", type=int, default=200_000, help="of both builds together")
    parser.add_argument("--seconds", type=int, default=60, help="of each build, at most")
    parser.add_argument("--seed", type=int, default=1, help="another one gives other inputs")
    parser.add_argument("--first", type=int, default=0, help="the round to begin at")
    arguments = parser.parse_args(given)
    share = -(-arguments.inputs // len(BUILDS))
    bounds = [str(share), str(arguments.seconds), str(arguments.seed), str(arguments.first)]
    with tempfile.TemporaryDirectory() as folder:
        for name in BUILDS:
            program = build(Path(folder), name, list_sources())
            print(f"build: {name}", flush=True)
            if subprocess.run([str(program), *bounds], check=False).returncode:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
