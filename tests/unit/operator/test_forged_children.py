"""Pods, ConfigMaps and Secrets that somebody made as Featx makes them: nothing is believed for its looks."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from featx_api import contract
from featx_operator.cluster.transport import ApiError

from tests.unit.operator.api_server import CONFIG_MAPS, PODS, SECRETS, FakeApiServer
from tests.unit.operator.operator_process import DRIVER, RESOURCE, Operator

CONFIG_MAP = f"{CONFIG_MAPS}/catalog-u-1-1-job"
SECRET = f"{SECRETS}/catalog-u-1-1-authentication"
OWNER = {"apiVersion": "featx.dev/v1alpha1", "kind": "FeatureExtraction", "name": "catalog", "uid": "u-1"}


def labels(role: str = "driver", attempt: str = "1") -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "featx",
        "featx.dev/name": "catalog",
        "featx.dev/uid": "u-1",
        "featx.dev/attempt": attempt,
        "featx.dev/role": role,
    }


def success(uri: str = "s3://features/table") -> str:
    """A termination message that reports success."""
    table = {"uri": uri, "kind": "features", "format": "delta", "recordCount": 1, "bytes": 1}
    return json.dumps({"result": "Succeeded", "outputs": [table]})


def ended(message: str) -> dict[str, Any]:
    """The status of a driver that has ended."""
    state = {"terminated": {"exitCode": 0, "message": message}}
    return {"phase": "Succeeded", "containerStatuses": [{"name": "driver", "state": state}]}


def forged_driver(namespace: str = "default", name: str = "catalog-1-driver", **metadata: Any) -> dict[str, Any]:
    """A pod that looks like the driver in every respect, and reports success at an address of the attacker."""
    looks: dict[str, Any] = {"labels": labels(), "ownerReferences": [{**OWNER, "controller": True}]}
    metadata = {"name": name, "namespace": namespace, **looks, **metadata}
    return {"kind": "Pod", "metadata": metadata, "spec": {}, "status": ended(success("s3://attacker/table"))}


def data_of(api: FakeApiServer, path: str) -> dict[str, Any]:
    return dict(api.objects[path].get("data") or api.objects[path].get("stringData") or {})


def test_a_pod_of_another_namespace_with_the_victims_uid_changes_nothing(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    before, requests = operator.status, len(api.requests)
    forged = forged_driver("other", uid="forged", resourceVersion="999999")
    operator.watch(forged, "ADDED")
    operator.watch(forged, "DELETED")
    assert len(operator.queue) == 0
    operator.reconcile()
    assert operator.status == before
    assert len(api.requests) == requests


def test_a_pod_of_another_namespace_changes_nothing_beside_a_resource_of_the_same_name(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    before = operator.status
    metadata = {"namespace": "other", "name": "catalog", "uid": "u-2", "resourceVersion": "1"}
    operator.watch({"kind": "FeatureExtraction", "metadata": metadata, "spec": {}}, "ADDED")
    operator.watch(forged_driver("other", uid="forged", resourceVersion="999999"), "ADDED")
    operator.reconcile()
    assert operator.status == before


def test_a_pod_of_a_resource_that_is_not_known_is_dropped(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.watch(forged_driver(uid="forged", resourceVersion="9"), "ADDED")
    assert len(operator.queue) == 0


@pytest.mark.parametrize("looks", [{}, {"labels": {}}, {"labels": labels(attempt="first")}], ids=str)
def test_a_driver_made_beforehand_is_replaced_and_not_believed(api: FakeApiServer, looks: dict[str, Any]) -> None:
    forged = api.put(DRIVER, forged_driver(**looks), create=True)
    operator = Operator(api)
    operator.reconcile()
    driver = api.objects[DRIVER]["metadata"]["uid"]
    assert driver != forged["metadata"]["uid"]
    assert operator.status["driver"]["podUid"] == driver
    assert operator.state("Succeeded") == ("Unknown", "Pending")
    assert operator.status["outputs"] == []


def test_a_driver_made_instead_of_one_that_is_gone_does_not_count(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    del api.objects[DRIVER]
    api.put(DRIVER, forged_driver(), create=True)
    operator.catch_up()
    operator.reconcile()
    assert operator.status["failure"]["class"] == "DriverLost"
    assert operator.state("Succeeded") == ("Unknown", "BackingOff")
    assert (operator.status["attempt"], operator.status["outputs"]) == (2, [])


def test_a_driver_made_for_the_next_attempt_is_replaced(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    del api.objects[DRIVER]
    second = f"{PODS}/catalog-2-driver"
    forged = forged_driver(name="catalog-2-driver", labels=labels(attempt="2"))
    uid = api.put(second, forged, create=True)["metadata"]["uid"]
    operator.catch_up()
    operator.reconcile()
    operator.advance(60)
    operator.reconcile()
    assert operator.status["attempt"] == 2
    assert operator.status["driver"]["podUid"] == api.objects[second]["metadata"]["uid"] != uid


def test_a_driver_that_an_operator_created_and_never_recorded_is_replaced_in_the_same_attempt(
    api: FakeApiServer,
) -> None:
    first = Operator(api)
    first.reconcile()
    status = dict(api.objects[RESOURCE]["status"])
    created = api.objects[DRIVER]["metadata"]["uid"]
    del status["driver"]
    api.put(RESOURCE, {**api.objects[RESOURCE], "status": status})
    Operator(api).reconcile()
    assert api.objects[DRIVER]["metadata"]["uid"] != created
    assert (first.status["attempt"], first.status["failedAttempts"]) == (1, 0)
    assert api.names(PODS) == ["catalog-1-driver"]


def test_a_driver_recorded_without_its_uid_by_an_older_operator_is_replaced_in_the_same_attempt(
    api: FakeApiServer,
) -> None:
    first = Operator(api)
    first.reconcile()
    created = api.objects[DRIVER]["metadata"]["uid"]
    status = {**api.objects[RESOURCE]["status"], "driver": {"podName": "catalog-1-driver"}}
    api.put(RESOURCE, {**api.objects[RESOURCE], "status": status})
    Operator(api).reconcile()
    assert first.status["driver"]["podUid"] == api.objects[DRIVER]["metadata"]["uid"] != created
    assert (first.status["attempt"], first.status["failedAttempts"]) == (1, 0)


def test_no_driver_is_created_while_a_forged_one_terminates(api: FakeApiServer) -> None:
    forged = api.put(DRIVER, forged_driver(), create=True)["metadata"]["uid"]
    api.held.add(DRIVER)
    operator = Operator(api)
    assert operator.reconcile() == 2
    assert operator.state("DriverReady") == ("False", "Terminating")
    assert api.objects[DRIVER]["metadata"]["uid"] == forged
    api.held.clear()
    del api.objects[DRIVER]
    operator.reconcile()
    assert operator.status["driver"]["podUid"] == api.objects[DRIVER]["metadata"]["uid"]


@pytest.mark.parametrize("attempt", ["9", "1"], ids=["later attempt", "earlier attempt"])
def test_a_forged_driver_that_never_ends_hides_no_failure_and_is_reported(api: FakeApiServer, attempt: str) -> None:
    operator = Operator(api)
    operator.reconcile()
    name = f"catalog-{attempt}-driver"
    if attempt == "1":  # of an attempt that has ended
        del api.objects[DRIVER]
        operator.catch_up()
        operator.reconcile()
        assert operator.status["attempt"] == 2
    forged = forged_driver(name=name, labels=labels(attempt=attempt)) | {"status": {"phase": "Running"}}
    api.put(f"{PODS}/{name}", forged, create=True)
    api.held.add(f"{PODS}/{name}")
    if attempt == "9":
        del api.objects[DRIVER]
    operator.catch_up()
    operator.reconcile()
    assert (operator.status["attempt"], operator.status["failure"]["class"]) == (2, "DriverLost")
    operator.advance(60)
    operator.reconcile()
    if attempt == "9":
        assert f"{PODS}/catalog-2-driver" in api.objects
    else:
        assert operator.state("DriverReady") == ("False", "Terminating")
        assert "catalog-1-driver of an earlier attempt has not ended yet" in str(operator.status["conditions"])


def test_a_driver_whose_labels_and_owner_are_removed_stays_the_only_one(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    pod = api.objects[DRIVER]
    operator.watch({**pod, "kind": "Pod", "metadata": {**pod["metadata"], "resourceVersion": "500"}}, "DELETED")
    api.put(DRIVER, {**pod, "metadata": {**pod["metadata"], "labels": {}, "ownerReferences": []}})
    operator.reconcile()
    assert (operator.status["attempt"], operator.status["failedAttempts"]) == (1, 0)
    assert api.names(PODS) == ["catalog-1-driver"]


def test_executors_of_another_owner_do_not_count(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    api.objects[DRIVER]["status"] = {"phase": "Running"}
    driver = api.objects[DRIVER]["metadata"]["uid"]
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    for number, uid in enumerate([driver, "forged", "u-1"]):
        owner = {"kind": "Pod", "name": "catalog-1-driver", "uid": uid, "controller": True}
        metadata = {"name": f"exec-{number}", "namespace": "default", "labels": labels("executor")}
        api.put(f"{PODS}/exec-{number}", {"metadata": {**metadata, "ownerReferences": [owner]}, "status": ready})
    operator.catch_up()
    operator.reconcile()
    assert operator.status["executors"]["summary"] == "1/2"


@pytest.mark.parametrize("name", [None, "", "1", "../../x", "x" * 63])
def test_a_pod_with_labels_that_can_not_be_parsed_stops_no_watch(api: FakeApiServer, name: str | None) -> None:
    operator = Operator(api)
    operator.reconcile()
    before = operator.status
    for attempt in (None, "²", "9" * 63, "-1", ""):
        odd = {"featx.dev/name": name, "featx.dev/uid": "u-1", "featx.dev/attempt": attempt, "featx.dev/role": "driver"}
        given = {key: value for key, value in odd.items() if value is not None}
        for type_ in ("ADDED", "MODIFIED", "DELETED"):
            operator.watch(forged_driver(labels=given, uid="forged", resourceVersion="900"), type_)
    operator.reconcile()
    assert operator.status == before


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"job.json": "{}", "executor-pod.yaml": "{}"}},
        {"data": None},
        {"binaryData": {"job.json": "e30="}},
        {"immutable": False},
        {"metadata": {"deletionTimestamp": "2026-11-25T12:00:00Z"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_config_map_made_beforehand_with_other_content_is_replaced(
    api: FakeApiServer, change: dict[str, Any]
) -> None:
    Operator(api).reconcile()
    ours = api.objects[CONFIG_MAP]
    del api.objects[DRIVER]
    metadata = {**ours["metadata"], "uid": "forged", **change.get("metadata", {})}
    api.objects[CONFIG_MAP] = {**ours, **change, "metadata": metadata}
    del api.objects[RESOURCE]["status"]
    Operator(api).reconcile()
    assert api.objects[CONFIG_MAP]["metadata"]["uid"] != "forged"
    assert data_of(api, CONFIG_MAP) == ours["data"]


def test_a_config_map_with_the_same_content_is_used(api: FakeApiServer) -> None:
    api.refusals["POST", PODS] = ApiError(403, "exceeded quota: team")
    operator = Operator(api)
    operator.reconcile()
    uid = api.objects[CONFIG_MAP]["metadata"]["uid"]
    operator.advance(10)
    operator.reconcile()
    assert DRIVER in api.objects
    assert api.objects[CONFIG_MAP]["metadata"]["uid"] == uid


def test_a_config_map_that_can_not_be_replaced_is_reported_and_no_driver_runs_with_it(api: FakeApiServer) -> None:
    metadata = {"name": "catalog-u-1-1-job", "namespace": "default", "ownerReferences": [{**OWNER, "controller": True}]}
    api.put(CONFIG_MAP, {"metadata": metadata, "data": {"job.json": "{}"}, "immutable": True})
    api.held.add(CONFIG_MAP)
    operator = Operator(api)
    operator.reconcile()
    assert operator.state("Stalled") == ("True", "NameTaken")
    assert api.names(PODS) == []


def test_a_foreign_config_map_is_neither_used_nor_deleted(api: FakeApiServer) -> None:
    api.put(CONFIG_MAP, {"metadata": {"name": "catalog-u-1-1-job", "namespace": "default"}, "data": {}})
    operator = Operator(api)
    operator.reconcile()
    assert operator.state("Stalled") == ("True", "NameTaken")
    assert ("DELETE", CONFIG_MAP) not in api.requests


def test_the_driver_knows_the_digests_of_its_files(api: FakeApiServer) -> None:
    Operator(api).reconcile()
    environment = {item["name"]: item.get("value") for item in api.objects[DRIVER]["spec"]["containers"][0]["env"]}
    data = data_of(api, CONFIG_MAP)
    for name, key in (("FEATX_JOB_SHA256", "job.json"), ("FEATX_EXECUTOR_POD_SHA256", "executor-pod.yaml")):
        assert environment[name] == hashlib.sha256(data[key].encode()).hexdigest()


def test_a_key_made_beforehand_is_replaced(api: FakeApiServer) -> None:
    metadata = {"name": "catalog-u-1-1-authentication", "ownerReferences": [{**OWNER, "controller": True}]}
    known = api.put(SECRET, {"metadata": metadata, "data": {"secret": "a25vd24="}, "immutable": True})
    Operator(api).reconcile()
    assert api.objects[SECRET]["metadata"]["uid"] != known["metadata"]["uid"]
    key = data_of(api, SECRET)[contract.AUTHENTICATION_KEY]
    assert len(bytes.fromhex(key)) == 32
    assert api.objects[SECRET]["immutable"] is True


def test_each_driver_gets_another_key(api: FakeApiServer) -> None:
    Operator(api).reconcile()
    first = data_of(api, SECRET)
    del api.objects[RESOURCE]["status"]
    Operator(api).reconcile()
    assert data_of(api, SECRET) != first


def test_after_the_ttl_the_files_are_deleted_but_nothing_that_only_has_their_labels(api: FakeApiServer) -> None:
    api.objects[RESOURCE]["spec"]["ttlSecondsAfterFinished"] = 5
    operator = Operator(api)
    operator.reconcile()
    others = {
        f"{CONFIG_MAPS}/catalog-u-1-7-job": {**OWNER, "uid": "u-2"},
        f"{CONFIG_MAPS}/catalog-u-1-8-job": {**OWNER, "kind": "Job", "uid": "j-1"},
        f"{SECRETS}/catalog-u-1-7-authentication": OWNER,
    }
    for path, owner in others.items():
        metadata = {"name": path.rsplit("/", 1)[1], "labels": labels("job")}
        api.put(path, {"metadata": {**metadata, "ownerReferences": [{**owner, "controller": True}]}})
    api.objects[DRIVER]["status"] = ended(success())
    operator.catch_up()
    operator.reconcile()
    assert operator.state("Succeeded") == ("True", "Completed")
    later = Operator(api, operator.now)
    later.advance(6)
    later.reconcile()
    assert {SECRET, CONFIG_MAP, DRIVER}.isdisjoint(api.objects)
    assert others.keys() <= api.objects.keys()


def test_after_the_ttl_a_foreign_secret_with_the_name_of_a_key_stays(api: FakeApiServer) -> None:
    api.objects[RESOURCE]["spec"]["ttlSecondsAfterFinished"] = 0
    operator = Operator(api)
    operator.reconcile()
    api.objects[SECRET] = {"metadata": {"name": "catalog-u-1-1-authentication", "uid": "foreign", "labels": labels()}}
    api.objects[DRIVER]["status"] = ended(success())
    operator.catch_up()
    operator.reconcile()
    assert DRIVER not in api.objects and CONFIG_MAP not in api.objects
    assert api.objects[SECRET]["metadata"]["uid"] == "foreign"


def test_a_success_with_outputs_elsewhere_is_none(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    api.objects[DRIVER]["status"] = ended(success("s3://features/table-of-another"))
    operator.catch_up()
    operator.reconcile()
    assert operator.state("Succeeded") == ("Unknown", "BackingOff")
    assert operator.status["failure"]["class"] == "DriverExited"


def test_a_secret_without_the_label_is_not_mounted_and_its_value_never_read(api: FakeApiServer) -> None:
    api.objects[f"{SECRETS}/store"]["metadata"]["labels"] = {"featx.dev/store": "false"}
    operator = Operator(api)
    operator.reconcile()
    assert operator.state("Stalled") == ("True", "SecretNotAllowed")
    message = operator.condition("Stalled")["message"]
    assert "spec.source.s3.secretRef.name: Secret store" in message
    assert "kubectl label secret store featx.dev/store=true --namespace default" in message
    assert (api.names(PODS), api.names(CONFIG_MAPS)) == ([], [])
    api.objects[f"{SECRETS}/store"]["metadata"]["labels"] = {"featx.dev/store": "true"}
    operator.advance(10)
    operator.reconcile()
    assert api.names(PODS) == ["catalog-1-driver"]
    assert operator.state("Stalled") == ("False", "AsExpected")
    assert not any("dGhlIHZhbHVl" in response for response in api.sent)


def test_no_pod_waits_for_a_secret_that_anybody_may_create_later(api: FakeApiServer) -> None:
    secret = api.objects.pop(f"{SECRETS}/store")
    operator = Operator(api)
    operator.reconcile()
    assert operator.state("DriverReady") == ("False", "SecretNotFound")
    assert operator.state("Succeeded") == ("Unknown", "SecretNotFound")
    assert api.names(PODS) == []
    api.objects[f"{SECRETS}/store"] = {**secret, "metadata": {"name": "store"}}
    operator.advance(10)
    operator.reconcile()
    assert (operator.state("Stalled"), api.names(PODS)) == (("True", "SecretNotAllowed"), [])


def test_a_secret_that_stays_missing_fails_the_run_and_is_named(api: FakeApiServer) -> None:
    del api.objects[f"{SECRETS}/store"]
    operator = Operator(api)
    assert operator.reconcile() == 2
    operator.advance(31)
    operator.reconcile()
    assert operator.state("Succeeded") == ("False", "SecretNotFound")
    assert "Secret store" in operator.status["failure"]["message"]
