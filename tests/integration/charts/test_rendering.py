"""What helm renders of the charts, in each mode, and what the operator makes of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from featx_api.vision_model import VisionModelSpec
from featx_operator import metrics
from featx_operator.allowed import Tenants
from featx_operator.model_pods import model_pod
from featx_operator.objects import Key, Owner
from featx_operator.settings import Settings, from_environment

from tools import kustomize

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples/values"
DIGEST = "sha256:" + "0" * 64
TEAM: dict[str, Any] = {"edit": {"groups": ["team-a"]}}
MODES: dict[str, Mapping[str, Any]] = {
    "one namespace": {},
    "three namespaces": {"namespaces": ["team-a", "team-b", "team-c"]},
    "two tenants": yaml.safe_load((EXAMPLES / "tenants.yaml").read_text()),
    "the cluster": {"namespaces": ["*"]},
    "air-gapped": yaml.safe_load((EXAMPLES / "air-gapped.yaml").read_text()),
}


def render(values: Mapping[str, Any], chart: str = "featx") -> list[dict[str, Any]]:
    """The objects of a chart."""
    return [item for item in yaml.safe_load_all(kustomize.template(chart, values)) if item]


def only(items: list[dict[str, Any]], kind: str, name: str = "", namespace: str = "") -> dict[str, Any]:
    """The one object of a kind, and of a name and a namespace if they are given."""
    (item,) = (
        item
        for item in items
        if item["kind"] == kind
        and name in ("", item["metadata"]["name"])
        and namespace in ("", item["metadata"].get("namespace"))
    )
    return item


def container(items: list[dict[str, Any]]) -> dict[str, Any]:
    """The operator's container."""
    return dict(only(items, "Deployment")["spec"]["template"]["spec"]["containers"][0])


def settings(items: list[dict[str, Any]]) -> Settings:
    """The settings that the operator reads of its variables."""
    return from_environment({item["name"]: item.get("value", "") for item in container(items)["env"]})


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest) -> tuple[str, list[dict[str, Any]]]:
    """Each mode, with its objects."""
    return request.param, render(MODES[request.param])


