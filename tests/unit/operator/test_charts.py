"""The charts agree with the code that they are generated from or configure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from featx_api import contract
from featx_api.crd import CLUSTER_MODEL, MODEL, SCHEDULE, render
from featx_operator.allowed import Allowed, ModelChecks, Tenants
from featx_operator.node_pools import NodePool
from featx_operator.settings import Settings

CHARTS = Path(__file__).parents[3] / "charts"
TEMPLATES = CHARTS / "featx/templates"


def rules(template: str) -> list[tuple[str, str]]:
    """The resources and verbs of all Roles of a template, read without Helm."""
    text = (TEMPLATES / f"{template}.yaml").read_text()
    found = re.findall(r"resources: \[(.*)\]\n(?: +resourceNames: .*\n)? +verbs: \[(.*)\]", text)
    return [(resources, verbs.replace(",", "")) for resources, verbs in found]


def test_the_crd_chart_contains_the_generated_crd() -> None:
    assert (CHARTS / "featx-crds/templates/featureextractions.featx.dev.yaml").read_text() == render()
    schedules = (CHARTS / "featx-crds/templates/featureextractionschedules.featx.dev.yaml").read_text()
    assert schedules == render(SCHEDULE)
    for kind in (MODEL, CLUSTER_MODEL):
        assert (CHARTS / f"featx-crds/templates/{kind.plural}.featx.dev.yaml").read_text() == render(kind)


def test_the_values_satisfy_their_schema_which_covers_all_of_them() -> None:
    schema = json.loads((CHARTS / "featx/values.schema.json").read_text())
    values = yaml.safe_load((CHARTS / "featx/values.yaml").read_text())
    jsonschema.validate(values, schema)
    assert values.keys() == schema["properties"].keys() - {"global"}


@pytest.mark.parametrize(
    "bad",
    [
        {"namespaces": ["Team A"]},
        {"namespaces": ["*", "team-a"]},
        {"tenants": {"kube-system": {}}},
        {"tenants": {"team-a": {"quota": {"pods": "many"}}}},
        {"tenants": {"team-a": {"edit": {"groups": ["system:authenticated"]}}}},
        {"tenants": {"team-a": {"podSecurity": "privileged"}}},
        {"tenants": {"team-a": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}},
        {"tenants": {"team-a": {"networkPolicy": {"stores": [{"ipBlocks": {}}]}}}},
        {"nodePools": {"xeon": {"cpuFeatures": ["AMX' || true"]}}},
        {"nodePools": {"xeon": {"nodeSelector": {"a": "b'"}}}},
        {"nodePools": {"xeon": {"nodeSelector": {}}}},
        {"nodePools": {"xeon": {"tolerations": [{"operator": "Exists"}]}}},
        {"nodePools": {"xeon": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}}},
        {"nodePools": {"xeon": {"coresPerSocket": 0}}},
        {"nodePools": {"x'": {}}},
        {"jobImage": "a' || true || 'b"},
        {"replicas": -1},
        {"extraEnv": [{"name": "FEATX_ALLOWED", "value": "{}"}]},
        {"settings": {"FEATX_NAMESPACES": "*"}},
        {"commonLabels": {"app.kubernetes.io/name": "other"}},
        {"podLabels": {"featx.dev/role": "driver"}},
        {"allowed": {"stores": ["s3://a b"]}},
        {"resources": {"request": {}}},
        {"metrics": {"podMonitor": {"interval": "often"}}},
        {"settings": {"PATH": "x"}},
        {"settings": {"FEATX_ALLOWED": "{}"}},
        {"image": ""},
        {"imgae": "x"},
        {"allowed": {"accounts": ["a"]}},
        {"allowed": {"serviceAccounts": ["Admin"]}},
        {"allowed": {"images": ["a*b"]}},
        {"allowed": {"podIdentity": "yes"}},
        {"allowed": {"urlHosts": ["https://a.example"]}},
        {"allowed": {"urlHosts": ["a.example,*"]}},
        {"tenants": {"team-a": {"nodePools": ["gpu"]}}},
        {"admissionPolicy": {"tokenAudiences": ["a' || true || 'b"]}},
        {"admissionPolicy": {"annotations": ["a b"]}},
        {"networkPolicy": {"apiServer": ["10.0.0.1"]}},
        {"kueue": {"enabled": "yes"}},
        {"kueue": {"nodeLabels": ["a' || true || 'b"]}},
        {"settings": {"FEATX_KUEUE": "true"}},
        {"modelChecks": {"cpu": 2}},
        {"modelChecks": {"memory": "much"}},
        {"tenants": {"team-a": {"modelChecks": {"nodepool": "a"}}}},
    ],
)
def test_invalid_values_are_rejected(bad: dict[str, object]) -> None:
    schema = json.loads((CHARTS / "featx/values.schema.json").read_text())
    values = yaml.safe_load((CHARTS / "featx/values.yaml").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values | bad, schema)


def test_the_deployment_sets_only_variables_that_the_operator_reads() -> None:
    text = (CHARTS / "featx/templates/deployment.yaml").read_text()
    known = {f"FEATX_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert set(re.findall(r"FEATX_[A-Z_]+", text)) <= known


def test_the_chart_allows_by_default_what_the_operator_does() -> None:
    values = yaml.safe_load((CHARTS / "featx/values.yaml").read_text())
    fields = ("allowed", "modelChecks", "tenants", "nodePools")
    assert Tenants.model_validate({name: values[name] for name in fields}) == Settings().allowed
    assert values["modelChecks"].keys() == {field.alias for field in ModelChecks.model_fields.values()}
    assert values["allowed"].keys() == {field.alias for field in Allowed.model_fields.values()}


def test_the_table_of_values_has_what_the_comments_of_the_values_say() -> None:
    """`make generate` writes it, by helm-docs."""
    comments = re.findall(r"(?m)^ *# -- ((?:.*)(?:\n *# .*)*)\n *(\w+):", (CHARTS / "featx/values.yaml").read_text())
    rows = re.findall(r"(?m)^\| ([\w.]+) \| \w+ \| `.*?` \| (.*) \|$", (CHARTS / "featx/README.md").read_text())
    described = Counter((re.sub(r"\n *# ", " ", text), name) for text, name in comments)
    assert described == Counter((text, key.rsplit(".", 1)[-1]) for key, text in rows)
    assert len(rows) > 40


def test_every_value_is_described() -> None:
    def leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
        for name, value in values.items():
            nested = isinstance(value, dict) and value and name not in ("resources", "labels")
            yield from leaves(value, f"{path}{name}.") if nested else (path + name,)

    values = yaml.safe_load((CHARTS / "featx/values.yaml").read_text())
    text = (CHARTS / "featx/README.md").read_text()
    assert [name for name in leaves(values) if f"| {name} | " not in text] == []


def test_node_pools_in_the_values_are_those_that_the_operator_knows() -> None:
    schema = json.loads((CHARTS / "featx/values.schema.json").read_text())
    known = {field.alias for field in NodePool.model_fields.values()}
    assert schema["definitions"]["nodePool"]["properties"].keys() == known | {"cpuFeatures"}


def test_no_role_uses_a_wildcard() -> None:
    for path in [*(CHARTS / "featx/templates").glob("*-access.yaml"), CHARTS / "featx-crds/templates/roles.yaml"]:
        assert not re.search(r"['\"]\*['\"]", path.read_text()), path.name


def test_the_job_has_rights_on_pods_only() -> None:
    granted = rules("job-access")  # of the Role, and of the ClusterRole that takes its place in the cluster-wide mode
    assert granted == 2 * [("pods", "create get list watch patch delete deletecollection")]


def test_the_operator_neither_lists_secrets_nor_changes_what_others_create() -> None:
    granted = dict(rules("operator-access"))
    assert granted["secrets"] == "get create delete"
    changed = {name for name, verbs in granted.items() if {"update", "patch", "deletecollection"} & set(verbs.split())}
    assert changed == {
        "leases",
        "pods",  # policy-operator.yaml narrows it to one annotation of drivers
        "featureextractions/status, featureextractionschedules/status, visionmodels/status",
        "workloads",
        "workloads/status",
    }


def test_rights_on_models_of_the_cluster_are_a_switch_of_their_own() -> None:
    assert rules("model-access") == [("clustervisionmodels", "get list watch"), ("clustervisionmodels/status", "patch")]
    assert "clustervisionmodels" not in (TEMPLATES / "operator-access.yaml").read_text()


def test_policies_fail_closed_and_deny() -> None:
    policies = sorted(TEMPLATES.glob("policy-*.yaml"))
    assert len(policies) == 5
    for path in policies:
        text = path.read_text()
        assert "failurePolicy: Fail" in text
        assert "validationActions: [Deny]" in text
        assert ("featx.operator" if path.stem == "policy-operator" else "featx.isAccount") in text


def test_policies_know_pods_as_the_contract_has_them() -> None:
    text = "".join(path.read_text() for path in [*TEMPLATES.glob("policy-*.yaml"), *TEMPLATES.glob("_*.tpl")])
    labels = {contract.LABEL_NAME, contract.LABEL_UID, contract.LABEL_ATTEMPT, contract.LABEL_ROLE}
    others = {contract.PROGRESS_ANNOTATION, contract.EXECUTORS_ANNOTATION, contract.NODE_POOL_LABEL}
    assert set(re.findall(r"featx\.dev/[a-z-]+", text)) - {"featx.dev/v"} == labels | others
    assert f"runAsUser == {contract.USER}" in text
    for name in (contract.EXECUTOR, contract.AUTHENTICATION, contract.TERMINATION_MESSAGE_FILE, f"-{contract.DRIVER}"):
        assert f"'{name}'" in text


def test_policies_know_the_names_of_executors_as_the_contract_has_them() -> None:
    text = (TEMPLATES / "policy-executors.yaml").read_text()
    rule = text[text.index("- name: prefix") : text.index("- name: spec\n")]
    letters = [str(len(part)) for part in contract.executor_prefix("n" * 48, "u" * 36, 1).split("-")[:2]]
    assert set(re.findall(r"\b\d+\b", rule)) == {"0", *letters}
    assert ".replace('.', '-')" in rule


def test_network_policies_open_the_ports_of_the_contract() -> None:
    text = (TEMPLATES / "network.yaml").read_text()
    assert [int(port) for port in re.findall(r"- port: (7\d+)", text)] == [contract.DRIVER_PORT, contract.BLOCK_PORT]
    assert "169.254.0.0/16" in text


def test_the_operators_probes_wait_for_a_busy_node() -> None:
    """The kubelet starts a process for each. A node busy with runs takes seconds, and a restart helps no tenant."""
    text = (TEMPLATES / "deployment.yaml").read_text()
    assert all(int(seconds) >= 20 for seconds in re.findall(r"timeoutSeconds: (\d+)", text))
    liveness = text.split("livenessProbe:")[1].split("startupProbe:")[0]
    period, failures = (
        int(re.findall(rf"{name}: (\d+)", liveness)[0]) for name in ("periodSeconds", "failureThreshold")
    )
    assert period * failures >= 120
