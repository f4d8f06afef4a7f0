"""The environment of child processes: as this process has it, without what only this one needs."""

from __future__ import annotations

import os

BROKER_VARIABLE, TOKEN_VARIABLE = "DICODEC_BROKER", "DICODEC_TOKEN"
STORE_VARIABLE = "DICODEC_STORE"
"""Variables with secrets: URLs of broker and store, with passwords, and the token of a service."""


def make_child_environment(**variables: str) -> dict[str, str]:
    """Return the environment for a child process, which decodes files from anybody.

    Args:
        **variables: variables to set.
    """
    secrets = {BROKER_VARIABLE, STORE_VARIABLE, TOKEN_VARIABLE}
    kept = {name: value for name, value in os.environ.items() if name not in secrets}
    return {**kept, **variables}
