"""The pool: one outcome for each item, whatever becomes of the processes. They are real ones."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from dicodec.batch.pool import worker_process
from dicodec.batch.pool.current_item import CurrentItem
from dicodec.batch.pool.messages import GroupMessage, Preparation
from dicodec.batch.pool.pool import (
    ItemGroup,
    ItemOutcome,
    ItemProgress,
    ItemReturned,
    Pool,
    PoolEvent,
)
from dicodec.conversion.output.part_file import PartFile
from dicodec.errors import InternalError
from helpers.environment import without_options
from helpers.outputs import create_output
from helpers.patience import wait_for
from helpers.pool_work import behave, clean_up
from helpers.processes import find_children, find_grandchildren, runs

CONVERSIONS = Preparation("dicodec.batch.preparation", "prepare_conversions", (("rle",), ()))


def job(*items: str, whole_machine: bool = False) -> ItemGroup:
    return ItemGroup(behave, None, items, items, whole_machine=whole_machine)


def events(pool: Pool) -> list[PoolEvent]:
    found: list[PoolEvent] = []
    while pool.busy:
        found += pool.wait(1)
    return found


def outcomes(pool: Pool) -> dict[str, ItemOutcome]:
    found = [event for event in events(pool) if isinstance(event, ItemOutcome)]
    assert len({one.key for one in found}) == len(found)
    return {one.key: one for one in found}


def codes(found: dict[str, ItemOutcome]) -> dict[str, str]:
    return {key: one.error.code if one.error else "" for key, one in found.items()}


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Any:
    processes, descriptors = find_children(), len([*Path("/proc/self/fd").iterdir()])
    yield
    assert find_children() == processes
    assert len([*Path("/proc/self/fd").iterdir()]) == descriptors


def test_items_are_done_in_order_by_one_worker() -> None:
    with Pool(1, cores=4) as pool:
        pool.submit(job("a", "b", "c"))
        found = outcomes(pool)

    assert [one.result for one in found.values()] == [("a", 4), ("b", 4), ("c", 4)]
    assert all(one.attempts == 1 for one in found.values())


def test_no_process_is_started_before_there_is_work() -> None:
    before = find_children()
    with Pool(4) as pool:
        assert pool.wait(0) == []
        assert find_children() == before


def test_workers_can_be_started_ahead_of_work() -> None:
    before = find_grandchildren()
    with Pool(3, preparation=Preparation("json", "dumps", (1,))) as pool:
        pool.start(2)
        wait_for(lambda: len(find_grandchildren() - before) == 2)
        ahead = find_grandchildren() - before
        assert not pool.busy
        pool.submit(job("a"))
        pool.submit(job("b"))
        assert {*codes(outcomes(pool)).values()} == {""}
        assert find_grandchildren() - before == ahead


def test_workers_started_ahead_end_without_work() -> None:
    with Pool(1, preparation=CONVERSIONS) as pool:
        pool.start(4)


def test_dismissed_workers_end_before_the_pool_is_closed() -> None:
    before = find_grandchildren()
    with Pool(2) as pool:
        pool.submit(job("a"))
        outcomes(pool)
        (worker,) = find_grandchildren() - before
        pool.dismiss()
        wait_for(lambda: Path(f"/proc/{worker}/stat").read_text().split()[2] == "Z")


def test_workers_that_cannot_be_started_ahead_are_told_of() -> None:
    with Pool(1, preparation=Preparation("no_such_module", "f")) as pool:
        pool.start(1)
        pool.submit(job("a"))
        with pytest.raises(InternalError, match=r"no worker can be started.*no_such_module"):
            events(pool)


def test_threads_and_workers_are_not_more_than_cores() -> None:
    with Pool(2, cores=8) as pool:
        for name in "abcd":
            pool.submit(job(name))
        pool.submit(job("large", whole_machine=True))
        found = outcomes(pool)

    assert [found[name].result[1] for name in ("a", "b", "c", "d", "large")] == [4, 4, 4, 4, 8]


def test_what_has_the_whole_machine_waits_for_the_others(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with Pool(2, cores=2) as pool:
        pool.submit(job(f"wait:{mark}"))
        pool.submit(job("large", whole_machine=True))
        pool.submit(job("after"))
        found: list[PoolEvent] = []
        while not found:
            found += pool.wait(60)
        assert found == [ItemProgress(f"wait:{mark}", "begun")]
        assert pool.wait(0.1) == []
        assert pool.room == -1
        mark.touch()
        assert [*outcomes(pool)] == [f"wait:{mark}", "large", "after"]


@pytest.mark.parametrize(("item", "end"), [
    ("crash", "the worker was ended by SIGSEGV"),
    ("exit", "the worker ended with status 3: last words"),
])  # fmt: skip
def test_a_crash_costs_one_item_an_error(item: str, end: str) -> None:
    with Pool(1) as pool:
        pool.submit(job("a", item, "b"))
        pool.submit(job("c"))
        found = outcomes(pool)

    assert codes(found) == {"a": "", item: "worker-crashed", "b": "", "c": ""}
    assert found[item].attempts == 2
    assert str(found[item].error) == end


def test_an_item_is_tried_once_more_alone_after_a_crash(tmp_path: Path) -> None:
    item = f"crash-once:{tmp_path / 'mark'}"
    before = time.time()
    with Pool(2) as pool:
        pool.submit(job("a", item, "b"))
        seen = events(pool)

    found = {one.key: one for one in seen if isinstance(one, ItemOutcome)}
    first, second = (one.value for one in seen if isinstance(one, ItemProgress))
    assert first is None
    assert before <= second <= (tmp_path / "mark").stat().st_mtime + 1  # of the first attempt
    assert set(codes(found).values()) == {""}
    assert {key: one.attempts for key, one in found.items()} == {"a": 1, item: 2, "b": 1}


def test_what_takes_too_long_is_given_up_once() -> None:
    with Pool(2, timeout=0.5) as pool:
        pool.submit(job("a", "hang", "b"))
        found = outcomes(pool)

    assert codes(found) == {"a": "", "hang": "timeout", "b": ""}
    assert found["hang"].attempts == 1


def test_what_takes_too_long_may_still_remove_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicodec.batch.pool.pool._SHORT_PATIENCE", 60)
    part = tmp_path / "part"
    with Pool(1, timeout=0.3) as pool:
        pool.submit(job(f"part:{part}"))
        while not part.exists():
            pool.wait(0)
        assert codes(outcomes(pool)) == {f"part:{part}": "timeout"}

    assert not part.exists()


@pytest.mark.parametrize("way", ["timeout", "give up", "discard"])
def test_what_a_killed_worker_leaves_is_removed(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_PATIENCE", "_SHORT_PATIENCE"):
        monkeypatch.setattr(f"dicodec.batch.pool.pool.{name}", 0.1)
    targets = [tmp_path / name / "target" for name in ("of another", "own")]
    for target in targets:
        target.parent.mkdir()
    with create_output(targets[0], overwrite=False) as of_another:
        for target in targets:
            item = f"deaf:{target}"
            with Pool(1, timeout=1 if way == "timeout" else None) as pool:
                pool.submit(ItemGroup(behave, None, [item], [item], clean_up=clean_up))
                while not target.with_name("begun").exists():
                    pool.wait(0.01)
                assert len([*target.parent.iterdir()]) == (3 if target == targets[0] else 2)
                match way:
                    case "timeout":
                        assert codes(outcomes(pool)) == {item: "timeout"}
                    case "give up":
                        assert pool.give_up(item) == [ItemReturned(item)]
                    case "discard":
                        assert pool.discard() == [ItemReturned(item)]
        assert of_another.exists()
        assert [path.name for path in targets[1].parent.iterdir()] == ["begun"]


def test_what_takes_too_much_memory_is_given_up() -> None:
    with Pool(1, memory=150 << 20) as pool:
        pool.submit(job("a", "eat", "b", "no-memory"))
        found = outcomes(pool)

    assert codes(found) == {"a": "", "eat": "out-of-memory", "b": "", "no-memory": "out-of-memory"}
    assert found["eat"].attempts == 2


def test_errors_come_as_they_were_raised() -> None:
    with Pool(1) as pool:
        pool.submit(job("error", "raise"))
        found = outcomes(pool)

    assert codes(found) == {"error": "corrupt-frame", "raise": "internal-error"}
    assert found["error"].error is not None
    assert found["error"].error.as_dict() == {
        "code": "corrupt-frame", "kind": "reading", "message": "broken", "frame": 3,
        "hint": "mend it",
    }  # fmt: skip
    assert "KeyError('fault')" in str(found["raise"].error)


def test_work_tells_how_far_it_is() -> None:
    with Pool(1) as pool:
        pool.submit(job("tell:1:2"))
        found = events(pool)

    assert found[:2] == [ItemProgress("tell:1:2", "1"), ItemProgress("tell:1:2", "2")]
    assert isinstance(found[2], ItemOutcome)


def test_telling_does_not_put_off_the_end_of_the_time() -> None:
    with Pool(1, timeout=0.3) as pool:
        pool.submit(job("tell:1", "hang"))
        assert codes(outcomes(pool)) == {"tell:1": "", "hang": "timeout"}


def test_a_killed_worker_is_replaced() -> None:
    before = find_grandchildren()
    with Pool(1) as pool:
        pool.submit(job("tell:x", "hang", "b"))
        while not any(isinstance(event, ItemOutcome) for event in pool.wait(1)):
            pass
        (worker,) = find_grandchildren() - before
        os.kill(worker, signal.SIGKILL)
        pool.submit(job("c"))
        found: list[PoolEvent] = []
        while not any(isinstance(event, ItemOutcome) and event.key == "b" for event in found):
            if (started := find_grandchildren() - before - {worker}) and len(found) == 0:
                time.sleep(0.1)
                os.kill(started.pop(), signal.SIGKILL)  # the second attempt at the item
                worker = -1
            found += pool.wait(0.2)
        found += events(pool)

    assert codes({one.key: one for one in found if isinstance(one, ItemOutcome)}) == {
        "hang": "worker-crashed", "b": "", "c": "",
    }  # fmt: skip


def test_a_killed_template_is_replaced_and_its_workers_leave(tmp_path: Path) -> None:
    before, mark = find_children(), tmp_path / "mark"
    with Pool(1) as pool:
        pool.submit(job("a", f"wait:{mark}", "b"))
        while not any(isinstance(event, ItemProgress) for event in pool.wait(1)):
            pass
        (template,) = find_children() - before
        (worker,) = find_children(template)
        os.kill(template, signal.SIGKILL)
        wait_for(lambda: not runs(worker))
        mark.touch()
        found = outcomes(pool)
        assert find_children() - before != {template}

    assert set(codes(found).values()) == {""}


def test_a_template_is_not_ended_by_a_signal_for_its_program() -> None:
    before = find_children()
    with Pool(1) as pool:
        pool.submit(job("a"))
        assert {*codes(outcomes(pool)).values()} == {""}
        (template,) = find_children() - before
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(template, number)
        pool.submit(job("crash", "b"))
        assert codes(outcomes(pool)) == {"crash": "worker-crashed", "b": ""}
        assert find_children() - before == {template}


FORKED = """
import os, sys, threading
from pathlib import Path
sys.path[:0] = [{tests!r}]
from dicodec.batch.pool.messages import Preparation
from dicodec.batch.pool.pool import ItemGroup, Pool
from helpers.pool_work import behave

