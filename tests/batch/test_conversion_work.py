"""The worker side of a batch: what a second attempt may do."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dicodec.batch.conversion_work import convert_item
from dicodec.batch.pool.messages import WorkContext
from dicodec.batch.sources.references import refer_to_file
from dicodec.batch.work_item import Item, WorkOptions
from dicodec.conversion.output.placement import Placement
from dicodec.errors import TargetExistsError
from dicodec.options import ConversionOptions
from helpers.made import make_file


def convert_again(source: Path, target: Path, began: float, *, before: float | None) -> None:
    """Convert a source as a second attempt.

    Args:
        source: the source.
        target: path of its result.
        began: when the first attempt of this pool began.
        before: when one of a pool that ended with its process began.
    """
    item = Item(refer_to_file(str(source), named=True), str(target), began=before)
    with Placement() as placement:
        work = WorkOptions(options=ConversionOptions.of("rle"))
        convert_item(work, item, WorkContext(1, began, print, placement))
        assert placement.place() == [None]


def test_a_second_attempt_replaces_only_what_the_first_one_may_have_written(tmp_path: Path) -> None:
    source, target = tmp_path / "a.dcm", tmp_path / "b.dcm"
    source.write_bytes(make_file(8, 8)[0])
    target.write_bytes(b"precious")
    began = time.time()
    os.utime(target, (began, began - 60))
    with pytest.raises(TargetExistsError):
        convert_again(source, target, began, before=None)
    assert target.read_bytes() == b"precious"
    convert_again(source, target, began, before=began - 90)
    assert target.read_bytes() != b"precious"
    target.write_bytes(b"a result")
    convert_again(source, target, began, before=None)
    assert target.read_bytes() != b"a result"
