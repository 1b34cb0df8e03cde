"""Runs and schedules as Argo CD shows them, and what it does to them."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import Any

from examples.cluster.argo_cd import NAMESPACE
from tests.e2e.charts.release import body, kubectl
from tests.e2e.gitops.conftest import Sync
from tests.e2e.gitops.repository import TEAM, App, Repository, run, schedule
from tests.e2e.polling import eventually

RUN, SCHEDULE = "FeatureExtraction", "FeatureExtractionSchedule"
QUIET_SECONDS = 25  # two resyncs


def exists(kind: str, name: str) -> bool:
    return bool(kubectl("get", kind, name, f"--namespace={TEAM}", "--ignore-not-found", "--output=name").stdout)


def children(name: str) -> list[str]:
    selector = f"--selector=featx.dev/name={name}"
    output = kubectl("get", "pods,configmaps,secrets", selector, f"--namespace={TEAM}", "--output=name").stdout
    return output.split()


def patch(kind: str, name: str, **spec: Any) -> None:
    kubectl("patch", kind, name, f"--namespace={TEAM}", "--type=merge", f"--patch={json.dumps({'spec': spec})}")


def test_charts_and_teams_come_from_git(platform: App, repository: Repository) -> None:
    """The whole way: a commit, the ApplicationSet, the team's Application, a run, and then the next wave."""
    _, generated = repository.example("teams.yaml")
    trial = run("trial", "progress 30/100,sleep 8,succeed 100")
    repository.commit({f"teams/{TEAM}/trial.yaml": trial, f"teams/{TEAM}/catalog.yaml": schedule("catalog", wave=1)})
    started = time.monotonic()
    kubectl("apply", "--filename=-", stdin=generated)
    app = App(f"featx-{TEAM}")
    eventually(lambda: app.name in kubectl("get", "applications", f"--namespace={NAMESPACE}", "--output=name").stdout)
    app.until_resource(RUN, "trial", "Progressing", "Running: 30/100 images")
    assert app.state[1] in ("Progressing", "Missing")
    assert not exists("fxs", "catalog"), "the next wave came before the run had succeeded"
    app.until_resource(RUN, "trial", "Healthy", "Succeeded: 100 features")
    succeeded = time.monotonic()
    app.until("Synced", "Healthy")
    sys.stdout.write(
        f"ApplicationSet to Succeeded: {succeeded - started:.1f} s; all: {time.monotonic() - started:.1f} s\n"
    )
    assert app.resource(SCHEDULE, "catalog")[:2] == ("Synced", "Healthy")
    assert app.refresh().state == ("Synced", "Healthy")  # nothing that the API server fills in is a difference
    assert platform.refresh().until("Synced", "Healthy")
    # The folder goes, and everything with it.
    repository.commit({f"teams/{TEAM}/trial.yaml": None, f"teams/{TEAM}/catalog.yaml": None})
    kubectl("delete", "applicationset", "featx-teams", f"--namespace={NAMESPACE}", "--timeout=120s")
    eventually(lambda: not exists("fx", "trial") and not exists("fxs", "catalog"), "nothing left", 120)
    eventually(lambda: children("trial") == [], "no children left", 120)


def test_a_failed_run_is_degraded_with_its_reason(sync: Sync) -> None:
    app = sync({"run.yaml": run("failing", "fail ModelInvalid")})
    app.until_resource(RUN, "failing", "Degraded", "Failed:ModelInvalid: by the script: ModelInvalid")
    app.until("Synced", "Degraded")


def test_a_run_that_can_not_start_is_degraded_until_git_is_corrected(sync: Sync, repository: Repository) -> None:
    app = sync({"run.yaml": run("refused", "succeed 1", execution={"nodePool": "gpu"})})
    app.until_resource(RUN, "refused", "Degraded", "NotAllowed: spec.execution.nodePool: gpu")
    repository.commit({f"apps/{app.name}/run.yaml": run("refused", "succeed 1")})
    app.refresh().until("Synced", "Healthy")


def test_nothing_starts_a_finished_run_again(sync: Sync, repository: Repository) -> None:
    app = sync({"run.yaml": run("once", "succeed 5", backoffLimit=2, ttlSecondsAfterFinished=5)})
    app.until("Synced", "Healthy")
    before = body(TEAM, "once")
    eventually(lambda: children("once") == [], "the TTL has passed", 60)
    # Somebody edits what git has, and Argo CD takes it back.
    patch("fx", "once", backoffLimit=1)
    eventually(lambda: body(TEAM, "once")["spec"]["backoffLimit"] == 2, "self-heal", 60)
    # Git changes what a finished run may change.
    changed = run("once", "succeed 5", backoffLimit=3, ttlSecondsAfterFinished=5)
    repository.commit({f"apps/{app.name}/run.yaml": changed})
    app.refresh()
    eventually(lambda: body(TEAM, "once")["spec"]["backoffLimit"] == 3, "a sync", 60)
    time.sleep(QUIET_SECONDS)
    after = body(TEAM, "once")
    assert app.state == ("Synced", "Healthy")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert children("once") == []
    for field in ("attempt", "startTime", "completionTime", "outputs", "state"):
        assert after["status"][field] == before["status"][field], field


