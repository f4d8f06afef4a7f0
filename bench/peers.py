"""Who converts: dicodec, and what its users would pick instead, each with its commands.

A command converts one file, or all files of a folder with all cores: dicodec by itself, a program
that takes a file at a time under `xargs -P`, a script that takes many with one process a core.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from measure import CONVERT
from syntaxes import NATIVE, NEAR, QUALITY, SYNTAXES

HERE = Path(__file__).parent
CORES = len(os.sched_getaffinity(0))

type Command = list[str | Path]


@dataclass(frozen=True, slots=True)
class Work:
    """One conversion of the files of a folder to files of the same names in another.

    Attributes:
        source, target: folders.
        names: of the files.
        made_of, made_to: transfer syntaxes.
        durability: when those who can choose wait until results are on the disk.
    """

    source: Path
    target: Path
    names: tuple[str, ...]
    made_of: str
    made_to: str
    durability: str = "batch"

    @property
    def compressed(self) -> str:
        """The one of the two that is not explicit VR little endian."""
        return self.made_of if self.made_to == NATIVE else self.made_to


@dataclass(frozen=True, slots=True)
class Tool:
    """One that converts.

    Attributes:
        name: for the tables.
        version: of what is installed, "" where it is not.
        command: makes the command for some work; None for what the tool does not do.
        ours: whether it is dicodec.
    """

    name: str
    version: str
    command: Callable[[Work], Command | None]
    ours: bool = False


def tools() -> list[Tool]:
    """Return dicodec and all peers, installed or not, dicodec first."""
    gdcmconv, dcmtk = _program("gdcmconv"), _program("dcmcjpls")
    return [
        Tool("dicodec", _package("dicodec"), _dicodec, ours=True),
        Tool("gdcmconv", _said(gdcmconv, "--version"), _by_table(_GDCMCONV)),
        Tool("DCMTK", _said(dcmtk, "--version"), _by_table(_DCMTK)),
        Tool("python-gdcm", _package("python-gdcm"), _by_script(_PYTHON_GDCM)),
        Tool("pydcm", _package("pydcm"), _by_script(_PYDCM)),
        Tool("pydicom", _package("pydicom"), _by_script(_PYDICOM)),
        Tool("dicom-rs", _said(_program("dicom-transcode"), "--version"), _dicom_rs),
        Tool("dcmjs-codecs", _dcmjs_version(), _by_script(_DCMJS)),
    ]


@dataclass(frozen=True, slots=True)
class _Commands:
    """What a program is told: there by syntax, back by syntax; what is missing it does not do."""

    there: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    back: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_QUALITY, _NEAR = str(QUALITY), str(NEAR)
_GDCM_COMPRESSED = (
    "jpeg", "jpeg-extended", "jpeg-lossless", "jpeg-ls", "jpeg-ls-near", "jpeg2000-lossless", "rle",
)  # fmt: skip
_GDCMCONV = _Commands(
    there={
        "jpeg": ("gdcmconv", "--jpeg", "--lossy", "-q", _QUALITY),
        "jpeg-extended": ("gdcmconv", "--jpeg", "--lossy", "-q", _QUALITY),
        "jpeg-lossless": ("gdcmconv", "--jpeg"),
        "jpeg-ls": ("gdcmconv", "--jpegls"),
        "jpeg-ls-near": ("gdcmconv", "--jpegls", "--lossy", "-e", _NEAR),
        "jpeg2000-lossless": ("gdcmconv", "--j2k"),
        "rle": ("gdcmconv", "--rle"),
        "deflated": ("gdcmconv", "--deflated"),
        "implicit-le": ("gdcmconv", "--raw", "--implicit"),
    },
    back={
        **dict.fromkeys((*_GDCM_COMPRESSED, "deflated"), ("gdcmconv", "--raw")),
        "implicit-le": ("gdcmconv", "--raw", "--explicit"),
    },
)
_DCMTK = _Commands(
    there={
        "jpeg": ("dcmcjpeg", "+eb", "+q", _QUALITY),
        "jpeg-extended": ("dcmcjpeg", "+ee", "+q", _QUALITY),
        "jpeg-lossless": ("dcmcjpeg",),
        "jpeg-ls": ("dcmcjpls",),
        "jpeg-ls-near": ("dcmcjpls", "+en", "+md", _NEAR),
        "rle": ("dcmcrle",),
        "deflated": ("dcmconv", "+td"),
        "implicit-le": ("dcmconv", "+ti"),
    },
    back={
        **dict.fromkeys(("jpeg", "jpeg-extended", "jpeg-lossless"), ("dcmdjpeg",)),
        **dict.fromkeys(("jpeg-ls", "jpeg-ls-near"), ("dcmdjpls",)),
        "rle": ("dcmdrle",),
        "deflated": ("dcmconv", "+te"),
        "implicit-le": ("dcmconv", "+te"),
    },
)


@dataclass(frozen=True, slots=True)
class _Script:
    """A script of ours around a library: SYNTAX FOLDER FILE..., and what it does."""

    start: tuple[str, ...]
    there: frozenset[str]
    back: frozenset[str]


_PYTHON_GDCM = _Script(
    (sys.executable, str(HERE / "peer_gdcm.py")),
    frozenset((*_GDCM_COMPRESSED, "deflated", "implicit-le")),
    frozenset((*_GDCM_COMPRESSED, "deflated", "implicit-le")),
)
_PYDCM_COMPRESSED = frozenset(
    ("rle", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless", "jpegxl-lossless")
)
_PYDCM = _Script(
    (sys.executable, str(HERE / "peer_pydcm.py")), _PYDCM_COMPRESSED, _PYDCM_COMPRESSED
)
_PYDICOM = _Script(
    (sys.executable, str(HERE / "peer_pydicom.py")),
    frozenset(("jpeg-ls", "jpeg-ls-near", "jpeg2000-lossless", "rle", "deflated", "implicit-le")),
    frozenset((*_GDCM_COMPRESSED, "htj2k-lossless", "deflated", "implicit-le")),
)
_DCMJS = _Script(
    ("node", str(HERE / "peer_dcmjs.mjs")),
    frozenset(set(SYNTAXES) - {NATIVE, "jpeg-extended", "deflated", "deflated-frame"}),
    frozenset(set(SYNTAXES) - {NATIVE, "jpeg-extended", "deflated", "deflated-frame"}),
)


def _dicodec(work: Work) -> Command:
    options = SYNTAXES[work.made_to].options
    one = len(work.names) == 1
    source = work.source / work.names[0] if one else work.source
    target = work.target / work.names[0] if one else work.target
    durability = ("--durability", work.durability)
    return [*CONVERT, source, "--to", work.made_to, *options, *durability, "-o", target]


_DICOM_RS = {
    "explicit-le": "1.2.840.10008.1.2.1",
    "rle": "",  # it reads it only
    "jpeg-lossless": "",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg2000-lossless": "",
    "jpegxl-lossless": "1.2.840.10008.1.2.4.110",
    "deflated-frame": "1.2.840.10008.1.2.8.1",
}
"""What dicom-transcode of dicom-pixeldata 0.10.1 reads, and by which UID it is told to write it."""


def _dicom_rs(work: Work) -> Command | None:
    uid = _DICOM_RS.get(work.made_to)
    if not uid or work.compressed not in _DICOM_RS:
        return None
    told: Command = [_program("dicom-transcode") or "dicom-transcode", "--ts", uid]
    if len(work.names) == 1:
        return [*told, work.source / work.names[0], "-o", work.target / work.names[0]]
    return [*_xargs("-I", "{}"), *told, f"{work.source}/{{}}", "-o", f"{work.target}/{{}}"]


def _by_table(commands: _Commands) -> Callable[[Work], Command | None]:
    def command(work: Work) -> Command | None:
        table = commands.back if work.made_to == NATIVE else commands.there
        start = table.get(work.compressed)
        if start is None:
            return None
        told: Command = [_program(start[0]) or start[0], *start[1:]]
        if len(work.names) == 1:
            return [*told, work.source / work.names[0], work.target / work.names[0]]
        return [*_xargs("-I", "{}"), *told, f"{work.source}/{{}}", f"{work.target}/{{}}"]

    return command


def _by_script(script: _Script) -> Callable[[Work], Command | None]:
    def command(work: Work) -> Command | None:
        if work.compressed not in (script.back if work.made_to == NATIVE else script.there):
            return None
        told: Command = [*script.start, work.made_to, work.target.resolve()]
        if len(work.names) == 1:
            return [*told, work.source / work.names[0]]
        each = -(-len(work.names) // CORES)
        there = 'cd "$0" && exec "$@"'  # as xargs gives names only
        return ["sh", "-c", there, work.source, *_xargs("-n", str(each)), *told]

    return command


def _xargs(*options: str) -> tuple[str, ...]:
    return ("xargs", "-P", str(CORES), *options)


@cache
def _program(name: str) -> str | None:
    """Find a program that is not this environment's own: python-gdcm brings a gdcmconv along."""
    own = Path(sys.executable).parent
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return shutil.which(name, path=os.pathsep.join(one for one in places if Path(one) != own))


def _said(program: str | None, option: str) -> str:
    """Return the first thing like a version that a program says of itself."""
    if program is None:
        return ""
    said = subprocess.run([program, option], capture_output=True, text=True, check=False).stdout
    words = said.replace("v", " ").split()
    return next((word for word in words if word[0].isdigit() and "." in word), "unknown")


def _package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def _dcmjs_version() -> str:
    if shutil.which("node") is None:
        return ""
    ask = 'console.log(require("dcmjs-codecs/package.json").version)'
    done = subprocess.run(
        ["node", "-e", ask], cwd=HERE, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
