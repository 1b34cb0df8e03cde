"""The scheduler against an API server in memory: lost races, refusals, foreign runs, and what a run is created with."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from featx_operator.cluster.transport import ApiError
from featx_operator.objects import Key
from featx_operator.queue import Queue
from featx_operator.schedule_handlers import ScheduleWatches
from featx_operator.scheduling import Scheduler
from featx_operator.settings import Settings
from featx_operator.state.scheduled import ScheduleStore

from tests.support.bad_resources import good
from tests.unit.operator.api_server import EVENTS, RESOURCES, FakeApiServer

KEY = Key("default", "nightly")
SCHEDULE = "/apis/featx.dev/v1alpha1/namespaces/default/featureextractionschedules/nightly"
START = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
FIRST = f"nightly-{int(datetime(2026, 11, 25, 12, 1, tzinfo=UTC).timestamp()) // 60}"


class Operator:
    """An operator with an empty store, as after a restart, which serves one schedule."""

    def __init__(self, api: FakeApiServer, now: datetime = START) -> None:
        self.api, self.now, self.leads = api, now, True
        self.store = ScheduleStore()
        self._watches = ScheduleWatches(self.store, Queue())
        self._scheduler = Scheduler(api, self.store, Settings(), lambda: self.leads, lambda: self.now)
        self.catch_up()

    def catch_up(self) -> None:
        """Delivers the current version of the schedule."""
        asyncio.run(self._watches.on_schedule({"type": "MODIFIED", "object": self.api.objects[SCHEDULE]}))  # type: ignore[typeddict-item]

    def reconcile(self) -> float | None:
        return asyncio.run(self._scheduler.reconcile(KEY))

    def advance(self, seconds: float) -> Operator:
        self.now += timedelta(seconds=seconds)
        return self

    @property
    def runs(self) -> list[str]:
        return [name for name in self.api.names(RESOURCES) if name != "catalog"]

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.api.objects[SCHEDULE].get("status", {}))

    @property
    def ready(self) -> tuple[str, str]:
        (ready,) = [item for item in self.status["conditions"] if item["type"] == "Ready"]
        return ready["status"], ready["reason"]


@pytest.fixture
def operator(api: FakeApiServer) -> Operator:
    """A schedule that is due each minute."""
    api.time = f"{START:%Y-%m-%dT%H:%M:%SZ}"
    metadata = {"labels": {"kueue.x-k8s.io/queue-name": "team"}}
    spec = {"schedule": "* * * * *", "template": {"metadata": metadata, "spec": good()["spec"]}}
    body = {"metadata": {"name": "nightly", "namespace": "default", "uid": "s-1", "generation": 1}, "spec": spec}
    api.put(SCHEDULE, body, create=True)
    return Operator(api)


def test_a_run_has_the_template_its_owner_and_incremental_output(operator: Operator) -> None:
    assert operator.reconcile() == 30
    operator.advance(30).reconcile()
    run = operator.api.objects[f"{RESOURCES}/{FIRST}"]
    assert run["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    assert run["metadata"]["annotations"] == {"featx.dev/scheduled-at": "2026-11-25T12:01:00Z"}
    assert run["metadata"]["ownerReferences"][0]["uid"] == "s-1"
    assert run["spec"]["output"]["mode"] == "incremental"
    assert operator.status["active"] == [{"name": FIRST, "uid": run["metadata"]["uid"]}]
    assert [item["reason"] for path, item in operator.api.objects.items() if path.startswith(EVENTS)] == ["RunStarted"]


def test_separate_outputs_have_the_name_of_the_run(operator: Operator) -> None:
    spec = operator.api.objects[SCHEDULE]["spec"]
    spec["separateOutputs"], spec["template"]["spec"]["output"]["mode"] = True, "create"
    operator.catch_up()
    operator.advance(30).reconcile()
    output = operator.api.objects[f"{RESOURCES}/{FIRST}"]["spec"]["output"]
    assert output["uri"] == f"s3://features/table/{FIRST}"


def test_an_operator_that_died_before_the_status_write_finds_its_run(operator: Operator) -> None:
    operator.api.refusals["PATCH", f"{SCHEDULE}/status"] = ApiError(500, "etcd is unavailable")
    with pytest.raises(ApiError, match="etcd"):
        operator.advance(30).reconcile()
    later = Operator(operator.api, operator.now)
    later.reconcile()
    assert later.runs == [FIRST]
    assert later.status["lastScheduleTime"] == "2026-11-25T12:01:00Z"


def test_a_schedule_that_changed_meanwhile_is_read_again(operator: Operator) -> None:
    operator.api.refusals["PATCH", f"{SCHEDULE}/status"] = ApiError(409, "the object has been modified")
    operator.reconcile()
    assert operator.ready == ("True", "Scheduled")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ApiError(403, "exceeded quota: count/featureextractions.featx.dev"), "QuotaExceeded"),
        (ApiError(422, "spec.execution: Invalid value"), "RunRefused"),
    ],
)
def test_a_refused_run_is_reported_and_tried_again(operator: Operator, error: ApiError, reason: str) -> None:
    operator.api.refusals["POST", RESOURCES] = error
    assert operator.advance(30).reconcile() == 30
    assert operator.ready == ("False", reason)
    operator.reconcile()
    assert (operator.ready, operator.runs) == (("True", "Scheduled"), [FIRST])


def test_a_foreign_run_of_that_name_is_not_adopted(operator: Operator) -> None:
    foreign = {"metadata": {"name": FIRST, "namespace": "default"}, "spec": {}}
    operator.api.put(f"{RESOURCES}/{FIRST}", foreign, create=True)
    operator.advance(30).reconcile()
    assert operator.ready == ("False", "NameTaken")
    operator.advance(60).reconcile()
    assert operator.ready == ("True", "Scheduled")
    assert len(operator.runs) == 2


def test_a_replica_that_lost_the_lease_starts_nothing(operator: Operator) -> None:
    operator.leads = False
    operator.advance(30).reconcile()
    assert operator.runs == []
    assert [change for change in operator.api.requests if "featureextraction" in change[1]] == []


def test_a_deleted_schedule_is_forgotten(operator: Operator) -> None:
    operator.reconcile()
    del operator.api.objects[SCHEDULE]
    operator.store.drop_schedule(KEY)
    assert operator.reconcile() is None
