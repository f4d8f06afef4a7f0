"""Storage commitment both ways: with pynetdicom on the same association, with Orthanc on others."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE, build_context, evt

from dicodec.service.gateway import commitment_asking
from dicodec.service.gateway.commitment import (
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    list_notes,
    make_request,
    write_note,
)
from dicodec.service.gateway.commitment_answering import CommitmentReporter
from dicodec.service.gateway.commitment_asking import CommitmentAsker
from dicodec.service.gateway.config import DimseAddress, Peer
from dicodec.service.gateway.spool import STORE_NAME, Spool
from dicodec.service.jobs.execution_work import ConversionResult
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, JobFilter, JobState
from helpers.clock import Clock
from helpers.dicom_network import SHIPPED, RunningGateway, find_free_port, send
from helpers.orthanc import running_orthanc
from helpers.patience import wait_for
from helpers.reception import Receive, Reception, receptions

CT_FILE = SHIPPED / "CT_small.dcm"
CT = "1.2.840.10008.5.1.4.1.1.2"
INSTANCE = str(dcmread(CT_FILE, stop_before_pixels=True).SOPInstanceUID)

pytestmark = pytest.mark.filterwarnings(  # pynetdicom leaves refused connections to the collector
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def receive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receive]:
    with receptions(tmp_path, monkeypatch) as start:
        yield start


class Answers:
    """The answers that a sender gets."""

    def __init__(self) -> None:
        self.got: list[tuple[int, Dataset]] = []

    def take(self, event: evt.Event) -> tuple[int, None]:
        """Take an N-EVENT-REPORT."""
        self.got.append((int(event.event_type or 0), event.event_information))
        return 0, None

    def read(self) -> tuple[int, set[str], dict[str, int]]:
        """Return the kind, the objects that are safe, and the reasons of those that are not."""
        wait_for(lambda: self.got)
        kind, told = self.got.pop()
        return (
            kind,
            {str(one.ReferencedSOPInstanceUID) for one in told.get("ReferencedSOPSequence") or ()},
            {
                str(one.ReferencedSOPInstanceUID): int(one.FailureReason)
                for one in told.get("FailedSOPSequence") or ()
            },
        )


def ask(port: int, answers: Answers, *references: tuple[str, str], waits: bool = True) -> Any:
    """Ask for storage commitment, and wait for the answer on the same association."""
    entity = AE("SENDER")
    opened = entity.associate(
        "127.0.0.1", port, [build_context(PUSH_MODEL)], "DICODEC",
        evt_handlers=[(evt.EVT_N_EVENT_REPORT, answers.take)],
    )  # fmt: skip
    status, _ = opened.send_n_action(make_request(references), 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)
    if waits:
        wait_for(lambda: answers.got)
    opened.release()
    return status.Status


def finish(reception: Reception, peer: str, state: JobState, code: str | None = None) -> None:
    """End a delivery."""
    home = reception.spool.name_home(peer)
    with JobStore(reception.spool.path / STORE_NAME, home=home, alone=True) as lane:
        (job,) = lane.claim(9)
        outcome = AttemptOutcome(id=job.id, state=state, event="{}", result="{}", error_code=code)
        lane.finish([outcome])
    if state is JobState.DONE:
        reception.spool.forget(job.id)


def test_yes_means_in_the_spool_or_delivered(receive: Receive) -> None:
    reception, answers = receive(""), Answers()
    asked = [(CT, INSTANCE), (CT, "1.2.3"), ("1.2.840.10008.5.1.4.1.1.4", INSTANCE)]
    assert send(reception.port, CT_FILE).returncode == 0
    assert ask(reception.port, answers, *asked) == 0
    kind, committed, failed = answers.read()
    assert (kind, committed) == (2, {INSTANCE})
    assert failed == {"1.2.3": 0x0112, INSTANCE: 0x0119}
    finish(reception, "A", JobState.DONE)
    ask(reception.port, answers, asked[0])
    assert answers.read() == (1, {INSTANCE}, {})
    wait_for(lambda: not [*list_notes(reception.spool.commitments, "report")])


def test_no_means_failed_or_gone(receive: Receive) -> None:
    reception, answers = receive(""), Answers()
    assert send(reception.port, CT_FILE).returncode == 0
    finish(reception, "A", JobState.DEAD, "peer-refused")
    ask(reception.port, answers, (CT, INSTANCE))
    assert answers.read() == (2, set(), {INSTANCE: 0x0110})


def test_yes_needs_the_object_of_each_delivery_that_waits(receive: Receive) -> None:
    reception, answers = receive(""), Answers()
    assert send(reception.port, CT_FILE).returncode == 0
    first, second = (job.id for job in reception.jobs())
    reception.spool.mark_sent(first)  # its delivery is about to be entered
    ask(reception.port, answers, (CT, INSTANCE))
    assert answers.read() == (1, {INSTANCE}, {})
    reception.spool.find_object(second).unlink()
    ask(reception.port, answers, (CT, INSTANCE))
    assert answers.read() == (2, set(), {INSTANCE: 0x0110})


def test_an_answer_follows_on_an_association_of_its_own(receive: Receive) -> None:
    port, answers = find_free_port(), Answers()
    reception = receive(f'reports = {{SENDER = "127.0.0.1:{port}"}}')
    assert send(reception.port, CT_FILE).returncode == 0
    ask(reception.port, answers, (CT, INSTANCE), waits=False)
    reporter = CommitmentReporter(reception.config, reception.spool, Log(reception.out))

    def is_said() -> bool:
        reporter.turn()
        return "not answered" in reception.out.getvalue()

    wait_for(is_said)
    context = build_context(PUSH_MODEL)
    context.scu_role = context.scp_role = True
    sender = AE("SENDER").start_server(
        ("127.0.0.1", port), block=False, contexts=[context],
        evt_handlers=[(evt.EVT_N_EVENT_REPORT, answers.take)],
    )  # fmt: skip
    assert sender is not None
    try:
        reporter = CommitmentReporter(reception.config, reception.spool, Log(reception.out))
        reporter.turn()
        assert answers.read() == (1, {INSTANCE}, {})
        assert not [*list_notes(reception.spool.commitments, "report")]
    finally:
        sender.shutdown()


PATIENCE = 600.0


def make_asker(spool: Spool, clock: Clock) -> CommitmentAsker:
    """Return one that asks a peer that is not there."""
    address = DimseAddress("127.0.0.1", find_free_port(), "PEER", commit=PATIENCE)
    peer = Peer(name="PEER", address=address, timeout=1.0)
    return CommitmentAsker(peer, address, "DICODEC", spool, Log(None), clock)


def add_sent(asker: CommitmentAsker, name: str) -> None:
    """Have one know of an object that was sent."""
    job: Any = type("Job", (), {"id": name})
    request = Request(id=name, source=f"/{name}")
    asker.add(job, request, ConversionResult({}, None), (CT, INSTANCE))


def test_what_was_sent_before_a_crash_is_not_sent_again(tmp_path: Path) -> None:
    spool, clock = Spool(str(tmp_path)), Clock()
    first = make_asker(spool, clock)
    add_sent(first, "one")
    first.stop()
    second = make_asker(spool, clock)
    assert second.find_sent("one") == (CT, INSTANCE)
    assert make_asker(spool, clock).find_sent("other") is None
    add_sent(second, "one")
    (transaction,) = list_notes(spool.commitments, "asked")
    answer = {"transaction": transaction, "committed": [[CT, INSTANCE]], "failed": []}
    write_note(spool.commitments, "answer", transaction, answer)
    ((_, _, came),) = second.turn()
    assert isinstance(came, ConversionResult)
    assert not [*spool.commitments.iterdir()]
    assert second.find_sent("one") is None


def ask_in_vain(asker: CommitmentAsker, clock: Clock, count: int) -> None:
    """Have one ask a peer that is not there."""
    for _ in range(count):
        clock.now += 60.0
        assert not asker.turn()


def answer(spool: Spool, transaction: str) -> None:
    """Write the peer's answer to a request: it commits to the storage."""
    content = {"transaction": transaction, "committed": [(CT, INSTANCE)], "failed": []}
    write_note(spool.commitments, "answer", transaction, content)


