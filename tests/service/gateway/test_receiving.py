"""What a receiver takes and refuses, with real senders; it runs in this process."""

from __future__ import annotations

import io
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pynetdicom import AE, build_context
from pynetdicom.pdu_primitives import P_DATA

from dicodec.service.gateway.spool import STORE_NAME
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import AttemptOutcome, JobState
from helpers.dicom_network import SHIPPED, send
from helpers.installed import ROOT_RIGHTS, end_without, program
from helpers.made import make_file
from helpers.patience import wait_for
from helpers.reception import Receive, receptions

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT, J2K = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.4.90",
)


@pytest.fixture
def receive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receive]:
    with receptions(tmp_path, monkeypatch) as start:
        yield start


@contextmanager
def association(port: int, *contexts: Any, title: str = "SENDER") -> Iterator[Any]:
    """Yield an association of pynetdicom's."""
    entity = AE(title)
    opened = entity.associate(
        "127.0.0.1", port, [*contexts] or [build_context(CT, EXPLICIT)], "DICODEC"
    )
    try:
        yield opened
    finally:
        if opened.is_established:
            opened.release()


def test_success_means_safe_under_a_name_for_each_peer(receive: Receive) -> None:
    reception = receive("")
    path = SHIPPED / "CT_small.dcm"
    assert send(reception.port, path).returncode == 0
    jobs = reception.jobs()
    assert [job.tenant for job in jobs] == ["B", "A"]
    assert reception.files("objects") == sorted(f"{job.id}.dcm" for job in jobs)
    assert {(reception.spool.objects / f"{job.id}.dcm").stat().st_nlink for job in jobs} == {2}
    assert reception.announced == 1
    assert not reception.files("parts")


def test_sent_again_it_is_known_and_other_content_is_not(receive: Receive, tmp_path: Path) -> None:
    reception = receive("")
    path = SHIPPED / "CT_small.dcm"
    changed = tmp_path / "changed.dcm"
    changed.write_bytes(
        path.read_bytes().replace(b"CompressedSamples^CT1", b"CompressedSamples^CT2")
    )
    for one in (path, path, changed):
        assert send(reception.port, one).returncode == 0
    assert len(reception.jobs()) == len(reception.files("objects")) == 4


def test_a_delivered_object_is_not_kept_again_and_a_dead_one_is_due_again(
    receive: Receive,
) -> None:
    reception = receive("")
    path = SHIPPED / "CT_small.dcm"
    assert send(reception.port, path).returncode == 0
    states = {"A": JobState.DONE, "B": JobState.DEAD}
    for peer, state in states.items():
        home = reception.spool.name_home(peer)
        with JobStore(reception.spool.path / STORE_NAME, home=home, alone=True) as lane:
            (job,) = lane.claim(9)
            code = None if state is JobState.DONE else "peer-refused"
            lane.finish(
                [AttemptOutcome(id=job.id, state=state, event="{}", result="{}", error_code=code)]
            )
        if state is JobState.DONE:
            reception.spool.forget(job.id)
    assert send(reception.port, path).returncode == 0
    found = {job.tenant: job for job in reception.jobs()}
    assert (found["A"].state, found["B"].state) == (JobState.DONE, JobState.PENDING)
    assert reception.files("objects") == [f"{found['B'].id}.dcm"]


@pytest.mark.parametrize(
    ("title", "peers", "called", "taken"),
    [
        ("CT1", '{CT1 = "127.0.0.1"}', "DICODEC", True),
        ("CT1", '{"CT*" = "127.0.0.0/8"}', "DICODEC", True),
        ("CT1", '{CT1 = "any"}', "OTHER", False),
        ("CT1", '{CT1 = "10.0.0.1"}', "DICODEC", False),
        ("MR1", '{CT1 = "127.0.0.1"}', "DICODEC", False),
    ],
)
def test_titles_and_addresses_bound_who_may_send(
    receive: Receive, title: str, peers: str, called: str, *, taken: bool
) -> None:
    reception = receive(f"peers = {peers}")
    sent = send(reception.port, SHIPPED / "CT_small.dcm", sender=title, called=called)
    assert (sent.returncode == 0) is taken
    assert bool(reception.jobs()) is taken


