"""Requests as bytes from anywhere: understood as they were meant, or refused in one way."""

from __future__ import annotations

import json
import os
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec import errors
from dicodec.errors import InvalidOptionError, RequestError
from dicodec.service.jobs.messages import LARGEST_REQUEST, Event, Request
from dicodec.service.jobs.request_fields import OPTION_FIELDS, REQUEST_FIELDS, build_options
from dicodec.service.jobs.retry_causes import RetryPolicy, is_passing

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
NAMES = st.sampled_from([*REQUEST_FIELDS, *OPTION_FIELDS]) | st.text(max_size=8)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    with pytest.raises(RequestError):
        Request.from_json(data)


@given(
    st.dictionaries(NAMES, VALUES),
    st.dictionaries(st.sampled_from([*OPTION_FIELDS]), VALUES, max_size=3),
)
def test_any_fields_are_a_request_or_refused(
    given_fields: dict[str, Any], options: dict[str, Any]
) -> None:
    least = {"id": "1", "source": "/a", "target": "/b", "to": "rle"}
    data = json.dumps({**least, **given_fields, "options": options})
    try:
        request = Request.from_json(data)
    except RequestError:
        return
    assert Request.from_json(request.to_json()) == request
    assert pickle.loads(pickle.dumps(request)) == request
    assert build_options(request.to, request.options).to


def test_names_that_are_no_text_survive() -> None:
    path = os.fsdecode(b"/in/\xff\xe9.dcm")
    request = Request(id="1", source=path, target="/b", to=("rle",))

    assert Request.from_json(request.to_json().encode("ascii")) == request


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b'"text"', b"{", b"\xff\xfe{\0}\0", b"[" * 100_000,
        b'{"id":"' + b"x" * LARGEST_REQUEST + b'"}', b'{"id": ' + b"1" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_object_of_json_is_refused(data: bytes) -> None:
    with pytest.raises(RequestError) as raised:
        Request.from_json(data)
    assert pickle.loads(pickle.dumps(raised.value)).message == raised.value.message


@pytest.mark.parametrize("data", ["", "{}", '{"kind": "lost"}', "[]", '{"kind": "dead", "x": 1}'])
def test_what_is_no_event_is_refused(data: str) -> None:
    with pytest.raises(InvalidOptionError):
        Event.from_json(data)


def test_only_what_may_pass_is_tried_again() -> None:
    codes = {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.DicodecError)
    }
    passing = {code for code in codes if is_passing(code)}

    assert passing == {
        "source-unavailable", "source-changed", "read-error", "disk-full", "target-unavailable",
        "write-error", "worker-crashed", "engine-crashed", "timeout", "out-of-memory",
        "peer-unavailable",
    }  # fmt: skip


def test_waits_grow_and_differ_and_end() -> None:
    retries = RetryPolicy(attempts=4, first=2, factor=3, longest=10, jitter=0.5)
    waits = [[retries.delay(attempt) for _ in range(200)] for attempt in (1, 2, 3)]

    for wait, longest in zip(waits, (2, 6, 10), strict=True):
        assert longest / 2 <= min(wait) < max(wait) <= longest
        assert len(set(wait)) > 100
    assert [retries.allows("disk-full", attempt) for attempt in (1, 3, 4)] == [True, True, False]
    assert not retries.allows("not-dicom", 1)


def test_the_wait_after_ever_so_many_attempts_is_the_longest() -> None:
    assert RetryPolicy(longest=600, jitter=0).delay(10**6) == 600
