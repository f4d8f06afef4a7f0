"""When results are synced: never, a group together, or each by itself; counted in one process."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from dicodec import convert, convert_async, convert_bytes
from dicodec.batch.ledger.resume import digest_options
from dicodec.batch.pool.messages import GroupMessage, Word, WorkOfModule
from dicodec.batch.pool.worker_process import carry_out
from dicodec.batch.sources.references import SourceReference
from dicodec.batch.work_item import Item, WorkOptions
from dicodec.cli.main import run
from dicodec.errors import InvalidOptionError
from dicodec.options import ConversionOptions
from helpers.made import IMAGE_KINDS

CONTENT = IMAGE_KINDS["gray-16"].make()[0]
RESULT = convert_bytes(CONTENT, to="rle")
CONVERT = WorkOfModule("dicodec.batch.conversion_work", "convert_item")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that syncs and new names are appended to: "sync 0.dcm", "name 0.dcm"."""
    made: list[str] = []
    sync, link, replace = os.fsync, os.link, os.replace

    def note_sync(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        made.append(f"sync {name.removeprefix('.').removesuffix('.dicodec-part')}")
        sync(descriptor)

    def note(step: Callable[..., None]) -> Callable[..., None]:
        def name_file(part: Any, target: Any, **settings: Any) -> None:
            made.append(f"name {Path(target).name}")
            step(part, target, **settings)

        return name_file

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "link", note(link))
    monkeypatch.setattr(os, "replace", note(replace))
    return made


class ToPool:
    """Stands for a worker's channel to its pool; keeps the words of its messages."""

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps

    def is_readable(self) -> bool:
        return False

    def begin(self, index: int) -> None:
        self.steps.append(f"begin {index}")

    def send(self, message: bytes) -> None:
        word, index, value = pickle.loads(message)
        if word == Word.PLACED:
            for one in value:
                self.send(one)
        else:
            self.steps.append(f"{Word(word).name} {index}")


def convert_group(folder: Path, steps: list[str], durability: str) -> list[str]:
    """Convert two files as a worker does, and return the steps."""
    for number in range(2):
        (folder / f"{number}.dcm").write_bytes(CONTENT)
    items = [
        Item(
            SourceReference(str(folder / f"{number}.dcm"), len(CONTENT), 0),
            str(folder / "out" / "deep" / f"{number}.dcm"),
            root=str(folder),
        )
        for number in range(2)
    ]
    work = WorkOptions(options=ConversionOptions(to=("rle",), durability=durability))
    group, pool = GroupMessage(CONVERT, work, items, 1, None), cast("Any", ToPool(steps))
    carry_out(group, pool, pool, {})
    for number in range(2):
        assert (folder / "out" / "deep" / f"{number}.dcm").read_bytes() == RESULT
    return steps


def test_nothing_is_synced_if_nobody_asks_for_it(tmp_path: Path, steps: list[str]) -> None:
    assert convert_group(tmp_path, steps, "none") == [
        "begin 0", "begin 1", "name 0.dcm", "name 1.dcm", "RESULT 0", "RESULT 1",
    ]  # fmt: skip


def test_results_of_a_group_are_synced_together_as_the_default(
    tmp_path: Path, steps: list[str]
) -> None:
    folders = [f"sync {tmp_path.name}", "sync out"]
    assert convert_group(tmp_path, steps, ConversionOptions(to=("rle",)).durability) == [
        "begin 0", *folders, "begin 1", "sync 0.dcm", "sync 1.dcm", "name 0.dcm", "name 1.dcm",
        "sync deep", "RESULT 0", "RESULT 1",
    ]  # fmt: skip


