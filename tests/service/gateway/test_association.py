"""Associations that we request, byte by byte; pynetdicom reads and writes the other side."""

from __future__ import annotations

import io
import socket
import tempfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.dsutils import decode
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)

from dicodec.errors import PeerUnavailableError, ReadError
from dicodec.service.gateway import association as tested
from dicodec.service.gateway.association import Association, AssociationBrokenError
from dicodec.service.gateway.pdus import read_status
from dicodec.service.gateway.sender import PeerDownError

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
CONTEXTS = [(CT, EXPLICIT), (CT, IMPLICIT)]
RELEASED = bytes.fromhex("06000000000400000000")
USER_INFORMATION = bytes.fromhex("5000")  # the head of the item, whose length follows
ABORTED = bytes.fromhex("07000000000400000200")


def accept(longest: int, results: tuple[int, ...] = (0, 0)) -> bytes:
    """Return an A-ASSOCIATE-AC, as pynetdicom writes it."""
    answer = A_ASSOCIATE()
    answer.application_context_name = UID("1.2.840.10008.3.1.1.1")
    answer.calling_ae_title, answer.called_ae_title = "US", "PEER"
    answer.result, answer.result_source = 0, 1
    contexts = []
    for at, ((sop_class, syntax), result) in enumerate(zip(CONTEXTS, results, strict=True)):
        contexts.append(build_context(sop_class, syntax))
        contexts[-1].context_id = 2 * at + 1
        contexts[-1].result = result
    answer.presentation_context_definition_results_list = contexts
    limit, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    limit.maximum_length_received = longest
    implementation.implementation_class_uid = UID("1.2.3")
    answer.user_information = [limit, implementation]
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(answer)
    return bytes(pdu.encode())


def answer_store(status: int, message: int = 1, *, field: int = 0x8001) -> bytes:
    """Return the P-DATA-TF of a C-STORE-RSP."""
    elements = [(0x0100, field), (0x0120, message), (0x0800, 0x0101), (0x0900, status)]
    command = b"".join(
        b"\0\0" + element.to_bytes(2, "little") + b"\2\0\0\0" + value.to_bytes(2, "little")
        for element, value in elements
    )
    command = b"\0\0\0\0\4\0\0\0" + len(command).to_bytes(4, "little") + command
    return (
        b"\4\0"
        + (len(command) + 6).to_bytes(4)
        + (len(command) + 2).to_bytes(4)
        + b"\1\3"
        + command
    )


