"""What conversions cost, in calls rather than in seconds, so that it is the same everywhere.

A budget is what was measured, and a tenth. Whoever has to raise one says why in the commit. Speed
itself is measured by `make bench`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicodec import convert, convert_bytes
from dicodec.batch.pool.current_item import CurrentItem
from dicodec.batch.pool.messages import GroupMessage, WorkOfModule
from dicodec.batch.pool.worker_process import carry_out
from dicodec.batch.sources.references import SourceReference
from dicodec.batch.work_item import Item, WorkOptions
from dicodec.options import ConversionOptions
from helpers.counted_calls import calls
from helpers.kernels import kernels
from helpers.made import IMAGE_KINDS

CT = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"


def calls_to_convert(data: bytes, to: str) -> int:
    return calls(lambda: convert_bytes(data, to=to, workers=1))["all"]


@pytest.mark.parametrize(
    ("target", "budget"),
    [
        ("implicit-le", 5120),
        ("explicit-be", 5440),
        ("rle", 3150),
        ("jpeg-ls", 3150),
        ("deflated", 2820),
    ],
)
def test_calls_for_one_file(target: str, budget: int) -> None:
    assert calls_to_convert(CT.read_bytes(), target) <= budget


@pytest.mark.parametrize(
    ("target", "there", "back"),
    [
        ("implicit-le", 1, 1), ("explicit-be", 1, 1), ("deflated", 1, 1), ("rle", 99, 100),
        ("jpeg-ls", 92, 170), ("jpeg-lossless", 91, 630), ("jpeg2000-lossless", 97, 170),
        ("htj2k-lossless", 108, 320), ("jpegxl-lossless", 135, 405),
        ("encapsulated-uncompressed", 28, 33),
    ],
)  # fmt: skip
def test_calls_for_each_frame(target: str, there: int, back: int) -> None:
    native = [IMAGE_KINDS["gray-12-in-16"].make(frames=frames)[0] for frames in (3, 23)]
    coded = [convert_bytes(data, to=target) for data in native]
    for budget, to, sources in ((there, target, native), (back, "explicit-le", coded)):
        few, many = (calls_to_convert(data, to) for data in sources)
        assert (many - few) / 20 <= budget


@pytest.mark.parametrize(("target", "budget"), [("rle", 8), ("implicit-le", 17)])
def test_calls_for_each_element(target: str, budget: int) -> None:
    made = [
        IMAGE_KINDS["gray-8"].make(
            extra=[(0x00091010 + number, "LO", b"text") for number in range(count)]
        )[0]
        for count in (10, 110)
    ]
    few, many = (calls_to_convert(data, target) for data in made)
    assert (many - few) / 100 <= budget


def test_calls_of_the_operating_system(tmp_path: Path) -> None:
    found = calls(lambda: convert(CT, tmp_path / "out.dcm", to="rle", overwrite=True, workers=1))
    budgets = {"fsync": 2, "pread": 45, "open": 4, "stat": 8, "fstat": 6}
    assert {name: found[name] for name in budgets if found[name] > budgets[name]} == {}


class ToNobody:
    """Stands for a worker's channel to its pool.

    Attributes:
        messages: how many were sent, each of which wakes the pool.
    """

    messages = 0

    def is_readable(self) -> bool:
        return False

    def send(self, message: bytes) -> None:
        """Drop a message."""
        assert message
        self.messages += 1


def convert_as_worker(folder: Path, files: int, target: str) -> Counter[str]:
    """Return the calls of a worker that converts a group of files."""
    reference = SourceReference(str(CT), CT.stat().st_size, 0, root=str(CT.parent))
    items = [Item(reference, str(folder / f"{n}.dcm"), True, str(folder)) for n in range(files)]
    work = WorkOptions(options=ConversionOptions(to=(target,), durability="none", workers=1))
    group = GroupMessage(
        WorkOfModule("dicodec.batch.conversion_work", "convert_item"), work, items, 1, None
    )
    kept: dict[type, Any] = {}
    channel: Any = ToNobody()
    current = CurrentItem()

    def convert_all() -> None:
        carry_out(group, channel, current, kept)
        assert channel.messages == 1
        channel.messages = 0
        for path in folder.iterdir():
            path.unlink()

    found = calls(convert_all)
    current.close()
    return found


@pytest.mark.parametrize(
    ("target", "budget", "system"),
    [
        ("implicit-le", 960, {"open": 2, "stat": 6, "pread": 2, "fstat": 8, "close": 2}),
        ("rle", 1125, {"open": 2, "stat": 6, "pread": 2, "fstat": 8, "close": 3}),
    ],
)
def test_calls_for_a_further_file_of_a_batch(
    tmp_path: Path, target: str, budget: int, system: dict[str, int]
) -> None:
    kernels()
    few, many = (convert_as_worker(tmp_path, files, target) for files in (2, 12))
    each = {name: (many[name] - few[name]) / 10 for name in ("all", "lstat", *system)}
    assert each["all"] <= budget
    assert each["lstat"] == 0
    assert {name: each[name] for name in system if each[name] > system[name]} == {}
