"""Executors go where the operator places those of their node pool, and nowhere else, at a real API server."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from featx_operator.allowed import Tenants

from tests.e2e.rights import attacks
from tests.e2e.rights.cluster import CLOUD, GUARDED, POOLS, VALUES, Requester, chart, executor


@pytest.fixture(scope="module")
def tenants() -> Tenants:
    """What the chart tells the operator."""
    (deployment,) = yaml.safe_load_all(chart(VALUES | {"replicas": 1}, "deployment"))
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return Tenants.from_json(next(item["value"] for item in environment if item["name"] == "FEATX_ALLOWED"))


def in_pool(tenants: Tenants, name: str, namespace: str = GUARDED) -> dict[str, Any]:
    """An executor of a pool, as the operator and Spark make it."""
    pod = executor(namespace, pool=tenants.pool(name))
    pod["spec"].setdefault("tolerations", [])
    pod["spec"]["tolerations"].append(attacks.NOT_READY)  # what the API server adds to every pod
    return pod


@pytest.mark.parametrize("name", ["xeon", *POOLS])
def test_executors_may_be_placed_as_the_operator_places_them(name: str, tenants: Tenants, thief: Requester) -> None:
    accepted = thief.create(in_pool(tenants, name))
    assert accepted.accepted, accepted.text


@pytest.mark.parametrize("name", ["spread", "packed"])
def test_executors_that_are_placed_beside_other_runs_are_refused(name: str, tenants: Tenants, thief: Requester) -> None:
    pod = in_pool(tenants, name)
    for labels in attacks.selectors(pod["spec"]):
        labels["featx.dev/uid"] = "another"
    assert "must be that of its node pool" in thief.create(pod).text


@pytest.mark.parametrize(
    ("name", "change", "refusal"),
    [
        ("xeon", {"tolerations": [attacks.TAINT]}, "spec.tolerations"),
        ("spread", {"tolerations": [attacks.TAINT | {"effect": "NoExecute"}]}, "spec.tolerations"),
        ("spread", {"tolerations": [{"operator": "Exists"}]}, "spec.tolerations"),
        ("spread", {"nodeSelector": {"featx.dev/node-pool": "spread"}}, "spec.nodeSelector"),
        ("spread", {"nodeSelector": {}}, "spec.tolerations"),
        ("packed", {"nodeSelector": {"kubernetes.io/hostname": "other"}}, "spec.nodeSelector"),
        ("packed", {"affinity": {"nodeAffinity": {}}}, "spec.affinity"),
        ("packed", {"affinity": {"podAntiAffinity": {}}}, "spec.affinity"),
        ("packed", {"topologySpreadConstraints": [attacks.SPREAD]}, "spec.topologySpreadConstraints"),
        ("xeon", {"topologySpreadConstraints": [attacks.SPREAD]}, "spec.topologySpreadConstraints"),
    ],
)
def test_executors_that_are_placed_otherwise_are_refused(
    name: str, change: dict[str, Any], refusal: str, tenants: Tenants, thief: Requester
) -> None:
    pod = in_pool(tenants, name)
    pod["spec"] |= change
    assert refusal in thief.create(pod).text


def test_the_pool_of_another_namespace_is_refused(tenants: Tenants, requester: Any) -> None:
    assert "spec.nodeSelector" in requester(CLOUD).create(in_pool(tenants, "packed", CLOUD)).text
