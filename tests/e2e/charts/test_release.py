"""Install, upgrade and roll back the charts, with runs in flight."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.charts.release import GREEN, NAMESPACE, ROOT, VALUES, body, condition, helm, install, kubectl, run_of
from tests.e2e.polling import eventually

LONG = "count 250,succeed 9"  # 50 s: longer than an upgrade takes


def operators() -> list[dict[str, Any]]:
    """The operator's pods."""
    labels = "--selector=app.kubernetes.io/component=operator"
    return list(json.loads(kubectl("get", "pods", f"--namespace={NAMESPACE}", labels, "--output=json").stdout)["items"])


def test_two_operators_run_of_which_one_holds_the_lease(release: None) -> None:
    pods = [pod["metadata"]["name"] for pod in operators() if not pod["metadata"].get("deletionTimestamp")]
    assert len(pods) == 2
    path = "--output=jsonpath={.spec.holderIdentity}"
    assert kubectl("get", "lease", "featx-operator", f"--namespace={NAMESPACE}", path).stdout in pods
    budget = kubectl("get", "pdb", "featx-operator", f"--namespace={NAMESPACE}", "--output=json").stdout
    assert json.loads(budget)["status"]["disruptionsAllowed"] == 1


def test_helm_test_succeeds_and_leaves_nothing(release: None) -> None:
    assert "Phase:          Succeeded" in helm("test", "featx", "--timeout=3m").stdout
    left = kubectl("get", "pods,serviceaccounts,roles", f"--namespace={NAMESPACE}", "--output=name").stdout
    assert "check" not in left


def test_helm_test_names_what_is_missing(release: None) -> None:
    kubectl("scale", "deployment/featx-operator", "--replicas=0", f"--namespace={NAMESPACE}")
    try:
        eventually(lambda: operators() == [], "no operator")
        assert helm("test", "featx", "--timeout=3m", check=False).returncode != 0
        log = kubectl("logs", "featx-check", f"--namespace={NAMESPACE}").stdout
        assert "no operator holds the Lease featx-operator" in log
    finally:
        kubectl("delete", "pod", "featx-check", f"--namespace={NAMESPACE}", "--ignore-not-found")
        kubectl("scale", "deployment/featx-operator", "--replicas=2", f"--namespace={NAMESPACE}")
        kubectl("rollout", "status", "deployment/featx-operator", f"--namespace={NAMESPACE}", "--timeout=120s")


def test_a_run_lives_through_an_upgrade_and_a_rollback(release: None) -> None:
    kubectl("apply", "--filename=-", stdin=run_of(GREEN, "long", LONG))
    eventually(lambda: condition(GREEN, "long", "DriverReady").get("status") == "True", "a running driver")
    driver = body(GREEN, "long")["status"]["driver"]
    before = {pod["metadata"]["uid"] for pod in operators()}

    install(VALUES | {"podAnnotations": {"example.com/revision": "2"}})
    eventually(lambda: not before & {pod["metadata"]["uid"] for pod in operators()}, "new operators")
    helm("rollback", "featx", "--wait", "--timeout=5m")

    status = body(GREEN, "long")["status"]
    assert status["driver"] == driver
    kubectl("wait", "--for=condition=Succeeded", "fx/long", f"--namespace={GREEN}", "--timeout=180s")
    status = body(GREEN, "long")["status"]
    assert (status["attempt"], status["failedAttempts"], status["driver"]) == (1, 0, driver)
    assert status["outputs"][0]["recordCount"] == 9


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"namespaces": [], "tenants": {}}, "list at least one namespace to serve"),
        ({"tenants": {GREEN: {"queue": "main"}}}, "kueue.enabled is false"),
        ({"nodePools": {"xeon": {"coresPerSocket": "many"}}}, "coresPerSocket"),
        ({"tenants": {GREEN: {"quotas": {}}}}, "quotas"),
    ],
)
def test_values_that_cannot_work_are_refused_before_anything_changes(
    release: None, values: dict[str, Any], message: str
) -> None:
    chart = str(ROOT / "charts/featx")
    outcome = helm("upgrade", "featx", chart, values=VALUES | values, check=False)
    assert outcome.returncode != 0
    assert message in outcome.stderr


def test_the_api_server_accepts_the_cluster_wide_mode(release: None) -> None:
    chart = str(ROOT / "charts/featx")
    values = VALUES | {"namespaces": ["*"]}
    rendered = helm("template", "featx", chart, "--no-hooks", "--kube-version=1.34.0", values=values).stdout
    kubectl("apply", "--filename=-", "--dry-run=server", stdin=rendered)


def test_the_api_server_accepts_what_kustomize_builds(release: None) -> None:
    built = kubectl("kustomize", str(ROOT / "kustomize/overlays/private-registry")).stdout
    assert "image: registry.example/featx/operator@sha256:" in built
    assert "PodDisruptionBudget" not in built
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "featx-system"}}
    kubectl("apply", "--filename=-", stdin=namespace)  # which a dry run does not create
    for folder in ("crds", "base", "cluster-wide"):
        kubectl(
            "apply", "--server-side", "--force-conflicts", "--dry-run=server", f"--kustomize={ROOT}/kustomize/{folder}"
        )
