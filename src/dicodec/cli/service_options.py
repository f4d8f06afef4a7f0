"""What `dicodec serve`, `watch` and `submit` were asked for, as values."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dicodec.errors import InvalidOptionError
from dicodec.model.object_url import is_object_url

if TYPE_CHECKING:
    from dicodec.service.jobs.logs import Log
    from dicodec.service.jobs.runtime import ExecutionOptions
    from dicodec.service.jobs.submission import SubmitOptions

TOKEN_VARIABLE = "DICODEC_TOKEN"  # noqa: S105 - its name

_SHORTEST_TOKEN = 16


@contextmanager
def needed(extra: str, what: str) -> Iterator[None]:
    """Say what to install where an import fails."""
    try:
        yield
    except ImportError as cause:
        raise InvalidOptionError(
            f"{what} are not installed ({cause.name})", hint=f"pip install 'dicodec[{extra}]'"
        ) from cause


def existing_root(name: str) -> str:
    """Return what `--root` names: the absolute path of a folder, or a prefix of a bucket.

    Raises:
        InvalidOptionError: there is no such folder.
    """
    if is_object_url(name):
        return name
    if not Path(name).is_dir():
        raise InvalidOptionError("there is no such folder", path=name, hint="--root")
    return str(Path(name).absolute())


def read_token(path: str | None) -> str | None:
    """Return the token in a file or in the environment, None where there is none.

    Raises:
        InvalidOptionError: the file cannot be read, or the token is too short or no ASCII.
    """
    if path is None:
        token = os.environ.get(TOKEN_VARIABLE)
        if token is None:
            return None
    else:
        try:
            token = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as cause:
            raise InvalidOptionError(f"the token cannot be read: {cause}", path=path) from cause
    token = token.strip()
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or " " in token:
        raise InvalidOptionError(
            f"a token has {_SHORTEST_TOKEN} ASCII characters or more, and no space",
            hint="such as that of: openssl rand -hex 32",
        )
    return token


def parse_execution(arguments: argparse.Namespace) -> ExecutionOptions:
    """Return the options for carrying out jobs."""
    from dicodec.service.jobs.retry_causes import RetryPolicy
    from dicodec.service.jobs.runtime import ExecutionOptions

    return ExecutionOptions(
        jobs=arguments.jobs,
        timeout=arguments.timeout,
        memory=arguments.memory,
        retries=RetryPolicy(attempts=arguments.attempts, first=arguments.retry_after),
        lease=arguments.lease,
        drain=arguments.drain,
    )


def open_log(arguments: argparse.Namespace, **fields: int) -> Log:
    """Return a log on standard error; each line has the fields."""
    from dicodec.service.jobs.logs import Log

    return Log(sys.stderr, hide_paths=not arguments.show_paths, fields=fields)


def policies(given: Sequence[str]) -> Mapping[str, str]:
    """Return files of policies by their names: NAME=FILE, or a file that gives its own.

    Raises:
        InvalidOptionError: one cannot be read.
    """
    from dicodec.batch.policy.policy import load_policy

    found = {}
    for text in given:
        name, equals, file = text.partition("=")
        path = str(Path(file if equals else text).absolute())
        load_policy(path)
        found[name if equals else Path(text).stem] = path
    return found


def wish(arguments: argparse.Namespace, output: str) -> SubmitOptions:
    """Return what is asked for of each file, checked as far as it can be without one.

    Raises:
        DicodecError: it makes no sense.
    """
    from dicodec.service.jobs.messages import Request
    from dicodec.service.jobs.submission import SubmitOptions

    fields: dict[str, Any] = {
        "id": "checked",
        "source": "/source",
        "target": "/target",
        "to": arguments.to.split(",") if arguments.to else [],
        "policy": arguments.policy,
        "options": dict(_option(text) for text in arguments.option),
        "tenant": getattr(arguments, "tenant", None),
        "trace_id": getattr(arguments, "trace", None),
        "priority": getattr(arguments, "priority", 0),
    }
    checked = Request.from_fields(fields)
    return SubmitOptions(
        output=output,
        to=checked.to,
        policy=checked.policy,
        options=checked.options,
        tenant=checked.tenant,
        trace_id=checked.trace_id,
        priority=checked.priority,
    )


def _option(text: str) -> tuple[str, Any]:
    """Return an option of NAME=VALUE; a value is JSON where it can be, else text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidOptionError(f"--option takes NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