def read_names(pid):
    return {{os.readlink(f"/proc/{{pid}}/fd/{{one}}") for one in os.listdir(f"/proc/{{pid}}/fd")}}

if {threads}:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
held = open({held!r}, "w")
sys.stdout.write("once ")
preparation = Preparation("dicodec.batch.preparation", "prepare_conversions", ((), ()))
pool = Pool(2, forks=True, preparation=preparation)
pool.start(2)
for item in ("a", "crash", "exit", "b"):
    pool.submit(ItemGroup(behave, None, [item], [item]))
found = {{}}
while pool.busy:
    for event in pool.wait(1):
        found[event.key] = str(event.error)
assert found == {{
    "a": "None", "b": "None", "crash": "the worker was ended by SIGSEGV",
    "exit": "the worker ended with status 3: last words",
}}, found
below = lambda pid: Path(f"/proc/{{pid}}/task/{{pid}}/children").read_text().split()
(template,) = below(os.getpid())
commands = {{Path(f"/proc/{{pid}}/cmdline").read_text() for pid in (os.getpid(), template)}}
for pid in (template, *below(template)):
    assert {held!r} not in read_names(pid)
    assert len(os.listdir(f"/proc/{{pid}}/fd")) <= 7, read_names(pid)
pool.close()
assert not below(os.getpid())
print(len(commands))
held.close()
"""


@pytest.mark.parametrize(
    ("threads", "environment", "commands"),
    [(False, {}, 1), (True, {}, 2), (False, {"DICODEC_TOKEN": "secret"}, 2)],
)
def test_a_template_is_forked_only_from_one_thread_without_secrets(
    *, threads: bool, environment: dict[str, str], commands: int, tmp_path: Path
) -> None:
    """A forked one inherits nothing that is open, and prints nothing that its parent has."""
    import subprocess
    import sys

    program = FORKED.format(
        tests=str(Path(__file__).parents[2]), threads=threads, held=str(tmp_path / "held")
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**without_options(), **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == f"once {commands}\n"


def test_stopped_it_finishes_what_is_begun_and_returns_the_rest(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with Pool(1) as pool:
        pool.submit(job("a", f"wait:{mark}", "b"))
        pool.submit(job("c", "d"))
        found: list[PoolEvent] = []
        while len(found) < 2:
            found += pool.wait(1)
        returned = pool.stop()
        mark.touch()
        later = events(pool)

    assert returned == [ItemReturned("c"), ItemReturned("d")]
    assert [type(event) for event in later] == [ItemOutcome, ItemReturned]
    assert found[1] == ItemProgress(f"wait:{mark}", "begun")
    assert [event.key for event in [found[0], *later]] == ["a", f"wait:{mark}", "b"]


@pytest.mark.parametrize("way", ["part", "hold"])
def test_discarded_it_leaves_nothing_behind(tmp_path: Path, way: str) -> None:
    part = tmp_path / "part"
    with Pool(1) as pool:
        pool.submit(job(f"{way}:{part}", "b"))
        while not part.exists():
            pool.wait(0.05)
        assert pool.discard() == [ItemReturned(f"{way}:{part}"), ItemReturned("b")]

    assert not part.exists()


def test_a_request_to_leave_does_not_interrupt_the_clean_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool asks a worker to leave and closes the channel, in the middle of which it sends."""
    close = PartFile.close

    def close_late(part: PartFile) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        close(part)

    class Closed:
        def is_readable(self) -> bool:
            return False

        def send(self, _: bytes) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(PartFile, "close", close_late)
    group = GroupMessage(behave, None, [f"write:{tmp_path / 'a'}", "tell:x"], 1, None)
    channel, current = cast("Any", Closed()), CurrentItem()
    before = signal.signal(signal.SIGTERM, worker_process._leave)
    try:
        with pytest.raises(SystemExit):
            worker_process.carry_out(group, channel, current, {})
    finally:
        signal.signal(signal.SIGTERM, before)
        current.close()
    assert written(tmp_path) == {}


