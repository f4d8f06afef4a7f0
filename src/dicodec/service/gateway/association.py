"""An association that we have requested, in the thread that uses it (PS3.8 section 9).

pynetdicom knows the PDUs of its negotiation. It is not used for the rest, because each of its
associations has two threads that look for work a thousand times a second, and a queue without
bounds between them: an object of 40 kB costs 5 ms of processor time more than here, and one of 1 GB
takes 0.4 GB of memory.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ

from dicodec.errors import PeerUnavailableError, ReadError
from dicodec.service.gateway.pdus import (
    ABORT,
    ASSOCIATE_ACCEPTED,
    ASSOCIATE_REJECTED,
    COMMAND,
    DATA,
    ECHO_RESPONSE,
    FRAGMENT_HEADER,
    HEADER,
    LAST,
    RELEASE_REQUEST,
    RELEASE_RESPONSE,
    STORE_RESPONSE,
    Context,
    decode_command,
    encode_control,
    encode_echo_request,
    encode_request,
    encode_store_request,
    is_answer,
    read_status,
    split_command,
    split_data,
)
from dicodec.service.gateway.sender import PeerDownError

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from io import FileIO
    from typing import NoReturn

_LONGEST_PDU = 1 << 20
"""Length of a PDU that is no answer to anything of ours."""

_LONGEST_FRAGMENT = 128 * 1024 - 18
"""Bytes of a fragment for a peer that states no limit, or a huge one."""

_BUFFER = 256 * 1024
"""Bytes that are read of an object, and sent, at once."""

_UNREADABLE = (
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pynetdicom raises of a PDU that is malformed, an item cut short for example."""

_RELEASE_SECONDS = 5.0
"""How long a peer may take to answer a release."""


class AssociationBrokenError(PeerUnavailableError):
    """An association ended, or a peer did not keep to the protocol, within a message."""


