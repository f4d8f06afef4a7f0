"""The process behind `helpers.charts`: one request as JSON on standard input, one answer.

{"lint": FOLDER, "values": {}}: the messages of Helm's linter, without those of information.
{"render": FOLDER, "values": {}}: all documents that Helm makes, or {"error": TEXT}.
{"validate": [DOCUMENT], "version": "1.31"}: faults by Kubernetes' own schemas.
{"compose": TEXT}: faults of a compose file, written as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

_NAME, _NAMESPACE = "images", "imaging"
_INFORMATION = 1
_FOREIGN = ("ScaledObject",)
"""Kinds of others than Kubernetes, whose schemas are not here."""


def lint(folder: str, values: dict[str, Any]) -> list[str]:
    """Return what Helm's linter says of a chart."""
    import helm_python

    report = helm_python.lint(folder, values, strict=True, kube_version="v1.31.0")
    said = [one["error"] for one in report["messages"] if one["severity"] > _INFORMATION]
    return [*said, *report["errors"]]


def render(folder: str, values: dict[str, Any]) -> Any:
    """Return the documents of a chart as Helm renders them, or its error."""
    import helm_python
    import yaml

    chart = helm_python.Chart.load(folder)
    try:
        texts = chart.render(values, name=_NAME, namespace=_NAMESPACE)
    except helm_python.HelmError as error:
        return {"error": str(error)}
    return [one for text in texts.values() for one in yaml.safe_load_all(text) if one]


def validate(documents: list[dict[str, Any]], version: str) -> list[str]:
    """Return the faults of documents by the schemas of a version of Kubernetes, strictly."""
    import kubernetes_validate

    faults = []
    for document in documents:
        if document["kind"] in _FOREIGN:
            continue
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            faults.append(f"{document['kind']}: {error}")
    return faults


def check_compose(text: str) -> list[str]:
    """Return the faults of a compose file."""
    import compose_spec

    try:
        compose_spec.PyCompose.from_json(text)
    except Exception as error:
        return [str(error)]
    return []


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    if "lint" in request:
        answer: Any = lint(request["lint"], request["values"])
    elif "render" in request:
        answer = render(request["render"], request["values"])
    elif "validate" in request:
        answer = validate(request["validate"], request["version"])
    else:
        answer = check_compose(request["compose"])
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
