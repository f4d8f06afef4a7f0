"""How a lane treats the answers of a peer; the peer is pynetdicom's, and answers as it is told."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom import AE, _config, build_context, evt

from dicodec.errors import DiskFullError
from dicodec.service.gateway.config import DimseAddress, Peer
from dicodec.service.gateway.delivery import make_delivery_job, name_job
from dicodec.service.gateway.lane import Lane, LaneState
from dicodec.service.gateway.spool import STORE_NAME, Spool
from dicodec.service.jobs.confinement import AllowedRoots
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import JobOptions
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.retry_causes import RetryPolicy
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import Job, JobFilter, JobState
from helpers.dicom_network import SHIPPED, find_free_port, running_storescp
from helpers.patience import wait_for

pytestmark = pytest.mark.filterwarnings(  # pynetdicom leaves refused connections to the collector
    "ignore::pytest.PytestUnraisableExceptionWarning"
)

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"


class ScriptedPeer:
    """A peer that answers by a script: a status, or "abort" to break the association."""

    def __init__(self, *syntaxes: str) -> None:
        self.answers: list[int | str] = []
        self.got: list[bytes] = []
        self.associations = 0
        self.port = find_free_port()
        self.entity = AE("PEER")
        self.syntaxes = [*syntaxes] or [EXPLICIT]
        self.server: Any = None

    def start(self) -> None:
        """Listen."""
        self.server = self.entity.start_server(
            ("127.0.0.1", self.port),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._take), (evt.EVT_ACCEPTED, self._count)],
            contexts=[build_context(CT, self.syntaxes)],
        )

    def stop(self) -> None:
        """End all associations."""
        if self.server is not None:
            self.server.shutdown()
            self.server = None

    def _count(self, _: evt.Event) -> None:
        self.associations += 1

    def _take(self, event: evt.Event) -> int:
        answer = self.answers.pop(0) if self.answers else 0
        if answer == "abort":
            event.assoc.abort()
            return 0
        request: Any = event.request
        if answer in {0, 0xB000}:
            path = getattr(request, "_dataset_path", None)
            self.got.append(path.read_bytes() if path else request.DataSet.getvalue())
        return int(answer)


class Site:
    """A lane to a scripted peer, and the spool before it."""

    def __init__(self, folder: Path, peer: ScriptedPeer, **changes: Any) -> None:
        self.spool = Spool(str(folder / "spool"))
        address = DimseAddress("127.0.0.1", changes.pop("port", peer.port), "PEER")
        given: dict[str, Any] = {"associations": 1, "timeout": 10.0, **changes}
        self.store = JobStore(
            self.spool.path / STORE_NAME, home=self.spool.name_home("PEER"), alone=True
        )
        self.out = StringIO()
        self.executor = Executor(JobOptions(roots=AllowedRoots()), jobs=1)
        retries = RetryPolicy(attempts=3, first=0.1, factor=2.0, longest=0.5)
        made = Peer(name="PEER", address=address, **given)
        self.lane = Lane(
            made, "DICODEC", self.spool, self.store, self.executor, retries,
            Log(self.out), lambda *_: None,
        )  # fmt: skip

    def add(self, name: str, source: Path = SHIPPED / "CT_small.dcm") -> str:
        """Put an object into the spool, with a job."""
        job = name_job(name, "PEER")
        self.spool.keep(self._copy(source, name), [job])
        self.store.put(
            [
                make_delivery_job(
                    self.spool, job, peer="PEER", policy=None, sop_class=CT, instance="1.2"
                )
            ]
        )
        return job

    def _copy(self, source: Path, name: str) -> Path:
        part = self.spool.parts / name
        part.write_bytes(source.read_bytes())
        return part

    def find(self, job: str) -> Job:
        """Return a job."""
        found = self.store.find(job)
        assert found is not None
        return found

    def wait(self, job: str, state: JobState) -> Job:
        """Return a job once it has a state."""
        wait_for(lambda: self.find(job).state is state, words=self.out.getvalue())
        return self.find(job)

    def close(self) -> None:
        """End the lane."""
        self.lane.ask_to_stop()
        self.lane.stop(time.monotonic() + 10)
        self.executor.close(0)
        self.store.close()


type MakeSite = Callable[..., Site]


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedPeer]:
    for name in ("STORE_SEND_CHUNKED_DATASET", "LOG_HANDLER_LEVEL"):
        monkeypatch.setattr(_config, name, getattr(_config, name))
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)
    made = ScriptedPeer(EXPLICIT)
    yield made
    made.stop()


@pytest.fixture
def make_site(tmp_path: Path, peer: ScriptedPeer) -> Iterator[MakeSite]:
    sites: list[Site] = []

    def make(**changes: Any) -> Site:
        sites.append(Site(tmp_path, peer, **changes))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


def test_an_object_is_sent_as_its_very_bytes(make_site: MakeSite, peer: ScriptedPeer) -> None:
    site = make_site()
    peer.start()
    job = site.add("one")
    site.lane.start()
    site.wait(job, JobState.DONE)
    source = (SHIPPED / "CT_small.dcm").read_bytes()
    assert source.endswith(peer.got[0])
    assert len(source) - len(peer.got[0]) < 500  # the file meta
    wait_for(lambda: not [*site.spool.objects.iterdir()])


def test_associations_are_used_again_and_end_when_idle(
    make_site: MakeSite, peer: ScriptedPeer
) -> None:
    site = make_site(linger=0.2)
    peer.start()
    jobs = [site.add(f"job{number}") for number in range(5)]
    site.lane.start()
    for job in jobs:
        site.wait(job, JobState.DONE)
    assert peer.associations == 1
    wait_for(lambda: not peer.server.active_associations)
    site.wait(site.add("later"), JobState.DONE)
    assert peer.associations == 2


@pytest.mark.parametrize("answer", [0xA700, "abort"])
def test_what_may_pass_is_tried_again(
    make_site: MakeSite, peer: ScriptedPeer, answer: int | str
) -> None:
    site = make_site()
    peer.answers = [answer, answer]
    peer.start()
    job = site.add("one")
    site.lane.start()
    assert site.wait(job, JobState.DONE).attempts == 3
    assert site.find(job).history.count("peer-unavailable") == 2
    assert len(peer.got) == 1


def test_after_too_many_attempts_it_is_dead_and_can_be_tried_again(
    make_site: MakeSite, peer: ScriptedPeer
) -> None:
    site = make_site()
    peer.answers = [0xA700] * 3
    peer.start()
    job = site.add("one")
    site.lane.start()
    assert site.wait(job, JobState.DEAD).error_code == "peer-unavailable"
    assert site.spool.find_object(job).is_file()
    site.store.retry(job, "{}")
    site.wait(job, JobState.DONE)


@pytest.mark.parametrize("answer", [0xA900, 0xC000, 0x0122])
def test_a_refusal_is_for_good(make_site: MakeSite, peer: ScriptedPeer, answer: int) -> None:
    site = make_site()
    peer.answers = [answer]
    peer.start()
    bad, good = site.add("bad"), site.add("good")
    site.lane.start()
    dead = site.wait(bad, JobState.DEAD)
    assert (dead.error_code, dead.attempts) == ("peer-refused", 1)
    assert f"0x{answer:04X}" in (dead.error_text or "")
    site.wait(good, JobState.DONE)
    assert site.spool.find_object(bad).is_file()


def test_a_warning_is_a_success(make_site: MakeSite, peer: ScriptedPeer) -> None:
    site = make_site()
    peer.answers = [0xB000]
    peer.start()
    job = site.add("one")
    site.lane.start()
    assert "status 0xB000" in (site.wait(job, JobState.DONE).result or "")


def test_no_attempt_is_spent_on_a_peer_that_is_down(
    make_site: MakeSite, peer: ScriptedPeer
) -> None:
    site = make_site()
    job = site.add("one")
    site.lane.start()
    wait_for(lambda: site.lane.state.failures >= 4)
    assert (site.find(job).state, site.find(job).attempts) == (JobState.PENDING, 0)
    peer.start()
    assert site.wait(job, JobState.DONE).attempts == 1
    assert site.lane.state.failures == 0


def test_a_peer_that_was_down_for_days_gets_its_objects(
    make_site: MakeSite, peer: ScriptedPeer
) -> None:
    site = make_site()
    site.lane.state = LaneState(failures=10_000, cause="down", since=1.0)
    job = site.add("one")
    site.lane.start()
    wait_for(lambda: site.lane.state.failures > 10_001)
    peer.start()
    assert site.wait(job, JobState.DONE).attempts == 1


def test_an_unforeseen_error_ends_no_thread_of_a_lane(
    make_site: MakeSite, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site()
    raised: list[str] = []

    def fail(name: str) -> Callable[..., Any]:
        right = getattr(site.lane._settler, name)

        def call(*given: Any) -> Any:
            if name in raised:
                return right(*given)
            raised.append(name)
            raise RuntimeError("Secret^Name")

        return call

    for name in ("drop_span", "enter"):
        monkeypatch.setattr(site.lane._settler, name, fail(name))
    job = site.add("one")
    site.lane.start()
    wait_for(lambda: site.lane.state.failures and len(raised) == 2)
    peer.start()
    assert site.wait(job, JobState.DONE).attempts == 1
    assert site.out.getvalue().count("objects cannot be delivered") == 2
    assert "Secret^Name" not in site.out.getvalue()


def test_a_job_that_cannot_be_given_back_is_given_back_later(
    make_site: MakeSite, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site()
    given: list[list[str]] = []
    give_back = site.store.give_back

    def fail_at_first(ids: Iterable[str]) -> None:
        given.append([*ids])
        if len(given) == 1:
            raise DiskFullError("no room")
        give_back(given[-1])

    monkeypatch.setattr(site.store, "give_back", fail_at_first)
    job = site.add("one")
    site.lane.start()
    wait_for(lambda: given)
    peer.start()
    assert site.wait(job, JobState.DONE).attempts == 1


def test_a_class_that_the_peer_does_not_take_is_refused(
    make_site: MakeSite, peer: ScriptedPeer
) -> None:
    site = make_site()
    peer.start()
    bad, good = site.add("bad", SHIPPED / "MR_small.dcm"), site.add("good")
    site.lane.start()
    assert site.wait(bad, JobState.DEAD).error_code == "peer-refused"
    site.wait(good, JobState.DONE)


def test_a_peer_that_takes_another_syntax_alone_gets_that(make_site: MakeSite) -> None:
    other = ScriptedPeer(DEFLATED)
    other.start()
    try:
        from dicodec.model.transfer_syntax import find_by_uid

        preferred = find_by_uid(DEFLATED)
        assert preferred is not None
        site = make_site(port=other.port, prefer=(preferred,))
        job = site.add("one")
        site.lane.start()
        assert '"target_syntax": "deflated"' in (site.wait(job, JobState.DONE).result or "")
    finally:
        other.stop()


def test_what_cannot_be_read_goes_as_it_is(
    make_site: MakeSite, peer: ScriptedPeer, tmp_path: Path
) -> None:
    site = make_site()
    peer.start()
    content = (SHIPPED / "CT_small.dcm").read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(content[: start + 200] + b"\xff" * 100)
    job = site.add("broken", broken)
    site.lane.start()
    site.wait(job, JobState.DONE)
    assert peer.got == [broken.read_bytes()[start:]]


def test_an_association_that_the_peer_ended_costs_no_attempt(
    make_site: MakeSite, peer: ScriptedPeer
) -> None:
    site = make_site(linger=60.0)
    peer.start()
    site.lane.start()
    site.wait(site.add("one"), JobState.DONE)
    for opened in peer.server.active_associations:
        opened.abort()
    job = site.add("two")
    assert site.wait(job, JobState.DONE).attempts == 1
    assert peer.associations == 2


def test_what_was_sent_and_not_entered_is_not_sent_again(
    make_site: MakeSite, peer: ScriptedPeer
) -> None:
    site = make_site()
    peer.start()
    job = site.add("one")
    site.spool.mark_sent(job)  # the gateway was killed after the peer's Success
    site.lane.start()
    assert '"sent before"' in (site.wait(job, JobState.DONE).result or "")
    assert (peer.got, peer.associations) == ([], 0)
    wait_for(lambda: not [*site.spool.objects.iterdir()])


def test_what_was_delivered_is_marked_before_it_is_entered(
    make_site: MakeSite, peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site()
    peer.start()
    job = site.add("one")
    monkeypatch.setattr(site.lane._settler, "enter", lambda: None)
    site.lane.start()
    wait_for(lambda: site.spool.is_sent(job))
    assert len(peer.got) == 1
    assert site.find(job).state is JobState.RUNNING
    monkeypatch.undo()
    site.wait(job, JobState.DONE)


def test_a_peer_that_takes_fewer_associations_is_not_down(
    make_site: MakeSite, peer: ScriptedPeer
) -> None:
    site = make_site(associations=2, linger=60.0)
    peer.entity.maximum_associations = 1
    held, going_on = threading.Event(), threading.Event()
    take = peer._take

    def take_slowly(event: evt.Event) -> int:
        if peer.got:
            held.set()
            going_on.wait(20)
        return take(event)

    peer._take = take_slowly  # type: ignore[method-assign]
    peer.start()
    site.lane.start()
    site.wait(site.add("one"), JobState.DONE)
    jobs = [site.add(f"job{number}") for number in range(3)]
    assert held.wait(20)
    time.sleep(1.0)  # the other association is turned away meanwhile, as often as it tries
    assert site.lane.state.failures == 0
    going_on.set()
    for job in jobs:
        site.wait(job, JobState.DONE)
    assert "peer is down" not in site.out.getvalue()


def test_an_idle_association_makes_room_for_one_that_the_peer_lets_wait(
    make_site: MakeSite, tmp_path: Path
) -> None:
    with running_storescp(tmp_path / "out", title="PEER") as port:  # it serves one at a time
        site = make_site(port=port, associations=2, linger=60.0, timeout=60.0)
        jobs = [site.add(f"job{number}") for number in range(6)]
        site.lane.start()
        for job in jobs:
            site.wait(job, JobState.DONE)


def test_a_lane_that_stops_gives_its_jobs_back(make_site: MakeSite, peer: ScriptedPeer) -> None:
    site = make_site()
    jobs = [site.add(f"job{number}") for number in range(3)]
    blocked = threading.Event()
    peer.start()
    peer._take = lambda _: blocked.wait(20) and 0  # type: ignore[assignment,method-assign]
    site.lane.start()
    wait_for(lambda: site.store.list_jobs(JobFilter(state=JobState.RUNNING), 9))
    site.lane.ask_to_stop()
    blocked.set()
    site.lane.stop(time.monotonic() + 10)
    states = {site.find(job).state for job in jobs}
    assert JobState.RUNNING not in states


def test_shipped_file_is_what_the_tests_take_it_for() -> None:
    assert dcmread(SHIPPED / "CT_small.dcm").file_meta.TransferSyntaxUID == EXPLICIT
