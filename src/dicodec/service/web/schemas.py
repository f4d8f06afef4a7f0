"""Answers of the service, as OpenAPI describes them; and the table of request fields as schemas."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from dicodec.model.option_table import PAGE, TextsByName, select_options
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES
from dicodec.service.jobs.request_fields import OPTION_FIELDS, REQUEST_FIELDS, Field
from dicodec.service.jobs.schema import Schema, make_field_schema, make_object_schema
from dicodec.service.jobs.store.tables import Job, JobState


class ErrorFields(BaseModel):
    """One error; see docs/command.md for the codes."""

    model_config = ConfigDict(extra="allow")

    code: str
    kind: str
    message: str
    hint: str | None = None


class ErrorAnswer(BaseModel):
    """Why a request was not carried out."""

    error: ErrorFields


class JobAnswer(BaseModel):
    """A job, in short."""

    number: int
    id: str
    state: JobState
    source: str
    tenant: str | None
    trace_id: str | None
    priority: int
    attempts: int
    created: float
    started: float | None
    finished: float | None
    not_before: float | None
    frames: int | None
    frames_done: int | None
    source_size: int | None
    target_size: int | None
    action: str | None
    seconds: float | None
    error_code: str | None
    error_text: str | None


class JobDetails(JobAnswer):
    """A job, with its request and the outcome of each attempt."""

    request: dict[str, Any]
    report: dict[str, Any] | None
    error: dict[str, Any] | None
    history: list[dict[str, Any]]


class JobList(BaseModel):
    """Jobs, the latest first; `next` is the `before` of the next page."""

    jobs: list[JobAnswer]
    next: int | None


class Accepted(BaseModel):
    """A job that is in the queue; `new` is false if its id was known."""

    job: JobAnswer
    new: bool


class UploadList(BaseModel):
    """Jobs of uploaded files, the latest first."""

    jobs: list[JobAnswer]


class Download(BaseModel):
    """Address of a ZIP file; it can be used once, within a minute."""

    url: str


class WindowAnswer(BaseModel):
    """Window Center and Window Width (PS3.3 C.11.2.1.2)."""

    center: float
    width: float


class SideAnswer(BaseModel):
    """How frames of a source or result are shown.

    `window` is null of colors; `window_stated` says whether it is the file's, not one from the
    smallest to the largest value.
    """

    rows: int
    columns: int
    frames: int
    photometric_interpretation: str
    window: WindowAnswer | None
    window_stated: bool


class PairMeasures(BaseModel):
    """How far a result is from its source.

    The numbers are null if frames cannot be compared, for `reasons`. `psnr` is in dB, and null if
    all samples are equal. `notes` are on the method.
    """

    reasons: list[str]
    notes: list[str]
    source: SideAnswer
    result: SideAnswer
    measured_frames: int = 0
    differing_samples: int | None = None
    largest_error: float | None = None
    mean_absolute_error: float | None = None
    psnr: float | None = None


class ManyAccepted(BaseModel):
    """How many jobs were added, and how many were known."""

    added: int
    known: int


class Retried(BaseModel):
    """How many jobs are tried again."""

    jobs: int


class Tallied(BaseModel):
    """Jobs in one state, of one cause."""

    state: JobState
    cause: str
    jobs: int
    source_bytes: int
    target_bytes: int


class SlotAnswer(BaseModel):
    """Jobs that came to an end within some seconds."""

    done: int
    failed: int
    bytes: int


class Status(BaseModel):
    """How the service is."""

    version: str
    uptime: float
    workers: int
    in_flight: int
    queue_age: float
    tallies: list[Tallied]
    slot_seconds: int
    slots: list[SlotAnswer]
    upload_limit: int
    roots: list[str]


class Health(BaseModel):
    """Whether the service is ready, and its problems: part and error code."""

    ready: bool
    problems: dict[str, str]


class SyntaxAnswer(BaseModel):
    """A transfer syntax that can be asked for; one that is lossy needs permission to lose."""

    name: str
    uid: str
    title: str
    lossy: bool


class PolicyAnswer(BaseModel):
    """A policy that a request can name."""

    name: str
    description: str


class OptionAnswer(BaseModel):
    """An option of a conversion; `value` is the JSON Schema of its values.

    `targets` names the transfer syntaxes that take it; none if it does not concern encoding.
    """

    name: str
    label: str
    value: dict[str, Any]
    default: Any
    placeholder: str
    targets: list[str]


def make_job_answer(job: Job) -> dict[str, Any]:
    """Return a job as JobAnswer has it."""
    given = {
        "trace_id": job.trace,
        "not_before": job.not_before if job.state is JobState.PENDING and job.not_before else None,
    }
    return {
        name: given[name] if name in given else getattr(job, name)
        for name in JobAnswer.model_fields
    }


def make_job_details(job: Job) -> dict[str, Any]:
    """Return a job as JobDetails has it."""
    result = json.loads(job.result) if job.result else {}
    return {
        **make_job_answer(job),
        "request": json.loads(job.request),
        "report": result.get("report"),
        "error": result.get("error"),
        "history": json.loads(job.history),
    }


def _list_names() -> list[str]:
    return [
        name
        for syntax in TRANSFER_SYNTAXES
        if syntax.writes
        for name in dict.fromkeys((syntax.name, syntax.uid, syntax.keyword))
    ]


def _make_field_schema(field: Field) -> Schema:
    """Return the JSON Schema of a field; of transfer syntaxes, all that can be asked for."""
    schema = make_field_schema(field)
    return {**schema, "items": {"enum": _list_names()}} if field is REQUEST_FIELDS["to"] else schema


def make_request_schema() -> Schema:
    """Return the JSON Schema of a request; the service gives an id to one that has none."""
    return {
        **make_object_schema(REQUEST_FIELDS, _make_field_schema, is_open=True),
        "required": ["source"],
        "allOf": [
            {"oneOf": [{"required": ["target"]}, {"required": ["target_folder"]}]},
            {"anyOf": [{"required": ["to"]}, {"required": ["policy"]}]},
        ],
    }


def make_option_parameters() -> list[Schema]:
    """Return `to`, `policy` and the options as parameters of a URL, for OpenAPI."""
    fields = {name: REQUEST_FIELDS[name] for name in ("to", "policy")} | {**OPTION_FIELDS}
    found = []
    for name, field in fields.items():
        schema, about = _make_field_schema(field), field.help
        del schema["description"]
        if isinstance(field.kind, TextsByName):
            pair = {"type": "string", "pattern": "^[A-Za-z0-9]+=[^\\u0000]+$"}
            schema, about = {"type": "array", "items": pair}, f"{about}, as KEYWORD=VALUE"
        found.append({"name": name, "in": "query", "schema": schema, "description": about})
    return found


def make_option_answers() -> list[OptionAnswer]:
    """Return the options that the page offers, each with its JSON Schema."""
    return [
        OptionAnswer(
            name=name,
            label=option.help,
            value=make_field_schema(OPTION_FIELDS[name]),
            default=option.default,
            placeholder=option.metavar,
            targets=list(option.targets),
        )
        for name, option in select_options(PAGE).items()
    ]
