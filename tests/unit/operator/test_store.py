"""The store: newer versions win, and the children of a deleted resource are removed with it."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from featx_api import contract
from featx_api.status import Progress
from featx_operator.objects import Key, Owner
from featx_operator.state.store import Lane, Store

KEY = Key("default", "catalog")
OWNER = Owner(KEY, "u-1")
END = datetime(2026, 11, 27, 12, tzinfo=UTC)


def resource(version: int, uid: str = "u-1") -> dict[str, Any]:
    metadata = {"namespace": "default", "name": "catalog", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"suspend": False}}


@pytest.fixture
def store() -> Store:
    """A store that knows the resource."""
    store = Store()
    store.put_resource(resource(1))
    return store


def pod(version: int, uid: str = "p-1", phase: str = "Running", owner: str = "u-1") -> dict[str, Any]:
    labels = {"featx.dev/uid": owner, "featx.dev/name": "catalog", "featx.dev/role": "driver", "featx.dev/attempt": "1"}
    metadata = {
        "name": "catalog-1-driver",
        "namespace": "default",
        "uid": uid,
        "resourceVersion": str(version),
        "labels": labels,
        "ownerReferences": [{"kind": "FeatureExtraction", "name": "catalog", "uid": owner, "controller": True}],
    }
    return {"metadata": metadata, "status": {"phase": phase}}


def test_an_older_version_does_not_replace_a_newer_one(store: Store) -> None:
    store.put_resource(resource(9))
    store.put_resource(resource(8))
    assert store.resource(KEY) == resource(9)
    store.put_pod(pod(9))
    store.put_pod(pod(8, phase="Pending"))
    assert store.pods(OWNER)[0].phase == "Running"


def test_progress_is_parsed_when_a_pod_is_seen_and_malformed_progress_is_ignored(store: Store) -> None:
    for version, text, expected in ((1, '{"imagesDone": 3}', Progress(images_done=3)), (2, "{", None)):
        body = pod(version)
        body["metadata"]["annotations"] = {contract.PROGRESS_ANNOTATION: text}
        store.put_pod(body)
        (known,) = store.pods(OWNER)
        assert (known.version, known.phase, known.progress) == (version, "Running", expected)


def test_a_new_resource_of_the_same_name_replaces_the_old_one_and_its_children(store: Store) -> None:
    store.put_resource(resource(9))
    store.put_pod(pod(9))
    store.put_resource(resource(3, uid="u-2"))
    assert store.resource(KEY) == resource(3, uid="u-2")
    assert store.pods(OWNER) == ()


def test_a_late_deletion_does_not_remove_a_new_resource(store: Store) -> None:
    store.put_resource(resource(9, uid="u-2"))
    store.drop_resource(KEY, "u-1")
    assert store.resource(KEY)


def test_a_late_deletion_does_not_remove_a_new_pod(store: Store) -> None:
    store.put_pod(pod(9, uid="p-2"))
    store.pod_deleted(pod(8, uid="p-1"))
    assert len(store.pods(OWNER)) == 1
    store.pod_deleted(pod(10, uid="p-2"))
    assert store.pods(OWNER) == ()


def test_a_late_update_does_not_bring_a_deleted_pod_back(store: Store) -> None:
    store.put_pod(pod(9))
    store.pod_deleted(pod(11))
    store.put_pod(pod(10))
    assert store.pods(OWNER) == ()


def test_a_list_replaces_all_known_pods(store: Store) -> None:
    store.put_pod(pod(9))
    store.replace_pods(OWNER, [])
    assert store.pods(OWNER) == ()


def ended(version: int, ttl: int | None = None, generation: int = 1, observed: int = 1) -> dict[str, Any]:
    body = resource(version)
    body["metadata"]["generation"] = generation
    body["spec"] = {} if ttl is None else {"ttlSecondsAfterFinished": ttl}
    condition = {"type": "Succeeded", "status": "True", "reason": "Completed"}
    times = {"startTime": END.isoformat(), "completionTime": END.isoformat()}
    body["status"] = {"attempt": 1, "observedGeneration": observed, "conditions": [condition], **times}
    return body


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (ended(1), None),
        (ended(1, ttl=60), 30.0),
        (ended(1, ttl=10), None),  # it has left nothing that is known
        (ended(1, generation=2), 0.0),
    ],
)
def test_an_ended_run_is_due_only_if_something_is_left_to_do(body: dict[str, Any], seconds: float | None) -> None:
    store = Store()
    assert store.put_resource(body)
    assert store.has_ended(KEY) and store.resource(KEY) is None
    assert store.seconds_until_due(KEY, END + timedelta(seconds=30)) == seconds
    assert store.lane(KEY) == Lane.ENDED


def test_the_echo_of_our_own_write_is_no_news(store: Store) -> None:
    assert store.put_resource(resource(2))
    assert not store.put_resource(resource(2))
    assert store.put_pod(pod(3)) == KEY
    assert store.put_pod(pod(3)) is None


def test_a_run_that_waits_for_its_driver_is_new_and_one_with_a_pod_is_started(store: Store) -> None:
    waiting = resource(2)
    waiting["status"] = {"startTime": END.isoformat(), "attempt": 1}
    store.put_resource(waiting)
    assert store.lane(KEY) == Lane.NEW
    store.put_pod(pod(9))
    assert store.lane(KEY) == Lane.STARTED


def test_a_run_is_reduced_to_a_mark_when_its_last_pod_has_ended(store: Store) -> None:
    store.put_pod(pod(3))
    store.put_resource(ended(4))
    assert store.resource(KEY)
    assert store.put_pod(pod(5, phase="Succeeded")) == KEY
    store.put_resource(ended(6))
    assert store.has_ended(KEY)
    assert store.pods(OWNER) == ()


def test_a_mark_becomes_a_resource_again_if_its_end_is_taken_back() -> None:
    store = Store()
    store.put_resource(ended(4))
    assert store.put_resource(resource(5))
    assert store.resource(KEY) == resource(5)


def test_twenty_thousand_ended_runs_take_little_memory() -> None:
    store = Store()
    tracemalloc.start()
    try:
        for number in range(20_000):
            body = ended(number + 1, ttl=3600)
            body["metadata"] |= {"name": f"run-{number}", "uid": f"00000000-0000-0000-0000-{number:012}"}
            store.put_resource(body)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken / 20_000 < 700


@pytest.mark.parametrize("time", ["yesterday", 7, "2026-11-27T12:00:00.123456789Z"])
def test_a_status_that_others_have_written_stops_no_watch(time: object) -> None:
    body = ended(1, ttl=10**18)
    body["status"]["completionTime"] = time
    assert Store().put_resource(body)
