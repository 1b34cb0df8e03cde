"""The reconciler against an API server in memory: stale watches, lost races and refusals."""

from __future__ import annotations

from collections import Counter

import pytest
from featx_api.crd import UNSEEN
from featx_operator.cluster.transport import ApiError

from tests.unit.operator.api_server import CONFIG_MAPS, EVENTS, PODS, SECRETS, FakeApiServer
from tests.unit.operator.operator_process import DRIVER, KEY, OWNER, RESOURCE, Operator


def test_a_new_run_gets_its_config_map_driver_status_and_events(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    assert [path.rsplit("/", 1)[1] for method, path in api.requests if method == "POST"] == [
        "configmaps",
        "secrets",
        "pods",
        "events",
    ]
    assert operator.status["driver"] == {
        "podName": "catalog-1-driver",
        "podUid": api.objects[DRIVER]["metadata"]["uid"],
    }
    assert operator.event_reasons() == ["DriverCreated"]


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
    assert operator.event_reasons() == []
    assert operator.status["driver"]["podName"] == "catalog-1-driver"


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
    assert api.names(CONFIG_MAPS) == ["catalog-u-1-2-job"]
    assert api.names(SECRETS) == ["store", "catalog-u-1-2-authentication"]
    changes = [(method, path.rsplit("/", 1)[1]) for method, path in api.requests if "/events" not in path]
    assert changes.index(("DELETE", "catalog-u-1-1-job")) < len(changes) - 1 - changes[::-1].index(
        ("POST", "configmaps")
    )


def test_the_default_of_the_api_server_is_not_taken_for_a_status(api: FakeApiServer) -> None:
    api.objects[RESOURCE]["status"] = UNSEEN
    operator = Operator(api)
    operator.reconcile()
    assert operator.status["observedGeneration"] == 1
    assert operator.event_reasons() == ["DriverCreated"]
    times = {item["lastTransitionTime"] for item in operator.status["conditions"]}
    assert "1970-01-01T00:00:00Z" not in times


def succeed(api: FakeApiServer, operator: Operator) -> None:
    """Has the driver of the first attempt succeed, and the operator report it."""
    message = '{"result": "Succeeded", "outputs": []}'
    terminated = {"exitCode": 0, "message": message, "finishedAt": operator.now.isoformat()}
    statuses = [{"name": "driver", "state": {"terminated": terminated}}]
    api.put(DRIVER, {**api.objects[DRIVER], "status": {"phase": "Succeeded", "containerStatuses": statuses}})
    operator.watch({**api.objects[DRIVER], "kind": "Pod"})
    operator.reconcile()


def test_a_run_takes_eight_requests_of_its_own(api: FakeApiServer) -> None:
    del api.objects[f"{SECRETS}/store"]
    api.objects[RESOURCE]["spec"]["source"] = {"s3": {"bucket": "images"}}
    operator = Operator(api)
    operator.watch({**api.objects[RESOURCE], "kind": "FeatureExtraction"}, "ADDED")
    operator.reconcile()
    succeed(api, operator)
    assert operator.state("Succeeded") == ("True", "Completed")
    kinds = Counter(f"{method} {path.split('/default/')[1].split('/')[0]}" for method, path in api.all_requests)
    assert kinds == {
        "POST configmaps": 1,
        "POST secrets": 1,
        "POST pods": 1,
        "PATCH featureextractions": 3,  # and one more when it is seen running
        "POST events": 2,
        "GET resourcequotas": 1,  # for a namespace once in five seconds, however many runs it has
        "GET limitranges": 1,
    }


def test_of_an_ended_run_only_a_mark_is_stored_and_nothing_is_requested(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    succeed(api, operator)
    assert operator.store.has_ended(KEY)
    api.all_requests.clear()
    assert operator.reconcile() is None
    restarted = Operator(api, operator.now)
    restarted.watch({**api.objects[RESOURCE], "kind": "FeatureExtraction"}, "ADDED")
    restarted.watch({**api.objects[DRIVER], "kind": "Pod"}, "ADDED")
    assert restarted.store.has_ended(KEY)
    assert len(restarted.queue) == 0
    assert api.all_requests == []


@pytest.mark.parametrize("pod_first", [True, False])
def test_a_restarted_operator_deletes_what_an_expired_run_has_left(api: FakeApiServer, pod_first: bool) -> None:
    api.objects[RESOURCE]["spec"]["ttlSecondsAfterFinished"] = 60
    operator = Operator(api)
    operator.reconcile()
    succeed(api, operator)
    assert operator.reconcile() == 60
    restarted = Operator(api, operator.now)
    restarted.advance(61)
    bodies = [{**api.objects[DRIVER], "kind": "Pod"}, {**api.objects[RESOURCE], "kind": "FeatureExtraction"}]
    for body in bodies if pod_first else reversed(bodies):
        restarted.watch(body, "ADDED")
    assert len(restarted.queue) == 1
    restarted.reconcile()
    assert api.names(PODS) == api.names(CONFIG_MAPS) == []
    again = Operator(api, restarted.now)
    again.watch({**api.objects[RESOURCE], "kind": "FeatureExtraction"}, "ADDED")
    assert len(again.queue) == 0  # there is nothing left to delete


def test_an_executor_that_outlives_its_run_is_stopped_by_a_restarted_operator(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    succeed(api, operator)
    driver = api.objects[DRIVER]["metadata"]
    owner = {"kind": "Pod", "name": driver["name"], "uid": driver["uid"], "controller": True}
    labels = {**driver["labels"], "featx.dev/role": "executor"}
    metadata = {"name": "catalog-1-exec-1", "namespace": "default", "labels": labels, "ownerReferences": [owner]}
    api.put(f"{PODS}/catalog-1-exec-1", {"kind": "Pod", "metadata": metadata, "status": {"phase": "Running"}})
    restarted = Operator(api, operator.now)
    restarted.watch({**api.objects[RESOURCE], "kind": "FeatureExtraction"}, "ADDED")
    restarted.watch(api.objects[f"{PODS}/catalog-1-exec-1"], "ADDED")
    assert len(restarted.queue) == 1
    restarted.reconcile()
    assert api.names(PODS) == ["catalog-1-driver"]


def test_a_ttl_that_is_set_after_the_end_counts(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    succeed(api, operator)
    body = api.objects[RESOURCE]
    changed = {**body, "metadata": {**body["metadata"], "generation": 2}}
    changed["spec"] = {**body["spec"], "ttlSecondsAfterFinished": 0}
    operator.watch({**api.put(RESOURCE, changed), "kind": "FeatureExtraction"})
    assert len(operator.queue) == 1
    operator.reconcile()
    assert api.names(PODS) == []
    assert operator.status["observedGeneration"] == 2


@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "after a restart"])
def test_a_failed_run_of_which_only_a_mark_is_stored_starts_again_on_request(
    api: FakeApiServer, restarted: bool
) -> None:
    operator = Operator(api)
    operator.watch({**api.objects[RESOURCE], "kind": "FeatureExtraction"}, "ADDED")
    operator.reconcile()
    message = '{"result": "Failed", "failure": {"class": "ModelNotFound", "message": "no such key"}}'
    statuses = [{"name": "driver", "state": {"terminated": {"exitCode": 2, "message": message}}}]
    api.put(DRIVER, {**api.objects[DRIVER], "status": {"phase": "Failed", "containerStatuses": statuses}})
    operator.watch({**api.objects[DRIVER], "kind": "Pod"})
    operator.reconcile()
    assert operator.status["state"] == "Failed:ModelNotFound"
    assert operator.store.has_ended(KEY)
    operator = Operator(api, operator.now) if restarted else operator
    resource = api.objects[RESOURCE]
    metadata = {**resource["metadata"], "generation": resource["metadata"].get("generation", 0) + 1}
    api.put(RESOURCE, {**resource, "metadata": metadata, "spec": {**resource["spec"], "retry": 1}})
    operator.watch({**api.objects[RESOURCE], "kind": "FeatureExtraction"})
    for _ in range(3):
        operator.reconcile()
    assert api.names(PODS) == ["catalog-1-driver", "catalog-2-driver"]
    assert (operator.status["attempt"], operator.status["retry"]) == (2, 1)
    assert "completionTime" not in operator.status and "failure" not in operator.status


def test_nothing_is_requested_for_a_resource_that_is_deleted(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    body = {**api.objects.pop(RESOURCE), "kind": "FeatureExtraction"}
    operator.watch(body, "DELETED")
    assert len(operator.queue) == 0 and not operator.queue._timers
    assert not operator.store.has_resource(KEY)