def test_a_job_can_be_submitted_while_another_thread_waits() -> None:
    import threading

    with Pool(1) as pool:
        threading.Timer(0.2, lambda: pool.submit(job("a"))).start()
        found: list[PoolEvent] = []
        started = time.monotonic()
        while not found:
            found += pool.wait(60)
        assert time.monotonic() - started < 50
    assert [event.key for event in found] == ["a"]


def test_a_worker_whose_pool_was_killed_cleans_up_and_ends(tmp_path: Path) -> None:
    part, script = tmp_path / "part", tmp_path / "script.py"
    script.write_text(
        "import os, signal, sys\n"
        f"sys.path[:0] = [{str(Path(__file__).parents[2])!r}]\n"
        "from dicodec.batch.pool.pool import ItemGroup, Pool\n"
        "from helpers.pool_work import behave\n"
        "pool = Pool(1)\n"
        f"pool.submit(ItemGroup(behave, None, ['part:{part}'], [0]))\n"
        f"while not os.path.exists({str(part)!r}): pool.wait(0.05)\n"
        "pid = os.getpid()\n"
        "children = lambda pid: open(f'/proc/{pid}/task/{pid}/children').read()\n"
        "print(children(pid), children(int(children(pid))), flush=True)\n"
        "os.kill(pid, signal.SIGKILL)\n"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, check=False)
    template, worker = map(int, done.stdout.split())

    assert done.returncode == -signal.SIGKILL
    wait_for(lambda: not part.exists() and not runs(worker) and not runs(template))


