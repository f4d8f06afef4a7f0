"""Write messages of the brokers' clients into the worker's own log."""

from __future__ import annotations

import logging
import time
from collections import Counter
from urllib.parse import unquote

from dicodec.service.jobs.logs import Log

_QUIET_SECONDS = 60.0
_MESSAGES = 200
"""Different messages that are kept in mind."""


class ClientLog(logging.Handler):
    """Writes messages of the brokers' clients as lines of our log.

    A client that connects again by itself complains a hundred times a second while its broker is
    away. So a message is written once a minute, the next time with the number of those that were
    left out.

    Args:
        log: gets the lines.
        url: of the broker, with the password that no line shows.
    """

    def __init__(self, log: Log, url: str) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        credentials = url.partition("://")[2].rpartition("@")[0]
        password = credentials.partition(":")[2]
        self._secrets = [url, *filter(None, (credentials, password, unquote(password)))]
        self._written: dict[tuple[str, str], float] = {}
        self._omitted: Counter[tuple[str, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, without the broker's password."""
        text = record.getMessage()
        for secret in self._secrets:
            text = text.replace(secret, "***")
        key = record.name, text[:500]
        if time.monotonic() - self._written.get(key, -_QUIET_SECONDS) < _QUIET_SECONDS:
            self._omitted[key] += 1
            return
        if len(self._written) >= _MESSAGES:
            self._written.clear()
            self._omitted.clear()
        self._written[key] = time.monotonic()
        omitted = self._omitted.pop(key, None)
        level = "error" if record.levelno >= logging.ERROR else "warning"
        name, message = key
        self._log.write(
            level, "the broker's client says", client=name, message=message, omitted=omitted
        )
