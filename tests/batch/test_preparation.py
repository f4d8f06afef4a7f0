"""What the template of workers imports: all that conversions need, and no threads with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from dicodec import convert
from dicodec.batch.preparation import prepare_conversions
from helpers.kernels import kernels

FILES = Path(pydicom.__file__).parent / "data" / "test_files"

PREPARED = """
import os, sys
from dicodec.batch.preparation import prepare_conversions

folder, to = sys.argv[1:]
prepare_conversions((to,), (folder,))
threads = len(os.listdir("/proc/self/task"))

from dicodec.batch.conversion_work import convert_item
from dicodec.batch.pool.messages import WorkContext
from dicodec.batch.sources.references import SourceReference
from dicodec.batch.work_item import Item, WorkOptions
from dicodec.conversion.output.placement import Placement
from dicodec.options import ConversionOptions

before = set(sys.modules)
item = Item(SourceReference(folder + "/a.dcm", 0, 0), folder + "/b.dcm", root=folder)
with Placement() as placement:
    work = WorkOptions(options=ConversionOptions.of(to))
    convert_item(work, item, WorkContext(1, None, print, placement))
    placement.place()
print(threads, sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize(
    ("of", "to"),
    [
        ("explicit-le", "implicit-le"),
        ("explicit-le", "rle"),
        ("rle", "explicit-le"),
        ("jpeg-lossless", "explicit-le"),
        ("explicit-le", "jpeg-ls"),
        ("jpeg2000-lossless", "htj2k-lossless"),
    ],
)
def test_workers_have_nothing_left_to_import(of: str, to: str, tmp_path: Path) -> None:
    kernels()
    convert(FILES / "CT_small.dcm", tmp_path / "a.dcm", to=of)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREPARED, str(tmp_path), to],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "1 []\n"


def test_moves_are_prepared_without_numpy(tmp_path: Path) -> None:
    kernels()
    convert(FILES / "CT_small.dcm", tmp_path / "a.dcm", to="jpeg-lossless")
    program = (
        "import sys; from dicodec.batch.preparation import prepare_conversions\n"
        "prepare_conversions(sys.argv[2:], sys.argv[1:2]); print('numpy' in sys.modules)"
    )
    targets = ("jpeg-lossless", False), ("jpeg-ls", False), ("jpegxl-lossless", True)
    for to, loads in targets:
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path), to],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == f"{loads}\n"


def test_what_cannot_be_read_is_left_to_who_lists_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "short").write_bytes(b"\x02\x00\x10\x00UI\xff")
    (tmp_path / "link").symlink_to(tmp_path / "short")
    for name in ("pipe", "short", "link", "missing", "", "s3://bucket/a"):
        prepare_conversions(("rle", "no-such-syntax"), (str(tmp_path / name) if name else name,))
    prepare_conversions((), ())
