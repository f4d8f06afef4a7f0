"""Store instances in a folder: the Store transaction of STOW-RS (PS3.18 10.5, Annex I)."""

from __future__ import annotations

import asyncio
import filecmp
import os
import uuid
from contextlib import aclosing
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import DicodecError, DiskFullError, WriteError
from dicodec.model.records import dataclass, field
from dicodec.part10.beneath import Beneath, pin_target, sync_names
from dicodec.service.dicomweb.media_types import DICOM, DICOM_JSON
from dicodec.service.dicomweb.multipart_reader import (
    MultipartError,
    MultipartReader,
    read_content_type,
)
from dicodec.service.dicomweb.opened_files import InstancePlace
from dicodec.service.dicomweb.part_files import write_parts
from dicodec.service.dicomweb.sources import Target, is_uid, read_body
from dicodec.service.dicomweb.work import InstanceFacts, describe_instance
from dicodec.service.dicomweb.works import Works
from dicodec.service.web.disk_room import DiskRoom
from dicodec.service.web.error_answers import Refusal

PART_PREFIX = ".dicodec-stow-"
"""What names of files begin with that are being received; listing a folder passes over them."""

_NOT_UNDERSTOOD, _PROCESSING_FAILURE = 0xC000, 0x0110
_OTHER_STUDY, _DUPLICATE, _NO_ROOM = 0xC409, 0x0111, 0xA700
"""Failure Reasons (PS3.18 Table I.2-2, PS3.7 Annex C); 0xC409 says what dcm4che means by it: the
instance is of another study than the URL."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one part.

    Attributes:
        facts: the instance; None if it cannot be read.
        reason: Failure Reason; 0 if it is stored.
        file: name and version, for the index; None if it is not stored.
    """

    facts: InstanceFacts | None
    reason: int = 0
    file: tuple[str, str] | None = None


@dataclass(slots=True)
class Stored:
    """What became of a request's parts.

    Attributes:
        outcomes: one for each part.
    """

    outcomes: list[_Outcome] = field(default_factory=list)

    @property
    def files(self) -> list[tuple[str, str]]:
        """Names and versions of the stored files, for the index."""
        return [one.file for one in self.outcomes if one.file is not None]

    def answer(self, base: str, study: str) -> Response:
        """Return the answer: 200 if all are stored, 202 if some are, 409 if none is."""
        done = [one for one in self.outcomes if not one.reason]
        failed = [one for one in self.outcomes if one.reason]
        content: dict[str, Any] = {}
        if study:
            content["00081190"] = _write("UR", f"{base}/studies/{study}")
        named = [_refer(one.facts, 0x1197, one.reason) for one in failed if one.facts]
        others = [{"00081197": _write("US", one.reason)} for one in failed if not one.facts]
        stored = [
            _refer(one.facts, 0x1190, f"{base}{_find_target(one.facts).path}")
            for one in done
            if one.facts
        ]
        for tag, items in (("00081198", named), ("00081199", stored), ("0008119A", others)):
            if items:
                content[tag] = {"vr": "SQ", "Value": items}
        status = 200 if not failed else 202 if done else 409
        return JSONResponse(content, status_code=status, media_type=DICOM_JSON)


def _refer(facts: InstanceFacts, element: int, value: int | str) -> dict[str, Any]:
    return {
        "00081150": _write("UI", facts.sop_class),
        "00081155": _write("UI", facts.instance),
        f"0008{element:04X}": _write("US" if isinstance(value, int) else "UR", value),
    }


def _write(vr: str, value: int | str) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


def _find_target(facts: InstanceFacts) -> Target:
    return Target(facts.study, facts.series, facts.instance)


class FolderStore:
    """Stores instances in a folder, as STUDY/SERIES/INSTANCE.dcm; nothing is overwritten.

    Args:
        folder: path of the folder, without links.
        works: the pool, which reads what was received.
        room: says whether the disk has room for more.
        limit: bytes of a request at most.
    """

    def __init__(self, folder: str, works: Works, room: DiskRoom, limit: int) -> None:
        self._folder = folder
        self._works = works
        self._room = room
        self._limit = limit
        for left in Path(folder).glob(f"{PART_PREFIX}*"):  # of a service that was killed
            left.unlink(missing_ok=True)

    async def store(self, request: Request, study: str) -> Stored:
        """Store the instances in a request's body; each is whole on the disk, or not at all.

        Args:
            request: of the Store transaction.
            study: Study Instance UID that all have to have; "" for any.

        Raises:
            Refusal: the request is none of the kind, or too large; what was stored before stays.
        """
        kind, inner, boundary = read_content_type(request.headers.get("content-type", ""))
        if kind != "multipart/related" or inner not in {"", DICOM}:
            raise Refusal(
                415,
                "instances are stored from multipart/related of application/dicom",
                hint=f'Content-Type: multipart/related; type="{DICOM}"; boundary=...',
            )
        stored = Stored()
        try:
            reader = MultipartReader(boundary)
            parts = write_parts(
                read_body(request, self._limit), reader, self._make_path, self._room, synced=True
            )
            async with aclosing(parts) as written:
                async for path in written:
                    try:
                        stored.outcomes.append(await self._keep(path, study))
                    finally:
                        path.unlink(missing_ok=True)
        except MultipartError as error:
            raise Refusal(400, f"the request: {error}") from error
        if not reader.over:
            raise Refusal(400, "the request ends within a part")
        if not stored.outcomes:
            raise Refusal(400, "the request has no parts")
        return stored

    def _make_path(self) -> Path:
        return Path(self._folder, f"{PART_PREFIX}{uuid.uuid4().hex}")

    async def _keep(self, path: Path, study: str) -> _Outcome:
        """Put a received file into its place, if it is an instance that may have it."""
        place = InstancePlace(Beneath(self._folder, path.name), "", "")
        try:
            facts: InstanceFacts = await self._works.carry_out(describe_instance, place)
        except DicodecError:
            return _Outcome(None, _NOT_UNDERSTOOD)
        if not all(is_uid(one) for one in (facts.study, facts.series, facts.instance)):
            return _Outcome(None, _NOT_UNDERSTOOD)
        if study and facts.study != study:
            return _Outcome(facts, _OTHER_STUDY)
        name = f"{facts.study}/{facts.series}/{facts.instance}.dcm"
        try:
            same = await asyncio.to_thread(_place, path, Beneath(self._folder, name))
        except DiskFullError:
            return _Outcome(facts, _NO_ROOM)
        except WriteError:
            return _Outcome(facts, _PROCESSING_FAILURE)
        if same is None:
            return _Outcome(facts, _DUPLICATE)
        return _Outcome(facts, 0, (name, same))


def _place(path: Path, place: Beneath) -> str | None:
    """Give a file its name, and return its version; None if another file has that name.

    Raises:
        WriteError: it cannot have it.
    """
    with translate_write_errors():
        target = pin_target(place)
        try:
            os.link(path, target)
        except FileExistsError:
            if not filecmp.cmp(path, target, shallow=False):
                return None
        sync_names(target.parent)
        found = os.stat(target)  # noqa: PTH116 - by the open folder
        return f"{found.st_size} {found.st_mtime_ns}"
