"""The description of messages in docs is that of the code, and agrees with it on messages."""

from __future__ import annotations

import json
import runpy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dicodec.errors import RequestError
from dicodec.options import ConversionOptions
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.request_fields import OPTION_FIELDS, REQUEST_FIELDS
from dicodec.service.jobs.schema import make_event_schema, make_request_schema

ROOT = Path(__file__).parents[3]
LEAST = {"id": "1", "source": "/a.dcm", "target": "/b.dcm", "to": "rle"}
OPERATORS = {"to", "backup", "workers", "timeout", "limits"}
"""Options of a conversion that no message may set."""


def test_docs_are_current() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "make_message_schemas.py"))
    folder: Path = made["FOLDER"]
    contents: dict[str, str] = made["contents"]()

    for name, text in contents.items():
        assert (folder / name).read_text(encoding="utf-8") == text, "run the tool and commit"
    assert {path.name for path in folder.iterdir()} == set(contents)


def test_asyncapi_points_at_what_it_has() -> None:
    described = json.loads((ROOT / "docs" / "messages" / "asyncapi.json").read_text())

    def follow(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                found: Any = described
                for part in value["$ref"].removeprefix("#/").split("/"):
                    found = found[part]
            for one in value.values():
                follow(one)

    follow(described)


def test_tables_have_the_fields_of_the_values() -> None:
    assert set(REQUEST_FIELDS) == {one.name for one in fields(Request)} - {"unknown"}
    options = {one.name for one in fields(ConversionOptions)}
    assert set(OPTION_FIELDS) <= options - OPERATORS
    assert set(make_event_schema()["properties"]) == {one.name for one in fields(Event)}


@pytest.mark.parametrize(
    "change",
    [
        {}, {"to": ["rle", "explicit-le"]}, {"policy": "web"}, {"priority": 9}, {"tenant": None},
        {"target": None, "target_folder": "/out"}, {"options": {"quality": 85, "verify": True}},
        {"options": {"verify": "independent", "set_attributes": {"PatientName": "A"}}},
        {"options": None}, {"options": {"psnr": 45.5, "lossy": True}},
    ],
)  # fmt: skip
def test_requests_that_are_right_are_so_by_the_schema(change: dict[str, Any]) -> None:
    given = {**LEAST, **change}
    if change.get("target", "") is None:
        del given["target"]
    assert [*Draft202012Validator(make_request_schema()).iter_errors(given)] == []
    assert Request.from_json(json.dumps(given)).id == "1"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": ""}, "id"), ({"id": 5}, "id"), ({"source": None}, "source"),
        ({"target_folder": "/out"}, "target"), ({"priority": 10}, "priority"),
        ({"priority": True}, "priority"), ({"priority": 1.5}, "priority"),
        ({"sorce": "/x"}, "sorce"), ({"to": 3}, "to"), ({"to": []}, "to"),
        ({"options": []}, "options"), ({"options": {"quality": 0}}, "options.quality"),
        ({"options": {"engine": "x"}}, "options.engine"),
        ({"options": {"limits": {}}}, "options.limits"),
        ({"options": {"verify": "yes"}}, "options.verify"),
        ({"options": {"set_attributes": {"PatientName": 3}}}, "options.set_attributes"),
        ({"tenant": "x" * 201}, "tenant"), ({"source": "/a\0"}, "source"),
        ({"to": "morse"}, "to"), ({"options": {"remove_attributes": ["Foo"]}}, "options"),
        ({"source": "/\ud800"}, "source"), ({"id": "\udc80"}, "id"),
    ],
)  # fmt: skip
def test_requests_that_are_wrong_name_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestError) as raised:
        Request.from_json(json.dumps({**LEAST, **change}))

    assert raised.value.field == field
    assert raised.value.code == "invalid-request"


def test_events_are_right_by_the_schema() -> None:
    request = Request.from_json(json.dumps({**LEAST, "trace_id": "t"}))
    validator = Draft202012Validator(make_event_schema())
    for event in (
        Event.of(request, EventKind.ACCEPTED),
        Event.of(request, EventKind.PROGRESS, attempt=2, frames_done=3, frames=9),
        Event.of(request, EventKind.DEAD, attempt=5, error=RequestError("no", field="to")),
        Event.of(request, EventKind.SUCCEEDED, attempt=1, report={"action": "moved"}),
    ):
        assert [*validator.iter_errors(event.as_dict())] == []
        assert Event.from_json(event.to_json()) == event