def list_asked(spool: Spool) -> list[str]:
    return [*list_notes(spool.commitments, "asked")]


def make_asker_of_two(spool: Spool, clock: Clock) -> tuple[CommitmentAsker, str]:
    """Return one that has asked for an object, and was sent another, and the transaction."""
    asker = make_asker(spool, clock)
    add_sent(asker, "one")
    ask_in_vain(asker, clock, 1)
    (first,) = list_asked(spool)
    add_sent(asker, "two")
    return asker, first


def test_no_request_is_left_of_an_object_that_the_peer_commits_to(tmp_path: Path) -> None:
    spool, clock = Spool(str(tmp_path)), Clock()
    asker = make_asker(spool, clock)
    add_sent(asker, "one")
    ask_in_vain(asker, clock, 5)
    assert len(list_asked(spool)) == 5
    answer(spool, list_asked(spool)[0])
    ((_, _, came),) = asker.turn()
    assert isinstance(came, ConversionResult)
    assert not asker.busy
    assert not [*spool.commitments.iterdir()]
    assert make_asker(spool, clock).find_sent("one") is None


def test_requests_keep_the_objects_that_the_peer_has_not_committed_to(tmp_path: Path) -> None:
    spool, clock = Spool(str(tmp_path)), Clock()
    asker, first = make_asker_of_two(spool, clock)
    ask_in_vain(asker, clock, 2)
    answer(spool, first)
    ((job, _, _),) = asker.turn()
    assert job.id == "one"
    again = make_asker(spool, clock)
    assert (again.find_sent("one"), again.find_sent("two")) == (None, (CT, INSTANCE))
    clock.now += PATIENCE
    ((job, _, _),) = asker.turn()
    assert job.id == "two"
    assert not [*spool.commitments.iterdir()]


