"""The job of a delivery: one object to one peer, as a row of the job store."""

from __future__ import annotations

from collections.abc import Mapping

from dicodec.service.gateway.spool import Spool
from dicodec.service.jobs.messages import Event, EventKind, Request
from dicodec.service.jobs.store.tables import Job, NewJob
from dicodec.service.jobs.submission import make_job

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

AS_IT_IS = "explicit-le"
"""Stands for the transfer syntax of a request without a policy: the peer's acceptance decides."""


def name_job(digest: str, peer: str) -> str:
    """Return the id of the job that brings an object to a peer."""
    return f"{digest}.{peer}"


def make_delivery_job(
    spool: Spool,
    job: str,
    *,
    peer: str,
    policy: str | None,
    sop_class: str,
    instance: str,
    traceparent: str | None = None,
) -> NewJob:
    """Return the new job of a delivery.

    Args:
        spool: the spool that has the object.
        job: id of the job.
        peer: name of the peer, which is the job's tenant.
        policy: name or path of a policy; None for none.
        sop_class: SOP Class UID.
        instance: SOP Instance UID, which is the job's trace id.
        traceparent: trace that it was received in; None for none.
    """
    request = Request(
        id=job,
        source=str(spool.find_object(job)),
        target=f"dicom:{peer}:{sop_class}",
        to=() if policy else (AS_IT_IS,),
        policy=policy,
        tenant=peer,
        trace_id=instance or None,
        traceparent=traceparent,
    )
    return make_job(request, home=spool.name_home(peer))


def make_accepted_event(job: Job) -> str:
    """Return the event, as JSON, of a job that failed and is due again."""
    return Event.of(Request.from_json(job.request), EventKind.ACCEPTED).to_json()


def read_sop_class(request: Mapping[str, Any]) -> str:
    """Return the SOP Class UID in the request of a delivery's job."""
    return str(request["target"]).rpartition(":")[2]