def test_each_result_is_synced_before_it_counts_as_done(tmp_path: Path, steps: list[str]) -> None:
    folders = [f"sync {tmp_path.name}", "sync out"]
    assert convert_group(tmp_path, steps, "file") == [
        "begin 0", *folders, "sync 0.dcm", "name 0.dcm", "sync deep", "RESULT 0",
        "begin 1", "sync 1.dcm", "name 1.dcm", "sync deep", "RESULT 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("durability", "syncs"), [("none", 0), ("batch", 2), ("file", 2)]
)  # the file and its folder
def test_one_file_is_synced_or_not(
    tmp_path: Path, steps: list[str], durability: str, syncs: int
) -> None:
    convert(CONTENT, tmp_path / "one.dcm", to="rle", durability=durability)
    convert(CONTENT, tmp_path / "one.dcm", to="rle", durability=durability, overwrite=True)
    assert sum(step.startswith("sync") for step in steps) == 2 * syncs
    assert (tmp_path / "one.dcm").read_bytes() == RESULT


def test_a_folder_for_one_file_is_synced_or_not(tmp_path: Path, steps: list[str]) -> None:
    source = tmp_path / "a.dcm"
    source.write_bytes(CONTENT)
    given = ["convert", str(source), "--to", "rle", "-q", "-o"]
    assert run([*given, str(tmp_path / "one") + "/", "--durability", "none"]) == 0
    assert steps == ["name a.dcm"]
    assert run([*given, str(tmp_path / "two") + "/"]) == 0
    assert steps[1:] == [f"sync {tmp_path.name}", "sync a.dcm", "name a.dcm", "sync two"]


def test_a_result_beside_a_kept_original_is_synced_whatever_is_asked(
    tmp_path: Path, steps: list[str]
) -> None:
    target = tmp_path / "one.dcm"
    target.write_bytes(CONTENT)
    convert(CONTENT, target, to="rle", overwrite=True, backup=".orig", durability="none")
    assert steps.index("sync one.dcm") < steps.index("name one.dcm")
    assert steps.count(f"sync {tmp_path.name}") == 2
    assert (tmp_path / "one.dcm.orig").read_bytes() == CONTENT


def test_an_original_is_not_replaced_by_a_result_that_is_not_synced(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(CONTENT)
    with pytest.raises(InvalidOptionError, match="synced before the source goes"):
        convert(path, path, to="rle", overwrite=True, durability="none")
    assert path.read_bytes() == CONTENT
    assert run(["convert", str(path), "--to", "rle", "--in-place", "--durability", "none"]) == 2
    assert run(["convert", str(tmp_path), "--to", "rle", "--in-place", "--durability", "none"]) == 2
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("durability", ["batch", "file"])
def test_originals_are_synced_before_they_go(
    tmp_path: Path, steps: list[str], durability: str
) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(CONTENT)
    convert(path, path, to="rle", overwrite=True, durability=durability)
    assert steps == ["sync one.dcm", f"sync {tmp_path.name}"]
    assert path.read_bytes() == RESULT


async def run_async(target: Path) -> None:
    await convert_async(CONTENT, target, to="rle", durability="file")


def test_a_call_without_blocking_takes_it_too(tmp_path: Path, steps: list[str]) -> None:
    import asyncio

    asyncio.run(run_async(tmp_path / "one.dcm"))
    assert steps == ["sync one.dcm", "name one.dcm", f"sync {tmp_path.name}"]


def test_a_run_goes_on_where_another_durability_stopped() -> None:
    one, two = (
        WorkOptions(options=ConversionOptions(to=("rle",), durability=durability))
        for durability in ("none", "file")
    )
    assert digest_options(one) == digest_options(two)


def test_a_batch_takes_it(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for number in range(3):
        (tmp_path / "files" / f"{number}.dcm").write_bytes(CONTENT)
    for durability in ("none", "file"):
        out = tmp_path / durability
        given = [str(tmp_path / "files"), "--to", "rle", "-q", "-o", str(out), "--jobs", "1"]
        assert run(["convert", *given, "--durability", durability]) == 0
        assert [path.read_bytes() for path in sorted(out.glob("*.dcm"))] == [RESULT] * 3


def test_an_unknown_durability_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="one of none, batch, file"):
        convert_bytes(CONTENT, to="rle", durability="later")
