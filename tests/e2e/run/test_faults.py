"""Faults in a cluster: wrong models, killed pods, a killed operator, a deleted resource."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

from tests.e2e.names import NAMESPACE
from tests.e2e.polling import eventually
from tests.e2e.run.harness import Run, Store, apply, executor_processes, kubectl, resource

SMALL = {"shardImages": 5}


def begin(name: str, store: Store, noise: dict[str, bytes], extractor: dict[str, Any], **spec: Any) -> Run:
    """Uploads small images and applies a run over them, with many shards."""
    store.put_images(f"images/{name}", noise)
    return apply(resource(name, store, None, extractor, execution=SMALL, **spec))


def in_the_middle(run: Run, store: Store) -> None:
    """Waits until some shards are done, by the store: the status is written seconds apart, and may skip this phase."""
    eventually(lambda: store.shards_done(f"tables/{run.name}"), f"{run.name} is in the middle", 300)


def test_a_wrong_model_digest_fails_the_run_before_any_executor_starts(
    store: Store, noise: dict[str, bytes], tiny: dict[str, Any]
) -> None:
    wrong = {**tiny, "model": {**tiny["model"], "sha256": "0" * 64}}
    run = begin("wrong-digest", store, noise, wrong).wait("False")
    condition = run.condition("Succeeded")
    assert condition["reason"] == "ModelDigestMismatch"
    assert "spec.extractor.model.sha256" in condition["message"]
    assert run.status["failure"]["class"] == "ModelDigestMismatch"
    assert run.status["attempt"] == 1, "a permanent failure is not retried"
    events = kubectl("get", "events", "--output=json")
    objects = [event["involvedObject"]["name"] for event in json.loads(events)["items"]]
    assert not [name for name in objects if name.startswith("wrong-digest-1-exec")]


def test_the_attempt_after_a_killed_driver_adds_no_row_twice(
    store: Store, noise: dict[str, bytes], resnet: dict[str, Any]
) -> None:
    # The real net takes seconds for all images, so the kill comes before the end.
    run = begin("driver-killed", store, noise, resnet)
    in_the_middle(run, store)
    kubectl("delete", "pod", "driver-killed-1-driver", "--grace-period=0", "--force")
    assert store.shards_done("tables/driver-killed") < len(noise) / SMALL["shardImages"]
    run.wait()
    assert run.status["attempt"] == 2
    keys = [row["key"] for row in store.rows("tables/driver-killed")]
    assert len(keys) == len(set(keys)) == len(noise)


def test_a_killed_executor_is_replaced_without_losing_a_row(
    store: Store, noise: dict[str, bytes], resnet: dict[str, Any]
) -> None:
    run = begin("executor-killed", store, noise, resnet)
    in_the_middle(run, store)
    for pid in executor_processes():
        os.kill(pid, signal.SIGKILL)
    run.wait()
    assert run.status["attempt"] == 1
    keys = [row["key"] for row in store.rows("tables/executor-killed")]
    assert len(keys) == len(set(keys)) == len(noise)


def test_repeatedly_killed_executors_fail_the_attempt_and_are_reported(
    store: Store, noise: dict[str, bytes], resnet: dict[str, Any]
) -> None:
    store.put_images("images/executors-killed", noise)
    settings = {"spark.executor.maxNumFailures": "1", "spark.kubernetes.executor.request.cores": "500m"}
    execution = {**SMALL, "sparkConf": settings}
    run = apply(resource("executors-killed", store, None, resnet, execution=execution, backoffLimit=0))
    in_the_middle(run, store)

    def killed_until_it_fails() -> bool:
        for pid in executor_processes():
            os.kill(pid, signal.SIGKILL)
        return run.condition("Succeeded").get("status") == "False"

    eventually(killed_until_it_fails, "a failed run", 120)
    assert run.status["failure"]["class"] == "ExecutorLost"
    assert "137" in run.status["failure"]["message"]


def test_a_killed_operator_finds_its_driver_again(store: Store, noise: dict[str, bytes], tiny: dict[str, Any]) -> None:
    run = begin("operator-killed", store, noise, tiny)
    eventually(lambda: run.pods("driver"), "a driver pod")
    kill = ["kubectl", "--namespace=featx-system", "delete", "pod", "--selector=app.kubernetes.io/name=featx"]
    subprocess.run([*kill, "--grace-period=0", "--force"], check=True, capture_output=True)
    run.wait()
    assert run.status["attempt"] == 1
    assert [pod["metadata"]["name"] for pod in run.pods("driver")] == ["operator-killed-1-driver"]
    assert len(store.rows("tables/operator-killed")) == len(noise)


def test_deleting_a_running_resource_deletes_all_of_its_objects(
    store: Store, noise: dict[str, bytes], tiny: dict[str, Any]
) -> None:
    run = begin("deleted", store, noise, tiny)
    eventually(lambda: run.pods("executor"), "an executor pod", 120)
    kubectl("delete", "fx", "deleted")

    def left() -> list[str]:
        objects = json.loads(kubectl("get", "pods,services,configmaps", "--output=json"))["items"]
        return [item["metadata"]["name"] for item in objects if "deleted" in json.dumps(item["metadata"])]

    eventually(lambda: not left(), f"no object of it left in {NAMESPACE}", 60)


def test_an_empty_prefix_succeeds_with_an_empty_table_if_the_run_reads_changes(
    store: Store, tiny: dict[str, Any]
) -> None:
    empty = resource("empty", store, None, tiny)
    empty["spec"]["output"]["mode"] = "incremental"
    run = apply(empty).wait()
    assert run.status["outputs"][0]["recordCount"] == 0
    assert run.status["progress"]["summary"] == "0/0"
    assert store.rows("tables/empty") == []


def test_a_missing_secret_fails_the_run_and_is_named(store: Store, tiny: dict[str, Any]) -> None:
    body = resource("no-secret", store, None, tiny)
    body["spec"]["source"]["s3"]["secretRef"]["name"] = "no-such-secret"
    run = apply(body).wait("False")
    assert "no-such-secret" in run.condition("Succeeded")["message"]


def test_an_unreachable_store_fails_the_run_after_its_attempts(store: Store, tiny: dict[str, Any]) -> None:
    body = resource("no-store", store, None, tiny, backoffLimit=0, execution={"storeTimeoutSeconds": 10})
    body["spec"]["source"]["s3"]["endpoint"] = "http://s3.store.svc:8339"
    run = apply(body).wait("False")
    assert run.status["failure"]["class"] == "StoreUnreachable"
    assert "spec.source.s3" in run.status["failure"]["message"]
