"""What goes wrong in a cluster: wrong models, killed drivers, a killed operator, a resource that is deleted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

from tests.e2e.names import NAMESPACE
from tests.e2e.operator.scene import eventually
from tests.e2e.run.stage import Run, Store, apply, executor_processes, kubectl, resource

SMALL = {"shardImages": 5}


def begin(name: str, store: Store, noise: dict[str, bytes], extractor: dict[str, Any], **spec: Any) -> Run:
    """Uploads small images and applies a run over them, in many shards."""
    store.put_images(f"images/{name}", noise)
    return apply(resource(name, store, None, extractor, execution=SMALL, **spec))


def in_the_middle(run: Run, store: Store) -> None:
    """Waits until some shards are done. The store is asked: the status is written seconds apart, and may skip it."""
    eventually(lambda: store.shards_done(f"tables/{run.name}"), f"{run.name} is in the middle", 120)


def test_a_model_with_another_digest_fails_the_run_before_executors_are_started(
    store: Store, noise: dict[str, bytes], tiny: dict[str, Any]
) -> None:
    wrong = {**tiny, "model": {**tiny["model"], "sha256": "0" * 64}}
    run = begin("wrong-digest", store, noise, wrong).wait("False")
    condition = run.condition("Succeeded")
    assert condition["reason"] == "ModelDigestMismatch"
    assert "spec.extractor.model.sha256" in condition["message"]
    assert run.status["failure"]["class"] == "ModelDigestMismatch"
    assert run.status["attempt"] == 1, "no further attempt can help"
    events = kubectl("get", "events", "--output=json")
    started = [each["involvedObject"]["name"] for each in json.loads(events)["items"]]
    assert not [name for name in started if name.startswith("wrong-digest-1-exec")]


def test_a_killed_driver_is_followed_by_an_attempt_that_adds_no_row_twice(
    store: Store, noise: dict[str, bytes], resnet: dict[str, Any]
) -> None:
    # The real net needs some seconds for all of them, so the kill comes before the end.
    run = begin("driver-killed", store, noise, resnet)
    in_the_middle(run, store)
    kubectl("delete", "pod", "driver-killed-1-driver", "--grace-period=0", "--force")
    assert store.shards_done("tables/driver-killed") < len(noise) / SMALL["shardImages"]
    run.wait()
    assert run.status["attempt"] == 2
    keys = [row["key"] for row in store.rows("tables/driver-killed")]
    assert len(keys) == len(set(keys)) == len(noise)


def test_a_killed_executor_is_replaced_and_costs_no_row(
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


def test_executors_that_end_again_and_again_end_the_attempt_and_are_named(
    store: Store, noise: dict[str, bytes], resnet: dict[str, Any]
) -> None:
    store.put_images("images/executors-killed", noise)
    settings = {"spark.executor.maxNumFailures": "1", "spark.kubernetes.executor.request.cores": "500m"}
    execution = {**SMALL, "sparkConf": settings}
    run = apply(resource("executors-killed", store, None, resnet, execution=execution, backoffLimit=0))
    in_the_middle(run, store)

    def killed_until_it_ends() -> bool:
        for pid in executor_processes():
            os.kill(pid, signal.SIGKILL)
        return run.condition("Succeeded").get("status") == "False"

    eventually(killed_until_it_ends, "the run has failed", 120)
    assert run.status["failure"]["class"] == "ExecutorLost"
    assert "137" in run.status["failure"]["message"]


def test_an_operator_that_is_killed_in_the_middle_finds_its_driver_again(
    store: Store, noise: dict[str, bytes], tiny: dict[str, Any]
) -> None:
    run = begin("operator-killed", store, noise, tiny)
    eventually(lambda: run.pods("driver"), "the driver is there")
    killed = ["kubectl", "--namespace=featx-system", "delete", "pod", "--selector=app.kubernetes.io/name=featx"]
    subprocess.run([*killed, "--grace-period=0", "--force"], check=True, capture_output=True)
    run.wait()
    assert run.status["attempt"] == 1
    assert [pod["metadata"]["name"] for pod in run.pods("driver")] == ["operator-killed-1-driver"]
    assert len(store.rows("tables/operator-killed")) == len(noise)


def test_a_resource_that_is_deleted_in_the_middle_takes_everything_with_it(
    store: Store, noise: dict[str, bytes], tiny: dict[str, Any]
) -> None:
    run = begin("deleted", store, noise, tiny)
    eventually(lambda: run.pods("executor"), "an executor is there", 120)
    kubectl("delete", "fx", "deleted")

    def left() -> list[str]:
        kinds = json.loads(kubectl("get", "pods,services,configmaps", "--output=json"))["items"]
        return [each["metadata"]["name"] for each in kinds if "deleted" in json.dumps(each["metadata"])]

    eventually(lambda: not left(), f"nothing of it is left in {NAMESPACE}", 60)


def test_an_empty_prefix_succeeds_and_says_that_there_are_no_rows(store: Store, tiny: dict[str, Any]) -> None:
    run = apply(resource("empty", store, None, tiny)).wait()
    assert run.status["outputs"][0]["recordCount"] == 0
    assert run.status["progress"]["summary"] == "0/0"
    assert store.rows("tables/empty") == []


def test_a_secret_that_is_not_there_fails_the_run_and_is_named(store: Store, tiny: dict[str, Any]) -> None:
    body = resource("no-secret", store, None, tiny)
    body["spec"]["source"]["s3"]["secretRef"]["name"] = "nobody-made-this"
    run = apply(body).wait("False")
    assert "nobody-made-this" in run.condition("Succeeded")["message"]


def test_a_store_that_does_not_answer_fails_the_run_after_its_attempts(store: Store, tiny: dict[str, Any]) -> None:
    body = resource("no-store", store, None, tiny, backoffLimit=0, execution={"storeTimeoutSeconds": 10})
    body["spec"]["source"]["s3"]["endpoint"] = "http://s3.store.svc:8339"
    run = apply(body).wait("False")
    assert run.status["failure"]["class"] == "StoreUnreachable"
    assert "spec.source.s3" in run.status["failure"]["message"]
