"""The benchmark in short: it runs, and it does not take the time of a peer that lies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
EXPLICIT_LE = b"1.2.840.10008.1.2.1\0"


def checked(originals: Path, **results: Path) -> dict[str, dict[str, object]]:
    """Return what the check of results in explicit VR little endian says, by tool."""
    done = subprocess.run(
        [sys.executable, BENCH / "check.py", originals, "--to", "explicit-le", "--bounds", "0,0",
         *(f"{tool}={folder}" for tool, folder in results.items())],
        check=True, stdout=subprocess.PIPE, timeout=60,
    )  # fmt: skip
    said: dict[str, dict[str, object]] = json.loads(done.stdout)
    return said


def test_the_price_of_a_file_leaves_out_the_start() -> None:
    program = """
from file_price import list_file_prices
from trial import Figure, Row

def row(workload, *figures):
    return Row(f"ct-{workload}", "explicit-le", "rle", [*figures], 0, 0, 0)

few = row("200-tmpfs", Figure("dicodec", wall=1, cpu=2), Figure("pydcm", wall=3, cpu=3))
many = row("2000-tmpfs", Figure("dicodec", wall=2.8, cpu=5.6), Figure("pydcm", failure="wrong"))
print(*(price.cells() for price in list_file_prices([few, many])))
disk = row("200-none", Figure("pydcm", wall=1)), row("2000-none", Figure("pydcm", wall=4.6))
print(*(price.cells() for price in list_file_prices([*disk, few])))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=BENCH, capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "('tmpfs', 'explicit-le to rle', 'dicodec', '1.00', '2.00')\n"
        "('disk', 'explicit-le to rle', 'pydcm', '2.00', '0.00')\n"
    )


def test_rows_say_what_bounds_them_and_selections_name_rows_that_there_are() -> None:
    program = """
from judging import verdict
from run import PARTS
from trial import Figure, Row
from workloads import SELECTIONS, WORKLOADS

def bound(workload, codec, copied, synced):
    own = Figure("dicodec", wall=1.0)
    return verdict(Row(workload, "explicit-le", "rle", [own], codec, copied, synced)).bound

print(bound("ct-300", 0.7, 0.1, 0.2), bound("ct-200-file", 0.1, 0.1, 0.8), sep=", ")
print(bound("ct-200-tmpfs", 0.1, 0.2, 0.9), bound("ct", 0.1, 0.2, 0.2), sep=", ")
print(bound("ct-300", 2.0, 0.7, 0.7), bound("ct", 2.0, 0.1, 0.1), sep=", ")
for name, syntaxes in SELECTIONS["kernels"].items():
    assert name in PARTS or {*syntaxes} <= {*WORKLOADS[name].syntaxes}, name
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=BENCH, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "codec 70 %, disk 70 %",
        "steps of each file 70 %, start 70 %",
        "copying 70 %, our kernel and start 90 %",
    ]


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """Return a folder with two made files of one frame."""
    folder = tmp_path / "originals"
    subprocess.run(
        [sys.executable, BENCH / "made_file.py", "ct-200", folder, "--files", "2"],
        check=True, timeout=60,
    )  # fmt: skip
    return folder


def copied(originals: Path, name: str, old: bytes = b"", new: bytes = b"", *, at: int = 0) -> Path:
    """Return a copy of the folder, in whose last file bytes are replaced, or some from an end."""
    folder = originals.with_name(name)
    folder.mkdir()
    for path in originals.iterdir():
        data = path.read_bytes()
        if path.name == "0001.dcm":
            data = data[:at] + new + data[at + len(new) :] if at else data.replace(old, new)
        (folder / path.name).write_bytes(data)
    return folder


def test_a_peer_with_right_pixels_is_believed(originals: Path) -> None:
    said = checked(originals, honest=copied(originals, "honest"))

    assert said["honest"] == {"error": 0, "lost": 0, "note": "", "problem": ""}


def test_a_peer_that_lies_is_found_out(originals: Path) -> None:
    size = (originals / "0001.dcm").stat().st_size
    few = copied(originals, "few")
    (few / "0000.dcm").unlink()

    said = checked(
        originals,
        pixels=copied(originals, "pixels", new=b"\x01\x02", at=size - 100_001),
        last=copied(originals, "last", new=b"\x07", at=size - 1),
        syntax=copied(originals, "syntax", EXPLICIT_LE, b"1.2.840.10008.1.2\0\0\0"),
        rows=copied(originals, "rows", b"\x28\0\x10\0US\2\0\0\2", b"\x28\0\x10\0US\2\0\0\1"),
        few=few,
    )

    assert str(said["pixels"]["problem"]).startswith("wrong pixels: off by")
    assert str(said["last"]["problem"]).startswith("wrong pixels: off by")
    assert said["syntax"]["problem"]
    assert said["rows"]["problem"] == "wrong pixels: Rows is 256"
    assert said["few"]["problem"] == "writes 1 of 2 files"


def test_lost_elements_are_told(originals: Path) -> None:
    patient_id, private = b"\x10\0\x20\0LO", b"\x11\0\x20\0LO"

    said = checked(originals, loser=copied(originals, "loser", patient_id, private))

    assert said["loser"]["lost"] == 1


def test_a_short_run_has_a_row_for_each_conversion(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, BENCH / "run.py", "--short", "--workloads", "segmentation", "--only",
         "deflated-frame", "--folder", tmp_path, "--json", figures],
        check=True, stdout=subprocess.PIPE, text=True, timeout=120,
    )  # fmt: skip

    found = json.loads(figures.read_text())
    rows = {(row["made_of"], row["made_to"]): row for row in found["rows"]}
    assert set(rows) == {("explicit-le", "deflated-frame"), ("deflated-frame", "explicit-le")}
    for row in rows.values():
        own = row["figures"][0]
        assert (own["tool"], own["failure"], own["lost"]) == ("dicodec", "", 0)
        assert min(own["wall"], own["peak"], own["size"], row["codec"], row["copied"]) > 0
    assert found["versions"]["dicodec"]
    assert "deflated-frame to explicit-le" in done.stdout


def test_a_part_that_was_measured_again_takes_the_place_of_what_it_was() -> None:
    code = """
