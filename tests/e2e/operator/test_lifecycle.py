"""A run as its user sees it, from apply to the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tests.e2e.operator.harness import Run, kubectl
from tests.e2e.polling import eventually

Start = Callable[..., Run]


def test_a_run_reports_progress_executors_and_its_table(start: Start) -> None:
    run = start("progress 30/100,executors 1,await,progress 60/100,succeed 100")
    run.until("ExecutorsReady", "True")
    assert run.status["progress"]["summary"] == "30/100"
    too_early = kubectl("wait", "--for=condition=Succeeded", f"fx/{run.name}", "--timeout=1s", check=False)
    assert too_early.returncode != 0
    run.proceed()
    kubectl("wait", "--for=condition=Finished", f"fx/{run.name}", "--timeout=60s")
    status = run.status
    assert status["outputs"][0]["recordCount"] == 100
    assert status["progress"]["summary"] == "100/100"
    assert (status["attempt"], status["failedAttempts"]) == (1, 0)
    assert run.state("Reconciling") == ("False", "Finished")
    assert eventually(lambda: run.events() == ["DriverCreated", "Succeeded"], "events")
    eventually(lambda: run.pods("executor") == [], "stopped executors")


def test_only_the_status_of_a_resource_is_ever_written(start: Start) -> None:
    body = start("succeed 1").until("Succeeded", "True").body
    assert "finalizers" not in body["metadata"]
    assert list(body["metadata"]["annotations"]) == ["kubectl.kubernetes.io/last-applied-configuration"]
    managers = {(entry["manager"], entry.get("subresource", "")) for entry in body["metadata"]["managedFields"]}
    assert managers == {("kubectl-client-side-apply", ""), ("featx-operator", "status")}


def test_a_failed_attempt_is_retried(start: Start) -> None:
    run = start("fail-retryable StoreUnreachable|succeed 5").until("Succeeded", "True")
    assert run.drivers() == [f"{run.name}-1-driver", f"{run.name}-2-driver"]
    assert "failure" not in run.status
    assert eventually(lambda: run.events().count("AttemptFailed") == 1, "event")


def test_attempts_stop_at_the_limit(start: Start) -> None:
    run = start("fail-retryable StoreUnreachable", backoffLimit=2).until("Succeeded", "False", "BackoffLimitExceeded")
    assert len(run.drivers()) == 3
    assert run.status["failure"]["class"] == "StoreUnreachable"


def test_a_permanent_failure_fails_the_run(start: Start) -> None:
    run = start("fail ModelDigestMismatch").until("Succeeded", "False", "ModelDigestMismatch")
    assert len(run.drivers()) == 1
    assert run.state("Stalled") == ("True", "ModelDigestMismatch")


def test_exit_code_0_without_a_report_is_not_a_success(start: Start) -> None:
    run = start("exit 0", backoffLimit=0).until("Succeeded", "False", "BackoffLimitExceeded")
    assert run.status["failure"]["class"] == "DriverExited"


def test_an_out_of_memory_kill_of_the_driver_is_reported(start: Start) -> None:
    run = start("memory 512,forever", backoffLimit=0).until("Succeeded", "False")
    assert run.status["failure"]["class"] == "DriverOutOfMemory"
    assert "spec.execution.driverMemory" in run.status["failure"]["message"]


def test_suspend_stops_every_pod_and_resume_starts_a_new_attempt(start: Start) -> None:
    run = start("executors 1,forever|succeed 7", backoffLimit=0).until("ExecutorsReady", "True")
    run.change(suspend=True).until("Suspended", "True")
    assert run.pods() == []
    run.change(suspend=False).until("Succeeded", "True")
    assert (run.status["attempt"], run.status["failedAttempts"]) == (2, 0)
    assert len(run.config_maps()) == len(run.secrets()) == 1  # those of the first attempt are gone
    assert eventually(lambda: {"Suspended", "Resumed"} <= set(run.events()), "events")


def test_the_deadline_stops_the_run(start: Start) -> None:
    run = start("executors 1,forever", activeDeadlineSeconds=5).until("Succeeded", "False", "DeadlineExceeded")
    eventually(lambda: run.pods() == [], "no pods left")


def test_after_its_ttl_only_the_resource_is_left(start: Start) -> None:
    run = start("fail-retryable X|succeed 1", ttlSecondsAfterFinished=8).until("Succeeded", "True")
    assert (len(run.drivers()), len(run.config_maps()), len(run.secrets())) == (2, 1, 1)
    eventually(lambda: run.pods() == [] and run.config_maps() == run.secrets() == [], "no children left")
    assert run.state("Succeeded") == ("True", "Completed")


def test_progress_is_not_written_more_often_than_the_interval(start: Start) -> None:
    run = start("count 40,succeed 40").until("DriverReady", "True")
    seen: dict[str, int] = {}

    def succeeded() -> bool:
        progress = run.status.get("progress", {})
        seen.setdefault(progress.get("lastUpdateTime", ""), progress.get("imagesDone", 0))
        return run.state("Succeeded")[0] == "True"

    eventually(succeeded, "success")
    times = sorted(datetime.fromisoformat(time) for time in seen if time)
    # 8 s of reports, or more on a busy machine, at an interval of 2 s: none, the first, one per interval, and the end.
    assert 3 <= len(seen) <= (times[-1] - times[0]).total_seconds() / 2 + 4
