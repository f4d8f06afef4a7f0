"""Read what a request asks for: the resource, the frames, and what is accepted."""

from __future__ import annotations

import re

from starlette.requests import Request

from dicodec.service.dicomweb.accept import MediaRange, parse_accept
from dicodec.service.dicomweb.sources import Target, is_uid
from dicodec.service.web.error_answers import Refusal

_MOST_FRAMES = 10_000
"""Numbers in a list of frames at most."""
_NUMBERS = re.compile(r"[1-9][0-9]{0,8}(?:(?:,|%2C)[1-9][0-9]{0,8})*", re.IGNORECASE)


def read_target(request: Request) -> Target:
    """Return the study, series or instance of a request's path.

    Raises:
        Refusal: it is not named by UIDs.
    """
    parameters = request.path_params
    uids = [parameters.get(name, "") for name in ("study", "series", "instance")]
    if not all(is_uid(uid) for uid in uids if uid):
        raise Refusal(400, "a UID has up to 64 digits and points")
    return Target(*uids)


def read_accepted(request: Request) -> list[MediaRange]:
    """Return what a request accepts, in its header and in its URL (PS3.18 8.3.3.1)."""
    header = ", ".join(request.headers.getlist("accept"))
    return parse_accept(header, request.query_params.get("accept"))


def parse_frames(listed: str) -> list[int]:
    """Return the numbers of a list of frames, which counts from 1, from 0."""
    if not _NUMBERS.fullmatch(listed):
        raise Refusal(400, "frames are listed by their numbers, from 1, such as 1,2,5")
    numbers = [int(text) - 1 for text in listed.replace("%2C", ",").replace("%2c", ",").split(",")]
    if len(numbers) > _MOST_FRAMES:
        raise Refusal(400, f"more than {_MOST_FRAMES} frames are listed")
    return numbers
