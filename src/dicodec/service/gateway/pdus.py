"""The bytes of an association: PDUs (PS3.8 9.3), and the command sets in them (PS3.7 6.3.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)

from dicodec.model.implementation import CLASS_UID, VERSION_NAME

type Context = tuple[str, str]
"""UIDs of a SOP class and of a transfer syntax: what a presentation context proposes here."""

ASSOCIATE_ACCEPTED, ASSOCIATE_REJECTED, DATA, RELEASE_REQUEST, RELEASE_RESPONSE, ABORT = range(2, 8)
"""Types of PDUs (PS3.8 9.3.1)."""

_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

_OURS_LONGEST = 16382
"""Variable length of the PDUs that we take; answers are short."""

HEADER = struct.Struct(">BxI")
FRAGMENT_HEADER = struct.Struct(">BxIIBB")
_ELEMENT_HEADER = struct.Struct("<HHI")

VERIFICATION = "1.2.840.10008.1.1"
"""UID of the SOP class of C-ECHO."""

COMMAND, LAST = 0x01, 0x02
"""Bits of a message control header (PS3.8 E.2)."""

_STORE_REQUEST, STORE_RESPONSE, _ECHO_REQUEST, ECHO_RESPONSE = 0x0001, 0x8001, 0x0030, 0x8030
"""Command Fields (PS3.7 E.1)."""

_CLASS, _FIELD, _MESSAGE, _ANSWERED, _PRIORITY = 0x0002, 0x0100, 0x0110, 0x0120, 0x0700
_DATA_SET_TYPE, STATUS, ERROR_COMMENT, _INSTANCE = 0x0800, 0x0900, 0x0902, 0x1000
"""Elements of group 0000 (PS3.7 E.1)."""

_MEDIUM, _NO_DATA_SET, _WITH_DATA_SET = 0x0000, 0x0101, 0x0001


def encode_request(calling: str, called: str, contexts: Sequence[Context]) -> bytes:
    """Return an A-ASSOCIATE-RQ (PS3.8 9.3.2); the context at an index n has the id 2n + 1."""
    request = A_ASSOCIATE()
    request.application_context_name = UID(_APPLICATION_CONTEXT)
    request.calling_ae_title, request.called_ae_title = calling, called
    proposed = []
    for at, context in enumerate(contexts):
        proposed.append(build_context(*context))
        proposed[-1].context_id = 2 * at + 1
    request.presentation_context_definition_list = proposed
    longest, implementation, version = (
        MaximumLengthNotification(),
        ImplementationClassUIDNotification(),
        ImplementationVersionNameNotification(),
    )
    longest.maximum_length_received = _OURS_LONGEST
    implementation.implementation_class_uid = UID(CLASS_UID)
    version.implementation_version_name = VERSION_NAME
    request.user_information = [longest, implementation, version]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(request)
    return bytes(pdu.encode())


def encode_control(kind: int) -> bytes:
    """Return an A-RELEASE-RQ, an A-RELEASE-RP, or an A-ABORT of a user: none says more."""
    return HEADER.pack(kind, 4) + bytes(4)


def _pad(uid: str) -> bytes:
    content = uid.encode("ascii")
    return content + b"\0" * (len(content) % 2)


def encode_store_request(message: int, sop_class: str, instance: str) -> bytes:
    """Return the command set of a C-STORE-RQ (PS3.7 9.3.1.1).

    Args:
        message: Message ID.
        sop_class: Affected SOP Class UID.
        instance: Affected SOP Instance UID.
    """
    return _encode_command({
        _CLASS: _pad(sop_class),
        _FIELD: _STORE_REQUEST,
        _MESSAGE: message,
        _PRIORITY: _MEDIUM,
        _DATA_SET_TYPE: _WITH_DATA_SET,
        _INSTANCE: _pad(instance),
    })  # fmt: skip


def encode_echo_request(message: int) -> bytes:
    """Return the command set of a C-ECHO-RQ (PS3.7 9.3.5.1)."""
    return _encode_command({
        _CLASS: _pad(VERIFICATION),
        _FIELD: _ECHO_REQUEST,
        _MESSAGE: message,
        _DATA_SET_TYPE: _NO_DATA_SET,
    })  # fmt: skip


def is_answer(answer: Mapping[int, bytes], field: int, message: int) -> bool:
    """Return whether a command set answers a message; some peers do not name it.

    Args:
        answer: its values by element number.
        field: Command Field that an answer has.
        message: Message ID of the message.
    """
    named = _read_number(answer, _ANSWERED)
    return _read_number(answer, _FIELD) == field and named in {message, None}


def _encode_command(elements: Mapping[int, int | bytes]) -> bytes:
    """Return a command set in implicit VR little endian (PS3.7 6.3.1)."""
    parts = []
    for number, value in elements.items():
        content = value if isinstance(value, bytes) else value.to_bytes(2, "little")
        parts.append(_ELEMENT_HEADER.pack(0, number, len(content)) + content)
    encoded = b"".join(parts)
    return _ELEMENT_HEADER.pack(0, 0, 4) + len(encoded).to_bytes(4, "little") + encoded


def decode_command(encoded: bytes | bytearray) -> dict[int, bytes]:
    """Return the values of a command set by element number.

    Raises:
        struct.error, ValueError: it is no command set.
    """
    elements: dict[int, bytes] = {}
    at = 0
    while at < len(encoded):
        group, number, length = _ELEMENT_HEADER.unpack_from(encoded, at)
        at += _ELEMENT_HEADER.size
        if group or length > len(encoded) - at:
            raise ValueError(encoded)
        elements[number] = bytes(encoded[at : at + length])
        at += length
    return elements


def _read_number(answer: Mapping[int, bytes], number: int) -> int | None:
    value = answer.get(number, b"")
    return int.from_bytes(value, "little") if len(value) == 2 else None


def split_command(command: bytes, longest: int, context: int) -> Iterator[bytes]:
    """Yield the PDUs of a command set."""
    for start in range(0, len(command), longest):
        part = command[start : start + longest]
        control = COMMAND | (LAST if start + longest >= len(command) else 0)
        header = FRAGMENT_HEADER.pack(DATA, len(part) + 6, len(part) + 2, context, control)
        yield header + part


def split_data(pdu: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the message control header and the bytes of each fragment of a P-DATA-TF.

    Raises:
        struct.error, ValueError: it is none.
    """
    at = HEADER.size
    while at < len(pdu):
        length, _, control = struct.unpack_from(">IBB", pdu, at)
        end = at + 4 + length
        if length < 2 or end > len(pdu):
            raise ValueError(pdu)
        yield control, pdu[at + 6 : end]
        at = end


def read_status(answer: Mapping[int, bytes]) -> int | None:
    """Return the Status (0000,0900) of an answer; None if it has none."""
    return _read_number(answer, STATUS)
