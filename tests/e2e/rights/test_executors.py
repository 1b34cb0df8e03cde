"""Which pods the holder of a driver's token can create at a real API server: the driver's executors, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.rights import attacks
from tests.e2e.rights.attacks import ATTACKS, Attack
from tests.e2e.rights.cluster import (
    CLOUD,
    CLOUD_ACCOUNT,
    GUARDED,
    OPEN,
    Requester,
    bound_token,
    create,
    driver,
    executor,
    kubectl,
    resource,
    too_much,
    without_volume,
)


def changed(namespace: str, change: attacks.Change) -> dict[str, Any]:
    """An executor with one difference."""
    pod = executor(namespace)
    change(pod)
    return pod


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.id for attack in ATTACKS])
def test_a_driver_can_create_no_pod_but_its_executors(attack: Attack, requester: Callable[[str], Requester]) -> None:
    refused = requester(GUARDED).create(changed(GUARDED, attack.change))
    assert not refused.accepted
    assert "ValidatingAdmissionPolicy 'featx-" in refused.text
    assert attack.names in refused.text
    without_policies = requester(OPEN).create(changed(OPEN, attack.change))
    assert without_policies.accepted, without_policies.text


def test_a_driver_can_create_and_delete_its_executors(thief: Requester) -> None:
    pod = executor(GUARDED, 7)
    created = thief.create(pod, dry_run=False)
    assert created.accepted, created.text
    deleted = thief.delete(f"pods/{pod['metadata']['name']}")
    assert deleted.accepted, deleted.text


@pytest.mark.parametrize(
    "change",
    [
        attacks.spec(nodeSelector={"featx.dev/node-pool": "xeon"}),
        attacks.container(image="registry.test/featx/job:2"),
        attacks.container(image="registry.test/one:1"),
        attacks.container(image="localhost/featx/job:next"),
        attacks.volume("claim-0", persistentVolumeClaim={"claimName": "images"}),
        attacks.spec(serviceAccountName="featx-job"),
    ],
    ids=["node pool", "image by prefix", "image by name", "job image of another version", "claim", "driver's account"],
)
def test_executors_may_use_what_their_namespace_and_resource_allow(change: attacks.Change, thief: Requester) -> None:
    pod = executor(GUARDED)
    without_volume(pod, "claim-0")
    change(pod)
    accepted = thief.create(pod)
    assert accepted.accepted, accepted.text


def test_a_token_for_a_cloud_is_mounted_only_where_pod_identity_is_allowed(
    requester: Callable[[str], Requester],
) -> None:
    def mount(source: dict[str, Any]) -> attacks.Change:
        return attacks.volume("aws-iam-token", projected=source)

    accepted = requester(CLOUD).create(changed(CLOUD, mount(attacks.CLOUD_TOKEN)))
    assert accepted.accepted, accepted.text
    for source in (attacks.TOKEN, attacks.API_SERVER_TOKEN, attacks.CLOUD_TOKEN_AND_MORE):
        refused = requester(CLOUD).create(changed(CLOUD, mount(source)))
        assert "spec.volumes" in refused.text


def test_a_token_that_is_bound_to_no_pod_creates_nothing(thief: Requester) -> None:
    token = kubectl("create", "token", "featx-job", f"--namespace={GUARDED}").stdout.strip()
    refused = Requester(GUARDED, token).create(executor(GUARDED))
    assert "with the token of a driver's pod" in refused.text


def test_a_token_of_another_pod_creates_nothing(thief: Requester) -> None:
    create(driver(GUARDED, "web"))
    refused = Requester(GUARDED, bound_token(GUARDED, "web")).create(executor(GUARDED))
    assert "metadata.ownerReferences" in refused.text


def test_a_driver_creates_no_executor_of_a_run_that_does_not_name_its_secrets(thief: Requester) -> None:
    poor = resource(GUARDED, "poor")
    del poor["spec"]["source"]["s3"]["secretRef"]
    create(poor, driver(GUARDED, "poor-1-driver"))
    holder = Requester(GUARDED, bound_token(GUARDED, "poor-1-driver"))
    pod = executor(GUARDED, run="poor")
    assert not holder.create(pod).accepted  # the template names a Secret that this resource does not
    without_volume(pod, "secret-0")
    accepted = holder.create(pod)
    assert accepted.accepted, accepted.text


def test_a_driver_does_not_pass_for_the_driver_of_a_run_with_a_shorter_name(thief: Requester) -> None:
    """The run `my-catalog` has attempt `1`, and no run `my` has attempt `catalog-1`."""
    run = "my-catalog"
    create(resource(GUARDED, run), driver(GUARDED, f"{run}-1-driver"))
    holder = Requester(GUARDED, bound_token(GUARDED, f"{run}-1-driver"))
    pod = executor(GUARDED, run=run)
    accepted = holder.create(pod)
    assert accepted.accepted, accepted.text
    attacks.volume("secret-1", secret={"secretName": "payroll"})(pod)
    attacks.volume("claim-1", persistentVolumeClaim={"claimName": "payroll"})(pod)
    pod["metadata"]["labels"] |= {"featx.dev/name": "my", "featx.dev/attempt": "catalog-1"}
    assert "metadata.labels" in holder.create(pod).text


SHA256 = "0" * 64
CLAIMS: dict[str, dict[str, Any]] = {
    "source-claim": {"source": {"claim": {"name": "pictures"}}},
    "source-files": {"source": {"files": {"uri": "claim://pictures/a"}}},
    "changed-since": {"source": {"s3": {"bucket": "images"}, "changedSince": "claim://earlier/table"}},
    "detector": {"detector": {"model": {"onnx": "claim://models/a.onnx", "sha256": SHA256}, "classes": [1]}},
    "extractor": {"extractor": {"model": {"onnx": "claim://models/a.onnx", "sha256": SHA256}, "layer": "a"}},
    "caffe": {
        "extractor": {
            "model": {"prototxt": "claim://nets/a", "weights": "claim://weights/a", "sha256": SHA256},
            "layer": "a",
        }
    },
}


@pytest.mark.parametrize("run", CLAIMS)
def test_executors_mount_every_claim_that_their_resource_names(run: str, thief: Requester) -> None:
    body = resource(GUARDED, run)
    body["spec"] |= CLAIMS[run]
    create(body, driver(GUARDED, f"{run}-1-driver"))
    holder = Requester(GUARDED, bound_token(GUARDED, f"{run}-1-driver"))
    pod = executor(GUARDED, run=run, spec=body["spec"])
    assert len([volume for volume in pod["spec"]["volumes"] if "persistentVolumeClaim" in volume]) > 1
    accepted = holder.create(pod)
    assert accepted.accepted, accepted.text
    attacks.volume("claim-9", persistentVolumeClaim={"claimName": "picture"})(pod)
    assert "mounts claims that its FeatureExtraction names only" in holder.create(pod).text


@pytest.mark.parametrize(
    "run", ["a" * 48, f"{'a' * 26}-b", f"{'a' * 25}--b", "a.b", f"{'a' * 26}.b"], ids=lambda run: f"{run}, {len(run)}"
)
def test_a_run_creates_executors_whatever_its_name(run: str, thief: Requester) -> None:
    create(resource(GUARDED, run), driver(GUARDED, f"{run}-1-driver"))
    accepted = Requester(GUARDED, bound_token(GUARDED, f"{run}-1-driver")).create(executor(GUARDED, run=run))
    assert accepted.accepted, accepted.text


def test_runs_whose_names_begin_alike_have_executors_at_the_same_time(thief: Requester) -> None:
    runs = [f"{'a' * 46}-{end}" for end in "bc"]
    create(*(item for run in runs for item in (resource(GUARDED, run), driver(GUARDED, f"{run}-1-driver"))))
    for run in runs:
        pod = executor(GUARDED, run=run)
        created = Requester(GUARDED, bound_token(GUARDED, f"{run}-1-driver")).create(pod, dry_run=False)
        assert created.accepted, created.text


def test_a_pod_that_is_created_by_apply_is_held_to_the_same_policies(thief: Requester) -> None:
    pod = executor(GUARDED, 5)
    path, kind = f"pods/{pod['metadata']['name']}?fieldManager=a&dryRun=All", "application/apply-patch+yaml"
    accepted = thief.send("PATCH", path, pod, kind=kind)
    assert accepted.accepted, accepted.text
    attacks.spec(hostNetwork=True)(pod)
    assert "hostNetwork" in thief.send("PATCH", path, pod, kind=kind).text


def test_an_account_that_runs_may_use_is_held_to_the_same_policies(requester: Callable[[str], Requester]) -> None:
    create(
        too_much(CLOUD, CLOUD, CLOUD_ACCOUNT), driver(CLOUD, "cloud-1-driver", CLOUD_ACCOUNT), resource(CLOUD, "cloud")
    )
    holder = Requester(CLOUD, bound_token(CLOUD, "cloud-1-driver", CLOUD_ACCOUNT))
    accepted = holder.create(executor(CLOUD, run="cloud", account_name=CLOUD_ACCOUNT))
    assert accepted.accepted, accepted.text
    pod = executor(CLOUD, run="cloud")
    attacks.spec(hostNetwork=True)(pod)
    assert "hostNetwork" in holder.create(pod).text


def test_an_account_of_runs_has_no_pods_in_another_namespace_even_if_a_role_there_says_so(thief: Requester) -> None:
    assert "forbidden" in thief.create(executor(CLOUD), namespace=CLOUD).text
    create(too_much(CLOUD, GUARDED, "featx-job"))
    assert "in its own namespace" in thief.create(executor(CLOUD), namespace=CLOUD).text
