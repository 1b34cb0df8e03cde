"""Resources at each stage, with the status that the operator's own plan writes there.

They are the test data of Argo CD's health checks and actions: `python -m tests.unit.gitops.generated` writes them, and
a test compares, so that no check is ever tested on a status that the operator would not write.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from featx_api.crd import RUN, SCHEDULE
from featx_api.resource import FeatureExtraction
from featx_api.schedule import FeatureExtractionSchedule
from featx_operator.state.observed import Refusal

from tests.unit.operator.queued_world import QueuedWorld, admitted
from tests.unit.operator.test_schedule import Calendar
from tests.unit.operator.world import World, running

CUSTOMIZATIONS = Path(__file__).resolve().parents[3] / "examples/gitops/argo-cd/resource_customizations/featx.dev"
CREATED = "2026-11-25T12:00:00Z"

Manifest = dict[str, Any]


def run_of(world: World) -> Manifest:
    """A run as the API server has it: with default values, and with a default status if no operator has seen it."""
    resource = FeatureExtraction.from_wire({part: world.body[part] for part in ("metadata", "spec")})
    return manifest(RUN.name, resource.to_wire(), world.body.get("status") or RUN.unseen)


def schedule_of(calendar: Calendar) -> Manifest:
    """A schedule as the API server has it."""
    resource = FeatureExtractionSchedule.from_wire({part: calendar.body[part] for part in ("metadata", "spec")})
    return manifest(SCHEDULE.name, resource.to_wire(), calendar.body.get("status") or SCHEDULE.unseen)


def manifest(kind: str, wire: Manifest, status: Mapping[str, Any]) -> Manifest:
    """A resource as the API server has it.

    Args:
        kind: Its kind.
        wire: Its metadata and spec.
        status: Its status.
    """
    metadata = {"creationTimestamp": CREATED, "resourceVersion": "4711", **wire["metadata"]}
    return {
        "apiVersion": "featx.dev/v1alpha1",
        "kind": kind,
        "metadata": dict(sorted(metadata.items())),
        "spec": wire["spec"],
        "status": copy.deepcopy(dict(status)),
    }


def _new() -> World:
    world = World()
    world.converge()
    return world


def _working() -> World:
    world = running()
    world.executors(2).report(192, 341).advance(10).converge()
    return world


def _unschedulable() -> World:
    world = _new()
    world.wait("Unschedulable", "0/6 nodes are available: 6 Insufficient memory.").converge()
    return world


def _backing_off() -> World:
    world = running()
    world.fail().converge()
    return world


def _changed() -> World:
    return _working().change(backoffLimit=1)


def _suspending() -> World:
    world = _working()
    world.change(suspend=True).reconcile()
    return world


def _suspended() -> World:
    world = _working()
    world.change(suspend=True).converge()
    world.finish_deletions().converge()
    return world


def _not_allowed() -> World:
    world = World(execution={"nodePool": "gpu"})
    world.converge()
    return world


def _succeeded() -> World:
    world = _working()
    world.succeed(341).converge()
    return world


def _failed() -> World:
    world = running()
    failure = {
        "class": "ModelInvalid",
        "message": "spec.extractor.model: s3://models/net.caffemodel is not a caffemodel",
    }
    world.end(2, json.dumps({"result": "Failed", "failure": failure, "retryable": False})).converge()
    return world


def _exhausted() -> World:
    world = running(backoffLimit=0)
    world.fail().converge()
    return world


def _cancelled() -> World:
    world = _working()
    world.change(cancel=True).converge()
    return world


def _retried() -> World:
    world = _failed()
    world.change(retry=1).reconcile()
    return world


def _queued() -> World:
    world = QueuedWorld()
    world.converge()
    world.pend("couldn't assign flavors to pod set driver: insufficient unused quota for cpu in flavor spot, 1 more")
    world.converge()
    return world


def _deactivated() -> World:
    world = admitted()
    assert world.workload
    object.__setattr__(world.workload, "active", False)
    world.evict("Deactivated", "The workload is deactivated").converge()
    world.finish_deletions().converge()
    return world


def _elsewhere() -> World:
    """A run that MultiKueue has dispatched: it copies the status of the worker's cluster."""
    world = _succeeded()
    world.body["spec"]["managedBy"] = "kueue.x-k8s.io/multikueue"
    world.body["metadata"]["generation"] = 4
    return world


