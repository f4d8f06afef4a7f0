"""The environment of a user who has set no options."""

from __future__ import annotations

import os


def without_options() -> dict[str, str]:
    """Return the environment without variables of this project, which tests have of their own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DICODEC_")}
