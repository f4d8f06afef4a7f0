"""The worker side of the executor: resolve a request's paths, ask its policy, convert."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress

from dicodec.batch.conversion_work import clean_up_item, convert_item
from dicodec.batch.policy.policy import list_profiles, load_policy
from dicodec.batch.pool.messages import WorkContext
from dicodec.batch.sources.opening import open_source
from dicodec.batch.sources.references import SourceReference, refer_beneath, refer_to_file
from dicodec.batch.work_item import Item, WorkOptions
from dicodec.errors import DicodecError, RequestError
from dicodec.model.records import dataclass, field
from dicodec.model.wording import as_field, reword_error
from dicodec.options import ConversionOptions
from dicodec.part10.beneath import Beneath
from dicodec.part10.dicom_file import DicomFile
from dicodec.repair.opening import open_tolerantly
from dicodec.report import LEFT_ALONE, ConversionReport
from dicodec.service.jobs.confinement import AllowedRoots, Location
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.request_fields import build_options
from dicodec.service.jobs.store.fence import Fence

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The operator's options for all jobs.

    Attributes:
        roots: allowed folders of sources and targets.
        own: allowed folders of jobs whose source the program itself has put there, apart from all
            others; None if there are none.
        policies: paths of policy files by the names for requests, besides the profiles.
        copy_kept: whether to copy a file to its target if the policy keeps it as it is.
    """

    roots: AllowedRoots
    own: AllowedRoots | None = None
    policies: Mapping[str, str] = field(default_factory=dict)
    copy_kept: bool = True

    def choose_roots(self, request: Request) -> AllowedRoots:
        """Return the allowed folders of a request.

        A path of a client never begins with a folder of the program's own: when the job was
        accepted, it led to none of them.
        """
        own = self.own
        if own is not None and request.source.startswith(tuple(f"{one}/" for one in own.sources)):
            return own
        return self.roots

    def find_policy(self, name: str) -> str:
        """Return the path or profile for a policy's name; a request cannot name other files.

        Raises:
            RequestError: there is no policy of that name.
        """
        if name in self.policies:
            return self.policies[name]
        if name in list_profiles():
            return name
        known = ", ".join(sorted({*self.policies, *list_profiles()}))
        raise RequestError(
            f"there is no policy {name!r}", field="policy", hint=f"there are {known}"
        )

    def describe_policies(self) -> dict[str, str]:
        """Return the descriptions of all policies by name; "" of one that cannot be read now."""
        found = {}
        for name in sorted({*self.policies, *list_profiles()}):
            try:
                found[name] = load_policy(self.find_policy(name)).description
            except DicodecError:
                found[name] = ""
        return found


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at a request.

    Attributes:
        request: the request.
        began: start of the first attempt that ended with its process, in seconds since 1970; None
            if none did. That attempt wrote the target if the target is newer.
        fence: is asked before the result takes its place; None if nobody else can have the job.
    """

    request: Request
    began: float | None = None
    fence: Fence | None = None


@dataclass(frozen=True, slots=True)
class ConversionResult:
    """Result of a request.

    Attributes:
        report: report of the conversion, see `dicodec.report`, with the policy's rule.
        target: path of the result; None if the source was left alone.
    """

    report: Mapping[str, Any]
    target: str | None


def carry_out(options: JobOptions, task: Task, context: WorkContext) -> ConversionResult:
    """Carry out a request; a work of the pool.

    Raises:
        DicodecError: see `dicodec.convert`; its words are those of a request.
    """
    try:
        return _carry_out(options, task, context)
    except DicodecError as error:
        reword_error(error, as_field)
        raise


def _carry_out(options: JobOptions, task: Task, context: WorkContext) -> ConversionResult:
    request = task.request
    context.placement.permit = None if task.fence is None else task.fence.check
    roots = options.choose_roots(request)
    source = roots.resolve_source(request.source)
    place, root = _resolve_target(options, request)
    wanted = build_options(request.to, request.options)
    policy = None if request.policy is None else options.find_policy(request.policy)
    reference = _refer(source)
    if policy is not None and not options.copy_kept and _is_kept(policy, reference, wanted):
        return _leave_alone(reference, wanted)
    item = Item(reference, place, root=root, began=task.began)
    outcome = convert_item(WorkOptions(options=wanted, policy=policy), item, context)
    return ConversionResult(json.loads(outcome.json), outcome.target)


def clean_up(options: JobOptions, task: Task) -> None:
    """Remove the part files of a request's result; the clean-up of `carry_out`."""
    request = task.request
    with suppress(DicodecError):  # its roots or options are wrong, so nothing was written
        place, root = _resolve_target(options, request)
        work = WorkOptions(options=build_options(request.to, request.options))
        clean_up_item(work, Item(SourceReference(request.source, 0, 0), place, root=root))


def _resolve_target(options: JobOptions, request: Request) -> tuple[str, str | None]:
    """Return the path of a request's result, and its root; None for an object."""
    target = options.choose_roots(request).resolve_target(choose_target(request))
    return (target.path, target.root) if isinstance(target, Beneath) else (target, None)


def _refer(source: Location) -> SourceReference:
    if isinstance(source, Beneath):
        return refer_beneath(source)
    return refer_to_file(source, named=True)


def choose_target(request: Request) -> str:
    """Return the path of a request's result, as the request names it."""
    if request.target is not None:
        return request.target
    assert request.target_folder is not None
    return os.path.join(request.target_folder, os.path.basename(request.source))  # noqa: PTH118, PTH119


def _is_kept(policy: str, source: SourceReference, options: ConversionOptions) -> bool:
    with open_source(source) as opened:
        return load_policy(policy).choose(opened, options).options is None


def _leave_alone(source: SourceReference, options: ConversionOptions) -> ConversionResult:
    with open_source(source) as opened, open_tolerantly(opened, options.limits) as file:
        return ConversionResult(_make_report(file, source.name).as_dict(), None)


def _make_report(file: DicomFile, source: str) -> ConversionReport:
    name, size = file.syntax.name, file.source.size
    return ConversionReport(
        source=source,
        source_syntax=name,
        target_syntax=name,
        action=LEFT_ALONE,
        source_size=size,
        target_size=size,
    )
