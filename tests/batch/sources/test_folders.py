"""Walking folders: order, what is passed over, loops, what cannot be read, and very many names."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest

from dicodec.batch.sources import folders
from dicodec.batch.sources.folders import FoundFile, PassedOver, WalkOptions, walk
from dicodec.batch.sources.recognition import SNIFFED, find_skip_reason
from dicodec.errors import SourceUnavailableError
from helpers.made import IMAGE_KINDS
from helpers.real_files import real_files

CONTENT = IMAGE_KINDS["gray-16"].make()[0]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def found(folder: Path, rules: WalkOptions | None = None) -> list[str]:
    entries = walk(str(folder), rules or WalkOptions())
    return [entry.relative for entry in entries if isinstance(entry, FoundFile)]


def passed_over(folder: Path, rules: WalkOptions | None = None) -> dict[str, str]:
    entries = walk(str(folder), rules or WalkOptions())
    return {
        os.path.relpath(entry.path, folder): entry.reason
        for entry in entries
        if isinstance(entry, PassedOver)
    }


def test_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "b", "a/2", "a/10", "a/1", "c/d/e", "B", "é", "z")

    assert found(tmp_path) == ["B", "a/1", "a/10", "a/2", "b", "c/d/e", "z", "é"]


def test_what_is_known_of_a_file_comes_with_it(tmp_path: Path) -> None:
    touch(tmp_path, "a/1")
    (entry,) = walk(str(tmp_path), WalkOptions())

    assert isinstance(entry, FoundFile)
    assert entry.reference.path == str(tmp_path / "a" / "1")
    assert entry.reference.size == 1
    assert entry.reference.modified == (tmp_path / "a" / "1").stat().st_mtime_ns


def test_hidden_names_are_passed_over_unless_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, ".hidden", ".folder/in", "a", "b/.c")

    assert found(tmp_path) == ["a"]
    assert passed_over(tmp_path) == {
        ".folder": "hidden", ".hidden": "hidden", "b/.c": "hidden",
    }  # fmt: skip
    assert found(tmp_path, WalkOptions(hidden=True)) == [".folder/in", ".hidden", "a", "b/.c"]


def test_links_are_followed_but_for_loops(tmp_path: Path) -> None:
    touch(tmp_path, "in/a", "outside/x")
    (tmp_path / "in" / "file").symlink_to("a")
    (tmp_path / "in" / "folder").symlink_to("../outside")
    (tmp_path / "in" / "self").symlink_to(".")
    (tmp_path / "outside" / "back").symlink_to("../in")
    (tmp_path / "in" / "none").symlink_to("nothing")
    (tmp_path / "in" / "round").symlink_to("round")

    assert found(tmp_path / "in") == ["a", "file", "folder/x"]
    assert passed_over(tmp_path / "in") == {"self": "link-loop", "folder/back": "link-loop"}
    errors = [one for one in walk(str(tmp_path / "in"), WalkOptions())
              if isinstance(one, SourceUnavailableError)]  # fmt: skip
    assert [Path(one.path or "").name for one in errors] == ["none", "round"]


def test_in_place_no_link_is_followed(tmp_path: Path) -> None:
    touch(tmp_path, "in/a", "outside/x")
    (tmp_path / "in" / "file").symlink_to("a")
    (tmp_path / "in" / "folder").symlink_to("../outside")
    rules = WalkOptions(follow_links=False)

    assert found(tmp_path / "in", rules) == ["a"]
    assert passed_over(tmp_path / "in", rules) == {
        "file": "symbolic-link", "folder": "symbolic-link",
    }  # fmt: skip


def test_pipes_are_passed_over_and_the_output_is_not_entered(tmp_path: Path) -> None:
    touch(tmp_path, "a", "out/b")
    os.mkfifo(tmp_path / "pipe")
    status = (tmp_path / "out").stat()
    rules = WalkOptions(excluded=frozenset({(status.st_dev, status.st_ino)}))

    assert found(tmp_path, rules) == ["a"]
    assert passed_over(tmp_path, rules) == {"pipe": "special", "out": "output"}


def test_names_that_are_no_text(tmp_path: Path) -> None:
    names = [b"caf\xe9", b"line\nfeed", b"tab\t"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")

    assert [os.fsencode(name) for name in found(tmp_path)] == names


AS_NOBODY = """
import os, sys
from dicodec.batch.sources.folders import FoundFile, WalkOptions, walk
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for entry in walk(sys.argv[1], WalkOptions()):
    print(entry.relative if isinstance(entry, FoundFile) else entry)