from results import Results
from trial import Row
def row(workload, made_to, codec):
    return Row(workload, "explicit-le", made_to, [], codec, 0, 0)
old = Results({"date": "1"}, {"a": "1", "b": "1"}, [row("ct", "rle", 1), row("slide", "rle", 1)],
              [], ["peaks"], [])
new = Results({"date": "2"}, {"b": "2"}, [row("slide", "rle", 2), row("ct-200", "rle", 2)],
              [], [], ["starts"])
both = old.with_newer(new)
assert [(one.workload, one.codec) for one in both.rows] == [("ct", 1), ("ct-200", 2), ("slide", 2)]
assert (both.machine, both.versions) == ({"date": "1 to 2"}, {"a": "1", "b": "2"})
assert (both.memory, both.start_up) == (["peaks"], ["starts"])
assert both.with_newer(new).machine == {"date": "1 to 2"}
"""
    subprocess.run([sys.executable, "-c", code], cwd=BENCH, check=True, timeout=60)


def test_what_a_failed_peer_said_names_no_folder_of_the_machine(tmp_path: Path) -> None:
    peer, measuring = tmp_path / "peer.py", tmp_path / "measuring.py"
    said = f"File '{tmp_path}/a.py' (file://{tmp_path}/b.mjs:1:2) 1/2 of {tmp_path}/c.dcm"
    peer.write_text(f"import sys\nsys.exit({said!r})\n")
    measuring.write_text(
        f"import sys\nsys.path[:0] = [{str(BENCH)!r}]\nimport measure\n"
        f"try:\n    measure.run([sys.executable, {str(peer)!r}])\n"
        "except measure.FailedError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, measuring], check=True, stdout=subprocess.PIPE, timeout=60
    )
    assert done.stdout.decode().strip().endswith("File 'a.py' (b.mjs:1:2) 1/2 of c.dcm")
