"""Small files that claim or cost much: no command takes more than 5 CPU seconds or 400 MB.

Every command runs in a process of its own, whose time and memory the system tells. Each file is
inspected, and goes through two of the other commands, so that the whole takes less than a minute.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from dicodec import Limits, convert, convert_bytes
from dicodec.errors import LimitExceededError
from helpers.bombs import ARCHIVES, BOMBS, LARGEST
from helpers.made import make_file

ROOT = Path(__file__).resolve().parents[2]
CPU_SECONDS, MEMORY = 5.0, 400 << 20
WITNESS_SECONDS, WITNESS_MEMORY = 3.0, 300 << 20
"""What GDCM may take besides for `--verify=independent`: it decodes the result, in a process of its
own that holds all of it, coded and decoded."""


def _convert(target: str, *options: str) -> Callable[[str], list[str]]:
    return lambda path: ["convert", path, "--to", target, "-o", "result.dcm", "--overwrite",
                         *options]  # fmt: skip


COMMANDS: dict[str, Callable[[str], list[str]]] = {
    "native": _convert("explicit-le"),
    "preview": lambda path: ["preview", path],
    "jpeg 2000": _convert("jpeg2000-lossless"),
    "rle in place": lambda path: ["convert", path, "--to", "rle", "--in-place"],
    "big endian": _convert("explicit-be", "--standardize"),
    "jpeg xl": _convert("jpegxl", "--lossy"),
    "salvage": _convert("explicit-le", "--salvage", "fill"),
    "text": _convert("implicit-le", "--charset", "utf-8"),
    "compare": lambda path: ["compare", path, path],
    "htj2k": _convert("htj2k-lossless"),
    "deflated": _convert("deflated", "--verify"),
    "dry run": lambda path: ["convert", path, "--to", "jpeg-ls", "--dry-run"],
}
MORE_COMMANDS = {
    **COMMANDS,
    "implicit": _convert("implicit-le", "--verify"),
    # GDCM, in a process of its own, walks nested sequences once for each level.
    "independent": _convert("jpeg-ls", "--verify=independent"),
}
"""Those too that are only for files made for them."""


def _choose_commands(number: int) -> list[str]:
    """Return the commands for a file; over all files, each command has as many."""
    names = list(COMMANDS)
    return [names[(number + step) % len(names)] for step in (0, 5)]


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., tuple[int, str]]]:
    """Return a function that runs a command, and fails the test if it took too much."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    process = subprocess.Popen(
        [sys.executable, "-m", "helpers.bomb_child"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path_factory.mktemp("bombs"), text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    requests, answers = process.stdin, process.stdout

    def run(arguments: list[str]) -> tuple[int, str]:
        return _run(requests, answers, arguments)

    yield run
    requests.close()
    process.wait(30)
    answers.close()


def _run(requests: IO[str], answers: IO[str], arguments: list[str]) -> tuple[int, str]:
    most, memory_bound = CPU_SECONDS, MEMORY
    if "--verify=independent" in arguments:
        most, memory_bound = most + WITNESS_SECONDS, memory_bound + WITNESS_MEMORY
    seconds = most + 1
    for _ in range(3):  # what the machine itself adds for a while is no cost of the command
        if seconds <= most:
            break
        requests.write(json.dumps(arguments) + "\n")
        requests.flush()
        code, taken, memory, text, slowness = json.loads(answers.readline())
        seconds = taken / slowness
    cost = f"{arguments}: code {code}, {seconds:.2f} s, {memory >> 20} MB\n{text[-500:]}"
    assert code in {0, 1, 2, 3}, cost
    assert "internal-error" not in text, cost
    assert "Traceback" not in text, cost
    assert seconds <= most, cost
    assert memory <= memory_bound, cost
    return code, text


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_costs_little(
    name: str, child: Callable[[list[str]], tuple[int, str]], tmp_path: Path
) -> None:
    content = BOMBS[name]()
    assert len(content) <= LARGEST
    path = tmp_path / "bomb.dcm"
    path.write_bytes(content)
    child(["inspect", str(path), "--json"])
    for command in _choose_commands(list(BOMBS).index(name)):
        child(COMMANDS[command](str(path)))


_COSTLY = [
    ("nested", "text"), ("nested", "deflated"), ("nested", "compare"),
    ("nested-text", "text"), ("nested-text", "deflated"), ("nested-text", "compare"),
    ("nested-text-in-un", "text"), ("nested-text-in-un", "implicit"),
    ("nested-text-in-un", "compare"), ("nested-icons", "native"), ("nested-icons", "text"),
    ("nested-items", "text"), ("nested-items", "implicit"), ("texts", "text"),
    ("text-of-delimiters", "text"), ("long-character-set", "text"),
    ("rle-frames", "independent"), ("jpegxl-size-at-the-limit", "independent"),
    ("deflated-noise-frames", "independent"), ("text", "independent"),
    ("jpegxl-animation", "independent"), ("jpegxl-animation", "native"),
]  # fmt: skip
"""Pairs of a file and the command that it is made for."""


@pytest.mark.parametrize(("name", "command"), _COSTLY)
def test_a_file_made_for_a_command_costs_little(
    name: str, command: str, child: Callable[[list[str]], tuple[int, str]], tmp_path: Path
) -> None:
    path = tmp_path / "bomb.dcm"
    path.write_bytes(BOMBS[name]())
    child(MORE_COMMANDS[command](str(path)))


_PATTERNS = ["(.*,)*(.*,)*(.*,)*x", ".*a.*a.*a.*b", "(a|b|ab)*c"]


@pytest.mark.parametrize("pattern", _PATTERNS)
def test_a_pattern_of_a_policy_costs_little(
    pattern: str, child: Callable[[list[str]], tuple[int, str]], tmp_path: Path
) -> None:
    """Patterns that take time by a power of the text's length, on text of 1 MB."""
    path = tmp_path / "bomb.dcm"
    comments = (0x00204000, "UT", b"a" * 900_000)
    path.write_bytes(make_file(8, 8, extra=[comments])[0])
    policy = tmp_path / "policy.toml"
    policy.write_text(
        f"[[rule]]\nwhen.attributes.ImageComments = {{ regex = '{pattern}' }}\nto = 'rle'\n\n"
        "[[rule]]\nto = 'explicit-le'\n"
    )
    result = str(tmp_path / "result.dcm")
    code, text = child(["convert", str(path), "--policy", str(policy), "-o", result])
    assert code == 0, text


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_small_archive_costs_little(
    name: str, child: Callable[[list[str]], tuple[int, str]], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(ARCHIVES[name]())
    assert path.stat().st_size <= LARGEST
    child(["convert", str(path), "--to", "rle", "-o", str(tmp_path / "out"), "--jobs", "1"])


_LIMITED = {
    "deflated-image": "native", "deflated-items": "native", "deflated-elements": "native",
    "deflated-frames-of-a-pixel": "htj2k", "j2k-size-at-the-limit": "jpeg xl",
    "deflated-frame": "jpeg 2000", "jpeg-scans": "native", "j2k-tiles": "native",
    "jpegxl-boxes": "native", "j2k-size": "native",
}  # fmt: skip


@pytest.mark.parametrize("name", _LIMITED)
def test_the_limit_is_named(
    name: str, child: Callable[[list[str]], tuple[int, str]], tmp_path: Path
) -> None:
    path = tmp_path / "bomb.dcm"
    path.write_bytes(BOMBS[name]())
    code, text = child(COMMANDS[_LIMITED[name]](str(path)))
    assert code == 1
    assert "[limit-exceeded]" in text
    assert "--limit expansion=NUMBER" in text or "this limit is fixed" in text, text


@pytest.mark.parametrize("source", ["rle", "deflated", "jpeg2000-lossless", "jpegxl-lossless"])
def test_large_black_images_are_converted(source: str) -> None:
    """A mammogram of nothing takes 40 MB, and a few kilobytes once compressed."""
    data, _ = make_file(5120, 4096, pixels=np.zeros((1, 5120, 4096), np.uint16))
    small = convert_bytes(data, to=source)
    for target in ("explicit-le", "htj2k-lossless", "deflated"):
        convert_bytes(small, to=target)


def test_a_limit_on_sources_never_fails_a_result(tmp_path: Path) -> None:
    """64 million black samples become a file of kilobytes, which is then read again."""
    data, _ = make_file(
        8192, 8192, bits_allocated=8, bits_stored=8, pixels=np.zeros((1, 8192, 8192), np.uint8)
    )
    path = tmp_path / "black.dcm"
    path.write_bytes(data)
    convert(path, path, to="htj2k-lossless", overwrite=True, verify=True)
    assert path.stat().st_size < LARGEST
    with pytest.raises(LimitExceededError):
        convert_bytes(path.read_bytes(), to="explicit-le")
    raised = Limits(expansion=2000)
    assert convert_bytes(path.read_bytes(), to="explicit-le", limits=raised)


def test_long_black_series_are_converted() -> None:
    """A segmentation of 300 slices, of which RLE leaves 1 MB."""
    data, _ = make_file(
        512, 512, bits_allocated=1, bits_stored=1, frames=300,
        pixels=np.zeros((300, 512, 512), np.uint8),
    )  # fmt: skip
    small = convert_bytes(data, to="deflated-frame")
    assert convert_bytes(small, to="rle")
    assert convert_bytes(small, to="explicit-le")
