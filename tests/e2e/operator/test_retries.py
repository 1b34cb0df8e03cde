"""What ends an attempt, what ends a run, and what starts it again, on a node."""

from __future__ import annotations

from collections.abc import Callable

from kubernetes import client

from tests.e2e.operator.harness import NAMESPACE, Run, kubectl
from tests.e2e.polling import eventually

Start = Callable[..., Run]


def test_a_failing_run_ends_the_one_wait_that_scripts_use(start: Start) -> None:
    run = start("fail ModelInvalid")
    kubectl("wait", "--for=condition=Finished", f"fx/{run.name}", "--timeout=60s")
    assert run.state("Finished") == ("True", "Failed")
    assert run.state("Failed") == ("True", "ModelInvalid")
    assert run.state("Complete") == ("False", "Failed")


def test_an_evicted_driver_does_not_count_as_failed(start: Start) -> None:
    run = start("forever|succeed 1", backoffLimit=0).until("DriverReady", "True")
    driver = f"{run.name}-1-driver"
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name=driver, namespace=NAMESPACE))
    client.CoreV1Api().create_namespaced_pod_eviction(driver, NAMESPACE, eviction)  # as `kubectl drain` does
    run.shows("Succeeded")
    assert (run.status["failedAttempts"], run.status["disruptions"], run.status["attempt"]) == (0, 1, 2)
    eventually(lambda: run.events().count("Disrupted") == 1, "one Event")
    assert "AttemptFailed" not in run.events()


def test_an_attempt_out_of_memory_is_repeated_once_with_half_more(start: Start) -> None:
    run = start("memory 80,succeed 1", backoffLimit=3).shows("Succeeded")  # of 64 MiB, then of 96 MiB
    assert run.status["memory"]["driverPercent"] == 150
    assert run.status["failedAttempts"] == 1
    (limit,) = [
        pod.spec.containers[0].resources.limits["memory"]
        for pod in run.pods("driver")
        if pod.metadata.name == f"{run.name}-2-driver"
    ]
    assert limit == "96Mi"
    assert run.events().count("MemoryRaised") == 1


def test_an_attempt_for_which_half_more_memory_is_not_enough_ends_the_run(start: Start) -> None:
    run = start("memory 512,forever", backoffLimit=3).shows("Failed:DriverOutOfMemory")
    assert len(run.drivers()) == 2
    assert "half more memory was not enough" in run.message


def test_more_memory_than_a_limit_range_allows_ends_the_run(start: Start) -> None:
    limits = {"limits": [{"type": "Pod", "max": {"memory": "80Mi"}}]}
    kubectl(
        "apply",
        "--filename=-",
        stdin={"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": limits},
    )
    try:
        run = start("memory 512,forever", backoffLimit=3, execution={"memory": "64Mi"}).shows(
            "Failed:DriverOutOfMemory"
        )
        assert "half more memory is refused" in run.message
        assert "80Mi" in run.message
    finally:
        kubectl("delete", "limitrange", "small")


def test_a_cancelled_run_stops_for_good_and_continues_only_on_request(start: Start) -> None:
    run = start("executors 1,forever|succeed 2").until("ExecutorsReady", "True")
    run.change(cancel=True).shows("Cancelled")
    assert run.state("Finished") == ("True", "Cancelled")
    eventually(lambda: all(pod.status.phase != "Running" for pod in run.pods()), "stopped pods")
    run.change(cancel=False)
    eventually(lambda: run.status["observedGeneration"] == run.body["metadata"]["generation"], "to be seen")
    assert run.column == "Cancelled"
    run.change(retry=1).shows("Succeeded")
    assert run.status["attempt"] == 2


def test_a_failed_run_is_continued_by_a_higher_retry_number_and_only_then(start: Start) -> None:
    run = start("fail ModelNotFound|succeed 3", retry=1).shows("Failed:ModelNotFound")
    run.change(ttlSecondsAfterFinished=3600)
    eventually(lambda: run.status["observedGeneration"] == run.body["metadata"]["generation"], "to be seen")
    assert run.column == "Failed:ModelNotFound"
    run.change(retry=2).shows("Succeeded")
    assert (run.status["attempt"], run.status["failedAttempts"], run.status["retry"]) == (2, 0, 2)
    assert "failure" not in run.status
    run.change(retry=3)
    eventually(lambda: run.status["observedGeneration"] == run.body["metadata"]["generation"], "to be seen")
    assert (run.column, len(run.drivers())) == ("Succeeded", 2)


def test_a_change_that_a_running_attempt_does_not_see_is_reported(start: Start) -> None:
    run = start("forever|succeed 1").until("DriverReady", "True")
    run.change(execution={"driverMemory": "80Mi"}, limits={"megapixels": 3}, ttlSecondsAfterFinished=3600)
    run.until("Accepted", "True", "SpecChangeIgnored")
    message = run.condition("Accepted")["message"]
    assert message.startswith("spec.execution.driverMemory, spec.limits.megapixels: changed after attempt 1")
    eventually(lambda: run.events().count("SpecChangeIgnored") == 1, "one Event")
    kubectl("delete", "pod", f"{run.name}-1-driver")
    run.until("Accepted", "True", "SpecValid").shows("Succeeded")
