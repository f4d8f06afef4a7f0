"""The Helm chart: Helm renders it, Kubernetes' schemas take it, and dicodec takes its arguments."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

import pytest

from dicodec.cli.arguments import parse_arguments
from helpers.charts import ask
from helpers.page_blocks import ROOT

CHART = str(ROOT / "docs" / "deploy" / "chart")
CONFIG = """\
[receive]
aet = "DICODEC"
address = "0.0.0.0"
spool = "/spool"
peers = { CT1 = "10.0.0.5" }
"""
GATEWAY = {"gateway": {"enabled": True, "config": CONFIG}}
VALUES: dict[str, dict[str, Any]] = {
    "default": {},
    "all parts": GATEWAY,
    "without keda and policies": {
        "keda": {"enabled": False}, "networkPolicy": {"enabled": False}, "worker": {"replicas": 3},
    },
    "by digest": {"image": {"digest": f"sha256:{'0' * 64}"}, "imagePullSecrets": [{"name": "key"}]},
    "service alone": {
        "worker": {"enabled": False},
        "serve": {"hosts": ["a.example"], "arguments": ["--cors=https://a.example"]},
    },
}  # fmt: skip


@cache
def rendered(name: str) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = ask(render=CHART, values=VALUES[name])
    assert isinstance(documents, list), documents
    return documents


def of_kind(name: str, *kinds: str) -> list[dict[str, Any]]:
    return [one for one in rendered(name) if one["kind"] in kinds]


def pods(name: str) -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"] for one in of_kind(name, "Deployment", "StatefulSet")]


@pytest.mark.parametrize("name", VALUES)
def test_helm_has_nothing_to_say(name: str) -> None:
    assert ask(lint=CHART, values=VALUES[name]) == []


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("version", ["1.27", "1.31", "1.35"])
def test_kubernetes_takes_all_documents(name: str, version: str) -> None:
    assert ask(validate=rendered(name), version=version) == []


def test_what_is_asked_for_is_rendered() -> None:
    kinds = sorted(f"{one['kind']} {one['metadata']['name']}" for one in rendered("all parts"))
    assert kinds == [
        "ConfigMap images-gateway",
        "Deployment images-worker",
        "NetworkPolicy images-gateway",
        "NetworkPolicy images-serve",
        "NetworkPolicy images-worker",
        "PodDisruptionBudget images-worker",
        "ScaledObject images-worker",
        "Service images-gateway",
        "Service images-serve",
        "StatefulSet images-gateway",
        "StatefulSet images-serve",
    ]
    assert {one["kind"] for one in rendered("service alone")} == {
        "StatefulSet", "Service", "NetworkPolicy",
    }  # fmt: skip
    assert not of_kind("without keda and policies", "ScaledObject", "NetworkPolicy")
    (worker,) = of_kind("without keda and policies", "Deployment")
    assert worker["spec"]["replicas"] == 3
    (scaled,) = of_kind("default", "Deployment")
    assert "replicas" not in scaled["spec"], "KEDA and the Deployment would take turns"


@pytest.mark.parametrize("name", VALUES)
def test_no_pod_has_rights_that_it_does_not_need(name: str) -> None:
    for pod in pods(name):
        assert pod["automountServiceAccountToken"] is False
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == 10001
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", VALUES)
def test_dicodec_takes_the_arguments(name: str) -> None:
    for pod in pods(name):
        for container in pod["containers"]:
            found = parse_arguments(container["args"])
            mounts = [one["mountPath"] for one in container["volumeMounts"]]
            assert "/tmp" in mounts, "the root is read-only"
            if found.command == "worker":
                drain = found.drain
                assert pod["terminationGracePeriodSeconds"] > drain
                assert found.alive_file == "/tmp/alive"
            if found.command == "serve":
                assert {"/state", "/token", *found.root} <= set(mounts)
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    (host,) = container[probe]["httpGet"]["httpHeaders"]
                    assert host["value"] in found.allowed_host


def test_volumes_that_are_mounted_are_there() -> None:
    for one in of_kind("all parts", "Deployment", "StatefulSet"):
        pod = one["spec"]["template"]["spec"]
        there = {volume["name"] for volume in pod["volumes"]}
        there |= {made["metadata"]["name"] for made in one["spec"].get("volumeClaimTemplates", [])}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == there


def test_the_gateway_s_configuration_arrives_as_it_is() -> None:
    (config,) = of_kind("all parts", "ConfigMap")
    text = config["data"]["gateway.toml"]
    assert tomllib.loads(text) == tomllib.loads(CONFIG)


def test_policies_and_budgets_select_the_pods() -> None:
    labels = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
        for one in of_kind("all parts", "Deployment", "StatefulSet")
    }
    for one in of_kind("all parts", "NetworkPolicy", "PodDisruptionBudget", "Service"):
        spec = one["spec"]
        selector = spec.get("podSelector", spec.get("selector"))
        wanted = selector.get("matchLabels", selector)
        assert wanted.items() <= labels[one["metadata"]["name"]].items()
    for policy in of_kind("all parts", "NetworkPolicy"):
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize(
    "values",
    [
        {"gateway": {"enabled": True}},
        {"image": {"digest": "latest"}},
        {"worker": {"jobs": 0}},
        {"serve": {"port": 70000}},
        {"secrets": {"broker": ""}},
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any]) -> None:
    assert ask(lint=CHART, values=values) != []