def test_every_object_says_whose_it_is(mode: tuple[str, list[dict[str, Any]]]) -> None:
    for item in mode[1]:
        assert item["metadata"]["labels"]["app.kubernetes.io/instance"] == "featx", item
        assert item["metadata"]["labels"]["app.kubernetes.io/name"] == "featx"
    names = Counter((item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in mode[1])
    assert set(names.values()) == {1}


def test_the_page_of_operations_counts_objects_and_rights(mode: tuple[str, list[dict[str, Any]]]) -> None:
    name, items = mode
    kinds = Counter(item["kind"] for item in items)
    rights = sum(kinds[kind] for kind in ("Role", "ClusterRole"))
    operator = [item for item in items if item["metadata"]["name"].startswith("featx-operator")]
    wide = "yes" if any(item["kind"] == "ClusterRoleBinding" for item in operator) else "no"
    row = f"| {name} | {len(items)} | {rights} | {wide} |"
    assert row in (ROOT / "docs/operations.md").read_text(), row


def test_the_operator_understands_its_variables(mode: tuple[str, list[dict[str, Any]]]) -> None:
    read = settings(mode[1])
    values = MODES[mode[0]]
    assert read.cluster_wide == (values.get("namespaces") == ["*"])
    assert set(values.get("tenants", {})) <= set(read.namespaces)
    assert read.job_image == values.get("jobImage", Settings().job_image)


def test_every_pod_satisfies_pod_security_restricted(mode: tuple[str, list[dict[str, Any]]]) -> None:
    pod = only(mode[1], "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    security = container(mode[1])["securityContext"]
    assert security == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_without_the_cluster_wide_mode_nobody_has_rights_in_the_whole_cluster() -> None:
    for name, values in MODES.items():
        kinds = {item["kind"] for item in render(values)}
        assert ({"ClusterRole", "ClusterRoleBinding"} <= kinds) == (name == "the cluster")


def test_the_operator_has_the_same_rights_in_either_mode() -> None:
    role = only(render({}), "Role", "featx-operator", "default")
    assert only(render({"namespaces": ["*"]}), "ClusterRole", "featx-operator.featx-system")["rules"] == role["rules"]


def test_accounts_of_runs_are_held_to_the_policies_in_every_namespace_of_the_cluster() -> None:
    items = render({"namespaces": ["*"], "tenants": {"team-a": {"allowed": {"serviceAccounts": ["cloud"]}}}})
    condition = only(items, "ValidatingAdmissionPolicy", "featx-executors.featx-system")["spec"]["matchConditions"][0]
    assert "split(':')[3] in ['featx-job']" in condition["expression"]
    assert "'system:serviceaccount:team-a:cloud'" in condition["expression"]
    for item in items:
        if item["kind"] == "ValidatingAdmissionPolicyBinding":
            assert "namespaceSelector" not in item["spec"].get("matchResources", {})


def test_pods_of_others_do_not_depend_on_the_crd() -> None:
    """With failurePolicy Fail and a parameter that is a FeatureExtraction, a missing CRD would refuse every pod."""
    binding = only(render({"namespaces": ["*"]}), "ValidatingAdmissionPolicyBinding", "featx-mounts.featx-system")
    assert binding["spec"]["matchResources"]["objectSelector"] == {"matchLabels": {"featx.dev/role": "executor"}}


def test_an_entry_makes_a_namespace_with_all_that_a_team_needs() -> None:
    values = MODES["two tenants"]
    items = render(values)
    namespace = only(items, "Namespace", "search")["metadata"]
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert only(items, "ResourceQuota", namespace="search")["spec"]["hard"]["requests.cpu"] == "200"
    assert only(items, "LimitRange", namespace="search")["spec"]["limits"] == [
        {"type": "Container", "max": {"memory": "64Gi"}}
    ]
    for role in ("view", "edit", "admin"):
        assert only(items, "RoleBinding", f"featx-tenant-{role}", "search")["roleRef"]["name"] == f"featx-{role}"
    assert only(items, "ServiceAccount", "featx-job", "search")
    assert only(items, "Role", "featx-operator", "search")
    assert only(items, "NetworkPolicy", "featx-tenant", "search")
    allowed = settings(items).allowed.allowed_in("search")
    assert (allowed.node_pools, allowed.priority_classes) == (("amx", "spot"), ("batch",))
    assert not any(
        item["kind"] == "RoleBinding" and "tenant-admin" in item["metadata"]["name"]
        for item in items
        if item["metadata"].get("namespace") == "catalog"
    )


def test_a_namespace_that_is_listed_or_said_to_exist_is_not_created() -> None:
    for values in (
        {"namespaces": ["team-a"], "tenants": {"team-a": TEAM}},
        {"namespaces": ["*"], "tenants": {"team-a": {**TEAM, "createNamespace": False}}},
    ):
        items = render(values)
        assert "Namespace" not in {item["kind"] for item in items}
        assert only(items, "RoleBinding", "featx-tenant-edit", "team-a")


def test_a_queue_is_made_where_kueue_is() -> None:
    tenants = {"team-a": TEAM | {"queue": "images"}}
    queue = only(render({"tenants": tenants, "kueue": {"enabled": True}}), "LocalQueue")
    assert (queue["metadata"]["namespace"], queue["spec"]) == ("team-a", {"clusterQueue": "images"})
    with pytest.raises(ValueError, match=r"tenants.team-a.queue: images: kueue.enabled is false"):
        render({"tenants": tenants})


def test_runs_without_a_queue_name_are_queued_where_a_team_says_so() -> None:
    tenants = {"team-a": TEAM | {"queue": "images", "defaultQueue": True}, "team-b": TEAM | {"queue": "images"}}
    items = render({"tenants": tenants, "kueue": {"enabled": True, "requireQueueIn": ["team-a", "team-b"]}})
    queues = {
        (item["metadata"]["namespace"], item["metadata"]["name"]) for item in items if item["kind"] == "LocalQueue"
    }
    assert queues == {("team-a", "featx"), ("team-a", "default"), ("team-b", "featx")}
    allowed = settings(items).allowed
    assert [allowed.queues_by_default(name) for name in ("team-a", "team-b", "default")] == [True, False, False]
    policy = json.dumps(only(items, "ValidatingAdmissionPolicy", "featx-queues.featx-system"))
    assert "request.namespace in ['team-b'])" in policy  # the operator queues the others
    with pytest.raises(ValueError, match=r"tenants.team-a.defaultQueue: kueue.enabled is false"):
        render({"tenants": {"team-a": TEAM | {"defaultQueue": True}}})


def test_node_pools_reach_the_operator_with_their_whole_selector() -> None:
    pool = settings(render(MODES["two tenants"])).allowed.pool("amx")
    assert pool
    assert pool.node_selector == {
        "featx.dev/node-pool": "amx",
        "feature.node.kubernetes.io/cpu-cpuid.AVX512VNNI": "true",
        "feature.node.kubernetes.io/cpu-cpuid.AMXTILE": "true",
    }
    assert (pool.exclusive_cores, pool.cores_per_socket, pool.arrangement) == (True, 32, "spread")
    spot = settings(render(MODES["two tenants"])).allowed.pool("spot")
    assert spot
    assert spot.driver_placement() == {"nodeSelector": {"node.example/lifecycle": "on-demand"}}


def test_models_are_checked_in_the_node_pool_that_is_theirs() -> None:
    taint = {"key": "dedicated", "operator": "Equal", "value": "featx"}
    values = {
        "nodePools": {"general": {"tolerations": [taint]}},
        "modelChecks": {"nodePool": "general", "priorityClassName": "batch", "memory": "4Gi"},
        "tenants": {"team-a": TEAM | {"modelChecks": {"nodePool": "", "cpu": "500m"}}},
    }
    read = settings(render(values))
    net = VisionModelSpec.from_wire({"model": {"onnx": "s3://models/a.onnx", "sha256": "0" * 64}, "layer": "pool"})
    for namespace, placed, resources in (
        ("default", {"nodeSelector": {"featx.dev/node-pool": "general"}, "tolerations": [taint]}, ("100m", "4Gi")),
        ("team-a", {}, ("500m", "4Gi")),
    ):
        owner = Owner(Key(namespace, "resnet"), "m-1")
        pod = model_pod(owner, 1, net, read.allowed.allowed_in(namespace), read)["spec"]
        assert {name: pod[name] for name in ("nodeSelector", "tolerations") if name in pod} == placed
        assert pod["priorityClassName"] == "batch"
        requests = pod["containers"][0]["resources"]["requests"]
        assert (requests["cpu"], requests["memory"]) == resources


def test_two_replicas_prefer_different_nodes_and_are_drained_one_by_one() -> None:
    items = render({})
    assert "podAntiAffinity" in only(items, "Deployment")["spec"]["template"]["spec"]["affinity"]
    assert only(items, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert "PodDisruptionBudget" not in {item["kind"] for item in render({"replicas": 1})}


def test_pull_secrets_reach_the_operator_and_its_jobs() -> None:
    items = render(MODES["air-gapped"])
    assert only(items, "Deployment")["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert settings(items).image_pull_secrets == ("registry",)
    assert container(items)["image"].endswith(f"@{DIGEST}")


def test_a_job_image_by_digest_is_accepted_of_executors_with_any_digest_of_its_repository() -> None:
    policy = only(render(MODES["air-gapped"]), "ValidatingAdmissionPolicy", "featx-executors.featx-system")
    assert "'registry.example/featx/job@'" in json.dumps(policy)


def test_monitoring_is_off_unless_it_is_switched_on() -> None:
    kinds = {"PodMonitor", "ServiceMonitor", "PrometheusRule", "Service"}
    assert not kinds & {item["kind"] for item in render({})}
    names = ("podMonitor", "serviceMonitor", "prometheusRule")
    assert "ConfigMap" not in {item["kind"] for item in render({})}
    monitors = {name: {"create": True, "labels": {"release": "prometheus"}} for name in names}
    items = render({"metrics": {**monitors, "scrapedFrom": ["monitoring"]}})
    assert kinds <= {item["kind"] for item in items}
    for kind, endpoints in (("PodMonitor", "podMetricsEndpoints"), ("ServiceMonitor", "endpoints")):
        monitor = only(items, kind)
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        (endpoint,) = monitor["spec"][endpoints]
        assert endpoint == {"port": "metrics", "interval": "30s", "honorLabels": True}
        assert "namespaceSelector" not in monitor["spec"]  # by default the monitor's own
    selected = only(items, "PodMonitor")["spec"]["selector"]["matchLabels"]
    labels = only(items, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert selected.items() <= labels.items()
    assert only(items, "Service")["spec"]["selector"].items() <= labels.items()
    assert container(items)["ports"] == [{"name": "metrics", "containerPort": 9464}]


def test_only_the_namespaces_that_are_named_reach_the_metrics() -> None:
    items = render({"metrics": {"scrapedFrom": ["monitoring", "404"], "port": 9999}})
    policy = only(items, "NetworkPolicy", "featx-operator", "featx-system")["spec"]
    labels = only(items, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["policyTypes"] == ["Ingress"]
    names = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": n}}} for n in ("monitoring", "404")]
    assert policy["ingress"] == [{"from": names, "ports": [{"port": 9999}]}]
    assert container(items)["ports"] == [{"name": "metrics", "containerPort": 9999}]
    assert only(render({}), "NetworkPolicy", "featx-operator")["spec"]["ingress"] == []
    assert "NetworkPolicy" not in {item["kind"] for item in render({"networkPolicy": {"create": False}})}


@pytest.mark.parametrize("monitor", ["podMonitor", "serviceMonitor"])
def test_a_monitor_that_the_network_policy_would_keep_away_is_refused(monitor: str) -> None:
    with pytest.raises(ValueError, match=r"metrics\.scrapedFrom: must name the namespace of Prometheus"):
        render({"metrics": {monitor: {"create": True}}})
    assert render({"metrics": {monitor: {"create": True}}, "networkPolicy": {"create": False}})


def test_alerts_and_dashboards_use_metrics_that_exist() -> None:
    items = render({"metrics": {"prometheusRule": {"create": True}, "dashboards": {"create": True}}})
    alerts = [rule["expr"] for group in only(items, "PrometheusRule")["spec"]["groups"] for rule in group["rules"]]
    dashboards = [json.loads(text) for text in only(items, "ConfigMap")["data"].values()]
    panels = [item["expr"] for board in dashboards for panel in board["panels"] for item in panel["targets"]]
    known = {sample for family in metrics.REGISTRY.collect() for sample in samples(family.name, family.type)}
    used = set(re.findall(r"featx_\w+", " ".join([*alerts, *panels])))
    assert (len(alerts), len(dashboards)) == (6, 2)
    assert used <= known
    assert {name.removesuffix("_bucket") for name in used} == {name.removesuffix("_bucket") for name in known}


def test_panels_have_places_of_their_own_and_only_variables_of_their_dashboard() -> None:
    for path in (ROOT / "charts/featx/dashboards").glob("*.json"):
        board = json.loads(path.read_text())
        panels = board["panels"]
        assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
        places = [(panel["gridPos"]["x"] + x, panel["gridPos"]["y"]) for panel in panels for x in range(8)]
        assert len(set(places)) == len(places)
        assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
        declared = {variable["name"] for variable in board["templating"]["list"]} | {"__rate_interval"}
        text = json.dumps([panels, board["templating"]])
        assert set(re.findall(r"\$\{?(\w+)", text)) - {"__all"} <= declared


def samples(name: str, kind: str) -> set[str]:
    """The series that a query uses of a metric."""
    return {"counter": {f"{name}_total"}, "histogram": {f"{name}_bucket"}}.get(kind, {name})


def test_labels_annotations_and_variables_can_be_added() -> None:
    values = {
        "commonLabels": {"cost": "a"},
        "podLabels": {"mesh": "off"},
        "podAnnotations": {"example.com/a": "b"},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy"}],
    }
    items = render(values)
    assert all(item["metadata"]["labels"]["cost"] == "a" for item in items)
    pod = only(items, "Deployment")["spec"]["template"]["metadata"]
    assert (pod["labels"]["mesh"], pod["labels"]["cost"]) == ("off", "a")
    assert pod["annotations"] == {"example.com/a": "b"}
    assert "cost" not in only(items, "Deployment")["spec"]["selector"]["matchLabels"]  # it can't be changed later
    assert container(items)["env"][-1]["name"] == "HTTPS_PROXY"


def test_annotations_of_the_jobs_accounts_can_differ_by_tenant() -> None:
    role = "eks.amazonaws.com/role-arn"
    tenants = {"team-a": {"jobServiceAccount": {"annotations": {role: "a"}}}, "team-b": TEAM}
    items = render({"jobServiceAccount": {"annotations": {role: "all"}}, "tenants": tenants})
    for name, expected in (("team-a", "a"), ("team-b", "all"), ("default", "all")):
        assert only(items, "ServiceAccount", "featx-job", name)["metadata"]["annotations"][role] == expected


def test_stores_that_runs_may_reach_can_differ_by_tenant() -> None:
    peer = {"ipBlock": {"cidr": "10.1.0.0/16"}}
    items = render({"tenants": {"team-a": {"networkPolicy": {"stores": [peer]}}}})
    policy = only(items, "NetworkPolicy", "featx-executor", "team-a")
    assert policy["spec"]["egress"][-1]["to"] == [peer]
    assert peer not in only(items, "NetworkPolicy", "featx-executor", "default")["spec"]["egress"][-1]["to"]


def test_no_namespace_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="list at least one namespace to serve"):
        render({"namespaces": []})


def test_the_operators_own_namespace_is_no_teams() -> None:
    with pytest.raises(ValueError, match=r"tenants.featx-system: the operator's own namespace"):
        render({"tenants": {"featx-system": TEAM}})


def test_kustomizes_folders_are_what_the_charts_render() -> None:
    for path, text in kustomize.files():
        assert path.read_text() == text, f"{path}: run `make generate`"


def test_what_the_operator_is_told_by_default_is_its_own_default() -> None:
    assert settings(render({})).allowed == Tenants()
