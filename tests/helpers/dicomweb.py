"""An application of DICOMweb on a free port of the loopback, and clients for it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pydicom
import uvicorn

from helpers.patience import give_up_at


class AnswerPart(NamedTuple):
    """One part of a multipart answer, or all of a single part one.

    Attributes:
        content_type: its Content-Type.
        syntax: the transfer syntax in that.
        location: its Content-Location.
        content: its bytes.
    """

    content_type: str
    syntax: str
    location: str
    content: bytes


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Yield the URL of an application that is served within the block."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = give_up_at(60)
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < until
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def find_path(file: Path | bytes) -> str:
    """Return the path of an instance below a base URL."""
    data_set = pydicom.dcmread(file if isinstance(file, Path) else _wrap(file), force=True)
    return (
        f"/studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}"
        f"/instances/{data_set.SOPInstanceUID}"
    )


def _wrap(content: bytes) -> Any:
    import io

    return io.BytesIO(content)


def split_parts(answer: httpx.Response) -> list[AnswerPart]:
    """Return the parts of an answer, whose form is checked on the way (RFC 2046 5.1)."""
    kind = answer.headers["content-type"]
    if not kind.startswith("multipart/"):
        place = answer.headers.get("content-location", "")
        return [AnswerPart(kind, _find_syntax(kind), place, answer.content)]
    found = re.fullmatch(r'multipart/related; type="([^"]+)"; boundary=([\w-]+)', kind)
    assert found is not None, kind
    mark = f"\r\n--{found[2]}".encode()
    preamble, *raw, end = answer.content.split(mark)
    assert (preamble, end) == (b"", b"--\r\n"), answer.content[-200:]
    parts = []
    for one in raw:
        head, _, content = one.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("ascii").split("\r\n"))
        assert int(headers["Content-Length"]) == len(content)
        kind = headers["Content-Type"]
        parts.append(
            AnswerPart(kind, _find_syntax(kind), headers.get("Content-Location", ""), content)
        )
    return parts


def _find_syntax(kind: str) -> str:
    found = re.search(r"transfer-syntax=([\d.]+)", kind)
    return found[1] if found else ""


def make_store_request(*parts: bytes, kind: str = "application/dicom") -> dict[str, Any]:
    """Return the arguments of a request that stores instances."""
    body = b"".join(
        b"--bb\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + part + b"\r\n" for part in parts
    )
    return {
        "content": body + b"--bb--\r\n",
        "headers": {
            "content-type": f'multipart/related; type="{kind}"; boundary=bb',
            "accept": "application/dicom+json",
        },
    }
