"""The CRD in a real API server: what it rejects, which changes it allows, which defaults it sets."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.bad_resources import BAD, Bad, changed, good
from tests.support.dangerous_spark_conf import DANGEROUS

CRD_FILE = "crds/featureextractions.featx.dev.yaml"
NAMESPACE = "featx-crd-test"


def kubectl(*arguments: str, stdin: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["kubectl", *arguments], input=json.dumps(stdin) if stdin else None, text=True, capture_output=True, check=False
    )


@pytest.fixture(scope="module", autouse=True)
def namespace() -> Iterator[str]:
    assert kubectl("apply", "-f", CRD_FILE).returncode == 0
    kubectl("wait", "--for=condition=Established", "crd/featureextractions.featx.dev", "--timeout=30s")
    kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def in_namespace(resource: dict[str, Any]) -> dict[str, Any]:
    resource["metadata"]["namespace"] = NAMESPACE
    return resource


def start(resource: dict[str, Any]) -> None:
    """Applies the resource and marks it as started, as the operator's first status does."""
    assert kubectl("apply", "-f", "-", stdin=in_namespace(resource)).returncode == 0
    started = {"status": {"startTime": "2026-11-25T00:00:00Z"}}
    name = resource["metadata"]["name"]
    patched = kubectl(
        "patch", "fx", name, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", json.dumps(started)
    )
    assert patched.returncode == 0, patched.stderr


def test_the_crd_is_installed_by_a_plain_apply() -> None:
    again = kubectl("apply", "-f", CRD_FILE)
    assert again.returncode == 0, again.stderr


def test_a_good_resource_is_accepted_and_gets_its_defaults() -> None:
    accepted = kubectl("apply", "--dry-run=server", "-o", "json", "-f", "-", stdin=in_namespace(good()))
    assert accepted.returncode == 0, accepted.stderr
    spec = json.loads(accepted.stdout)["spec"]
    assert (spec["engine"], spec["backoffLimit"], spec["errors"]) == ("bigdl", 3, {"maxFailedFraction": 0.1})


@pytest.mark.parametrize("bad", BAD, ids=[bad.id for bad in BAD])
def test_a_bad_resource_is_rejected_with_a_message_that_names_the_field(bad: Bad) -> None:
    resource = in_namespace(changed(bad.path, bad.value))
    # A plain apply repeats the resource in an annotation, which holds 256 KiB.
    large = ["--server-side"] if len(json.dumps(resource)) > 200_000 else []
    refused = kubectl("apply", *large, "--dry-run=server", "-f", "-", stdin=resource)
    assert refused.returncode != 0
    assert bad.names in refused.stderr


def test_every_dangerous_spark_setting_is_rejected() -> None:
    resources = [in_namespace(changed("spec.execution.sparkConf", {key: value})) for key, value in DANGEROUS]
    for number, resource in enumerate(resources):
        resource["metadata"]["name"] = f"dangerous-{number}"
    everything = {"apiVersion": "v1", "kind": "List", "items": resources}
    refused = kubectl("apply", "--dry-run=server", "-f", "-", stdin=everything)
    assert refused.stdout == ""
    assert [
        number for number in range(len(DANGEROUS)) if f'"dangerous-{number}" is invalid' not in refused.stderr
    ] == []


@pytest.mark.parametrize("path", sorted(Path("examples").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_accepted(path: Path) -> None:
    accepted = kubectl("apply", "--dry-run=server", "--namespace", NAMESPACE, "-f", str(path))
    assert accepted.returncode == 0, accepted.stderr


def test_as_many_keys_as_fit_are_accepted() -> None:
    # As `kubectl create` does: `apply` would store all of them a second time, in an annotation.
    resource = in_namespace(changed("spec.source", {"s3": {"bucket": "images"}, "keys": ["k" * 1024] * 384}))
    accepted = kubectl("create", "--dry-run=server", "-f", "-", stdin=resource)
    assert accepted.returncode == 0, accepted.stderr


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.source.s3.prefix", "other/"),
        ("spec.detector", None),
        ("spec.detector.scoreThreshold", 0.9),
        ("spec.extractor.layer", "fc7"),
        ("spec.output.uri", "s3://features/other"),
        ("spec.execution.kerberos", {"principal": "features@EXAMPLE.COM", "secretRef": {"name": "payroll"}}),
    ],
)
def test_what_a_run_computes_cannot_change_once_it_has_started(path: str, value: object) -> None:
    start(good())
    resource = in_namespace(changed(path, value))
    if value is None:
        del resource["spec"]["detector"]
    refused = kubectl("apply", "-f", "-", stdin=resource)
    assert refused.returncode != 0
    assert "cannot change once the run has started" in refused.stderr
    assert path.split(".")[1] in refused.stderr


def test_the_resources_of_a_run_can_change_after_it_has_started() -> None:
    start(good())
    changed_run = kubectl("apply", "-f", "-", stdin=in_namespace(changed("spec.execution.executors", 4)))
    assert changed_run.returncode == 0, changed_run.stderr


def test_everything_can_change_before_the_start() -> None:
    resource = good()
    resource["metadata"]["name"] = "not-started"
    assert kubectl("apply", "-f", "-", stdin=in_namespace(resource)).returncode == 0
    resource["spec"]["output"]["uri"] = "s3://features/other"
    assert kubectl("apply", "-f", "-", stdin=resource).returncode == 0


def test_kubectl_get_by_the_short_name_prints_the_status_columns() -> None:
    start(good())
    table = kubectl("get", "fx", "-n", NAMESPACE)
    assert table.stdout.split("\n")[0].split() == ["NAME", "STATUS", "PROGRESS", "EXECUTORS", "AGE"]


def test_a_resource_that_no_operator_has_seen_says_so_and_is_not_current() -> None:
    resource = in_namespace(good())
    resource["metadata"]["name"] = "unseen"
    assert kubectl("apply", "-f", "-", stdin=resource).returncode == 0
    status = json.loads(kubectl("get", "fx", "unseen", "-n", NAMESPACE, "-o", "json").stdout)["status"]
    assert (status["observedGeneration"], status["state"]) == (-1, "WaitingForOperator")
    assert [(item["type"], item["status"]) for item in status["conditions"]] == [("Reconciling", "True")]
    row = kubectl("get", "fx", "unseen", "-n", NAMESPACE, "--no-headers").stdout.split()
    assert row[:2] == ["unseen", "WaitingForOperator"]
