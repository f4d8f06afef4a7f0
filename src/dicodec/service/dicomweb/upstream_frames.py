"""Single frames of another server's large instances, fetched without the instance."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.requests import Request

from dicodec.batch.pool.messages import WorkContext
from dicodec.errors import DicodecError
from dicodec.images.single_frame import make_file_of_stream
from dicodec.model.records import dataclass
from dicodec.part10.beneath import Beneath
from dicodec.service.dicomweb.frame_facts import FrameFacts, read_facts
from dicodec.service.dicomweb.instance_cache import InstanceCache
from dicodec.service.dicomweb.media_types import DICOM_JSON, OCTETS
from dicodec.service.dicomweb.multipart_reader import (
    MultipartError,
    MultipartReader,
    PartBegins,
    PartData,
    PartEnds,
    read_content_type,
)
from dicodec.service.dicomweb.opened_files import InstancePlace, get_opened_files
from dicodec.service.dicomweb.part_files import create, write_all
from dicodec.service.dicomweb.sources import Target
from dicodec.service.dicomweb.upstream import TooLargeError, Upstream, check_answer
from dicodec.service.dicomweb.works import Works
from dicodec.service.web.disk_room import DiskRoom

LEAST_SIZE = 16 << 20
"""Bytes of an instance whose frames may be fetched one by one. Whole ones are fetched up to as many
bytes first, because to ask for their metadata costs as much, and most instances are small."""

_AS_STORED = f'multipart/related; type="{OCTETS}"; transfer-syntax=*'
_LARGEST_METADATA = 8 << 20
_LARGEST_FRAME = 16 << 20
"""Bytes of the samples of a frame, whose stream is held in memory."""

_LASTS = 300.0
"""Seconds for which is remembered what metadata say."""

_REFUSAL_LASTS = 3600.0
"""Seconds in which a server is not asked for frames that does not send them, or takes as long as
for whole instances: Orthanc 1.10 reads all of a file for each frame."""

_MOST_KNOWN = 1000
_NOT_ANSWERED = frozenset({400, 405, 406, 415, 500, 501})
"""Statuses of a server that does not send frames as they are stored."""
_NUMBER = re.compile(r"/frames/([0-9]+)/?$")


class _UnsureFrameError(Exception):
    """What the other server says about a frame does not fit, or is not enough."""


@dataclass(slots=True)
class _Known:
    """What is known of an instance.

    Attributes:
        facts: what metadata say; None if it is fetched whole.
        until: for how long, by time.monotonic().
        spent: seconds for which the server was waited for, because it is not fetched whole.
        whole: seconds that to fetch it whole may take; 0 if that cannot be said yet.
    """

    facts: FrameFacts | None
    until: float
    spent: float = 0.0
    whole: float = 0.0


@dataclass(frozen=True, slots=True)
class _CheckItem:
    """A file of one frame that was made of what another server has sent.

    Attributes:
        place: the file.
        facts: what its metadata say.
        syntax: UID of the transfer syntax that the server has stated.
    """

    place: InstancePlace
    facts: FrameFacts
    syntax: str


def check_frame_file(settings: None, item: _CheckItem, context: WorkContext) -> bool:  # noqa: ARG001
    """Return whether a frame is as it is described; a work of the pool.

    Whatever a file needs to be repaired for is a contradiction here.
    """
    try:
        file = get_opened_files().open(item.place).file
        described = file.frames.image
    except DicodecError:
        return False
    image = item.facts.image
    same = (
        described.shape == image.shape
        and described.dtype == image.dtype
        and described.bits_stored == image.bits_stored
        and described.photometric_interpretation == image.photometric_interpretation
    )
    plain = not file.oddities and not file.corrections and described.number_of_frames == 1
    return same and plain and file.syntax.uid == item.syntax


class UpstreamFrames:
    """Fetches single frames, each kept as a file of its own beside whole instances.

    Args:
        upstream: the server.
        works: the pool.
        cache: of instances and frames.
        folder: its folder.
        room: says whether the disk has room for more.
        fetch_whole: writes an instance to a path; raises TooLargeError if it has more than a number
            of bytes.
    """

    def __init__(
        self,
        upstream: Upstream,
        works: Works,
        cache: InstanceCache,
        folder: Path,
        room: DiskRoom,
        fetch_whole: Callable[[Target, dict[str, str], Path, int], Awaitable[None]],
    ) -> None:
        self._upstream = upstream
        self._works = works
        self._cache = cache
        self._folder = folder
        self._room = room
        self._fetch_whole = fetch_whole
        self._known: OrderedDict[tuple[str, ...], _Known] = OrderedDict()
        self._asking: dict[tuple[str, ...], asyncio.Lock] = {}
        self._refused_until = 0.0
        self._parsing = asyncio.Lock()  # JSON takes 20 times its bytes of memory

    @asynccontextmanager
    async def find_frame(
        self, target: Target, frame: int, request: Request
    ) -> AsyncGenerator[InstancePlace | None]:
        """Yield a file of one frame, or None to take the whole instance: see `FrameFinder`."""
        headers = self._upstream.identify(request)
        key = self._upstream.make_key(target, headers)
        facts = None
        if not self._cache.holds(key) and self._refused_until < time.monotonic():
            known = await self._find_facts(target, headers, key)
            facts = known.facts
        if facts is None or frame >= facts.image.number_of_frames:
            yield None
            return

        async def fetch(path: Path) -> None:
            size, seconds = await self._fetch(target, frame, headers, facts, path)
            self._note_time(known, size * facts.image.number_of_frames, seconds)

        use = self._cache.use((*key, str(frame)), fetch)
        try:
            file = await use.__aenter__()
        except _UnsureFrameError:
            known.facts = None
            yield None
            return
        try:
            yield self._place(file.path, target)
        finally:
            await use.__aexit__(None, None, None)

    def _place(self, path: Path, target: Target) -> InstancePlace:
        return InstancePlace(Beneath(str(self._folder), path.name), "", target.instance)

    async def _find_facts(
        self, target: Target, headers: dict[str, str], key: tuple[str, ...]
    ) -> _Known:
        """Return what is known of an instance; it may have been fetched whole on the way."""
        lock = self._asking.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                known = self._known.get(key)
                if known is None or known.until < time.monotonic():
                    known = await self._ask(target, headers, key)
                    self._known[key] = known
                    self._known.move_to_end(key)
                    while len(self._known) > _MOST_KNOWN:
                        self._known.popitem(last=False)
                return known
        finally:
            if not lock.locked():
                self._asking.pop(key, None)

    async def _ask(self, target: Target, headers: dict[str, str], key: tuple[str, ...]) -> _Known:
        async def fetch(path: Path) -> None:
            await self._fetch_whole(target, headers, path, LEAST_SIZE)

        facts = None
        try:
            async with self._cache.use(key, fetch):
                began = time.monotonic()
        except TooLargeError:
            began = time.monotonic()
            facts = await self._ask_for_facts(target, headers)
        if facts is not None and not _pays(facts):
            facts = None
        now = time.monotonic()
        return _Known(facts, now + _LASTS, now - began)

    def _note_time(self, known: _Known, size: int, seconds: float) -> None:
        """Note how long a frame took; the instance is fetched whole once that costs no more.

        So never more than twice the time is spent that would have been enough.

        Args:
            known: of the instance.
            size: about as many bytes has it.
            seconds: for which the server was waited for.
        """
        first = not known.whole
        known.whole = size / self._upstream.rate
        known.spent += seconds
        if known.spent > known.whole:
            known.facts = None
        if first and known.spent > known.whole / 2:
            self._refused_until = time.monotonic() + _REFUSAL_LASTS

    async def _ask_for_facts(self, target: Target, headers: dict[str, str]) -> FrameFacts | None:
        wanted = {**headers, "Accept": DICOM_JSON}
        async with self._upstream.ask("GET", f"{target.path}/metadata", wanted) as answer:
            if answer.status_code in {401, 403, 429, 503}:
                await check_answer(answer)
            if answer.status_code != 200:
                return None
            body = await self._upstream.read_up_to(answer, _LARGEST_METADATA)
        if body is None:
            return None
        async with self._parsing:
            return await asyncio.to_thread(read_facts, body, target)

    async def _fetch(
        self, target: Target, frame: int, headers: dict[str, str], facts: FrameFacts, path: Path
    ) -> tuple[int, float]:
        """Write a file of a frame, and return how many bytes were fetched for it, in what time.

        Raises:
            _UnsureFrameError: it is not sure that it is the frame.
            Refusal: the other server refuses, is busy, or cannot be reached.
        """
        wanted = {**headers, "Accept": _AS_STORED}
        where = f"{target.path}/frames/{frame + 1}"
        began = time.monotonic()
        async with self._upstream.ask("GET", where, wanted) as answer:
            if answer.status_code in {401, 403, 429, 503}:
                await check_answer(answer)
            if answer.status_code in _NOT_ANSWERED:
                self._refused_until = time.monotonic() + _REFUSAL_LASTS
            if answer.status_code != 200:
                raise _UnsureFrameError
            body = await self._upstream.read_up_to(answer, facts.largest_part)
            kind, _, boundary = read_content_type(answer.headers.get("content-type", ""))
        if body is None or kind != "multipart/related":
            raise _UnsureFrameError
        seconds = time.monotonic() - began
        part, content = _split(body, boundary)
        syntax = facts.find_syntax(part.headers.get("content-type", ""), len(content))
        named = _NUMBER.search(part.headers.get("content-location", ""))
        if syntax is None or (named is not None and int(named[1]) != frame + 1):
            raise _UnsureFrameError
        made = make_file_of_stream(facts.image, syntax, facts.sop_class, target.instance, content)
        self._room.check(len(made))
        await asyncio.to_thread(_write, path, made)
        item = _CheckItem(self._place(path, target), facts, syntax.uid)
        if not await self._works.carry_out(check_frame_file, item):
            raise _UnsureFrameError
        return len(content), seconds


def _pays(facts: FrameFacts) -> bool:
    """Return whether single frames cost less than the instance, and not too much memory."""
    frame, number = facts.image.native_frame_size, facts.image.number_of_frames
    return number > 1 and frame <= _LARGEST_FRAME


def _write(path: Path, content: bytes) -> None:
    with create(path) as out:
        write_all(out, content)


def _split(body: bytes, boundary: str) -> tuple[PartBegins, bytes]:
    """Return the only part of a payload.

    Raises:
        _UnsureFrameError: it is cut off, or has another number of parts.
    """
    try:
        reader = MultipartReader(boundary)
        events = reader.feed(body)
    except MultipartError:
        raise _UnsureFrameError from None
    begun = [event for event in events if isinstance(event, PartBegins)]
    if not reader.over or len(begun) != 1 or sum(isinstance(one, PartEnds) for one in events) != 1:
        raise _UnsureFrameError
    content = b"".join(event.content for event in events if isinstance(event, PartData))
    if begun[0].headers.get("content-length", str(len(content))) != str(len(content)):
        raise _UnsureFrameError
    return begun[0], content