def written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def share(pool: Pool, folder: Path) -> tuple[list[str], list[Path]]:
    """Give one worker of two all items, and return them once the pool has asked it for some."""
    marks = [folder / name for name in "abc"]
    items = [f"wait:{marks[0]}", f"wait:{marks[1]}", "d", f"wait:{marks[2]}", "e"]
    pool.start(2)
    pool.submit(job(*items))
    while not any(isinstance(event, ItemProgress) for event in pool.wait(1)):
        pass
    pool.wait(0)
    return items, marks


def test_items_go_to_a_worker_that_has_none(tmp_path: Path) -> None:
    with Pool(2) as pool:
        items, (first, *others) = share(pool, tmp_path)
        first.touch()
        found: list[PoolEvent] = []
        until = time.monotonic() + 30
        while not all(Path(f"{mark}.begun").exists() for mark in others):  # at the same time
            found += pool.wait(0.1)
            assert time.monotonic() < until
        for mark in others:
            mark.touch()
        found += events(pool)
    ended = [event for event in found if isinstance(event, ItemOutcome)]
    assert sorted(event.key for event in ended) == sorted(items)
    assert all(event.error is None and event.attempts == 1 for event in ended)


def test_stopped_items_that_would_go_to_others_are_returned(tmp_path: Path) -> None:
    with Pool(2) as pool:
        items, marks = share(pool, tmp_path)
        found = pool.stop()
        for mark in marks:
            mark.touch()
        found += events(pool)
    returned = [event.key for event in found if isinstance(event, ItemReturned)]
    ended = [event.key for event in found if isinstance(event, ItemOutcome)]
    assert sorted(returned + ended) == sorted(items)
    assert "e" in returned


