"""What was decided about files that are alike: results with a memory are those without one."""

from __future__ import annotations

import io
import struct
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicodec import convert_bytes
from dicodec.conversion import pixel_decisions
from dicodec.conversion.convert import convert_with
from dicodec.conversion.pixel_decisions import ConversionMemory
from dicodec.conversion.planning.plan_conversion import plan_conversion
from dicodec.errors import DicodecError
from dicodec.options import ConversionOptions
from helpers.kernels import kernels
from helpers.made import IMAGE_KINDS

KINDS = ("gray-12-in-16", "signed-16", "rgb-8", "palette", "ybr-full-8", "inverted", "multi-frame")
CODINGS = ("explicit-le", "implicit-le", "explicit-be", "rle", "jpeg-ls", "jpeg-lossless", "jpeg")
CHANGES: tuple[tuple[tuple[int, str, bytes], ...], ...] = (
    (),
    ((0x00100020, "LO", b"another "),),
    ((0x00280101, "US", struct.pack("<H", 8)), (0x00280102, "US", struct.pack("<H", 7))),
    ((0x00280102, "US", struct.pack("<H", 14)),),
    ((0x00280004, "CS", b"MONOCHROME 2"),),
    ((0x00280004, "CS", b"YBR_FULL_422"),),
    ((0x00282110, "CS", b"01"), (0x00282112, "DS", b"10"), (0x00282114, "CS", b"ISO_10918_1 ")),
    ((0x00280106, "US", b"\1\0"), (0x00280107, "US", b"\2\0"), (0x00280120, "US", b"\1\0")),
    ((0x60000010, "US", b"\4\0"), (0x60000100, "US", b"\1\0"), (0x60000102, "US", b"\x0f\0")),
    ((0x60000010, "US", b"\4\0"), (0x60000100, "US", b"\1\0"), (0x60000102, "US", b"\2\0")),
    ((0x7FE00003, "UV", bytes(8)),),
    ((0x00280006, "US", b"\1\0"),),
    ((0x00281053, "DS", b"2 "), (0x00281052, "DS", b"-1024 ")),
)
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"photometric": "keep"},
    {"photometric": "RGB"},
    {"strict": True},
    {"lossy": True, "keep_uid": True},
    {"rescale_to_8bit": True, "keep_uid": True},
    {"offset_table": "extended"},
    {"remove_attributes": ["PatientID"]},
    {"set_attributes": {"PatientName": "A"}},
)
TARGETS = (
    "explicit-le", "implicit-le", "explicit-be", "rle", "jpeg-ls", "jpeg-lossless", "jpeg",
    "rle,explicit-le", "deflated", "encapsulated-uncompressed",
)  # fmt: skip


@cache
def make_source(kind: str, coding: str, change: int, seed: int) -> bytes | None:
    """Return a file; None if the coding cannot hold it."""
    content, _ = IMAGE_KINDS[kind].make(extra=CHANGES[change], seed=seed)
    if coding == "explicit-le":
        return content
    try:
        return convert_bytes(content, to=coding, lossy=True, keep_uid=True)
    except DicodecError:
        return None


def find_outcome(
    content: bytes, options: ConversionOptions, memory: ConversionMemory | None
) -> tuple[object, ...]:
    """Return the result and its report, but for the time it took; or the error."""
    out = io.BytesIO()
    try:
        report = convert_with(content, out, options, memory=memory).as_dict()
    except DicodecError as error:
        return type(error), str(error), error.attribute, error.offset, error.frame, error.hint
    return out.getvalue(), {**report, "seconds": None}


FILES = st.tuples(
    st.sampled_from(KINDS),
    st.sampled_from(CODINGS),
    st.integers(0, len(CHANGES) - 1),
    st.integers(1, 2),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(TARGETS), min_size=1, max_size=2),
    st.lists(st.sampled_from(SETTINGS), min_size=1, max_size=2),
    st.lists(FILES, min_size=2, max_size=8),
)
def test_results_are_those_without_a_memory(
    targets: list[str], some: list[dict[str, Any]], files: list[tuple[str, str, int, int]]
) -> None:
    memory = ConversionMemory()
    for target in targets:
        for chosen in some:
            options = ConversionOptions.of(target.split(","), workers=1, **chosen)
            for file in (*files, *files):
                content = make_source(*file)
                if content is not None:
                    found = find_outcome(content, options, memory)
                    assert found == find_outcome(content, options, None)


@pytest.mark.parametrize(
    ("coding", "target"),
    [
        ("explicit-le", "implicit-le"), ("implicit-le", "explicit-le"), ("explicit-le", "rle"),
        ("rle", "explicit-le"), ("jpeg-ls", "implicit-le"), ("jpeg-lossless", "explicit-le"),
    ],
)  # fmt: skip
def test_files_that_are_alike_are_planned_once(
    coding: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels()
    wanted = [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1)]
    sources = [make_source("gray-12-in-16", coding, *change) for change in wanted]
    planned: list[object] = []
    plan = plan_conversion

    def count(*arguments: Any, **named: Any) -> Any:
        planned.append(arguments)
        return plan(*arguments, **named)

    monkeypatch.setattr(pixel_decisions, "plan_conversion", count)
    memory = ConversionMemory()
    options = ConversionOptions.of(target, workers=1)
    counts = []
    for content in sources:
        assert content is not None
        find_outcome(content, options, memory)
        counts.append(len(planned))
    assert counts == [1, 1, 1, 1, 2]


def test_a_new_uid_is_another_one_for_each_file() -> None:
    memory = ConversionMemory()
    options = ConversionOptions.of("jpeg-ls-near", workers=1, lossy=True)
    content = make_source("gray-12-in-16", "explicit-le", 0, 1)
    assert content is not None
    uids = [
        convert_with(content, io.BytesIO(), options, memory=memory).instance_uids for _ in range(3)
    ]
    assert len({uid[1] for uid in uids if uid is not None}) == 3
