"""The store: newer versions win, and the children of a deleted resource are removed with it."""

from __future__ import annotations

from typing import Any

import pytest
from featx_api import contract
from featx_api.status import Progress
from featx_operator.objects import Key, Owner
from featx_operator.state.store import Store

KEY = Key("default", "catalog")
OWNER = Owner(KEY, "u-1")


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