def test_results_take_their_places_before_they_are_told_of(tmp_path: Path) -> None:
    mark, folder = tmp_path / "mark", tmp_path / "folder"
    folder.mkdir()
    items = [f"write:{folder / 'a'}", "error", f"write:{folder / 'b'}", f"wait:{mark}"]
    with Pool(1) as pool:
        pool.submit(job(*items))
        early: list[PoolEvent] = []
        while len(early) < 2:  # the error, and that the last one is begun
            early += pool.wait(1)
        assert [one.key for one in early] == ["error", items[3]]
        assert [*written(folder)] == [".a.dicodec-part", ".b.dicodec-part"]
        mark.touch()
        late = outcomes(pool)

    assert [*late] == [items[0], items[2], items[3]]
    assert set(codes(late).values()) == {""}
    assert written(folder) == {"a": "attempt 1", "b": "attempt 1"}


def test_a_result_without_its_place_is_an_error_of_its_own(tmp_path: Path) -> None:
    a, b, c = (f"write:{tmp_path / name}" for name in "abc")
    with Pool(1) as pool:
        pool.submit(job(a, f"{b}:taken", f"{c}:broken", "d"))
        found = outcomes(pool)

    assert codes(found) == {a: "", f"{b}:taken": "target-exists", f"{c}:broken": "corrupt-frame",
                            "d": ""}  # fmt: skip
    assert written(tmp_path) == {"a": "attempt 1", "b": "of another"}


