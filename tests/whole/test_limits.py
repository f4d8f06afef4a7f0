"""What a file may claim: bounded before memory is taken, and settable."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from dicodec import compare, convert, convert_bytes, inspect
from dicodec.cli.main import run
from dicodec.errors import DicodecError, InvalidOptionError, LimitExceededError
from dicodec.model.limits import DEFAULT_LIMITS, Limits, parse_limits
from dicodec.part10.source import BytesSource
from helpers import hostile_files as hostile
from helpers.made import IMAGE_KINDS, make_file

ROOT = Path(__file__).resolve().parents[2]
FRAMES, _ = IMAGE_KINDS["multi-frame"].make()


def test_limits_are_read_from_text() -> None:
    assert parse_limits([]) == DEFAULT_LIMITS
    found = parse_limits(
        ["frame_size=512M", "nesting-depth = 16", "frames=1k", "element_size=2GiB"]
    )
    assert found == Limits(
        frame_size=512 << 20, nesting_depth=16, frames=1024, element_size=2 << 30
    )
    for wrong in ("frames", "frames=", "frames=-1", "frames=0", "frames=many", "depth=3",
                  "frames=1X", "frames=1\N{KELVIN SIGN}", "nesting_depth=5000", "=1"):  # fmt: skip
        with pytest.raises(InvalidOptionError):
            parse_limits([wrong])


@pytest.mark.parametrize("value", [0, -1, 1.5, "8", None, True])
def test_a_limit_is_a_whole_number(value: Any) -> None:
    with pytest.raises(
        InvalidOptionError, match=r"the limit frame_size is .*; it has to be a whole"
    ):
        Limits(frame_size=value)


def test_every_limit_is_documented() -> None:
    text = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    for field in fields(Limits):
        assert f"| `{field.name}` |" in text


@pytest.mark.parametrize(
    ("name", "value", "data", "to"),
    [
        ("elements", 10, FRAMES, "rle"),
        ("nesting_depth", 3, hostile.nested(5), "explicit-be"),
        ("fragments", 4, convert_bytes(FRAMES, to="rle"), "rle"),
        ("frames", 4, FRAMES, "rle"),
        ("frames", 4, convert_bytes(FRAMES, to="rle"), "explicit-le"),
        ("frame_size", 6143, FRAMES, "rle"),
        ("frame_size", 6143, convert_bytes(FRAMES, to="rle"), "explicit-le"),
        ("inflated_size", 1000, convert_bytes(FRAMES, to="deflated"), "rle"),
        ("element_size", 1, FRAMES, "jpeg-ls"),
    ],
)
def test_a_limit_stops_a_conversion(name: str, value: int, data: bytes, to: str) -> None:
    out = io.BytesIO()
    with pytest.raises(LimitExceededError) as caught:
        convert(data, out, to=to, limits=Limits(**{name: value}))
    assert (caught.value.code, out.getvalue()) == ("limit-exceeded", b"")
    convert(data, out, to=to)


def test_limits_of_the_commands(tmp_path: Path, capsys: Any) -> None:
    path = str(tmp_path / "file.dcm")
    Path(path).write_bytes(FRAMES)
    commands = (
        ["convert", path, "--to", "rle", "--dry-run"], ["inspect", path], ["compare", path, path],
    )  # fmt: skip
    for command in commands:
        assert run(command) == 0
        assert run([*command, "--limit", "elements=10"]) == 1
        assert run([*command, "--limit", "elements=1000", "--limit", "frames=100"]) == 0
        assert run([*command, "--limit", "nonsense=10"]) == 2
    with pytest.raises(LimitExceededError):
        inspect(path, Limits(elements=10))
    with pytest.raises(LimitExceededError):
        compare(path, path, limits=Limits(frames=4))


_SMALL = """
import io, resource, sys
sys.path[:0] = {path!r}
from helpers import hostile_files as hostile
from dicodec import compare, convert, inspect
from dicodec.codecs import htj2k, jpeg, jpeg_ls, jpegxl, rle
from dicodec.errors import DicodecError

files = [hostile.claiming_size(one) for one in (
    "explicit-le", "rle", "jpeg-lossless", "jpeg-ls", "jpeg2000-lossless", "htj2k-lossless",
    "encapsulated-uncompressed", "deflated-frame")]
files += [hostile.claiming_frames(10**9), hostile.claiming_fragment(0xFFFFFFFE)]
files += [hostile.claiming_element(length) for length in (0x7FFFFFFF, 0xFFFFFFFE)]
assert max(map(len, files)) < 2000
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20),) * 2)
for data in files:
    for to in ("explicit-le", "rle", "jpeg2000-lossless"):
        for salvage in (None, "fill", "drop"):
            try:
                inspect(data)
                convert(data, io.BytesIO(), to=to, salvage=salvage, workers=1)
                print("converted")
            except DicodecError as error:
                assert "memory" not in error.message, error
                print(error.code)
"""


def test_small_files_that_claim_to_be_large_take_no_memory() -> None:
    script = _SMALL.format(path=[str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    codes = done.stdout.split()
    assert len(codes) == 12 * 9
    assert set(codes) <= {
        "limit-exceeded", "truncated-frame", "truncated-file", "malformed-file", "frame-error",
        "missing-frame", "converted", "corrupt-frame", "unsupported-image", "frame-mismatch",
    }  # fmt: skip


class Counting:
    """A source that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self._source = BytesSource(data)
        self.size = len(data)
        self.reads = self.bytes = 0

    def read(self, offset: int, length: int) -> bytes:
        part = self._source.read(offset, length)
        self.reads += 1
        self.bytes += len(part)
        return part


@pytest.mark.parametrize("what", ["inspect", "implicit-le", "standardize", "salvage"])
@pytest.mark.parametrize("make", hostile.GROWING.values(), ids=hostile.GROWING)
def test_work_grows_with_the_file_and_no_faster(make: Callable[[int], bytes], what: str) -> None:
    costs: list[tuple[int, int]] = []
    for count in (200, 2000):
        source = Counting(make(count))
        try:
            if what == "inspect":
                inspect(source)
            else:
                to = "explicit-le" if what == "standardize" else "implicit-le"
                options: dict[str, Any] = {"standardize": what == "standardize"}
                if what == "salvage":
                    options["salvage"] = "fill"
                convert(source, io.BytesIO(), to=to, workers=1, **options)
        except DicodecError:
            pass
        costs.append((source.reads, source.bytes))
    small, large = costs
    assert large[0] <= 12 * small[0] + 200
    # A window of 64 KiB is read around what is looked at, however small the file.
    assert large[1] <= 12 * small[1] + (2 << 20)


def test_names_in_a_file_are_no_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [
        (0x00041500, "CS", rb"..\..\ETC\PASSWD"),
        (0x00080018, "UI", b"../../up"),
        (0x00100010, "PN", b"/etc/passwd"),
        (0x00280008, "IS", b"1"),
        (0x00287FE0, "UT", b"file:///etc/passwd"),
    ]
    data, _ = make_file(4, 4, extra=names)
    convert(data, tmp_path / "out.dcm", to="rle", standardize=True)
    inspect(data)
    assert [one.name for one in tmp_path.iterdir()] == ["out.dcm"]