@pytest.mark.parametrize("asked_together", [True, False])
def test_an_answer_is_not_lost_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, asked_together: bool
) -> None:
    spool, clock = Spool(str(tmp_path)), Clock()
    asker, first = make_asker_of_two(spool, clock)
    if asked_together:  # so that a request is written again, without the first
        ask_in_vain(asker, clock, 1)
    answer(spool, first)
    clock.now += 60.0

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(commitment_asking, "write_note", fail)
    settled = []
    with suppress(OSError):
        settled += asker.turn()
    monkeypatch.undo()
    clock.now += 60.0
    settled += asker.turn()
    assert [job.id for job, _, _ in settled] == ["one"]


def test_without_an_answer_in_time_it_is_sent_again(tmp_path: Path) -> None:
    clock = Clock()
    asker = make_asker(Spool(str(tmp_path)), clock)
    add_sent(asker, "one")
    assert not asker.turn()
    clock.now += PATIENCE + 1
    ((_, _, came),) = asker.turn()
    assert "has not committed" in str(came)
    assert asker.find_sent("one") is None


CONFIG = """
[receive]
aet = "DICODEC"
port = {ours}
spool = "spool"
processes = 1

[[route]]
to = ["PACS"]

[[peer]]
name = "PACS"
host = "127.0.0.1"
port = {theirs}
aet = "ORTHANC"
commit = true
"""


def test_orthanc_commits_and_is_told_so(tmp_path: Path) -> None:
    ours = find_free_port()
    modalities = {"gateway": {"AET": "DICODEC", "Host": "127.0.0.1", "Port": ours}}
    with running_orthanc(tmp_path / "orthanc", DicomModalities=modalities) as orthanc:
        config = CONFIG.format(ours=ours, theirs=orthanc.port)
        with RunningGateway(tmp_path / "gateway", config, "--jobs", "1") as gateway:
            assert send(gateway.port, CT_FILE).returncode == 0
            gateway.wait_for_events("done", 1)
            assert len(orthanc.list_instances()) == 1
            assert not [*(gateway.spool / "commitments").iterdir()]
            with JobStore(gateway.spool / STORE_NAME) as store:
                (job,) = store.list_jobs(JobFilter(), 9)
                assert '"committed": true' in (job.result or "")
            asked = httpx.post(
                f"{orthanc.url}/modalities/gateway/storage-commitment",
                json={"DicomInstances": [[CT, INSTANCE], [CT, "1.2.3"]]},
                timeout=30,
            )
            place = f"{orthanc.url}{asked.json()['Path']}"
            wait_for(lambda: httpx.get(place).json()["Status"] != "Pending")
            told = httpx.get(place).json()
            assert told["Status"] == "Failure"
            assert [one["SOPInstanceUID"] for one in told["Success"]] == [INSTANCE]
            assert [one["SOPInstanceUID"] for one in told["Failures"]] == ["1.2.3"]
