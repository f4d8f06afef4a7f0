"""The ledger: what is written when, what survives, who may write; a hundred thousand entries."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import FileOutcome, StartedFile, State
from dicodec.errors import InvalidOptionError, ReadError, TargetUnavailableError, WriteError

DONE = FileOutcome(
    state=State.DONE, json='{"a": 1}', target_size=5, target_modified=7, action="transcoded",
    seconds=0.25, target="/out",
)  # fmt: skip
FAILED = FileOutcome(
    state=State.FAILED, json="{}", attempts=2, error_code="disk-full", error_kind="writing",
    error_text="full",
)  # fmt: skip


def begin(ledger: Ledger, *sources: str, at: int = 0) -> None:
    ledger.begin([StartedFile(one, None, at + i, 10, 20) for i, one in enumerate(sources)])


def states(ledger: Ledger) -> dict[str, str]:
    return {entry.source: str(entry.state) for entry, _ in ledger.read_entries()}


MADE_AND_KILLED = """
import os, sqlite3, sys
from dicodec.batch.ledger.ledger import Ledger

path, number = sys.argv[1], int(sys.argv[2])

class Dying(sqlite3.Connection):
    count = 0

    def execute(self, *statement):
        if self.count == number:
            os._exit(9)
        self.count += 1
        return super().execute(*statement)

