"""A few of the cases of the differential fuzzer, and that its judges find what is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dicodec import convert_bytes
from differential.chains import Hop
from differential.judgement import Case, Judgement
from fuzz_differential import make_case, outcomes

ROOT = Path(__file__).resolve().parents[2]


def test_made_files_keep_samples_and_elements(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "fuzz_differential.py"), "--cases", "200"]
    done = subprocess.run(
        [*command, "--seed", "12", "--keep", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "200 cases of seed 12:" in done.stdout
    assert " conversion" in done.stdout
    assert list(tmp_path.iterdir()) == []


def right_case(*, icon: bool = False) -> Case:
    """Return the first case of a right file in which the judges can find everything."""
    for number in range(1000):
        case = make_case(3, number)
        if not case.faults and bool(case.draft.icon) == icon and not case.draft.lossy:
            return replace(case, chain=[Hop("explicit-le")])
    raise AssertionError("no right file")


def judge(case: Case, result: bytes, folder: Path) -> list[str]:
    source, target = folder / "source.dcm", folder / "target.dcm"
    source.write_bytes(case.data)
    target.write_bytes(result)
    return Judgement(case, source, folder).of_result(target, case.chain)


def test_a_seed_makes_the_same_case_again() -> None:
    first, second = make_case(5, 17), make_case(5, 17)
    assert first.data == second.data
    assert first.describe() == second.describe()
    assert first.data != make_case(5, 18).data
    assert outcomes(first) == outcomes(second)


def other_sample(content: bytes) -> bytes:
    at = content.rindex(b"\xe0\x7f\x10\0O") + 12
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


WRONG: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a sample": (other_sample, "!samples: "),
    "text": (lambda content: content.replace(b"PRODUCT", b"PRODUKT"), "!elements: 00189004"),
    "an element": (
        lambda content: convert_bytes(content, to="explicit-le", remove_attributes=["PatientSize"]),
        "!elements: 00101020 is missing",
    ),
    "an item": (lambda content: content.replace(b"T-04000", b"T-04001"), "!elements: 00082218[0]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_judges_find(name: str, tmp_path: Path) -> None:
    case = right_case()
    result = convert_bytes(case.data, to="explicit-le")
    assert judge(case, result, tmp_path) == []
    spoil, finding = WRONG[name]
    found = judge(case, spoil(result), tmp_path)
    assert found
    assert any(one.startswith(finding) for one in found), found


def test_judges_find_a_wrong_icon(tmp_path: Path) -> None:
    case = right_case(icon=True)
    result = convert_bytes(case.data, to="explicit-le")
    assert case.draft.icon in result
    assert judge(case, result, tmp_path) == []
    wrong = result.replace(case.draft.icon, case.draft.icon[::-1])
    assert [one[:6] for one in judge(case, wrong, tmp_path)] == ["!icon:"]
