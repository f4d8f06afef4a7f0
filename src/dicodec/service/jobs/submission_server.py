"""Submit requests to a `dicodec serve` over HTTP."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from dicodec.errors import InvalidOptionError, RequestError, TargetUnavailableError
from dicodec.service.jobs.messages import Request

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any, Self

MOST_AT_ONCE = 500
"""Requests of one call at most."""

_TRIES, _WAIT_SECONDS, _TIMEOUT = 6, 0.5, 60.0
_PASSING = frozenset({429, 500, 502, 503, 504})


class ServerClient:
    """A connection to a server. Failures that may pass are tried again; a job is entered once.

    Args:
        url: URL of the server, such as http://127.0.0.1:8765.
        token: bearer token; None for none.

    Raises:
        InvalidOptionError: the URL is not that of a server.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        try:
            parts = urlsplit(url)
            kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
            self._connection = kind[parts.scheme](parts.netloc, timeout=_TIMEOUT)
        except (KeyError, ValueError, http.client.InvalidURL) as cause:
            raise InvalidOptionError(f"{url!r} is not the URL of a server") from cause
        self._path = f"{parts.path.rstrip('/')}/api/jobs/batch"
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def put(self, requests: Sequence[Request]) -> int:
        """Submit requests, at most MOST_AT_ONCE; return the number of new ones.

        Raises:
            RequestError: the server refuses them.
            TargetUnavailableError: the server does not answer, or cannot take them now.
        """
        body = json.dumps({"jobs": [request.as_dict() for request in requests]}).encode()
        wait = _WAIT_SECONDS
        for left in reversed(range(_TRIES)):
            try:
                status, answer = self._send(body)
            except (OSError, http.client.HTTPException) as cause:
                self._connection.close()
                message = f"the server does not answer: {cause}"
            else:
                added, error = answer.get("added"), answer.get("error")
                if status == http.client.ACCEPTED and isinstance(added, int):
                    return added
                if not isinstance(error, dict):  # a proxy's answer, or another program's
                    error = {"message": f"status {status}, and nothing that `dicodec serve` says"}
                message = f"the server says: {error.get('message', status)}"
                if status not in _PASSING:
                    raise RequestError(message, hint=error.get("hint"))
            if left:
                time.sleep(wait)
                wait *= 2
        raise TargetUnavailableError(message, path=self.url, hint="is `dicodec serve` running?")

    def _send(self, body: bytes) -> tuple[int, dict[str, Any]]:
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {}
        return response.status, answer if isinstance(answer, dict) else {}
