"""The suite: verdicts on converters that are wrong in known ways, and on our own."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from shlex import quote

import pytest

from dicodec import inspect
from dicodec.conformance import Converter, Verdict, examine, load_converters, make_converter
from dicodec.conformance.faults import CATALOGUE
from dicodec.conformance.suite import list_cases
from dicodec.conformance.tables import make_tables
from dicodec.conformance.verdicts import SILENT, Finding
from dicodec.errors import InvalidOptionError, ReadError
from helpers.processes import read_command

BAD = Path(__file__).with_name("bad_converter.py")
SOUND = "matrix/gray-12-in-16: rle to explicit-le"
LOSSY = "matrix/gray-8: explicit-le to jpeg"
CUT = "faults/cut-rle: rle to explicit-le"


def bad(mode: str) -> Converter:
    return make_converter(f"{quote(sys.executable)} {quote(str(BAD))} {mode} {{in}} {{out}} {{to}}")


def judged(mode: str, case: str = SOUND, **options: float) -> Finding:
    (finding,) = examine(bad(mode), only=[case], **options).findings  # type: ignore[arg-type]
    return finding


@pytest.mark.parametrize(
    ("mode", "case", "verdict", "why"),
    [
        ("right", SOUND, Verdict.RIGHT, ""),
        ("right", LOSSY, Verdict.RIGHT, ""),
        ("copy", SOUND, Verdict.OTHER_HEADER, "it is in rle"),
        ("pixel", SOUND, Verdict.WRONG_PIXELS, "largest error of a sample: 1"),
        ("name", SOUND, Verdict.OTHER_HEADER, "PatientID changed"),
        ("unrecorded", LOSSY, Verdict.OTHER_HEADER, "lossy compression is not recorded"),
        ("garbage", SOUND, Verdict.UNREADABLE, "not-dicom"),
        ("nothing", SOUND, Verdict.UNREADABLE, "exit status 0 without a result"),
        ("refuse", SOUND, Verdict.REFUSED, "it cannot be done"),
        ("leave", SOUND, Verdict.REFUSED, "a file is left behind"),
        ("crash", SOUND, Verdict.CRASHED, "status -11"),
        ("status", SOUND, Verdict.REFUSED, ""),
        ("refuse", CUT, Verdict.RIGHT, "it cannot be done"),
        ("leave", CUT, Verdict.REFUSED, "a file is left behind"),
        ("silent", CUT, Verdict.WRONG_PIXELS, "not a word"),
        ("told", CUT, Verdict.SALVAGED, "a frame is lost"),
    ],
)
def test_known_failures_are_named(mode: str, case: str, verdict: Verdict, why: str) -> None:
    finding = judged(mode, case)
    assert finding.verdict is verdict, finding
    assert why in "; ".join(finding.why)


def test_a_converter_that_does_not_end_is_killed_with_its_children() -> None:
    finding = judged("sleep", timeout=2)
    assert finding.verdict is Verdict.TIMED_OUT
    time.sleep(0.1)
    running = [
        one
        for one in map(int, (path.name for path in Path("/proc").glob("[0-9]*")))
        if str(BAD).encode() in read_command(one) and one != os.getpid()
    ] if Path("/proc").is_dir() else []  # fmt: skip
    assert not running


def test_memory_is_bounded() -> None:
    assert judged("hog", memory=4 << 30).verdict is Verdict.RIGHT
    finding = judged("hog", memory=1 << 30)
    assert finding.verdict is Verdict.REFUSED
    assert "MemoryError" in finding.why[0]


def test_our_own_results_are_right() -> None:
    found = examine(load_converters()["dicodec"], only=["faults/*", "matrix/rgb-8:*"])
    verdicts = {one.case: one.verdict for one in found.findings}
    assert not [case for case, verdict in verdicts.items() if verdict in SILENT]
    named = {
        # docs/conformance.md says why
        "faults/rows-as-text: explicit-le to rle": Verdict.OTHER_HEADER,
        "faults/rows-as-text: explicit-le to jpeg-ls": Verdict.OTHER_HEADER,
        **{
            f"faults/item-short: explicit-le to {target}": Verdict.REFUSED
            for target in ("implicit-le", "rle", "jpeg-ls")
        },
    }
    assert {case: one for case, one in verdicts.items() if one is not Verdict.RIGHT} == named
    assert found.version


def test_cases_are_what_they_say() -> None:
    names = [case.name for case in list_cases()]
    assert len(names) == len(set(names)) > 500
    for case in list_cases():
        if case.group == "faults":
            wrong, right = case.make()
            assert inspect(right).transfer_syntax == "explicit-le"
            assert (wrong == right) == case.kind.endswith(("-kept", "nested-deep")), case.name
            try:
                assert inspect(wrong).transfer_syntax == case.made_of, case.name
            except ReadError:
                assert case.refused or case.kind == "item-short", case.name


def test_tables_count_everything() -> None:
    found = [
        examine(bad("pixel"), only=[SOUND, CUT]),
        examine(Converter("absent", make_converter("no-such-program {in} {out} {to}").routes)),
    ]
    text = make_tables(found)
    assert f"| {Path(sys.executable).name} |  | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 1 |" in text
    assert "| rle | 0 of 1 (1) |" in text
    assert "absent: this machine lacks `no-such-program`" in text
    fault = next(one for one in CATALOGUE if one.name == "cut-rle")
    assert f"| {fault.words} | refused, or salvaged and told | right |" in text


def test_no_such_case_is_an_error() -> None:
    with pytest.raises(InvalidOptionError, match="no case is called matrix/gray-9"):
        examine(bad("right"), only=["matrix/gray-9"])