class Wire:
    """A peer that has said all it will ever say."""

    def __init__(self, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        ours, self._theirs = socket.socketpair()
        self._theirs.sendall(said)
        self._theirs.shutdown(socket.SHUT_WR)
        monkeypatch.setattr(tested, "_connect", lambda *_: ours)

    def open(self) -> Association:
        """Request an association."""
        return Association(
            ("peer", 104),
            calling="US",
            called="PEER",
            contexts=CONTEXTS,
            connect_seconds=5,
            timeout=5,
        )

    def read_pdus(self) -> list[bytes]:
        """Return what it was told, once we have ended."""
        content = b""
        while chunk := self._theirs.recv(1 << 16):
            content += chunk
        self._theirs.close()
        found = []
        while content:
            end = 6 + int.from_bytes(content[2:6])
            found.append(content[:end])
            content = content[end:]
        return found


def store(association: Association, content: bytes, said_size: int | None = None) -> Any:
    """Send a data set from a file."""
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(content)
        file.seek(0)
        return association.store(
            association.accepted[CT, EXPLICIT], CT, "1.2.3", file,
            len(content) if said_size is None else said_size,
        )  # fmt: skip


@given(
    content=st.binary(min_size=1, max_size=3000),
    longest=st.one_of(st.just(0), st.integers(8, 300), st.integers(4000, 2**32 - 1)),
)
def test_an_object_arrives_whole_in_fragments_that_the_peer_takes(
    content: bytes, longest: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        wire = Wire(accept(longest) + answer_store(0xB000) + RELEASED, patch)
        association = wire.open()
        assert read_status(store(association, content)) == 0xB000
        association.release()
    asked, *sent, released = wire.read_pdus()
    request = A_ASSOCIATE_RQ()
    request.decode(asked)
    assert (request.calling_ae_title, request.called_ae_title) == ("US", "PEER")
    proposed = [
        (str(one.abstract_syntax), *map(str, one.transfer_syntax))
        for one in request.presentation_context
    ]
    assert proposed == CONTEXTS
    command, data = b"", b""
    for encoded in sent:
        assert longest == 0 or len(encoded) - 6 <= longest
        pdu = P_DATA_TF()
        pdu.decode(encoded)
        for item in pdu.presentation_data_value_items:
            value = item.presentation_data_value or b""
            is_command, is_last = value[0] & 1, value[0] & 2
            command, data = (
                (command + value[1:], data) if is_command else (command, data + value[1:])
            )
            assert bool(is_last) == (encoded is sent[-1] if not is_command else b"1.2.3" in command)
    assert data == content
    elements = decode(io.BytesIO(command), is_implicit_vr=True, is_little_endian=True)
    assert (elements.AffectedSOPInstanceUID, elements.CommandField) == ("1.2.3", 1)
    assert elements.AffectedSOPClassUID == CT
    assert elements.CommandGroupLength == len(command) - 12
    assert released[0] == 5


@given(said=st.binary(max_size=200), how=st.sampled_from(["first", "later", "cut"]))
def test_whatever_a_peer_says_ends_in_an_error_of_the_peer(said: bytes, how: str) -> None:
    before = {"first": b"", "later": accept(0), "cut": accept(0)[: len(said)]}[how]
    with pytest.MonkeyPatch.context() as patch:
        wire = Wire(before + said, patch)
        with pytest.raises(PeerUnavailableError):
            store(wire.open(), b"data")
        wire.read_pdus()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (answer_store(0, message=2), "something else"),
        (answer_store(0, field=0x8030), "something else"),
        (ABORTED, "ended the association"),
        (bytes.fromhex("05000000000400000000"), "ended the association"),
        (b"\4\0\0\0\0\6\0\0\0\x09\1\3", "cannot be read"),
        (b"\4\0\xff\xff\xff\xff", "has no end"),
        (b"", "did not answer"),
    ],
)
def test_an_answer_to_nothing_is_none(
    said: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(accept(0) + said, monkeypatch)
    association = wire.open()
    with pytest.raises(AssociationBrokenError, match=words):
        store(association, b"data")
    assert not association.open
    wire.read_pdus()


def _reject() -> bytes:
    rejection = A_ASSOCIATE_RJ()
    rejection.result, rejection.source, rejection.reason_diagnostic = 2, 3, 2
    return bytes(rejection.encode())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (_reject, "Rejected.*Local limit exceeded"),
        (lambda: ABORTED, "aborted"),
        (lambda: b"", "did not answer"),
        (lambda: b"HTTP/1.1 400 Bad Request\r\n", "does not speak DICOM"),
    ],
)
def test_a_peer_that_takes_no_association_is_down(
    said: Callable[[], bytes], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(said(), monkeypatch)
    with pytest.raises(PeerDownError, match=words):
        wire.open()
    wire.read_pdus()


def _cut_item() -> bytes:
    return _measure(accept(0)[:-3])


def _leave_user_information_out() -> bytes:
    said = accept(0)
    return _measure(said[: said.index(USER_INFORMATION)])


def _measure(pdu: bytes) -> bytes:
    """Return a PDU with its true length."""
    return pdu[:2] + (len(pdu) - 6).to_bytes(4) + pdu[6:]


@pytest.mark.parametrize(
    "said",
    [
        _cut_item,
        _leave_user_information_out,
        lambda: _reject()[:7] + b"\x09" + _reject()[8:],  # no such result
        lambda: _measure(_reject()[:8]),
    ],
)
def test_a_peer_whose_answer_is_malformed_is_down(
    said: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(said(), monkeypatch)
    with pytest.raises(PeerDownError, match="cannot be read"):
        wire.open()
    wire.read_pdus()


def test_only_what_is_accepted_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(accept(0, results=(4, 0)) + RELEASED, monkeypatch)
    association = wire.open()
    assert association.accepted == {(CT, IMPLICIT): 3}
    association.release()
    wire.read_pdus()


def test_a_file_that_became_shorter_is_not_sent_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire = Wire(accept(0) + answer_store(0), monkeypatch)
    association = wire.open()
    with pytest.raises(ReadError, match="shorter"):
        store(association, b"data", said_size=5)
    assert wire.read_pdus()[-1][0] == 7


def test_a_peer_that_cannot_be_connected_to_is_down() -> None:
    with pytest.raises(PeerDownError, match="connected to: Connection refused"):
        Association(
            ("127.0.0.1", 1), calling="US", called="PEER", contexts=CONTEXTS, connect_seconds=5,
            timeout=5,
        )  # fmt: skip
