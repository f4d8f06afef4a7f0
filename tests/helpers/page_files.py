"""The files that the pages' commands are about: each name gets a file of the kind that it names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pydicom

from dicodec import convert_bytes
from helpers.archives import make_archive
from helpers.made import IMAGE_KINDS
from helpers.photometric_files import pairs, shades, subsampled, to_ybr
from helpers.real_files import shipped_file

_CT = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
_DICOMDIR = _CT.with_name("dicomdirtests")
_OUTPUTS = {"-o", "--output", "--picture", "--html", "--report", "--ledger", "--markdown",
            "--metrics-file", ">", "2>", "--done", "--failed", "--store", "--backup"}  # fmt: skip
_FOLDERS = {"archive", "incoming", "scans", "study", "disc", "folder", "in"}
_ABSOLUTE = re.compile(r"(?<![\w.:/~}])/(?=(data|archive|scratch|var|etc|run)\b)")
_NAME = re.compile(r"[\w./-]+\.(?:dcm|zip|tar\.gz|toml|txt)\b")


def _kind(name: str) -> Callable[[], bytes]:
    return lambda: IMAGE_KINDS[name].make()[0]


def _without_preamble() -> bytes:
    return IMAGE_KINDS["gray-12-in-16"].make()[0][132:]


def _cut() -> bytes:
    return IMAGE_KINDS["multi-frame"].make()[0][:-1000]


def _without_pixels() -> bytes:
    content = IMAGE_KINDS["gray-16"].make()[0]
    start = content.rindex(b"\xe0\x7f\x10\0OW")
    return content[:start] + b"\xe0\x7f\x10\0OW" + bytes(6)


def _in_pairs() -> bytes:
    """Return colors whose pairs of pixels share their chroma."""
    return subsampled("YBR_FULL_422", pairs(to_ybr(shades())).tobytes())


_FILES: dict[str, Callable[[], bytes]] = {
    "cr": _kind("inverted"),
    "rgb": _kind("rgb-8"),
    "slide": lambda: convert_bytes(IMAGE_KINDS["rgb-8-frames"].make()[0], to="jpeg", lossy=True),
    "palette": _kind("palette"),
    "cine": _kind("multi-frame"),
    "us": _kind("rgb-8-frames"),
    "signed": _kind("signed-12-in-16"),
    "chest": _without_preamble,
    "cut": _cut,
    "broken": _cut,
    "header": _without_pixels,
    "loop": _in_pairs,
    "labels": lambda: shipped_file("liver_1frame.dcm").read_bytes(),
    "ybr": _kind("ybr-full-8"),
    "in": _kind("gray-8"),
    "smaller": lambda: convert_bytes(_FILES["slide"](), to="jpegxl-jpeg"),
}


def make_content(name: str) -> bytes:
    """Return a file of the kind that a page means by its name; a CT image if it is any file."""
    made = _FILES.get(name)
    return made() if made else _CT.read_bytes()


def move_below(text: str, folder: Path) -> str:
    """Return commands in which /data and such lie below a folder."""
    return _ABSOLUTE.sub(f"{folder}/", text)


def prepare(text: str, folder: Path) -> None:
    """Make the sources that a command or a program names, unless they are there.

    Args:
        text: as `move_below` gives it.
        folder: in which it will run.
    """
    for word, before in _find_words(text):
        path = folder / word
        if before in _OUTPUTS and "/" in word.rstrip("/") and path.is_relative_to(folder):
            path.parent.mkdir(parents=True, exist_ok=True)
        if before in _OUTPUTS or path.exists() or not path.resolve().is_relative_to(folder):
            continue
        if "*" in path.name:
            _fill(path.parent)
        elif path.name == "DICOMDIR":
            _copy_tree(_DICOMDIR, path.parent)
        elif word.endswith("/") or word in _FOLDERS or before == "--root":
            _fill(path)
        elif _NAME.fullmatch(word):
            _make(path)
    results = {"out.dcm", *re.findall(r'convert\("[^"]+", "([\w-]+\.dcm)"', text)}
    for name in re.findall(r'"([\w-]+\.dcm)"', text):
        if name not in results and not (folder / name).exists():
            (folder / name).write_bytes(make_content(Path(name).stem))


def _find_words(text: str) -> list[tuple[str, str]]:
    words = shlex.split(text.replace("\\\n", " "), comments=True)
    split = [one for word in words for one in ((word,) if word[:1] != ">" else (">", word[1:]))]
    return [(word.rstrip(";"), before) for before, word in zip(["", *split], split, strict=False)]


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in {".zip", ".gz"}:
        make_archive(path, {"one.dcm": make_content("one")})
    elif path.suffix == ".txt":
        path.write_text("0.dcm\n")
    elif path.suffix == ".toml":
        path.write_text('[[rule]]\nto = ["htj2k-lossless", "explicit-le"]\n')
    else:
        path.write_bytes(make_content(path.stem))


def _fill(folder: Path) -> None:
    """Put two different files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(2):
        made = IMAGE_KINDS["gray-12-in-16"].make(seed=number + 1)[0]
        (folder / f"{number}.dcm").write_bytes(made)
        if not (folder.parent / "one.dcm").exists():
            (folder.parent / "one.dcm").write_bytes(made)


def _copy_tree(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for one in source.rglob("*"):
        if one.is_file():
            place = target / one.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(one.read_bytes())
