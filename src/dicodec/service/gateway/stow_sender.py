"""Send objects to a DICOMweb server by STOW-RS (PS3.18 10.5), one in a request, streamed."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import ssl
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import urlsplit

from dicodec.errors import PeerRefusedError, PeerUnavailableError
from dicodec.model import tags
from dicodec.model.settings_files import read_settings
from dicodec.part10.file_meta import read_head
from dicodec.part10.source import OpenSource
from dicodec.service.gateway.config import Peer, StowAddress
from dicodec.service.gateway.sender import PeerDownError, SyntaxRefusedError
from dicodec.service.gateway.tls import make_client_context

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_CHUNK = 1 << 18
_LARGEST_ANSWER = 1 << 20

_OF_THE_SERVER = {401: "our token", 403: "what we send", 404: "the URL", 405: "the URL"}
"""Statuses that say nothing of an object, and pass when somebody mends the configuration."""

_BUSY = frozenset({429, 503})
_SYNTAX_REFUSED, _SYNTAX_REASON = 415, 0xC122
_PASSING_REASON = 0x0110


class StowSender:
    """A connection to a DICOMweb server; see `Sender`.

    Args:
        peer: the peer.
        address: its address.
    """

    def __init__(self, peer: Peer, address: StowAddress) -> None:
        self._peer = peer
        self._address = address
        self._connection: http.client.HTTPConnection | None = None
        self._refused: set[tuple[str, str]] = set()
        self.used = False
        self.opening_since: float | None = None

    @property
    def open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def negotiate(self, sop_class: str, syntaxes: Sequence[str]) -> set[str]:
        """Return all transfer syntaxes but those that the server has refused: see `Sender`."""
        if self._connection is None:
            self._connect()
        return {syntax for syntax in syntaxes if (sop_class, syntax) not in self._refused}

    def _connect(self) -> None:
        parts = urlsplit(self._address.url)
        timeout = self._peer.timeout
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = make_client_context(self._peer.tls) or ssl.create_default_context()
            connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=context)
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
        try:
            connection.connect()
        except OSError as cause:
            raise PeerDownError(f"the server cannot be connected to: {cause}") from cause
        self._connection = connection
        self.used = False

    def send(self, path: str) -> str:
        """Send an object: see `Sender`."""
        boundary = f"dicodec-{secrets.token_hex(16)}"
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Content-Length": str(len(head) + os.stat(path).st_size + len(tail)),  # noqa: PTH116
        }
        answer, content = self._ask("POST", headers, _read_parts(path, head, tail))
        return self._judge(path, answer, content)

    def _ask(
        self, method: str, headers: dict[str, str], body: Iterator[bytes] | None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self._connection
        assert connection is not None
        self.used = True
        url = f"{urlsplit(self._address.url).path}/studies"
        try:
            connection.request(
                method,
                url,
                body,
                {**headers, "Accept": "application/dicom+json", **self._identify()},
            )
            answer = connection.getresponse()
            content = answer.read(_LARGEST_ANSWER)
        except (OSError, http.client.HTTPException) as cause:
            self.close()
            raise PeerUnavailableError(f"the connection to the server broke: {cause!r}") from cause
        if answer.will_close or not answer.isclosed():
            self.close()
        return answer, content

    def _identify(self) -> dict[str, str]:
        if self._address.token_file is None:
            return {}
        try:
            token = read_settings(self._address.token_file).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as cause:
            raise PeerDownError(f"the token cannot be read: {cause}") from cause
        return {"Authorization": f"Bearer {token}"}

    def _judge(self, path: str, answer: http.client.HTTPResponse, content: bytes) -> str:
        """Return the server's warning about an object that it has stored.

        Raises:
            PeerUnavailableError, PeerRefusedError: it has not.
        """
        status = answer.status
        self._check_server(answer)
        instance, syntax, sop_class = _read_meta(path)
        failed, warned = _read_results(content, instance)
        if status in {200, 202} and failed is None:
            return f"status {status}, reason 0x{warned:04X}" if warned is not None else ""
        if status == _SYNTAX_REFUSED or failed == _SYNTAX_REASON:
            self._refused.add((sop_class, syntax))
            raise SyntaxRefusedError("the server does not take the transfer syntax")
        text = f"status {status}" + (f", reason 0x{failed:04X}" if failed is not None else "")
        if failed is not None and (failed >> 8 == 0xA7 or failed == _PASSING_REASON):
            raise PeerUnavailableError(f"the server lacks resources, {text}")
        if status >= 500 or status == http.client.REQUEST_TIMEOUT:
            raise PeerUnavailableError(f"the server failed, {text}")
        raise PeerRefusedError(f"the server refuses the object, {text}")

    def _check_server(self, answer: http.client.HTTPResponse) -> None:
        """Check that the answer is about the object, and not about the server.

        Raises:
            PeerDownError: it is about the server.
        """
        status = answer.status
        if status in _BUSY:
            raise PeerDownError(f"the server is busy, status {status}", _read_pause(answer))
        if status in _OF_THE_SERVER:
            raise PeerDownError(f"the server refuses {_OF_THE_SERVER[status]}, status {status}")
        if 300 <= status < 400:
            raise PeerDownError(f"the server is elsewhere, status {status}")

    def echo(self) -> None:
        """Ask the server for its options: see `Sender`."""
        if self._connection is None:
            self._connect()
        answer, _ = self._ask("OPTIONS", {}, None)
        if answer.status in {401, 403} or answer.status >= 500:
            raise PeerUnavailableError(f"the server answers with status {answer.status}")

    def close(self) -> None:
        """Close the connection: see `Sender`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _read_parts(path: str, head: bytes, tail: bytes) -> Iterator[bytes]:
    yield head
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - it is hot
        while chunk := file.read(_CHUNK):
            yield chunk
    yield tail


