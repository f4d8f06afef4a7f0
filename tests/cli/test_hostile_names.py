"""Names that hide what they are, in lines, JSON and tables; secrets and paths that go nowhere."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from dicodec.batch.pool.worker_process import _describe_failure
from dicodec.errors import InternalError, InvalidOptionError
from dicodec.model.environment import make_child_environment
from dicodec.model.wording import describe_fault, dump_json_line, leave_words_out, write_on_one_line
from dicodec.service.brokers.broker import BrokerOptions
from dicodec.service.brokers.connecting import make_broker
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.outcomes import describe_attempt, log_attempt
from dicodec.service.jobs.retry_causes import RetryPolicy
from helpers.made import make_file

SECRET = "a-token-of-many-letters"


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dicodec.cli.main", *arguments],
        capture_output=True, text=True, timeout=120, env={**os.environ, **variables},
    )  # fmt: skip


def test_all_characters_that_are_not_seen_are_escaped() -> None:
    hidden = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Zl", "Zp"}
    ]
    for one in hidden:
        assert one not in write_on_one_line(f"a{one}b")
        text = dump_json_line({"name": f"é{one}"})
        assert json.loads(text) == {"name": f"é{one}"}
        assert one not in text
    assert "\\u202e" in dump_json_line({"é": "gpj.\u202ecod"})
    seen = "Ärzte 日本 שלום 👍 a'b"
    assert write_on_one_line(seen) == seen
    assert dump_json_line([seen]) == f'["{seen}"]'


def test_a_name_does_not_turn_a_line_around(tmp_path: Path) -> None:
    name = tmp_path / "harmless\u202emcd.exe"
    name.write_text("no DICOM")
    for extra in ([], ["--json"]):
        done = run("convert", str(name), "--to", "rle", "-o", str(tmp_path / "out"), *extra)
        assert "\u202e" not in done.stdout + done.stderr
        assert "\\u202e" in done.stdout + done.stderr


def test_cells_are_no_formulas(tmp_path: Path) -> None:
    names = ["=1+1.dcm", "+1.dcm", "-1.dcm", "@SUM.dcm", "\ttab.dcm", "plain.dcm"]
    for name in names:
        (tmp_path / name).write_bytes(make_file(8, 8)[0])
    (tmp_path / "list").mkdir()
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        done = run("convert", "--to", "rle", "-o", "list", "--ledger", "led", "--",
                   *(f"./{name}" for name in names))  # fmt: skip
        assert done.returncode == 0, done.stderr
        table = run("jobs", "led", "export", "--format", "csv")
    finally:
        os.chdir(before)
    rows = [*csv.reader(io.StringIO(table.stdout))]
    assert len(rows) == 7
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))]


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@a", "\ta", "\ra", "=cmd|' /C calc'!A0"])
def test_a_formula_gets_an_apostrophe(cell: str) -> None:
    from dicodec.cli.jobs import _make_harmless

    assert _make_harmless(cell) == f"'{cell}"
    assert [_make_harmless(one) for one in (None, -1, "a=1", "")] == [None, -1, "a=1", ""]


def fail(path: str) -> BaseException:
    try:
        Path(path).read_bytes()
    except OSError as error:
        return error
    raise AssertionError


def test_a_fault_is_described_without_paths_and_logged_without_words() -> None:
    text = describe_fault(fail("/in/DOE^JOHN/a.dcm"))
    assert text == "a fault in dicodec: FileNotFoundError(No such file or directory)"
    try:
        dump_json_line({"DOE^JOHN": object()})
    except TypeError as error:
        text = describe_fault(error)
    assert text.rpartition(":")[0].endswith("at dicodec.model.wording")
    assert b"JOHN" not in _describe_failure(0, OSError(5, "Input/output error", "/in/DOE^JOHN"))
    for cause in (ValueError("DOE^JOHN"), KeyError("a (b)\n) DOE^JOHN at (")):
        assert (
            leave_words_out(describe_fault(cause)) == f"a fault in dicodec: {type(cause).__name__}"
        )


def test_a_fault_of_a_job_is_logged_and_told_without_words() -> None:
    request = Request(id="j", source="/in/a.dcm", target="/out/a.dcm", to=("rle",))
    fault = InternalError(describe_fault(ValueError("DOE^JOHN")), path="/in/DOE^JOHN")
    outcome = describe_attempt(request, 1, fault, RetryPolicy(), show_paths=False)
    out = io.StringIO()
    log_attempt(Log(out, hide_paths=True), outcome, attempt=1, trace=None, file="/in/a.dcm")
    assert "JOHN" not in out.getvalue() + outcome.event
    assert "ValueError" in out.getvalue()
    assert "ValueError" in outcome.event


@pytest.mark.parametrize(
    "message",
    [
        "[Errno 2] No such file or directory: '/in/DOE JOHN/a.dcm'",
        'cannot open "/in/DOE JOHN/a.dcm"',
        "cannot open /in/DOE^JOHN/a.dcm: denied",
        "FileNotFoundError(2, 'No such file', '/in/DOE JOHN')",
        "the job's file (/in/DOE JOHN/x/a.dcm) is bad",
    ],
)
def test_paths_in_messages_of_a_log_are_hidden(message: str) -> None:
    out = io.StringIO()
    log = Log(out, hide_paths=True)
    log.write("error", "x", file="/in/DOE JOHN/x/a.dcm", message=message, code="a/b", seconds=1.5)
    line = json.loads(out.getvalue())
    assert "JOHN" not in out.getvalue()
    assert "path:" in line["message"]
    assert (line["code"], line["seconds"]) == ("a/b", 1.5)
    shown = io.StringIO()
    Log(shown).write("error", "x", message=message)
    assert json.loads(shown.getvalue())["message"] == message


def test_what_is_no_path_is_shown() -> None:
    out = io.StringIO()
    texts = ["5 kB/s, and/or", "see https://host/a/b", "application/dicom", "1/2", "path:00/11 /"]
    for text in texts:
        Log(out, hide_paths=True).write("info", "x", message=text)
    assert [json.loads(line)["message"] for line in out.getvalue().splitlines()] == texts


def test_secrets_are_out_of_the_environment_of_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICODEC_TOKEN", SECRET)
    monkeypatch.setenv("DICODEC_BROKER", f"redis://:{SECRET}@host")
    made = make_child_environment(ADDED="1")
    assert SECRET not in str(made)
    assert made["ADDED"] == "1"
    assert made["PATH"] == os.environ["PATH"]
    from dicodec.batch.pool.template import Template
    from dicodec.batch.pool.worker import Worker

    template = Template(forks=True)
    worker = Worker(template)
    try:
        message = worker.receive()
        assert message is not None
        assert SECRET.encode() not in Path(f"/proc/{message[2]}/environ").read_bytes()
    finally:
        worker.end()
        template.close()
    assert tmp_path.exists()


@pytest.mark.parametrize(
    "url",
    ["redis://h:99999", "nats://h:abc", "kafka://a:9092,b:-1", "amqp://u:p@h:0x1/v",
     "redis://[::1]:x/0", "nats://a:1,nats://b:99999"],
)  # fmt: skip
def test_a_port_that_is_none_is_named(url: str) -> None:
    with pytest.raises(InvalidOptionError, match="port") as raised:
        make_broker(url, BrokerOptions())
    assert ":p@" not in raised.value.message


def test_a_ledger_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(make_file(8, 8)[0])
    (tmp_path / "ledger").mkdir()
    for extra in ([], ["--resume"], ["--resume", "--dry-run"]):
        done = run("convert", str(tmp_path / "a.dcm"), "-o", f"{tmp_path}/out/", "--to", "rle",
                   "--ledger", str(tmp_path / "ledger"), *extra)  # fmt: skip
        assert done.returncode in {1, 2}
        assert "Traceback" not in done.stderr
        assert "ledger" in done.stderr
    assert [*(tmp_path / "ledger").iterdir()] == []
