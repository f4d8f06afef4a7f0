"""Write docs/messages/: JSON Schema and AsyncAPI of requests and events, from the code.

python tools/make_message_schemas.py
"""

from __future__ import annotations

import json
from pathlib import Path

from dicodec.service.jobs.schema import make_asyncapi, make_event_schema, make_request_schema

FOLDER = Path(__file__).parents[1] / "docs" / "messages"


def contents() -> dict[str, str]:
    """Return the files' texts by their names."""
    made = {
        "request.schema.json": make_request_schema(),
        "event.schema.json": make_event_schema(),
        "asyncapi.json": make_asyncapi(),
    }
    return {name: json.dumps(value, indent=2) + "\n" for name, value in made.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in contents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