def _read_meta(path: str) -> tuple[str, str, str]:
    """Return UIDs of an object's file meta: SOP instance, transfer syntax, SOP class."""
    with OpenSource(path) as source:
        head = read_head(source)
    return (
        head.read_text(tags.MEDIA_STORAGE_SOP_INSTANCE_UID),
        head.read_text(tags.TRANSFER_SYNTAX_UID),
        head.read_text(tags.MEDIA_STORAGE_SOP_CLASS_UID),
    )


def _read_results(content: bytes, instance: str) -> tuple[int | None, int | None]:
    """Return the reasons of failure and of warning that an answer gives for an object.

    Args:
        content: the answer, in the DICOM JSON model (PS3.18 Annex F); anything else says nothing.
        instance: SOP Instance UID.
    """
    try:
        given = json.loads(content)
    except ValueError:
        return None, None
    given = given[0] if isinstance(given, list) and given else given
    if not isinstance(given, dict):
        return None, None
    failed = _find_reason(given.get("00081198"), instance, "00081197")
    other = _find_reason(given.get("0008119A"), "", "00081197")
    return failed if failed is not None else other, _find_reason(
        given.get("00081199"), instance, "00081196"
    )


def _find_reason(sequence: Any, instance: str, tag: str) -> int | None:
    """Return the reason that a sequence has for an object; for any if no object is given."""
    for item in _read_values(sequence):
        if not isinstance(item, dict):
            continue
        if instance and _read_values(item.get("00081155"))[:1] not in ([instance], []):
            continue
        reasons = _read_values(item.get(tag))
        if reasons and isinstance(reasons[0], int):
            return reasons[0]
    return None


def _read_values(element: Any) -> list[Any]:
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def _read_pause(answer: http.client.HTTPResponse) -> float:
    """Return the seconds of Retry-After (RFC 9110 10.2.3); 0 if there is none."""
    text = (answer.getheader("Retry-After") or "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    except (ValueError, TypeError):
        return 0.0
