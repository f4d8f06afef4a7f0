"""The environment of child processes: this process's, without variables of its own."""

from __future__ import annotations

import os

from dicodec.model.implementation import VARIABLE_PREFIX

TOKEN_VARIABLE = "DICODEC_TOKEN"  # noqa: S105 - a name

_OF_CHILDREN = "DICODEC_KERNELS"
"""As `dicodec._kernels` has it, which imports nothing."""

_SECRETS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
"""Variables of others that a child process has no use for."""


def has_secrets() -> bool:
    """Whether the environment of this process has variables that child processes must not see."""
    return any(map(_is_secret, os.environ))


def read_collector_secrets() -> dict[str, str]:
    """Return the variables with passwords of a collector of traces, for a process that traces."""
    return {name: os.environ[name] for name in _SECRETS if name in os.environ}


def make_child_environment(**variables: str) -> dict[str, str]:
    """Return the environment for a child process, which decodes files from anybody.

    Args:
        **variables: variables to set.
    """
    kept = {name: value for name, value in os.environ.items() if not _is_secret(name)}
    return {**kept, **variables}


def _is_secret(name: str) -> bool:
    return name != _OF_CHILDREN and (name.startswith(VARIABLE_PREFIX) or name in _SECRETS)
