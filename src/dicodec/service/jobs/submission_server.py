"""Putting jobs into the queue of a `dicodec serve`, over HTTP."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from dicodec.errors import InvalidOptionError, RequestError, TargetUnavailableError
from dicodec.service.jobs.messages import Request

MOST_AT_ONCE = 500
_TRIES, _WAIT_SECONDS, _TIMEOUT = 6, 0.5, 60.0
_PASSING = frozenset({429, 500, 502, 503, 504})


class ServerQueue:
    """A connection to a server. What may pass is tried again; a job's id is entered once.

    Args:
        url: of the server, as http://127.0.0.1:8765.
        token: that it wants; None for none.

    Raises:
        InvalidOptionError: the URL is none.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        try:
            parts = urlsplit(url)
            kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
            self._connection = kind[parts.scheme](parts.netloc, timeout=_TIMEOUT)
        except (KeyError, ValueError, http.client.InvalidURL) as cause:
            raise InvalidOptionError(f"{url!r} is no URL of a server") from cause
        self._path = f"{parts.path.rstrip('/')}/api/jobs/batch"
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def put(self, requests: Sequence[Request]) -> int:
        """Put requests, at most MOST_AT_ONCE, into the queue; return how many were new.

        Raises:
            RequestError: the server refuses them.
            TargetUnavailableError: it does not answer, or cannot take them now.
        """
        body = json.dumps({"jobs": [request.as_dict() for request in requests]}).encode()
        wait = _WAIT_SECONDS
        for left in reversed(range(_TRIES)):
            try:
                status, answer = self._asked(body)
            except (OSError, http.client.HTTPException) as cause:
                self._connection.close()
                told = f"the server does not answer: {cause}"
            else:
                if status == http.client.ACCEPTED:
                    return int(answer["added"])
                error = answer.get("error", {})
                told = f"the server says: {error.get('message', status)}"
                if status not in _PASSING:
                    raise RequestError(told, hint=error.get("hint"))
            if left:
                time.sleep(wait)
                wait *= 2
        raise TargetUnavailableError(told, path=self.url, hint="is `dicodec serve` running?")

    def _asked(self, body: bytes) -> tuple[int, dict[str, Any]]:
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {}
        return response.status, answer if isinstance(answer, dict) else {}
