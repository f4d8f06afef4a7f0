"""Run the application: listen on an address, handle signals, log the server's messages."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Mapping

import uvicorn

from dicodec.errors import InvalidOptionError
from dicodec.model.platforms import find_ending_signals
from dicodec.service.jobs.logs import Log
from dicodec.service.web.app import NOTHING_MOUNTED, MountedApp, create_app
from dicodec.service.web.pace import PacedProtocol
from dicodec.service.web.service import Service

_CONNECTIONS = 4096
"""Connections at once; how many of them may be worked for, the guard says."""

_ENDING_SECONDS = 10
"""Seconds that requests get to finish when the service ends; jobs get `drain` after that."""


class _ServerLog(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        # No traceback, because it may quote a file.
        self._log.write(record.levelname.lower(), "server", message=record.msg[:200], kind=kind)


def serve(
    service: Service,
    listening: socket.socket,
    announce: Callable[[], None],
    mounted: Mapping[str, MountedApp] = NOTHING_MOUNTED,
) -> None:
    """Serve until a signal.

    Args:
        service: the service.
        listening: its socket.
        announce: tells where the service is, as soon as a signal ends it in order.
        mounted: further applications, by their paths.
    """
    logger = logging.getLogger("uvicorn")
    logger.handlers = [_ServerLog(service.log)]
    logger.propagate = False
    # Its complaints of a form are the client's answer; here they would be lines that are no JSON.
    logging.getLogger("python_multipart").handlers = [logging.NullHandler()]
    config = uvicorn.Config(
        create_app(service, mounted),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_ENDING_SECONDS,
        lifespan="on",
        ws="none",
        http=PacedProtocol,
    )
    server = uvicorn.Server(config)
    # A signal may come before the server handles it, and ends it all the same. The server raises it
    # again at its end; it does not handle SIGHUP.
    for number in (signal.SIGINT, *find_ending_signals()):
        signal.signal(number, server.handle_exit)
    service.is_closing = lambda: server.should_exit
    announce()
    server.run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        InvalidOptionError: the address cannot be used.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=256)
        # Its connections inherit this. asyncio sets it for sockets of its own alone, and without it
        # the second part of each answer waits 40 ms for the client's acknowledgment of the first.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as cause:
        raise InvalidOptionError(
            f"cannot listen on {host} port {port}: {cause.strerror or cause}"
        ) from cause
    return listening
