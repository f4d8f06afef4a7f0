"""`dicodec convert` as a program: what it writes where, its one line of error, its exit status."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dicodec import convert_bytes
from dicodec.cli import arguments as command_arguments
from dicodec.cli.main import run
from dicodec.conversion import attempt
from dicodec.conversion.frames import pipeline
from helpers.data_set_bytes import element
from helpers.made import IMAGE_KINDS, make_file

CONTENT = IMAGE_KINDS["multi-frame"].make()[0]
RESULT = convert_bytes(CONTENT, to="rle")
PROGRAM = [sys.executable, "-W", "error", "-m", "dicodec.cli.main"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, which is also the current one; it holds source.dcm."""
    (tmp_path / "source.dcm").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def program(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([*PROGRAM, *arguments], check=False, timeout=60, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# What works.


def test_a_file_is_converted(folder: Path) -> None:
    done = program("convert", "source.dcm", "--to", "rle", "-o", "out.dcm")

    assert (done.returncode, done.stdout) == (0, b"")
    assert contents(folder) == {"source.dcm": CONTENT, "out.dcm": RESULT}
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("source.dcm: explicit-le -> rle, transcoded, 5 frames, ratio ")
    assert line.endswith(f"{len(CONTENT)} -> {len(RESULT)} bytes")


@pytest.mark.parametrize("name", ["out.png", "out.JPG", "folder/out.npy", "out.zip"])
def test_a_result_is_not_named_like_another_kind(name: str, folder: Path) -> None:
    done = program("convert", "source.dcm", "--to", "rle", "-o", name)

    assert done.returncode == 2
    assert b"results are DICOM files" in done.stderr
    assert contents(folder) == {"source.dcm": CONTENT}


def test_standard_input_to_standard_output(folder: Path) -> None:
    done = program("convert", "-", "--to", "rle", "-o", "-", input=CONTENT)

    assert (done.returncode, done.stdout) == (0, RESULT)
    assert done.stderr.startswith(b"-: explicit-le -> rle")
    assert program("convert", "-", "--to", "rle", "-o", "-", "-q", input=CONTENT).stderr == b""
    assert contents(folder) == {"source.dcm": CONTENT}


def through_small_pipe(arguments: list[str], content: bytes, **options: Any) -> tuple[int, bytes]:
    """Run the command between pipes that do not block; return its status and what came out."""
    (stdin, feeding), (reading, stdout) = os.pipe(), os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(stdin, False)
    os.set_blocking(stdout, False)
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, **options
    )
    os.close(stdin)
    os.close(stdout)
    received: list[bytes] = []

    def receive() -> None:
        time.sleep(1)
        with os.fdopen(reading, "rb") as stream:
            received.append(stream.read())

    thread = threading.Thread(target=receive)
    thread.start()
    with os.fdopen(feeding, "wb", buffering=0) as stream:
        for start in range(0, len(content), 20_000):
            stream.write(content[start : start + 20_000])
            time.sleep(0.1)
    thread.join()
    return process.wait(timeout=60), received[0]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_pipes_that_do_not_block_are_waited_for(unbuffered: str) -> None:
    surroundings = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    arguments = ["convert", "-", "--to", "explicit-be", "-o", "-"]
    expected = convert_bytes(CONTENT, to="explicit-be")

    assert through_small_pipe(arguments, CONTENT, env=surroundings) == (0, expected)


def test_lines_too_wait_for_a_pipe_that_does_not_block() -> None:
    expected = program("syntaxes", "--json").stdout
    assert len(expected) > 4096

    assert through_small_pipe(["syntaxes", "--json"], b"") == (0, expected)


def test_a_shell_pipe_and_a_redirection(folder: Path) -> None:
    # A redirected file is read where it lies, a pipe is not: both give the same.
    command = shlex.join([*PROGRAM, "convert", "-", "--to", "rle", "-o", "-"])
    script = f"{command} < source.dcm > one; cat source.dcm | {command} | cat > two"
    subprocess.run(["sh", "-c", script], stderr=subprocess.DEVNULL, check=True)

    assert (folder / "one").read_bytes() == RESULT
    assert (folder / "two").read_bytes() == RESULT


def quietly(*arguments: str | Path) -> int:
    """Run the command in this process."""
    try:
        return run([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)


def test_several_files_go_into_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other.dcm").write_bytes(CONTENT)
    (folder / "out").mkdir()

    assert quietly("convert", "source.dcm", "other.dcm", "--to", "rle", "-o", "out") == 0

    assert contents(folder / "out") == {"source.dcm": RESULT, "other.dcm": RESULT}
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(("count", "output"), [(1, "out/"), (2, "out/"), (2, "out"), (17, "out/")])
def test_the_folder_is_made_for_any_number_of_files(count: int, output: str, folder: Path) -> None:
    names = [f"{number}.dcm" for number in range(count)]
    for name in names:
        (folder / name).write_bytes(CONTENT)

    assert quietly("convert", *names, "--to", "rle", "-o", f"deep/{output}", "-q") == 0

    made = contents(folder / "deep" / "out")
    assert {name: made[name] for name in names} == dict.fromkeys(names, RESULT)


def test_a_file_that_fails_does_not_stop_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.dcm").write_bytes(b"nonsense")
    (folder / "out").mkdir()
    arguments = ("bad.dcm", "source.dcm", "missing.dcm", "--to", "rle", "-o", "out", "-q")

    assert quietly("convert", *arguments) == 1

    assert contents(folder / "out") == {"source.dcm": RESULT}
    assert [line.rsplit("[")[-1] for line in capsys.readouterr().err.splitlines()] == [
        "not-dicom]", "source-unavailable]",
    ]  # fmt: skip


def test_a_fault_of_ours_costs_one_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = pipeline.run_plan, []

    def faulty(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError("no memory")
        return original(*arguments)

    monkeypatch.setattr(attempt, "run_plan", faulty)
    (folder / "out").mkdir()
    (folder / "first.dcm").write_bytes(CONTENT)

    assert quietly("convert", "first.dcm", "source.dcm", "--to", "rle", "-o", "out/", "-q") == 1

    assert contents(folder / "out") == {"source.dcm": RESULT}
    assert capsys.readouterr().err.endswith("[internal-error]\n")


def test_in_place_replaces_by_a_verified_result(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "link.dcm").symlink_to("source.dcm")

    assert quietly("convert", "link.dcm", "--to", "rle", "--in-place", "--no-verify") == 0

    assert (folder / "link.dcm").is_symlink()
    assert (folder / "source.dcm").read_bytes() == RESULT
    assert capsys.readouterr().err.endswith("bytes, verified\n")


def test_a_dry_run_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert quietly("convert", "source.dcm", "--to", "rle", "--dry-run") == 0
    assert quietly("convert", "source.dcm", "--to", "rle", "--dry-run", "-o", "out.dcm") == 0

    assert contents(folder) == {"source.dcm": CONTENT}
    assert "dry run: nothing written" in capsys.readouterr().err


@pytest.mark.parametrize("name", [
    "target exists", "target in a folder exists", "target is the source", "folder missing",
    "file with a slash", "target below a file", "name too long",
    "several sources, a file's name", "two of one name", "in place, past what exists",
])  # fmt: skip
def test_a_dry_run_fails_as_the_run_would(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare, arguments, code, status = FAILURES[name]
    prepare(folder)
    with everything_stays(folder):
        assert quietly("convert", *arguments, "--dry-run") == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f" [{code}]")
    quietly("convert", *arguments)
    assert capsys.readouterr().err.splitlines() == [line]


def test_a_dry_run_names_its_targets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "there").mkdir()
    for arguments, target in (
        (("-o", "out.dcm"), "out.dcm"), (("-o", "there"), "there/source.dcm"),
        (("-o", "new/"), "new/source.dcm"), (("--in-place",), f"{folder}/source.dcm"),
        (("-o", "-"), None), ((), None),
    ):  # fmt: skip
        done = quietly("convert", "source.dcm", "--to", "rle", "--json", "--dry-run", *arguments)
        printed = capsys.readouterr()
        assert (done, json.loads(printed.out or printed.err)["target"]) == (0, target)
    assert contents(folder) == {"source.dcm": CONTENT}
    assert [path.name for path in (folder / "there").iterdir()] == []


def test_attributes_are_set_and_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--set", "PatientID=A=B", "--set", "PixelPaddingValue=-2000",
                 "--remove", "StudyInstanceUID", "-v")  # fmt: skip
    signed, _ = IMAGE_KINDS["signed-16"].make()
    (folder / "source.dcm").write_bytes(signed)

    assert quietly("convert", "source.dcm", "--to", "rle", "-o", "out.dcm", *arguments) == 0

    result = (folder / "out.dcm").read_bytes()
    assert element(0x00100020, "LO", b"A=B ") in result
    assert element(0x00280120, "SS", b"\x30\xf8") in result
    lines = capsys.readouterr().err.splitlines()
    assert {
        "  PatientID changed",
        "  PixelPaddingValue added",
        "  StudyInstanceUID removed",
    } <= set(lines)


def test_of_several_targets_the_source_may_already_be_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quietly("convert", "source.dcm", "--to", "rle,explicit-le", "-o", "out.dcm") == 0

    assert (folder / "out.dcm").read_bytes() == CONTENT
    assert "explicit-le -> explicit-le, copied" in capsys.readouterr().err


def test_reports_are_json_lines_one_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out").mkdir()
    (folder / "bad.dcm").write_bytes(b"")
    arguments = ("source.dcm", "bad.dcm", "--to", "rle", "-o", "out", "--report", "report.jsonl")

    assert quietly("convert", *arguments, "--json") == 1
    assert quietly("convert", *arguments, "--overwrite") == 1

    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    written = [json.loads(line) for line in (folder / "report.jsonl").read_text().splitlines()]
    assert printed == written[:2]
    assert len(written) == 4
    assert written[0]["source"] == "source.dcm"
    assert written[0]["target_syntax"] == "rle"
    assert written[0]["frames"] == 5
    assert written[0]["seconds"]["total"] > 0
    assert written[1] == {
        "error": {
            "code": "empty-file", "kind": "reading", "message": "the source is empty",
            "path": "bad.dcm",
        }
    }  # fmt: skip


def test_with_data_on_standard_output_json_goes_to_standard_error() -> None:
    done = program("convert", "-", "--to", "rle", "-o", "-", "--json", input=CONTENT)
    assert done.stdout == RESULT
    assert json.loads(done.stderr)["target_syntax"] == "rle"

    done = program("convert", "-", "--to", "rle", "-o", "-", "--json", input=b"nonsense")
    assert (done.returncode, done.stdout) == (1, b"")
    assert json.loads(done.stderr)["error"]["code"] == "not-dicom"


# What fails: one line, the right status, and everything as it was (issue 2, point 9).

Prepare = Callable[[Path], object]


def write(content: bytes) -> Prepare:
    return lambda folder: (folder / "source.dcm").write_bytes(content)


def remove_source(folder: Path) -> None:
    (folder / "source.dcm").unlink()


def make_target(folder: Path) -> None:
    (folder / "out.dcm").write_bytes(b"precious")


def make_target_a_folder(folder: Path) -> None:
    (folder / "out.dcm").mkdir()
    (folder / "out.dcm" / "source.dcm").write_bytes(b"precious")


def make_another_image(folder: Path) -> None:
    (folder / "other.dcm").write_bytes(IMAGE_KINDS["gray-8"].make()[0])


def nothing(folder: Path) -> None:
    pass


SIGNED = IMAGE_KINDS["signed-16"].make()[0]
VIDEO = make_file(8, 8, frames=2, transfer_syntax="1.2.840.10008.1.2.4.100", streams=[[b"mpeg"]])[0]
UNKNOWN = make_file(8, 8, transfer_syntax="1.2.3.4", streams=[[b"none"]])[0]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
TO_RLE = ("source.dcm", "--to", "rle", "-o", "out.dcm")

FAILURES: dict[str, tuple[Prepare, tuple[str, ...], str, int]] = {
    "empty file": (write(b""), TO_RLE, "empty-file", 1),
    "text file": (write(b"Dear doctor,\n"), TO_RLE, "not-dicom", 1),
    "PNG": (write(PNG), TO_RLE, "not-dicom", 1),
    "no such file": (remove_source, TO_RLE, "source-unavailable", 1),
    "unknown source syntax": (write(UNKNOWN), TO_RLE, "unknown-transfer-syntax", 1),
    "video": (write(VIDEO), TO_RLE, "unsupported-source", 1),
    "truncated native": (write(CONTENT[:-9]), TO_RLE, "truncated-frame", 1),
    "truncated stream": (write(RESULT[:-99]), ("source.dcm", "--to", "explicit-le", "-o", "x"),
                         "truncated-frame", 1),
    "truncated header": (write(CONTENT[:500]), TO_RLE, "truncated-file", 1),
    "image that cannot be held": (write(SIGNED), ("source.dcm", "--to", "jpeg", "--lossy", "-o",
                                  "x"), "unsupported-image", 1),
    "lossy": (nothing, ("source.dcm", "--to", "jpeg2000", "-o", "x"), "lossy-not-allowed", 1),
    "value the character set lacks": (nothing, (*TO_RLE, "--set", "PatientName=胸部"),
                                      "invalid-option", 1),
    "target exists": (make_target, TO_RLE, "target-exists", 1),
    "target in a folder exists": (make_target_a_folder, TO_RLE, "target-exists", 1),
    "target is the source": (nothing, ("source.dcm", "--to", "rle", "-o", "source.dcm"),
                             "target-exists", 1),
    "folder missing": (nothing, ("source.dcm", "--to", "rle", "-o", "no/out.dcm"),
                       "target-unavailable", 1),
    "folder below a file": (nothing, ("source.dcm", "--to", "rle", "-o", "source.dcm/no/"),
                            "target-unavailable", 1),
    "file with a slash": (nothing, ("source.dcm", "--to", "rle", "-o", "source.dcm/"),
                          "invalid-option", 2),
    "name too long": (nothing, ("source.dcm", "--to", "rle", "-o", "x" * 300),
                      "target-unavailable", 1),
    "folder's name too long": (nothing, ("source.dcm", "--to", "rle", "-o", f"{'x' * 300}/"),
                               "target-unavailable", 1),
    "several sources, a file's name": (nothing, ("source.dcm", "other.dcm", "--to", "rle", "-o",
                                       "x.dcm"), "invalid-option", 2),
    "several sources, an archive's name": (nothing, ("source.dcm", "other.dcm", "--to", "rle", "-o",
                                           "x.zip"), "invalid-option", 2),
    "in place, past what exists": (nothing, ("source.dcm", "--to", "rle", "--in-place",
                                   "--skip-existing"), "invalid-option", 2),
    "target below a file": (nothing, ("source.dcm", "--to", "rle", "-o", "source.dcm/out"),
                            "target-unavailable", 1),
    "unknown target syntax": (nothing, ("source.dcm", "--to", "jpeg3000", "-o", "x"),
                              "unsupported-target", 2),
    "no target syntax": (nothing, ("source.dcm", "--to", ",", "-o", "x"), "invalid-option", 2),
    "target that is never written": (nothing, ("source.dcm", "--to", "ge-private", "-o", "x"),
                                     "unsupported-target", 2),
    "no place": (nothing, ("source.dcm", "--to", "rle"), "invalid-option", 2),
    "a bound nobody keeps": (nothing, ("source.dcm", "--to", "rle", "-o", "x", "--timeout", "3"),
                             "invalid-option", 2),
    "several sources, one place": (nothing, ("source.dcm", "source.dcm", "--to", "rle", "-o", "x"),
                                   "invalid-option", 2),
    "two of one name": (make_target_a_folder, ("source.dcm", "out.dcm/source.dcm", "--to", "rle",
                        "-o", "out.dcm"), "invalid-option", 2),
    "standard input in place": (nothing, ("-", "--to", "rle", "--in-place"), "invalid-option", 2),
    "standard input twice": (nothing, ("-", "-", "--to", "rle", "-o", "."), "invalid-option", 2),
    "quality out of range": (nothing, (*TO_RLE, "--quality", "101"), "invalid-option", 2),
    "ratio that is no number": (nothing, (*TO_RLE, "--ratio", "nan"), "invalid-option", 2),
    "no workers": (nothing, (*TO_RLE, "--workers", "0"), "invalid-option", 2),
    "setting without a value": (nothing, (*TO_RLE, "--set", "PatientID"), "invalid-option", 2),
    "unknown keyword": (nothing, (*TO_RLE, "--set", "PatientsID=1"), "invalid-option", 2),
    "unknown keyword to remove": (nothing, (*TO_RLE, "--remove", "Nonsense"), "invalid-option", 2),
    "value of another form": (nothing, (*TO_RLE, "--set", "StudyDate=yesterday"),
                              "invalid-option", 2),
    "pixel description": (nothing, (*TO_RLE, "--set", "Rows=1"), "invalid-option", 2),
    "setting what is removed": (nothing, (*TO_RLE, "--set", "PatientID=1", "--remove", "PatientID"),
                                "invalid-option", 2),
    "quality that no target takes": (nothing, (*TO_RLE, "--quality", "80"), "invalid-option", 2),
    "report at the source": (nothing, (*TO_RLE, "--report", "source.dcm"), "invalid-option", 2),
    "report to standard output": (nothing, (*TO_RLE, "--report", "-"), "invalid-option", 2),
    "report at the target": (nothing, (*TO_RLE, "--report", "out.dcm"), "invalid-option", 2),
    "report at another file": (make_another_image, (*TO_RLE, "--report", "other.dcm"),
                               "invalid-option", 2),
    "report in no folder": (nothing, (*TO_RLE, "--report", "no/report"), "invalid-option", 2),
    "report that cannot be written": (nothing, (*TO_RLE, "-q", "--report", "/dev/full"),
                                      "disk-full", 1),
}  # fmt: skip


@contextmanager
def everything_stays(folder: Path) -> Iterator[None]:
    before = contents(folder)
    yield
    after = contents(folder)
    if "report that" not in os.environ.get("PYTEST_CURRENT_TEST", ""):
        assert after == before
    assert {**after, **before} == after, "what was there was changed"


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_one_line_and_change_nothing(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare, arguments, code, status = FAILURES[name]
    prepare(folder)

    with everything_stays(folder):
        assert quietly("convert", *arguments) == status

    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert printed.out == ""
    assert line.startswith("dicodec: ")
    assert line.endswith(f" [{code}]")
    assert "Traceback" not in line
    if status == 1 and "report" not in name:
        sources = ("source.dcm", "out.dcm", "no", "x")
        assert any(line.startswith(f"dicodec: {path}") for path in sources)


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_one_json_object(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare, arguments, code, status = FAILURES[name]
    prepare(folder)

    assert quietly("convert", *arguments, "--json") == status

    printed = capsys.readouterr()
    objects = [json.loads(line) for line in printed.out.splitlines()]
    error = objects[-1]["error"]
    assert error["code"] == code
    assert error["message"]
    assert set(error) <= {
        "code", "kind", "message", "path", "frame", "attribute", "offset", "hint",
    }  # fmt: skip
    assert printed.err == ""


def test_a_report_that_cannot_be_written_hides_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "other.dcm").write_bytes(CONTENT)
    arguments = ("--to", "rle", "-o", "out/", "--report", "/dev/full")

    assert quietly("convert", "source.dcm", "other.dcm", *arguments) == 1
    first, second, error = capsys.readouterr().err.splitlines()
    assert first.startswith("source.dcm: explicit-le -> rle")
    assert second.startswith("other.dcm: explicit-le -> rle")
    assert error == "dicodec: /dev/full: the target's file system is full [disk-full]"

    assert quietly("convert", folder, *arguments, "--overwrite", "--jobs", "1") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("2 converted")
    assert lines[-1] == error


def test_a_failure_in_place_leaves_the_source(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (CONTENT[:-9], b"", b"text", PNG):
        (folder / "source.dcm").write_bytes(content)
        with everything_stays(folder):
            assert quietly("convert", "source.dcm", "--to", "rle", "--in-place") == 1


@pytest.mark.parametrize("arguments", [
    ("nonsense",), ("convert",), ("convert", "a"), ("convert", "--to", "rle"),
    ("convert", "a", "--to", "rle", "--nonsense"), ("convert", "a", "--to", "rle", "--near", "x"),
    ("convert", "a", "--to", "rle", "-o", "b", "--in-place"), ("inspect",),
    ("convert", "a", "--to", "rle", "--engine", "magic"),
    ("convert", "a", "--to", "rle", "--photometric", "CMYK"),
])  # fmt: skip
def test_wrong_usage_is_status_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert quietly(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    command = " ".join(["dicodec", *arguments[:1]]) if arguments != ("nonsense",) else "dicodec"
    assert line.startswith(f"{command}: error: ")
    assert line.endswith(f"; see {command} --help [invalid-option]")

    if len(arguments) > 1:
        assert quietly(*arguments, "--json") == 2
        printed = capsys.readouterr()
        assert json.loads(printed.out)["error"]["code"] == "invalid-option"
        assert printed.err == ""


def test_wrong_usage_is_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert quietly("convert", "a", "-o", "-", "--json") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "required" in json.loads(printed.err)["error"]["message"]


AS_NOBODY = """
import os, sys
from dicodec.cli import main
main.run(["convert", "-", "--to", "rle", "-o", "-", "-q"])  # libraries are loaded
if os.getuid() == 0:  # root may do everything; nobody may not
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(main.run(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("mode", "folder_mode", "message"),
    [
        (0o000, 0o777, "source.dcm: the source may not be read: no permission"),
        (0o644, 0o555, "out.dcm: the target's folder may not be written to"),
    ],
)
def test_missing_permission_is_one_line(mode: int, folder_mode: int, message: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source.dcm"
        source.write_bytes(CONTENT)
        source.chmod(mode)
        folder.chmod(folder_mode)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, "convert", source, "--to", "rle",
             "-o", folder / "out.dcm"],
            input=CONTENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        folder.chmod(0o755)
        assert [path.name for path in folder.iterdir()] == ["source.dcm"]

    lines = done.stderr.decode().splitlines()
    assert (done.returncode, len(lines)) == (1, 1), lines
    assert message in lines[0]


@pytest.mark.parametrize("output", ["/dev/full", "a reader that is gone"])
@pytest.mark.parametrize("arguments", [
    ("convert", "source.dcm", "--to", "rle", "-o", "-", "-q"),
    ("convert", "source.dcm", "--to", "rle", "-o", "out.dcm", "--json"),
    ("syntaxes",), ("syntaxes", "--json"), ("inspect", "source.dcm"), ("--help",),
    ("convert", "--help"), ("inspect", "missing", "--json"),
])  # fmt: skip
def test_standard_output_that_takes_nothing_is_an_error(
    folder: Path, arguments: tuple[str, ...], output: str
) -> None:
    if output == "/dev/full":
        with open(output, "wb") as full:  # noqa: PTH123
            done = program(*arguments, stdout=full)
    else:
        reading, writing = os.pipe()
        os.close(reading)
        done = program(*arguments, stdout=writing)
        os.close(writing)

    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert "Traceback" not in done.stderr.decode()
    assert len(lines) == 1 or (len(lines) == 0 and output != "/dev/full")


@pytest.mark.parametrize(("arguments", "status"), [
    (("convert", "source.dcm", "--to", "rle", "-o", "out.dcm"), 0),
    (("convert", "source.dcm", "--to", "rle", "-o", "-"), 2),
    (("convert", "-", "--to", "rle", "-o", "out.dcm"), 2),
    (("convert", "missing", "--to", "rle", "-o", "out.dcm"), 1),
    (("inspect", "-"), 1),
])  # fmt: skip
def test_closed_streams_are_no_fault(folder: Path, arguments: tuple[str, ...], status: int) -> None:
    command = shlex.join([*PROGRAM, *arguments])
    done = subprocess.run(["sh", "-c", f"{command} <&- >&-"], stderr=subprocess.PIPE, check=False)
    assert done.returncode == status
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    (folder / "out.dcm").unlink(missing_ok=True)
    done = subprocess.run(["sh", "-c", f"{command} <&- 2>&-"], stdout=subprocess.PIPE, check=False)
    assert done.returncode == (0 if arguments[-1] == "-" and status == 2 else status)
    assert b"dicodec:" not in done.stdout


@pytest.mark.parametrize("streams", [">&-", "<&- >&-"])
@pytest.mark.parametrize("arguments", [
    ("syntaxes",), ("syntaxes", "--json"), ("inspect", "source.dcm"),
    ("inspect", "source.dcm", "--json"), ("compare", "source.dcm", "source.dcm"),
    ("compare", "source.dcm", "source.dcm", "--json"), ("completion", "bash"), ("policy", "list"),
    ("show", "source.dcm", "-o", "picture.png"), ("conformance", "--list"),
    ("convert", "source.dcm", "--to", "rle", "-o", "out.dcm", "--json"),
    ("convert", ".", "--to", "rle", "-o", "out", "--json"), ("--version",), ("--version", "-v"),
    ("--help",), ("convert", "--help"), ("inspect", "missing", "--json"),
], ids=" ".join)  # fmt: skip
def test_results_for_a_closed_standard_output_are_an_error(
    folder: Path, arguments: tuple[str, ...], streams: str
) -> None:
    command = shlex.join([*PROGRAM, *arguments])
    done = subprocess.run(["sh", "-c", f"{command} {streams}"], stderr=subprocess.PIPE, check=False)

    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("dicodec: cannot write to standard output: ")
    assert done.returncode == 1
    silent = subprocess.run(["sh", "-c", f"{command} {streams} 2>&-"], check=False)
    assert silent.returncode == 1


@pytest.mark.parametrize("step", ["arguments.parse_arguments", "syntaxes.run"])
def test_other_errors_are_not_laid_on_standard_output(
    step: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> int:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(f"dicodec.cli.{step}", refuse)
    assert quietly("syntaxes") == 1
    told = "dicodec: the operating system refused: No locks available [internal-error]\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("environment", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_errors_of_standard_output_are_known_however_much_is_printed(
    environment: dict[str, str],
) -> None:
    script = (
        "import dicodec.cli.syntaxes, sys; from dicodec.cli.main import main;"
        "dicodec.cli.syntaxes.run = lambda _: print('x' * 99_999);"
        "sys.argv[1:] = ['syntaxes']; main()"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, check=False,
            env={**os.environ, **environment},
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(b"dicodec: cannot write to standard output: No space left")


def test_names_that_are_no_text_are_printed(folder: Path) -> None:
    name = b"caf\xe9.dcm"
    Path(os.fsdecode(name)).write_bytes(CONTENT)
    for arguments in (("-v",), ("--json", "--report", "report"), ("--json",)):
        done = program("convert", os.fsdecode(name), "--to", "rle", "-o", "out", "--overwrite",
                       *arguments)  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["source"] == "caf\udce9.dcm"
    assert json.loads((folder / "report").read_bytes())["source"] == "caf\udce9.dcm"
    assert program("inspect", os.fsdecode(name)).returncode == 0
    assert program("inspect", "--json", os.fsdecode(name)).returncode == 0


def test_a_name_that_holds_a_line_feed_makes_no_second_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in (("a\nb\x1b[2J", CONTENT), ("c\nd", b"text")):
        (folder / name).write_bytes(content)
        for arguments in ((), ("-v",), ("--skip-existing",)):
            quietly("convert", name, "--to", "rle", "-o", "out", "--skip-existing", *arguments)
            quietly("inspect", name)
            quietly("compare", name, "source.dcm")
            quietly("policy", "check", name, "--policy", "web")
    quietly("convert", folder, "--to", "rle", "-o", "out2")
    quietly("jobs", "out2", "list")

    printed = capsys.readouterr()

    every = (printed.out + printed.err).split("\n")
    assert r"dicodec: c\nd: " in printed.err
    assert not any("\x1b[2J" in line or line.startswith(("b", "d:")) for line in every)


def test_interrupted_while_it_starts_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_arguments, "parse_arguments", interrupted)
    assert quietly("convert", "source.dcm", "--to", "rle", "-o", "out.dcm") == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("ignored", [False, True])
def test_a_program_under_nohup_goes_on(ignored: bool) -> None:
    script = (
        "import signal; from dicodec.model.platforms import find_ending_signals;"
        f"signal.signal(signal.SIGHUP, signal.SIG_IGN) if {ignored} else None;"
        "print(signal.SIGHUP in find_ending_signals())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == f"{not ignored}\n".encode()


@pytest.mark.parametrize(
    ("number", "status", "output"),
    [
        (signal.SIGINT, 130, b"interrupted\n"),
        (signal.SIGTERM, 143, b""),
        (signal.SIGHUP, 129, b""),
    ],
)
def test_interruptions_leave_nothing_behind(
    folder: Path, number: signal.Signals, status: int, output: bytes
) -> None:
    # The conversion waits in its second frame, so it is interrupted with a part of it written.
    script = """
import sys, time
from dicodec.cli import main
from dicodec.codecs import rle
encode = rle.RleEncoder.encode_words
seen = []
def slow(self, words, image):
    print(".", flush=True)
    seen.append(image)
    time.sleep(60 if len(seen) == 2 else 0)
    return encode(self, words, image)
rle.RleEncoder.encode_words = slow
sys.exit(main.run(sys.argv[1:]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, "convert", "source.dcm", "--to", "rle", "-o", "out.dcm",
         "--workers", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for _ in range(2):
            assert process.stdout.readline() == b".\n"
        assert len(contents(folder)) == 2
        time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=80)

    assert (process.returncode, errors) == (status, output)
    assert contents(folder) == {"source.dcm": CONTENT}
