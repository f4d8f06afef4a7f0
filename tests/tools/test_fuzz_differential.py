"""A few of the cases of the differential fuzzer, and that its judges find what is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dicodec import convert_bytes
from dicodec.codecs import jpeg_ls, rle
from dicodec.part10 import reencode
from dicodec.part10.fragments import EncapsulatedFrames
from dicodec.part10.implicit_vr import HEADERS
from differential.bit_matrix import Cell
from differential.chains import Hop
from differential.judgement import Case, Judgement
from fuzz_differential import make_case, outcomes
from helpers.witnesses import available, require

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
        if (
            isinstance(case, Case)
            and not case.faults
            and bool(case.draft.icon) == icon
            and not case.draft.lossy
        ):
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


# Faults planted in dicodec itself, before anything is verified.


def plant_in_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an encoder clear the lowest bit of each frame's last sample, if it is set."""
    encode = jpeg_ls.JpegLsEncoder.encode

    def drop(self: Any, samples: Any, image: Any) -> bytes:
        samples = samples.copy()
        samples.reshape(-1)[-1] &= ~samples.dtype.type(1)
        return bytes(encode(self, samples, image))

    monkeypatch.setattr(jpeg_ls.JpegLsEncoder, "encode", drop)


def plant_in_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the writer of headers state DS for FD: the value is as it was."""
    pack = reencode._Reencoder._pack_header

    def swap(self: Any, tag: int, header: Any, reserved: bytes, length: int) -> bytes:
        if header.name == b"FD":
            header = HEADERS[b"DS"]
        return pack(self, tag, header, reserved, length)

    monkeypatch.setattr(reencode._Reencoder, "_pack_header", swap)


def plant_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have numbers of 16 bits keep their byte order in a data set of the other."""
    swap = reencode.swap_bytes
    monkeypatch.setattr(
        reencode, "swap_bytes", lambda value, unit: value if unit == 2 else swap(value, unit)
    )


def plant_in_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have frames in the wrong order."""
    read = EncapsulatedFrames.read

    def exchange(self: EncapsulatedFrames, source: Any, frame: int) -> bytes:
        return read(self, source, len(self) - 1 - frame)

    monkeypatch.setattr(EncapsulatedFrames, "read", exchange)


PLANTED: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str, str]] = {
    "a bit that an encoder drops": (plant_in_encoder, "jpeg-ls", "!samples: "),
    "a VR that a writer exchanges": (plant_in_headers, "explicit-be", "!elements: "),
    "words in the wrong order": (plant_in_order, "explicit-be", "!elements: "),
    "frames in the wrong order": (plant_in_offsets, "explicit-le", "!samples: "),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_in_few_cases(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, target, finding = PLANTED[name]
    cases = [
        replace(case, chain=[Hop(target)], dcmtk=False)
        for number in range(80)
        if isinstance(case := make_case(7, number), Case) and not case.faults
    ]
    before = [one for case in cases for one in outcomes(case) if one.startswith("!")]
    assert before == []
    plant(monkeypatch)
    found = [one for case in cases for one in outcomes(case) if one.startswith(finding)]
    assert len(found) > 1


def test_a_planted_fault_is_found_in_the_bit_matrix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cell = Cell("jpeg-ls", 16, 10, True, 1, 9, 11, 2, 0, 1)
    assert cell.outcomes(tmp_path, available()) == ["cell of the bit matrix"]
    monkeypatch.setattr(jpeg_ls, "choose_predictive_precision", lambda image: image.bits_stored)
    assert any(
        one.startswith("!gdcm: other samples") for one in cell.outcomes(tmp_path, available())
    )


def test_a_known_fault_of_a_reader_leaves_two_others_that_find_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    require("dcmtk")
    cell = Cell("rle", 16, 12, False, 3, 9, 11, 2, 0, 1)  # GDCM mixes their bytes up
    assert cell.outcomes(tmp_path, available()) == ["cell of the bit matrix"]
    encode = rle.RleEncoder.encode
    monkeypatch.setattr(
        rle.RleEncoder, "encode", lambda self, samples, image: encode(self, samples ^ 1, image)
    )
    monkeypatch.setattr(rle.RleEncoder, "encode_words", lambda *_: None)  # it would be passed by
    found = cell.outcomes(tmp_path, available())
    assert "!pydicom: other samples" in found
    assert any(one.startswith("?known faults of gdcm, and 0 other reader") for one in found)


def test_judges_find_a_wrong_icon(tmp_path: Path) -> None:
    case = right_case(icon=True)
    result = convert_bytes(case.data, to="explicit-le")
    assert case.draft.icon in result
    assert judge(case, result, tmp_path) == []
    wrong = result.replace(case.draft.icon, case.draft.icon[::-1])
    assert [one[:6] for one in judge(case, wrong, tmp_path)] == ["!icon:"]