def test_a_run_is_suspended_and_resumed_by_actions_which_are_no_drift(sync: Sync) -> None:
    app = sync({"run.yaml": run("paused", "progress 1/9,forever|succeed 9")})
    app.until_resource(RUN, "paused", "Progressing", "Running: 1/9 images")
    assert app.actions(RUN, "paused") == {"suspend", "cancel"}
    app.act("suspend", RUN, "paused")
    app.until_resource(RUN, "paused", "Suspended", "Suspended")
    time.sleep(QUIET_SECONDS)
    assert app.refresh().state == ("Synced", "Suspended")
    assert app.actions(RUN, "paused") == {"resume", "cancel"}
    app.act("resume", RUN, "paused")
    app.until("Synced", "Healthy")
    assert app.actions(RUN, "paused") == set()


def test_a_run_is_cancelled_and_retried_by_actions_which_are_no_drift(sync: Sync) -> None:
    app = sync({"run.yaml": run("again", "forever|succeed 3")})
    app.until_resource(RUN, "again", "Progressing", "Running")
    app.act("cancel", RUN, "again")
    app.until_resource(RUN, "again", "Degraded", "Cancelled: spec.cancel is true")
    assert app.actions(RUN, "again") == {"retry"}
    time.sleep(QUIET_SECONDS)
    app.act("retry", RUN, "again")
    app.until("Synced", "Healthy")
    time.sleep(QUIET_SECONDS)
    assert app.refresh().state == ("Synced", "Healthy")
    assert (body(TEAM, "again")["spec"]["retry"], body(TEAM, "again")["status"]["attempt"]) == (1, 2)


def test_a_schedule_is_synced_and_a_run_now_is_no_drift(sync: Sync) -> None:
    app = sync({"schedule.yaml": schedule("yearly", suspend=True)})
    app.until("Synced", "Healthy")
    assert app.actions(SCHEDULE, "yearly") == {"resume", "run-now"}
    for count in (1, 2):
        app.act("run-now", SCHEDULE, "yearly")
        eventually(partial(has_runs, "yearly", count), f"{count} runs", 60)
        eventually(lambda: body_of_schedule("yearly")["status"]["activeRuns"] == 0, "its end", 60)
    # The runs belong to the schedule, so nothing prunes them.
    assert app.refresh().state == ("Synced", "Healthy")
    assert len(runs_of("yearly")) == 2


def test_a_schedule_without_meaning_is_degraded(sync: Sync) -> None:
    app = sync({"schedule.yaml": schedule("atlantis", timeZone="Europe/Atlantis")})
    app.until_resource(SCHEDULE, "atlantis", "Degraded", "InvalidSchedule: spec.timeZone: Europe/Atlantis")


def test_a_team_brings_nothing_but_runs_and_schedules(sync: Sync) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "miner"}, "spec": {"containers": []}}
    elsewhere = run("elsewhere", "succeed 1")
    elsewhere["metadata"]["namespace"] = "default"
    app = sync({"pod.yaml": pod, "elsewhere.yaml": elsewhere})
    phase = eventually(lambda: app.body.get("status", {}).get("operationState", {}).get("phase"), "a sync", 60)
    assert phase != "Succeeded"
    message = json.dumps(app.body["status"])
    assert "not permitted in project" in message
    assert not kubectl("get", "fx", "elsewhere", "--namespace=default", "--ignore-not-found").stdout
    assert not kubectl("get", "pod", "miner", f"--namespace={TEAM}", "--ignore-not-found").stdout
    app.stop_syncing()  # it is tried again for minutes, and nothing deletes the Application before


def test_pruning_a_running_run_leaves_nothing(sync: Sync, repository: Repository) -> None:
    app = sync({"run.yaml": run("gone", "progress 1/9,forever"), "stays.yaml": schedule("stays")})
    app.until_resource(RUN, "gone", "Progressing", "1/9")
    assert children("gone")
    repository.commit({f"apps/{app.name}/run.yaml": None})
    app.refresh()
    eventually(lambda: not exists("fx", "gone") and children("gone") == [], "nothing left", 120)
    app.until("Synced", "Healthy")


def runs_of(name: str) -> list[str]:
    selector = f"--selector=featx.dev/schedule={name}"
    return kubectl("get", "fx", selector, f"--namespace={TEAM}", "--output=name").stdout.split()


def has_runs(name: str, count: int) -> bool:
    return len(runs_of(name)) == count


def body_of_schedule(name: str) -> dict[str, Any]:
    return dict(json.loads(kubectl("get", "fxs", name, f"--namespace={TEAM}", "--output=json").stdout))