def test_without_room_associations_and_objects_are_refused(receive: Receive) -> None:
    reception = receive('reserve = "1 kB"')
    path = SHIPPED / "CT_small.dcm"
    with association(reception.port, build_context(CT, EXPLICIT)) as opened:
        object.__setattr__(reception.config.receive, "reserve", 1 << 60)
        assert opened.send_c_store(path).Status == 0xA700
    with association(reception.port) as refused:
        assert refused.is_rejected
        assert refused.acceptor.primitive.result == 2  # transient
    assert not reception.jobs()
    assert not reception.files("objects")
    wait_for(lambda: not reception.files("parts"))


def test_an_aborted_association_leaves_no_file(receive: Receive) -> None:
    reception = receive("")
    descriptors = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(3):
        with association(reception.port) as opened:
            _send_half(opened, SHIPPED / "CT_small.dcm")
            wait_for(lambda: reception.files("parts"))
            opened.abort()
        wait_for(lambda: not reception.files("parts"))
    assert not reception.jobs()
    wait_for(lambda: len([*Path("/proc/self/fd").iterdir()]) <= descriptors + 2)


def _send_half(opened: Any, path: Path) -> None:
    """Send the command of a C-STORE and the first part of its data set, and no more."""
    put = opened.dul.send_pdu
    count = 0

    def send_some(primitive: Any) -> None:
        nonlocal count
        if not isinstance(primitive, P_DATA):
            put(primitive)
            return
        count += 1
        if count == 2:
            ((context, part),) = primitive.presentation_data_value_list
            first: Any = [[context, b"\0" + part[1:]]]  # not the last
            primitive.presentation_data_value_list = first
        if count <= 2:
            put(primitive)

    opened.dul.send_pdu = send_some
    opened.dimse_timeout = None
    threading.Thread(target=opened.send_c_store, args=(path,), daemon=True).start()
    wait_for(lambda: count >= 2)


def test_the_senders_order_of_syntaxes_decides(receive: Receive) -> None:
    reception = receive("")
    for order in ([IMPLICIT, EXPLICIT, J2K], [J2K, EXPLICIT], [EXPLICIT, J2K]):
        with association(reception.port, build_context(CT, order)) as opened:
            assert opened.accepted_contexts[0].transfer_syntax == [order[0]]


def test_private_classes_are_taken_on_request(receive: Receive) -> None:
    private = build_context("1.3.12.2.1107.5.9.1", EXPLICIT)
    for more, taken in (("", False), ("private = true", True)):
        reception = receive(more)
        with association(reception.port, build_context(CT, EXPLICIT), private) as opened:
            classes = {str(one.abstract_syntax) for one in opened.accepted_contexts}
        assert ("1.3.12.2.1107.5.9.1" in classes) is taken


def test_it_answers_an_echo(receive: Receive) -> None:
    reception = receive("")
    with association(reception.port, build_context("1.2.840.10008.1.1")) as opened:
        assert opened.send_c_echo().Status == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a disk of its own, of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = [program("mount"), "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        end_without(ROOT_RIGHTS)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_full_refuses_loses_nothing_and_recovers(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, _ = make_file(512, 512, bits_stored=12)
    large = tmp_path / "large.dcm"
    with receptions(small_disk, monkeypatch) as start:
        reception = start('reserve = "64 kB"')
        statuses = []
        for number in range(24):
            data_set = pydicom.dcmread(io.BytesIO(content))
            data_set.SOPInstanceUID = f"1.2.{number}"
            data_set.save_as(large)
            with association(reception.port, build_context(data_set.SOPClassUID)) as opened:
                found = opened.send_c_store(large).get("Status") if opened.is_established else None
            statuses.append(found)
        taken = statuses.count(0)
        assert 5 < taken < 20
        # Refused as what may pass: the association, or the object that does not fit any more.
        assert set(statuses[taken:]) <= {0xA700, None}
        assert 0xA700 in statuses or None in statuses
        wait_for(lambda: not reception.files("parts"))
        jobs = reception.jobs()
        assert len(jobs) == 2 * taken
        assert reception.files("objects") == sorted(f"{job.id}.dcm" for job in jobs)
        for job in jobs:
            kept = pydicom.dcmread(reception.spool.objects / f"{job.id}.dcm")
            assert len(kept.PixelData) == 512 * 512 * 2
        for job in jobs[:4]:
            reception.spool.forget(job.id)
        with association(reception.port, build_context(data_set.SOPClassUID)) as opened:
            assert opened.send_c_store(large).Status == 0
        assert len(reception.jobs()) == 2 * taken + 2
