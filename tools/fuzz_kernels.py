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


def list_sources() -> list[Path]:
    """Return the kernels' C files, and the driver's; none of them knows Python."""
    found = [path for path in KERNELS.glob("*.c") if not path.name.startswith(("glue", "module"))]
    return sorted(found) + sorted(DRIVER.glob("*.c"))


def compile_sources(folder: Path, name: str, sources: Sequence[Path]) -> list[Path]:
    """Compile each source for a build into a folder, and return the objects."""
    objects = [folder / f"{source.stem}-{name}.o" for source in sources]
    for source, compiled in zip(sources, objects, strict=True):
        _call_compiler(name, f"-I{KERNELS}", "-c", source, "-o", compiled)
    return objects


def link(folder: Path, name: str, objects: Sequence[Path]) -> Path:
    """Link a build's objects into a driver, and return its path."""
    program = folder / f"fuzz-{name}"
    _call_compiler(name, *objects, "-lm", "-o", program)
    return program


def _call_compiler(name: str, *arguments: str | Path) -> None:
    subprocess.run(["gcc", *FLAGS, *BUILDS[name], *arguments], check=True)


def main(given: Sequence[str] | None = None) -> int:
    """Run the fuzzer, and return 1 if a kernel failed."""
    parser = argparse.ArgumentParser(description="fuzz the kernels under sanitizers")
    parser.add_argument("--inputs", type=int, default=200_000, help="of all builds together")
    parser.add_argument("--seconds", type=int, default=60, help="of each build, at most")
    parser.add_argument("--seed", type=int, default=1, help="another one gives other inputs")
    parser.add_argument("--first", type=int, default=0, help="the round to begin at")
    parser.add_argument("--builds", nargs="+", choices=BUILDS, default=list(BUILDS))
    parser.add_argument("--keep", type=Path, help="the folder for what is compiled")
    arguments = parser.parse_args(given)
    share = -(-arguments.inputs // len(arguments.builds))
    bounds = [str(share), str(arguments.seconds), str(arguments.seed), str(arguments.first)]
    with tempfile.TemporaryDirectory() as passing:
        folder = arguments.keep or Path(passing)
        for name in arguments.builds:
            program = link(folder, name, compile_sources(folder, name, list_sources()))
            print(f"build: {name}", flush=True)
            if subprocess.run([program, *bounds], check=False).returncode:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