@pytest.mark.parametrize(("item", "code"), [("crash", "worker-crashed"), ("hang", "timeout")])
def test_results_that_a_crash_cost_their_places_are_made_anew(
    tmp_path: Path, item: str, code: str
) -> None:
    a, b, c = (f"write:{tmp_path / name}" for name in "abc")
    with Pool(1, timeout=1) as pool:
        pool.submit(job(a, b, item, c))
        found = outcomes(pool)

    assert codes(found) == {a: "", b: "", item: code, c: ""}
    assert [found[key].attempts for key in (a, b, c)] == [2, 2, 1]
    assert written(tmp_path) == {"a": "attempt 2", "b": "attempt 2", "c": "attempt 1"}


def test_stopped_what_is_written_takes_its_place(tmp_path: Path) -> None:
    mark, folder = tmp_path / "mark", tmp_path / "folder"
    folder.mkdir()
    first = f"write:{folder / 'a'}"
    with Pool(1) as pool:
        pool.submit(job(first, f"wait:{mark}", "b"))
        while not any(isinstance(event, ItemProgress) for event in pool.wait(1)):
            pass
        pool.stop()
        mark.touch()
        found = events(pool)

    assert [type(event) for event in found] == [ItemOutcome, ItemOutcome, ItemReturned]
    assert written(folder) == {"a": "attempt 1"}


def test_discarded_what_is_written_is_removed_and_returned(tmp_path: Path) -> None:
    first = f"write:{tmp_path / 'a'}"
    with Pool(1) as pool:
        pool.submit(job(first, "tell:x", "hang", "b"))
        while not any(isinstance(event, ItemProgress) for event in pool.wait(1)):
            pass
        returned = {event.key for event in pool.discard()}

    assert {first, "hang", "b"} <= returned
    assert written(tmp_path) == {}


def test_given_up_an_item_costs_those_before_it_nothing(tmp_path: Path) -> None:
    first = f"write:{tmp_path / 'a'}"
    with Pool(1) as pool:
        pool.submit(job(first, "tell:x", "hang", "b"))
        while not any(isinstance(event, ItemOutcome) for event in pool.wait(1)):
            pass
        assert pool.give_up(first) == []
        assert pool.give_up("hang") == [ItemReturned("hang")]
        found = outcomes(pool)

    assert codes(found) == {first: "", "b": ""}
    assert written(tmp_path) == {"a": "attempt 2"}


def test_work_that_is_no_function_of_a_module_is_refused() -> None:
    def local(settings: Any, item: Any, around: Any) -> None:
        raise AssertionError

    with Pool(1) as pool:
        pool.submit(ItemGroup(local, None, [1], [1]))
        with pytest.raises((AttributeError, TypeError)):  # it cannot be pickled
            pool.wait(1)


def test_keys_are_any_values() -> None:
    keys: Sequence[Any] = [("a", 1), object()]
    with Pool(1) as pool:
        pool.submit(ItemGroup(behave, None, ["x", "y"], keys))
        assert [event.key for event in events(pool)] == keys