RUNS: Mapping[str, Callable[[], World]] = {
    "unseen": World,
    "pending": _new,
    "queued": _queued,
    "unschedulable": _unschedulable,
    "running": _working,
    "changed": _changed,
    "backing-off": _backing_off,
    "suspending": _suspending,
    "suspended": _suspended,
    "deactivated": _deactivated,
    "not-allowed": _not_allowed,
    "succeeded": _succeeded,
    "succeeded-elsewhere": _elsewhere,
    "failed": _failed,
    "backoff-limit-exceeded": _exhausted,
    "cancelled": _cancelled,
    "retried": _retried,
}


def _scheduled(**spec: Any) -> Calendar:
    calendar = Calendar(**spec)
    calendar.reconcile()
    return calendar


def _started() -> Calendar:
    calendar = _scheduled().advance(30)
    calendar.reconcile()
    return calendar


def _run_active() -> Calendar:
    calendar = _started().advance(60)
    calendar.reconcile()
    return calendar


def _run_failed() -> Calendar:
    calendar = _started().advance(10).end("Failed")
    calendar.reconcile()
    return calendar


def _refused() -> Calendar:
    calendar = _scheduled().advance(30)
    text = 'admission webhook "policy.example.com" denied the request: no runs at night'
    calendar.reconcile(Refusal("RunRefused", text))
    return calendar


def _schedule_changed() -> Calendar:
    return _scheduled().change(suspend=True)


SCHEDULES: Mapping[str, Callable[[], Calendar]] = {
    "unseen": Calendar,
    "scheduled": _scheduled,
    "started": _started,
    "run-active": _run_active,
    "run-failed": _run_failed,
    "run-refused": _refused,
    "changed": _schedule_changed,
    "suspended": lambda: _scheduled(suspend=True),
    "invalid": lambda: _scheduled(timeZone="Europe/Atlantis"),
}


def runs() -> dict[str, Manifest]:
    """A run at each stage, by the stage's name."""
    return {name: run_of(world()) for name, world in RUNS.items()}


def schedules() -> dict[str, Manifest]:
    """A schedule at each stage, by the stage's name."""
    return {name: schedule_of(calendar()) for name, calendar in SCHEDULES.items()}


def acted(before: Manifest, **spec: Any) -> Manifest:
    """The resource with fields of its spec set, as an action should leave it."""
    return {**before, "spec": {**before["spec"], **spec}}


def action_files() -> dict[str, Manifest]:
    """What actions are tested on, and what they should make of it, by path below the kind's folder."""
    run, schedule = runs(), schedules()
    asked = copy.deepcopy(schedule["scheduled"])
    asked["metadata"]["annotations"] = {"featx.dev/run-now": "argo-cd-4711"}
    run_files = {
        **{name: run[name] for name in ("running", "suspended", "succeeded", "failed", "cancelled", "backing-off")},
        "running-suspended": acted(run["running"], suspend=True),
        "running-cancelled": acted(run["running"], cancel=True),
        "suspended-resumed": acted(run["suspended"], suspend=False),
        "failed-retried": acted(run["failed"], retry=1),
        "cancelled-retried": acted(run["cancelled"], retry=1, cancel=False),
        "retried-again": run["retried"],
        "retried-again-retried": acted(run["retried"], retry=2),
    }
    schedule_files = {
        **{name: schedule[name] for name in ("scheduled", "suspended")},
        "scheduled-suspended": acted(schedule["scheduled"], suspend=True),
        "suspended-resumed": acted(schedule["suspended"], suspend=False),
        "scheduled-run-now": asked,
    }
    return {
        f"{kind}/actions/testdata/{name}.yaml": body
        for kind, files in ((RUN.name, run_files), (SCHEDULE.name, schedule_files))
        for name, body in files.items()
    }
