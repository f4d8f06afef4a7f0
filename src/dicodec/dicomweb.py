"""DICOMweb as an ASGI application: images of a folder, a bucket or another server.

from dicodec.dicomweb import DicomWeb

app.mount("/dicom-web", DicomWeb("/data/images"))
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from dicodec.conversion.frames.window import count_cores
from dicodec.service.dicomweb.app import DicomWebApp
from dicodec.service.dicomweb.serving import DicomWebOptions, open_dicomweb
from dicodec.service.jobs.confinement import AllowedRoots
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import JobOptions
from dicodec.service.jobs.runtime import share_memory

if TYPE_CHECKING:
    from typing import Self

    from starlette.types import Receive, Scope, Send

__all__ = ["DicomWeb"]


class DicomWeb:
    """An ASGI application that retrieves images in the forms that clients accept (PS3.18).

    It checks nobody's rights: the program that mounts it does. Processes convert; they start with
    the first request, or with the server's lifespan, and end with `aclose()` or `close()`, with the
    lifespan, or with the program.

    Args:
        source: path of a folder; URL of a prefix in a bucket, `s3://bucket/prefix/`; or the base
            URL of a DICOMweb server, `http://pacs:8042/dicom-web`.
        jobs: processes; None for one a core.
        timeout: seconds that one frame or instance may take.
        memory: bytes of memory that one process may use; None for three quarters of the machine's
            in equal parts.
        concurrent: requests that are worked for at once; others wait.
        cache: bytes of a server's instances that are kept for a while.
        token_file: file with a bearer token for that server; without one the clients' own
            Authorization header is passed on to it.

    Raises:
        InvalidOptionError: there is no such folder; at the first request.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        jobs: int | None = None,
        timeout: float = 300.0,
        memory: int | None = None,
        concurrent: int = 16,
        cache: int = 4 << 30,
        token_file: str | None = None,
    ) -> None:
        self._source = os.fspath(source)
        self._jobs = jobs or count_cores()
        self._timeout = timeout
        self._memory = memory or share_memory(self._jobs)
        self._options = DicomWebOptions(concurrent=concurrent, cache=cache, token_file=token_file)
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._app: DicomWebApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or begin and end with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        app = self._app
        if app is None:
            app = await asyncio.to_thread(self._open)
        await app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await asyncio.to_thread(self._open)
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _open(self) -> DicomWebApp:
        with self._lock:
            if self._app is None:
                executor = self._stack.enter_context(
                    Executor(
                        JobOptions(roots=AllowedRoots()),
                        jobs=self._jobs,
                        timeout=self._timeout,
                        memory=self._memory,
                    )
                )
                self._app = self._stack.enter_context(
                    open_dicomweb(self._source, executor, options=self._options)
                )
            return self._app

    async def aclose(self) -> None:
        """Do as `close`, and close the connections to another server, too.

        A program that mounts the application awaits this at the end of its own lifespan, because
        servers begin and end only the outermost application.
        """
        if self._app is not None:
            await self._app.stop()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End the processes, and release everything; once is enough."""
        with self._lock:
            self._app = None
            self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
