"""What a worker does with a request: follows its paths, asks its policy, converts, and tells."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dicodec.batch.conversion_work import convert_item
from dicodec.batch.policy.policy import list_profiles, load_policy
from dicodec.batch.pool.worker_process import WorkContext
from dicodec.batch.sources.opening import open_source
from dicodec.batch.sources.references import refer_to_file
from dicodec.batch.work_item import Item, WorkOptions
from dicodec.errors import DicodecError, RequestError
from dicodec.model.object_url import is_object_url, parse_object_url
from dicodec.model.option_words import as_field, reworded
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import DicomFile
from dicodec.repair.opening import open_tolerantly
from dicodec.report import LEFT_ALONE, ConversionReport
from dicodec.service.jobs.confinement import Roots
from dicodec.service.jobs.messages import Request
from dicodec.service.jobs.request_fields import build_options


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRules:
    """What the operator says of all jobs.

    Attributes:
        roots: where paths may lead.
        policies: files of policies by the names that requests have for them, besides the profiles.
        copy_kept: whether a file that the policy keeps as it is is copied to its target.
    """

    roots: Roots
    policies: Mapping[str, str] = field(default_factory=dict)
    copy_kept: bool = True

    def policy(self, name: str) -> str:
        """Return what a policy's name stands for; a request cannot name files by itself.

        Raises:
            RequestError: for nothing.
        """
        if name in self.policies:
            return self.policies[name]
        if name in list_profiles():
            return name
        known = ", ".join(sorted({*self.policies, *list_profiles()}))
        raise RequestError(
            f"there is no policy {name!r}", field="policy", hint=f"there are {known}"
        )


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at a request.

    Attributes:
        request: what is asked for.
        began: when the first attempt that was cut short began, in seconds since 1970; None where
            none was. A target that is newer is what that attempt left.
    """

    request: Request
    began: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a conversion came to.

    Attributes:
        report: see dicodec.report; with the policy's rule.
        target: where the result is; None where the source was left alone.
    """

    report: Mapping[str, Any]
    target: str | None


def carry_out(rules: JobRules, task: Task, around: WorkContext) -> Done:
    """Carry out a request; a work of the pool.

    Raises:
        DicodecError: why it cannot be done, in the words of a request.
    """
    try:
        return _carry_out(rules, task, around)
    except DicodecError as error:
        reworded(error, as_field)
        raise


def _carry_out(rules: JobRules, task: Task, around: WorkContext) -> Done:
    request = task.request
    source = rules.roots.source(request.source)
    target = rules.roots.target(target_of(request))
    options = build_options(request.to, request.options)
    policy = None if request.policy is None else rules.policy(request.policy)
    if policy is not None and not rules.copy_kept and _kept(policy, source, options):
        return _left_alone(source, options)
    item = Item(refer_to_file(source, named=True), target, overwrite=_is_ours(target, task))
    ending = convert_item(WorkOptions(options=options, policy=policy), item, around)
    return Done(json.loads(ending.json), ending.target)


def target_of(request: Request) -> str:
    """Return the path of a request's result, as it is named."""
    if request.target is not None:
        return request.target
    assert request.target_folder is not None
    return os.path.join(request.target_folder, os.path.basename(request.source))  # noqa: PTH118, PTH119


def _is_ours(target: str, task: Task) -> bool:
    if task.began is None:
        return False
    try:
        return _changed(target) >= task.began - 1
    except (OSError, DicodecError):
        return False


def _changed(place: str) -> float:
    """Return when a file or an object was changed, in seconds since 1970."""
    if is_object_url(place):
        from dicodec.batch.sources.cloud import read_facts

        return read_facts(parse_object_url(place)).modified / 1e9
    return os.stat(place).st_mtime  # noqa: PTH116


def _kept(policy: str, source: str, options: ConversionOptions) -> bool:
    with open_source(refer_to_file(source, named=True)) as opened:
        return load_policy(policy).choose(opened, options).options is None


def _left_alone(source: str, options: ConversionOptions) -> Done:
    with (
        open_source(refer_to_file(source, named=True)) as opened,
        open_tolerantly(opened, options.limits) as file,
    ):
        return Done(_report_of(file, source).as_dict(), None)


def _report_of(file: DicomFile, source: str) -> ConversionReport:
    name, size = file.syntax.name, file.source.size
    return ConversionReport(
        source=source,
        source_syntax=name,
        target_syntax=name,
        action=LEFT_ALONE,
        source_size=size,
        target_size=size,
    )