class Association:
    """An association with a peer, opened when this object is made.

    Args:
        address: host and port.
        calling, called: our AE title, and the peer's.
        contexts: a presentation context for each, at most 128, in the order of preference.
        connect_seconds, timeout: seconds that connecting, and each answer, may take.
        tls: TLS context and the name in the peer's certificate; None for plain TCP.

    Attributes:
        accepted: ids of the presentation contexts that the peer accepts.

    Raises:
        PeerDownError: the peer cannot be reached, rejects the association, or does not answer.
    """

    def __init__(
        self,
        address: tuple[str, int],
        *,
        calling: str,
        called: str,
        contexts: Sequence[Context],
        connect_seconds: float,
        timeout: float,
        tls: tuple[ssl.SSLContext, str] | None = None,
    ) -> None:
        self.accepted: Mapping[Context, int] = {}
        self._timeout = timeout
        self._incoming = bytearray()
        self._message = 0
        self._buffer = memoryview(bytearray(_BUFFER))
        self._longest_fragment = _LONGEST_FRAGMENT
        self._socket: socket.socket | None = _connect(address, connect_seconds, timeout, tls)
        try:
            self._negotiate(calling, called, contexts)
        except BaseException:
            self.abort()
            raise

    def _negotiate(self, calling: str, called: str, contexts: Sequence[Context]) -> None:
        try:
            self._send(encode_request(calling, called, contexts))
            kind, content = self._read_pdu()
        except AssociationBrokenError as error:
            raise PeerDownError(error.message) from error
        if kind not in {ASSOCIATE_ACCEPTED, ASSOCIATE_REJECTED}:
            raise PeerDownError("the peer aborted the association while it was asked for")
        try:
            if kind == ASSOCIATE_REJECTED:
                self._take_rejection(content)
            self._take_acceptance(content, contexts)
        except _UNREADABLE as cause:
            raise PeerDownError("the peer's answer to the association cannot be read") from cause

    def _take_rejection(self, content: bytes) -> NoReturn:
        rejection = A_ASSOCIATE_RJ()
        rejection.decode(content)
        words = f"{rejection.result_str}, {rejection.reason_str}"
        self._drop()
        raise PeerDownError(f"the peer rejected the association: {words}")

    def _take_acceptance(self, content: bytes, contexts: Sequence[Context]) -> None:
        answer = A_ASSOCIATE_AC()
        answer.decode(content)
        if answer.user_information is None:
            raise ValueError(content)
        proposed = {2 * at + 1: context for at, context in enumerate(contexts)}
        self.accepted = {
            proposed[item.context_id]: item.context_id
            for item in answer.presentation_context
            if item.result == 0 and item.context_id is not None
        }
        longest = answer.user_information.maximum_length or _LONGEST_FRAGMENT
        # A fragment has an even length (PS3.8 E.1), and a header of 6 bytes.
        self._longest_fragment = max(2, min(longest - 6, _LONGEST_FRAGMENT) & ~1)

    @property
    def open(self) -> bool:
        """Whether it is open; messages of the peer that came meanwhile are read first."""
        if self._socket is None:
            return False
        try:
            self._socket.settimeout(0)
            said = self._socket.recv(HEADER.size)
        except (BlockingIOError, ssl.SSLWantReadError):
            self._socket.settimeout(self._timeout)
            return True
        except OSError:
            said = b""
        if said[:1] == bytes([RELEASE_REQUEST]):
            self._answer_release()
        self._drop()  # a peer that was not asked has only this to say, or breaks the protocol
        return False

    # Messages.

    def store(
        self, context: int, sop_class: str, instance: str, file: FileIO, size: int
    ) -> Mapping[int, bytes]:
        """Send an object with C-STORE (PS3.7 9.3.1).

        Args:
            context: id of the presentation context.
            sop_class: Affected SOP Class UID.
            instance: Affected SOP Instance UID.
            file: unbuffered, at the start of the data set.
            size: bytes of the data set.

        Returns:
            The values of the answer's command set, by element number in group 0000.

        Raises:
            AssociationBrokenError: the association ended, or the peer did not answer.
            ReadError: the file ended before that, and the association with it.
        """
        self._message = self._message % 0xFFFF + 1
        command = encode_store_request(self._message, sop_class, instance)
        at = 0
        for fragment in split_command(command, self._longest_fragment, context):
            self._buffer[at : at + len(fragment)] = fragment
            at += len(fragment)
        while True:
            at, size = self._fill(at, context, file, size)
            self._send(self._buffer[:at])
            if not size:
                return self._read_answer(STORE_RESPONSE)
            at = 0

    def _fill(self, at: int, context: int, file: FileIO, left: int) -> tuple[int, int]:
        """Fill the buffer from an offset on with PDUs; return its end, and the bytes left."""
        room = self._buffer
        while left:
            length = min(left, self._longest_fragment)
            start = at + FRAGMENT_HEADER.size
            if start + length > len(room):
                break
            left -= length
            FRAGMENT_HEADER.pack_into(
                room, at, DATA, length + 6, length + 2, context, 0 if left else LAST
            )
            at = start + length
            if file.readinto(room[start:at]) != length:
                self.abort()
                raise ReadError("the object's file has become shorter while it was sent")
        return at, left

    def echo(self, context: int) -> int | None:
        """Verify the peer with C-ECHO, and return the status; None if the answer has none.

        Raises:
            AssociationBrokenError: see `store`.
        """
        self._message = self._message % 0xFFFF + 1
        command = encode_echo_request(self._message)
        self._send(b"".join(split_command(command, self._longest_fragment, context)))
        return read_status(self._read_answer(ECHO_RESPONSE))

    def _read_answer(self, field: int) -> Mapping[int, bytes]:
        command = bytearray()
        while True:
            kind, content = self._read_pdu()
            if kind == RELEASE_REQUEST:
                self._answer_release()
            if kind != DATA:
                self._drop()
                raise AssociationBrokenError("the peer ended the association and did not answer")
            try:
                for control, fragment in split_data(content):
                    if control & COMMAND:
                        command += fragment
                        if control & LAST:
                            return self._check_answer(decode_command(command), field)
            except (struct.error, ValueError) as cause:
                raise self._break("the peer's answer cannot be read") from cause
            if len(command) > _LONGEST_PDU:
                raise self._break("the peer's answer has no end")

    def _check_answer(self, answer: Mapping[int, bytes], field: int) -> Mapping[int, bytes]:
        if not is_answer(answer, field, self._message):
            raise self._break("the peer answered something else")
        return answer

    # The end.

    def release(self) -> None:
        """Release it (PS3.8 7.2), if it is open."""
        if self._socket is None:
            return
        with suppress(AssociationBrokenError):
            self._socket.settimeout(min(self._timeout, _RELEASE_SECONDS))
            self._send(encode_control(RELEASE_REQUEST))
            while (kind := self._read_pdu()[0]) not in {RELEASE_RESPONSE, ABORT}:
                if kind == RELEASE_REQUEST:
                    self._answer_release()
        self._drop()

    def abort(self) -> None:
        """Abort it (PS3.8 7.3), if it is open."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendall(encode_control(ABORT))
        self._drop()

    def _answer_release(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.settimeout(self._timeout)
                self._socket.sendall(encode_control(RELEASE_RESPONSE))

    def _break(self, words: str) -> AssociationBrokenError:
        self.abort()
        return AssociationBrokenError(words)

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # Bytes.

    def _send(self, content: bytes | memoryview) -> None:
        view = memoryview(content)
        if self._socket is None:
            raise AssociationBrokenError("the association has ended")
        try:
            while view:
                view = view[self._socket.send(view) :]
        except TimeoutError as cause:
            raise self._break(f"the peer took nothing for {self._timeout:g} s") from cause
        except OSError as cause:
            self._drop()
            raise AssociationBrokenError("the peer ended the connection") from cause

    def _read_pdu(self) -> tuple[int, bytes]:
        """Return the type of the next PDU, and all of its bytes."""
        self._read_until(HEADER.size)
        kind, length = HEADER.unpack_from(self._incoming)
        if length > _LONGEST_PDU:
            raise self._break("the peer does not speak DICOM, or its answer has no end")
        end = HEADER.size + length
        self._read_until(end)
        content = bytes(self._incoming[:end])
        del self._incoming[:end]
        return kind, content

    def _read_until(self, length: int) -> None:
        while len(self._incoming) < length:
            if self._socket is None:
                raise AssociationBrokenError("the association has ended")
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError as cause:
                raise self._break(f"the peer did not answer for {self._timeout:g} s") from cause
            except OSError as cause:
                self._drop()
                raise AssociationBrokenError("the peer ended the connection") from cause
            if not chunk:
                self._drop()
                raise AssociationBrokenError("the peer ended the connection and did not answer")
            self._incoming += chunk


def _connect(
    address: tuple[str, int],
    connect_seconds: float,
    timeout: float,
    tls: tuple[ssl.SSLContext, str] | None,
) -> socket.socket:
    """Return a connection that sends at once, and waits for some seconds at most.

    Raises:
        PeerDownError: there is none to be had.
    """
    try:
        connection = socket.create_connection(address, connect_seconds)
    except OSError as cause:
        reached = "found" if isinstance(cause, socket.gaierror) else "connected to"
        raise PeerDownError(f"the peer cannot be {reached}: {cause.strerror or cause}") from cause
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if tls is not None:
            context, name = tls
            connection = context.wrap_socket(connection, server_hostname=name)
        connection.settimeout(timeout)
    except OSError as cause:
        connection.close()
        raise PeerDownError(f"TLS with the peer failed: {cause}") from cause
    return connection
