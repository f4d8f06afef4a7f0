"""The batch as a call: results as an iterator, progress, and nothing left when it is stopped."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from dicodec import BatchProgress, convert_many, open_image
from dicodec.errors import DicodecError, InvalidOptionError, UnsupportedTargetError
from helpers.made import IMAGE_KINDS

CONTENT, SAMPLES = IMAGE_KINDS["gray-12-in-16"].make()


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.dcm", "b.dcm", "deep/c.dcm"):
        (folder / name).write_bytes(CONTENT)
    (folder / "hurt.dcm").write_bytes(CONTENT[:-100])
    (folder / "notes.txt").write_text("no DICOM")
    return folder


def test_results_come_in_the_order_of_names(study: Path, tmp_path: Path) -> None:
    told: list[tuple[BatchProgress, threading.Thread]] = []
    results = [
        *convert_many(
            study, tmp_path / "out", to="jpeg-ls", jobs=2, verify=True,
            progress=lambda one: told.append((one, threading.current_thread())),
        )
    ]  # fmt: skip
    found = [(Path(one.source).name, one.state, one.error.get("code")) for one in results]
    assert found == [
        ("a.dcm", "done", None),
        ("b.dcm", "done", None),
        ("c.dcm", "done", None),
        ("hurt.dcm", "failed", "truncated-frame"),
        ("notes.txt", "skipped", None),
    ]
    assert results[0].report["target_syntax"] == "jpeg-ls"
    assert results[3].error["frame"] == 0
    with open_image(tmp_path / "out" / "deep" / "c.dcm") as image:
        assert np.array_equal(image.read_frame(0), SAMPLES[0])
    last, thread = told[-1]
    assert (last.files, last.failed, last.skipped) == (5, 1, 1)
    assert thread is threading.current_thread()

    again = [*convert_many([study], tmp_path / "out", to="jpeg-ls", jobs=1, resume=True)]
    assert {Path(one.source).name for one in again} <= {"hurt.dcm", "notes.txt"}


def test_leaving_the_loop_stops_the_batch(study: Path, tmp_path: Path) -> None:
    for number in range(40):
        (study / f"more-{number:02}.dcm").write_bytes(CONTENT)
    results = convert_many(study, tmp_path / "out", to="rle", jobs=1)
    assert next(results).state == "done"
    results.close()  # type: ignore[attr-defined]
    assert not [one for one in threading.enumerate() if one.name == "dicodec-batch"]
    left = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not [name for name in left if "part" in name]


def test_without_an_output_it_only_plans(study: Path) -> None:
    results = [*convert_many([study / "a.dcm"], None, to="rle", jobs=1)]
    assert [one.state for one in results] == ["done"]
    assert results[0].report["dry_run"]


def test_wrong_arguments_are_found_before_anything_starts(study: Path, tmp_path: Path) -> None:
    for wrong in ({"jobs": 0}, {"layout": "{Nonsense"}, {"policy": "nonsense"}, {"near": 300}):
        with pytest.raises(DicodecError):
            convert_many(study, tmp_path / "out", **{"to": "rle", **wrong})  # type: ignore[arg-type]
    with pytest.raises(UnsupportedTargetError):
        convert_many(study, tmp_path / "out", to="morse")
    with pytest.raises(InvalidOptionError):
        convert_many([study, study], tmp_path / "out", to="rle")
