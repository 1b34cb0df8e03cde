"""The reconciler against an API server in memory: stale watches, lost races and refusals."""

from __future__ import annotations

import pytest
from featx_api.crd import UNSEEN
from featx_operator.cluster.transport import ApiError

from tests.unit.operator.api_server import CONFIG_MAPS, EVENTS, PODS, SECRETS, FakeApiServer
from tests.unit.operator.operator_process import DRIVER, KEY, OWNER, RESOURCE, Operator


def test_a_new_run_gets_its_config_map_driver_status_and_events(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    assert [path.rsplit("/", 1)[1] for method, path in api.requests if method == "POST"] == [
        "events",
        "configmaps",
        "secrets",
        "pods",
        "events",
    ]
    assert operator.status["driver"] == {
        "podName": "catalog-1-driver",
        "podUid": api.objects[DRIVER]["metadata"]["uid"],
    }
    assert operator.event_reasons() == ["Accepted", "DriverCreated"]


def test_a_restarted_operator_changes_nothing(api: FakeApiServer) -> None:
    Operator(api).reconcile()
    changes = len(api.requests)
    Operator(api).reconcile()
    assert len(api.requests) == changes


def test_a_driver_that_the_watch_has_not_delivered_yet_is_found(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    operator.store.replace_pods(OWNER, [])
    operator.reconcile()
    assert operator.status["failedAttempts"] == 0
    assert api.names(PODS) == ["catalog-1-driver"]


def test_a_driver_that_is_gone_counts_as_lost(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    del api.objects[DRIVER]
    operator.store.replace_pods(OWNER, [])
    operator.reconcile()
    assert operator.status["failure"]["class"] == "DriverLost"
    assert operator.status["attempt"] == 2


def test_a_resource_that_changed_meanwhile_is_read_again(api: FakeApiServer) -> None:
    operator = Operator(api)
    api.refusals["PATCH", f"{RESOURCE}/status"] = ApiError(409, "the object has been modified")
    operator.reconcile()
    assert operator.status["driver"] == {
        "podName": "catalog-1-driver",
        "podUid": api.objects[DRIVER]["metadata"]["uid"],
    }


def test_a_deleted_resource_is_forgotten(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    del api.objects[RESOURCE]
    operator.store.drop_resource(KEY)
    assert operator.reconcile() is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ApiError(403, 'pods "catalog-1-driver" is forbidden: exceeded quota: team'), "QuotaExceeded"),
        (ApiError(403, 'pods "catalog-1-driver" is forbidden: violates PodSecurity'), "DriverRefused"),
    ],
)
def test_a_refused_driver_is_reported_and_retried(api: FakeApiServer, error: ApiError, reason: str) -> None:
    operator = Operator(api)
    api.refusals["POST", PODS] = error
    assert operator.reconcile() == 2
    assert operator.reason("DriverReady") == reason
    operator.reconcile()
    assert operator.reason("DriverReady") == "Pending"


def test_a_foreign_pod_with_the_name_of_the_driver_is_not_adopted(api: FakeApiServer) -> None:
    operator = Operator(api)
    api.put(DRIVER, {"kind": "Pod", "metadata": {"name": "catalog-1-driver"}}, create=True)
    operator.reconcile()
    assert operator.reason("DriverReady") == "NameTaken"
    assert ("DELETE", DRIVER) not in api.requests


def test_an_error_of_the_api_server_is_raised_and_nothing_is_lost(api: FakeApiServer) -> None:
    operator = Operator(api)
    api.refusals["POST", PODS] = ApiError(500, "etcd is unavailable")
    with pytest.raises(ApiError, match="etcd"):
        operator.reconcile()
    operator.reconcile()
    assert api.names(PODS) == ["catalog-1-driver"]
    assert operator.status["attempt"] == 1


def test_an_event_that_can_not_be_created_does_not_fail_the_reconcile(api: FakeApiServer) -> None:
    operator = Operator(api)
    api.refusals["POST", EVENTS] = ApiError(403, "the namespace is terminating")
    operator.reconcile()
    assert operator.event_reasons() == ["DriverCreated"]


def test_the_next_attempt_finds_no_files_of_the_one_before(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    api.objects[DRIVER]["status"] = {"phase": "Failed"}
    operator.catch_up()
    operator.reconcile()
    later = Operator(api, operator.now)  # knows of the files by its list only
    later.advance(60)
    later.reconcile()
    assert api.names(PODS) == ["catalog-1-driver", "catalog-2-driver"]
    assert api.names(CONFIG_MAPS) == ["catalog-2-job"]
    assert api.names(SECRETS) == ["store", "catalog-2-authentication"]
    changes = [(method, path.rsplit("/", 1)[1]) for method, path in api.requests if "/events" not in path]
    assert changes.index(("DELETE", "catalog-1-job")) < len(changes) - 1 - changes[::-1].index(("POST", "configmaps"))


def test_the_default_of_the_api_server_is_not_taken_for_a_status(api: FakeApiServer) -> None:
    api.objects[RESOURCE]["status"] = UNSEEN
    operator = Operator(api)
    operator.reconcile()
    assert operator.status["observedGeneration"] == 1
    assert operator.event_reasons() == ["Accepted", "DriverCreated"]
    times = {item["lastTransitionTime"] for item in operator.status["conditions"]}
    assert "1970-01-01T00:00:00Z" not in times