connect = sqlite3.connect
sqlite3.connect = lambda *given, **settings: connect(*given, factory=Dying, **settings)
Ledger(path, writing=True).close()
"""


def test_killed_while_it_was_made_it_is_made_anew(tmp_path: Path) -> None:
    for number in range(20):
        path = str(tmp_path / str(number))
        status = subprocess.run(
            [sys.executable, "-c", MADE_AND_KILLED, path, str(number)], check=False
        ).returncode
        with Ledger(path, writing=True) as ledger:
            assert ledger.start("digest", "") == 1
        if not status:
            break
        assert status == 9
    assert 5 < number < 19


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger")
    with Ledger(path, writing=True) as ledger:
        assert ledger.start("digest", "convert in") == 1
        begin(ledger, "b", "a")
        ledger.end("a", FAILED)
        ledger.end("b", DONE)
        ledger.finish()

    with Ledger(path, writing=False) as ledger:
        (b, report), (a, _) = ledger.read_entries(reports=True)
        assert (b.source, b.state, b.target, b.target_size) == ("b", State.DONE, "/out", 5)
        assert (b.source_size, b.source_modified, b.attempts) == (10, 20, 1)
        assert report == '{"a": 1}'
        assert (a.state, a.error_code, a.attempts, a.target) == (
            State.FAILED, "disk-full", 2, None,
        )  # fmt: skip
        assert [entry.source for entry, _ in ledger.read_entries(["failed"])] == ["a"]
        assert ledger.find("a") == a
        assert ledger.find("c") is None
        assert ledger.read_run_options() == {1: "digest"}
        assert ledger.read_totals() == [
            ("done", "transcoded", None, 1, 10, 5), ("failed", None, "disk-full", 1, 10, 0),
        ]  # fmt: skip


def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"/caf\xe9/\xe8\x83\xb8")
    with Ledger(str(tmp_path / "ledger"), writing=True) as ledger:
        ledger.start("", name)
        begin(ledger, name)
        ledger.end(name, DONE)
        ledger.flush()
        ledger.claim(name, name + "!")
        found = ledger.find(name)
        assert found is not None
        assert (found.source, found.target) == (name, name + "!")


def test_what_cannot_be_written_is_an_error_and_no_open_transaction(tmp_path: Path) -> None:
    with Ledger(str(tmp_path / "ledger"), writing=True) as ledger:
        ledger.start("", "")
        begin(ledger, "a")
        with pytest.raises(WriteError, match="the ledger: "):
            begin(ledger, "b", "c")  # at the place of another
        ledger.end("a", DONE)
        ledger.flush()
        assert ledger.find("b") is None
    with Ledger(str(tmp_path / "ledger"), writing=False) as ledger:
        assert [entry.source for entry, _ in ledger.read_entries(["done"])] == ["a"]


FULL: Mapping[str, Callable[[Ledger], Any]] = {
    "begin": lambda ledger: begin(ledger, *(f"{n}" * 99 for n in range(999)), at=1),
    "claim": lambda ledger: ledger.claim("a", "x" * 99_999),
    "enter_replaced": lambda ledger: ledger.enter_replaced("a", "x" * 99_999, None),
    "find_by_target": lambda ledger: ledger.find_by_target("a", "b"),
    "keep proofs": lambda ledger: ledger.proofs.keep(),
    "keep references": lambda ledger: ledger.references.keep(),
    "start": lambda ledger: ledger.start("", "x" * 99_999),
}


@pytest.mark.parametrize("name", FULL)
def test_a_full_disk_is_an_error_that_names_the_ledger(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / "ledger")
    with Ledger(path, writing=True) as ledger:
        ledger.start("", "")
        begin(ledger, "a")
        (pages,) = ledger._database.execute("PRAGMA page_count").fetchone()
        ledger._database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(WriteError, match=r"the ledger: .*full") as raised:
            FULL[name](ledger)
    assert raised.value.path == path


def test_a_ledger_that_cannot_be_written_any_more_is_named_too(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger")
    with Ledger(path, writing=True) as ledger:
        ledger.start("", "")
        begin(ledger, "a")
        ledger._database.execute("PRAGMA query_only = 1")
        for write in (ledger.finish, lambda: ledger.give_back("a")):
            with pytest.raises(WriteError, match="the ledger: ") as raised:
                write()
            assert raised.value.path == path
        ledger._database.execute("PRAGMA query_only = 0")


def test_a_damaged_ledger_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with Ledger(str(path), writing=True) as ledger:
        ledger.start("", "")
        begin(ledger, *map(str, range(5000)))
    content = path.read_bytes()
    at = len(content) // 2
    path.write_bytes(content[:at] + b"\xff" * (len(content) - at))
    with Ledger(str(path), writing=False) as ledger:
        with pytest.raises(ReadError, match=r"the ledger: .*malformed") as raised:
            [*ledger.read_entries()]
        with pytest.raises(ReadError, match=r"the ledger: .*malformed"):
            ledger.find("4999")
    assert raised.value.path == str(path)


def test_rows_that_nobody_reads_do_not_outlive_the_ledger() -> None:
    with Ledger("", writing=True) as ledger:
        ledger.start("", "")
        begin(ledger, "a", "b")
        entries = ledger.read_entries()
        next(entries)
    del entries


def test_outcomes_are_told_in_the_order_of_listing() -> None:
    with Ledger("", writing=True) as ledger:
        ledger.start("", "")
        begin(ledger, "a", "b", "c", "d")
        told: list[str] = []

        def tell(*, last: bool = False) -> list[str]:
            ledger.flush()
            found = [source for _, source, _, _ in ledger.read_ended(len(told), past_pending=last)]
            told.extend(found)
            return found

        ledger.end("b", DONE)
        assert tell() == []
        ledger.end("a", DONE)
        assert tell() == ["a", "b"]
        ledger.give_back(["c"])
        ledger.end("d", DONE)
        assert tell() == []
        assert tell(last=True) == ["d"]
        assert states(ledger) == {"a": "done", "b": "done", "c": "pending", "d": "done"}


def test_a_later_run_brings_entries_up_to_date() -> None:
    with Ledger("", writing=True) as ledger:
        ledger.start("one", "")
        begin(ledger, "a", "b")
        ledger.end("a", FAILED)
        ledger.end("b", DONE)
        ledger.start("two", "")
        begin(ledger, "a")
        ledger.end("a", DONE)
        ledger.flush()

        found = ledger.find("a")
        assert found is not None
        assert (found.state, found.run, found.attempts, found.error_code) == ("done", 2, 3, None)
        assert [source for _, source, _, _ in ledger.read_ended(0)] == ["a"]


def test_a_target_belongs_to_one_source() -> None:
    with Ledger("", writing=True) as ledger:
        ledger.start("", "")
        begin(ledger, "a", "b")
        ledger.claim("a", "/t")
        found = ledger.find_by_target("/t", "b")
        assert found is not None
        assert found.source == "a"
        assert ledger.find_by_target("/t", "a") is None
        ledger.end("a", FAILED)
        ledger.start("", "")
        begin(ledger, "b")
        assert ledger.find_by_target("/t", "b") is None  # it failed, and is not there any more


def test_what_could_not_be_listed_is_forgotten() -> None:
    with Ledger("", writing=True) as ledger:
        ledger.start("", "")
        ledger.begin([StartedFile("folder", None, 0, None, None)])
        ledger.end("folder", FAILED)
        ledger.flush()
        assert states(ledger) == {"folder": "failed"}
        ledger.start("", "")
        assert states(ledger) == {}


def test_one_process_writes_and_others_read(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger")
    with Ledger(path, writing=True) as ledger:
        ledger.start("", "")
        begin(ledger, "a")
        with pytest.raises(InvalidOptionError, match="another process is using"):
            Ledger(path, writing=True)
        with Ledger(path, writing=False) as reader:
            assert states(reader) == {"a": "running"}
    with Ledger(path, writing=True):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["ledger"]


def test_what_begins_is_safe_before_its_work_begins(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    script = f"""
import os, signal
from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import StartedFile, FileOutcome, State
ledger = Ledger({str(path)!r}, writing=True)
ledger.start("", "")
ledger.begin([StartedFile("a", "/a", 0, 1, 1)])
ledger.end("a", FileOutcome(state=State.DONE, json="{{}}"))
ledger.begin([StartedFile("b", "/b", 1, 1, 1)])
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL

    with Ledger(str(path), writing=True) as ledger:
        assert states(ledger) == {"a": "done", "b": "running"}


