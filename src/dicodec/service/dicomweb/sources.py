"""Where instances come from: the interface of a folder, a bucket, or another server."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from starlette.requests import Request
from starlette.responses import Response

from dicodec.model.records import Protocol, dataclass
from dicodec.service.dicomweb.opened_files import InstancePlace
from dicodec.service.web.error_answers import Refusal

_UID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
"""A UID, and what some devices take for one; as a name it leads to no other folder."""


def is_uid(text: str) -> bool:
    """Return whether a text can be a UID."""
    return _UID.fullmatch(text) is not None


def find_base(request: Request) -> str:
    """Return the URL of the application, as the client has reached it, wherever it is mounted."""
    path = request.scope.get("root_path", "").rstrip("/")
    return str(request.url.replace(path=path, query="", fragment=""))


async def read_body(request: Request, limit: int) -> AsyncGenerator[bytes]:
    """Yield the body of a request in pieces.

    Args:
        request: the request.
        limit: bytes of the body at most.

    Raises:
        Refusal: there are more.
    """
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise Refusal(
                413, f"the request has more than {limit} bytes", headers={"Connection": "close"}
            )
        yield chunk


@dataclass(frozen=True, slots=True)
class Target:
    """The resource of a request: a study, a series or an instance.

    Attributes:
        study: Study Instance UID.
        series: Series Instance UID; "" of a study.
        instance: SOP Instance UID; "" of a study or a series.
    """

    study: str
    series: str = ""
    instance: str = ""

    @property
    def path(self) -> str:
        """Its path below the base URL."""
        named = (("studies", self.study), ("series", self.series), ("instances", self.instance))
        return "".join(f"/{kind}/{uid}" for kind, uid in named if uid)


@dataclass(frozen=True, slots=True)
class FoundInstance:
    """An instance that can be read.

    Attributes:
        target: its UIDs.
        place: where it is, for the works of the pool.
    """

    target: Target
    place: InstancePlace


class FrameFinder(Protocol):
    """Finds single frames of instances that are far away."""

    def find_frame(
        self, target: Target, frame: int, request: Request
    ) -> AbstractAsyncContextManager[InstancePlace | None]:
        """Yield a file of one frame that is an instance's, in the block.

        It yields None if the frame is better taken from the whole instance: then nothing is said
        about whether it is there.

        Args:
            target: the instance.
            frame: its number, from 0.
            request: says who asks.

        Raises:
            Refusal: the other server refuses, is busy, or cannot be reached.
        """


class InstanceSource(Protocol):
    """Where the instances of an application come from."""

    @property
    def other(self) -> Callable[[Request], Awaitable[Response]] | None:
        """What passes on requests for metadata and bulk data to another server; None if none."""

    @property
    def frames(self) -> FrameFinder | None:
        """What finds single frames without their instance; None if nothing does."""

    def find(self, target: Target, request: Request) -> AsyncGenerator[FoundInstance]:
        """Yield the instances of a resource; each can be read until the next one is asked for.

        Raises:
            Refusal: there is none, or the other server does not answer.
            DicodecError: they cannot be had.
        """

    async def search(self, request: Request, target: Target, level: str) -> Response:
        """Answer a search (PS3.18 10.6).

        Args:
            request: of the Search transaction.
            target: the study or series that is searched; empty for all.
            level: of the results, "studies", "series" or "instances".

        Raises:
            Refusal: the query makes no sense, or there is no answer.
        """

    async def store(self, request: Request, study: str) -> Response:
        """Store the instances in a request's body.

        Args:
            request: of the Store transaction (PS3.18 10.5).
            study: Study Instance UID that all have to have; "" for any.
        """

    def find_problem(self) -> str:
        """Return why instances cannot be had; "" if they can."""

    async def stop(self) -> None:
        """Close connections, in the event loop that used them."""

    def close(self) -> None:
        """Release all else that it uses."""