"""


def test_a_folder_that_cannot_be_read_is_an_error_and_the_others_are_walked(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        touch(folder, "a/1", "b/2", "c/3")
        (folder / "b").chmod(0)
        done = subprocess.run([sys.executable, "-c", AS_NOBODY, folder], capture_output=True,
                              text=True, check=True)  # fmt: skip
        (folder / "b").chmod(0o755)

    assert done.stdout.splitlines() == [
        "a/1", f"{folder}/b: cannot be listed: Permission denied", "c/3",
    ]  # fmt: skip


def test_very_many_names_of_one_folder_are_in_order_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_NAMES_HELD", 7)
    names = [f"{number * 37 % 101:03d}\n{number}" for number in range(101)]
    for name in names:
        (tmp_path / name).touch()

    assert found(tmp_path) == sorted(names)


class _Listing:
    """A made-up folder of very many files."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __enter__(self) -> Iterator[object]:
        names = (f"IM{number * 7919 % self._count:07d}" for number in range(self._count))
        return (type("Entry", (), {"name": name}) for name in names)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


def test_memory_does_not_grow_with_the_number_of_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    touch(tmp_path, "file")
    file, folder = (tmp_path / "file").lstat(), tmp_path.stat()
    monkeypatch.setattr(folders, "_NAMES_HELD", 500)
    peaks = []
    for count in (2_000, 20_000):
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", lambda _, count=count: _Listing(count))
            patch.setattr(os, "stat", lambda _: folder)
            patch.setattr(os, "lstat", lambda _: file)
            tracemalloc.start()
            assert sum(1 for _ in walk("/made", WalkOptions())) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    # A run that is merged holds one line and a buffer; names held would be 1.3 MB more.
    assert peaks[1] < peaks[0] + 700_000


def test_real_files_are_recognized_and_others_are_not() -> None:
    files = real_files()
    reasons = {name: find_skip_reason(path.read_bytes()[:SNIFFED]) for name, path in files.items()}
    passed = {name for name, reason in reasons.items() if reason == "not-dicom"}

    assert {Path(name).name for name in passed} <= {"no_meta.dcm"}
    assert {Path(name).name for name, reason in reasons.items() if reason == "dicomdir"} == {
        Path(name).name for name in files if "DICOMDIR" in name
    }


@pytest.mark.parametrize("first", [
    b"text\n" * 50, b"\x89PNG\r\n\x1a\n" + bytes(500), bytes(2000), b"\x10\0\0\0" + bytes(2000),
    b"\x02\0\0\0\x01\0\0\0" * 40, b"\x08\0\x16\0\xff\xff\0\0", b"PK\x03\x04" + bytes(500),
    b"\x08\0\x05\0\x04\0\0\0ABCD\x08\0\x05\0\x04\0\0\0ABCD",
])  # fmt: skip
def test_what_only_begins_a_little_like_dicom_is_not(first: bytes) -> None:
    assert find_skip_reason(first) == "not-dicom"


def test_data_sets_without_a_preamble_are_recognized() -> None:
    assert find_skip_reason(CONTENT[:SNIFFED]) is None
    assert find_skip_reason(CONTENT[128:SNIFFED]) is None
    assert find_skip_reason(CONTENT[132:SNIFFED]) is None
    assert find_skip_reason(b"\x08\0\x16\0UI\x02\x001\0\x08\0\x18\0UI\x02\x001\0") is None
    assert find_skip_reason(b"\x08\0\x16\0\x02\0\0\x001\0\x08\0\x18\0\x02\0\0\x001\0") is None
    assert find_skip_reason(b"\0\x08\0\x16UI\0\x021\0\0\x08\0\x18UI\0\x021\0") is None
    assert find_skip_reason(b"") == "empty-file"