@pytest.mark.parametrize("content", [b"text" * 2000, b"SQLite format 3\0" + bytes(100)])
def test_what_is_no_ledger_is_refused_and_stays(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    for writing in (True, False):
        with pytest.raises(InvalidOptionError):
            Ledger(str(path), writing=writing)
    assert path.read_bytes() == content


def test_another_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE x (y)")
    connection.close()
    with pytest.raises(InvalidOptionError, match="not a ledger"):
        Ledger(str(path), writing=True)
    with pytest.raises(InvalidOptionError, match="no ledger"):
        Ledger(str(tmp_path / "missing"), writing=False)
    with pytest.raises(TargetUnavailableError):
        Ledger(str(tmp_path / "no" / "folder"), writing=True)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL])
def test_on_a_file_system_without_locks_nobody_is_kept_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr("fcntl.flock", refusing(number))
    for _ in range(2):
        Ledger(str(tmp_path / "ledger"), writing=True).close()
    assert [path.name for path in tmp_path.iterdir()] == ["ledger"]


def test_a_ledger_that_cannot_be_locked_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fcntl.flock", refusing(errno.EIO))
    with pytest.raises(TargetUnavailableError, match="cannot be locked: refused") as raised:
        Ledger(str(tmp_path / "ledger"), writing=True)
    assert raised.value.path == str(tmp_path / "ledger")


def refusing(number: int) -> Callable[..., None]:
    """Return a function that raises an error of the operating system."""

    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    return refuse


def test_a_hundred_thousand_entries(tmp_path: Path) -> None:
    count, group = 100_000, 50
    statements: Counter[str] = Counter()
    with Ledger(str(tmp_path / "ledger"), writing=True) as ledger:
        ledger._database.connection.set_trace_callback(
            lambda text: statements.update([text.split(maxsplit=1)[0]])
        )
        ledger.start("", "")
        for start in range(0, count, group):
            names = [f"/archive/{start // 1000}/{start + i}" for i in range(group)]
            begin(ledger, *names, at=start)
            for name in names:
                ledger.end(name, DONE)
            assert len(ledger._outcomes) <= 1000
        ledger.flush()
        # One transaction for a group and all that ended meanwhile, and one statement for each step.
        assert statements["BEGIN"] <= count // group + 100
        assert statements["UPDATE"] == count
        assert statements["INSERT"] == 2 * count + 1
        assert statements["SELECT"] == 0

        plans = [
            ("SELECT * FROM file WHERE source = 'x'", "SEARCH file USING INDEX"),
            ("SELECT * FROM file WHERE run = 1 AND position >= 5 ORDER BY position",
             "SEARCH file USING INDEX in_order"),
            ("SELECT * FROM file WHERE state = 'failed' AND error_code IS NOT NULL",
             "SEARCH file USING INDEX by_cause"),
        ]  # fmt: skip
        for statement, plan in plans:
            rows = ledger._database.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            assert [row[3].startswith(plan) for row in rows] == [True], rows
        found = ledger.find("/archive/99/99999")
        assert found is not None
        assert found.state is State.DONE
        assert sum(1 for _ in ledger.read_ended(0)) == count
        assert ledger.read_totals() == [("done", "transcoded", None, count, 10 * count, 5 * count)]
