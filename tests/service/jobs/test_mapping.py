"""Messages of other systems become requests, and lead nowhere they should not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicodec.errors import InvalidOptionError, RequestError
from dicodec.service.jobs.mapping import list_mappings, load_mapping

EVENT = {
    "trace_id": "t-1", "tenant_id": "clinic", "patient_id": "12345", "study_uid": "1.2.3",
    "series_uid": "1.2.3.4", "sop_uid": "1.2.3.4.5", "file_path": "/data/a.dcm",
    "file_size": 5000, "transfer_syntax_uid": "1.2.840.10008.1.2.4.90", "target_ts": "",
    "number_of_frames": 1,
}  # fmt: skip


def written(folder: Path, text: str) -> str:
    path = folder / "mapping.toml"
    path.write_text(text)
    return str(path)


def test_storage_events_become_requests_that_a_policy_decides() -> None:
    mapping = load_mapping("storage-event", {"output": "/shown"})
    request = mapping.read(json.dumps(EVENT).encode())

    assert request is not None
    assert request.as_dict() == {
        "id": "t-1/1.2.3.4.5", "source": "/data/a.dcm", "policy": "web", "tenant": "clinic",
        "target_folder": "/shown/clinic/1.2.3/1.2.3.4", "trace_id": "t-1", "priority": 0,
        "options": {"overwrite": True}, "version": "1.0",
    }  # fmt: skip
    assert "12345" not in request.to_json()
    assert not mapping.copy_kept
    assert list_mappings() == ("storage-event",)


@pytest.mark.parametrize("missing", ["trace_id", "sop_uid", "file_path", "study_uid"])
def test_a_message_without_what_is_needed_is_refused(missing: str) -> None:
    mapping = load_mapping("storage-event", {"output": "/shown"})
    values: list[Any] = [None, "", [], {}]
    for value in values:
        with pytest.raises(RequestError, match=f"nothing in {missing}, but"):
            mapping.read(json.dumps({**EVENT, missing: value}).encode())


@given(st.text(min_size=1, max_size=30))
def test_a_part_of_a_path_stays_one(text: str) -> None:
    mapping = load_mapping("storage-event", {"output": "/shown/here"})
    try:
        request = mapping.read(json.dumps({**EVENT, "study_uid": text}).encode())
    except RequestError:
        return
    assert request is not None
    assert request.target_folder is not None
    parts = request.target_folder.split("/")
    assert parts[:4] == ["", "shown", "here", "clinic"]
    assert len(parts) == 6
    assert parts[4] not in {"", ".", ".."}


def test_messages_that_do_not_count_are_passed_over(tmp_path: Path) -> None:
    text = """
        [fields]
        id = "{data.name}"
        source = "/in/{data.name}.dcm"
        to = "{data.to}"
        [constants]
        target_folder = "/out"
        [only]
        "data.kind" = ["stored", "moved-*"]
    """
    mapping = load_mapping(written(tmp_path, text), {})

    def read(**data: Any) -> Any:
        return mapping.read(json.dumps({"data": data}).encode())

    assert read(kind="deleted", name="a", to="rle") is None
    assert read(name="a", to="rle") is None
    assert read(kind="moved-here", name="a/../b", to="rle").source == "/in/a_.._b.dcm"
    with pytest.raises(RequestError):
        read(kind="stored", name="a", to="morse")


@pytest.mark.parametrize(
    "text",
    [
        "no toml", "", "[fields]\nid = 'x'", "[fields]\nid = '{a'\nsource = '/x'",
        "[fields]\nid = '{a!r}'\nsource = '/x'", "[fields]\nid = 'x'\nsorce = '/x'",
        "[fields]\nid = 5\nsource = '/x'", "other = 1\n[fields]\nid = 'x'\nsource = '/x'",
        "only = 3", "[fields]\nid = 'x'\nsource = '/x'\n[only]\na = 3",
        "copy_kept = 3\n[fields]\nid = 'x'\nsource = '/x'",
        "[fields]\nid = 'x'\nsource = '{output}/x'",
    ],
)  # fmt: skip
def test_mappings_that_cannot_be_used_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidOptionError):
        load_mapping(written(tmp_path, text), {})
