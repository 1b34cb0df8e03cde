"""The operator's memory does not depend on what people put into their resources and pods."""

from __future__ import annotations

import asyncio
import copy
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from featx_operator.admission import Admission
from featx_operator.cluster import children, transport
from featx_operator.cluster.transport import PAGE
from featx_operator.handlers import CHUNK, Watches, operator_settings
from featx_operator.objects import Key
from featx_operator.queue import Queue
from featx_operator.settings import Settings
from featx_operator.state.store import RESOURCE_LIMIT, Store

from tests.support.bad_resources import good
from tests.unit.operator.api_server import CONFIG_MAPS, PODS, FakeApiServer
from tests.unit.operator.operator_process import DRIVER, OWNER, RESOURCE, Operator

RESOURCES = 1000
BYTES = 950 * 1024
MEBIBYTE = 1 << 20


def large(number: int) -> dict[str, Any]:
    """A resource of 950 KiB: in its spec, annotations, labels, or managed fields."""
    body: dict[str, Any] = copy.deepcopy(good())
    name = f"run-{number}"
    body["metadata"] |= {"name": name, "uid": f"u-{number}", "resourceVersion": str(number + 1)}
    parts = [f"{number:06}-{part:06}-".ljust(8000, "x") for part in range(BYTES // 8008)]
    if number % 4 == 0:
        body["spec"]["source"]["keys"] = parts
    elif number % 4 == 1:
        body["metadata"]["annotations"] = {"note": "".join(parts)}
    elif number % 4 == 2:
        body["metadata"]["labels"] = {part: part[:60] for part in parts}
    else:
        body["metadata"]["managedFields"] = [{"manager": "kubectl", "fieldsV1": {part: {} for part in parts}}]
    return body


def feed(watches: Watches, bodies: Iterator[tuple[bool, dict[str, Any]]]) -> None:
    """Delivers resources (True) and pods as watch events, one after another."""

    async def deliver() -> None:
        for is_resource, body in bodies:
            handler = watches.on_resource if is_resource else watches.on_pod
            await handler({"type": "ADDED", "object": body})  # type: ignore[typeddict-item]

    asyncio.run(deliver())


def peak_mebibytes(watches: Watches, bodies: Iterator[tuple[bool, dict[str, Any]]]) -> float:
    tracemalloc.start()
    try:
        feed(watches, bodies)
        return tracemalloc.get_traced_memory()[1] / MEBIBYTE
    finally:
        tracemalloc.stop()


def test_a_thousand_resources_at_the_size_limit_take_little_memory() -> None:
    assert len(json.dumps(large(0))) > BYTES * 0.98
    store = Store()
    watches = Watches(store, Queue(), Admission(FakeApiServer(""), store, Settings()))
    peak = peak_mebibytes(watches, ((True, large(number)) for number in range(RESOURCES)))
    assert peak < 16  # 6 measured
    stored = [store.resource(Key("default", f"run-{number}")) for number in range(RESOURCES)]
    assert all(body and len(json.dumps(body)) <= RESOURCE_LIMIT for body in stored)


def test_large_pods_with_the_labels_of_a_run_take_little_memory(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    driver = api.objects[DRIVER]

    def forged() -> Iterator[tuple[bool, dict[str, Any]]]:
        for number in range(200):
            metadata = {**driver["metadata"], "uid": f"forged-{number}", "annotations": {"note": "x" * BYTES}}
            message = f"{number:06}".ljust(BYTES, "y")
            terminated = {"terminated": {"exitCode": 1, "message": message, "reason": message}}
            status = {"phase": "Failed", "message": message, "reason": message}
            statuses = [{"name": "driver", "state": terminated}]
            yield False, {"metadata": metadata, "status": {**status, "containerStatuses": statuses}}

    assert peak_mebibytes(operator.watches, forged()) < 16


def test_a_resource_that_is_too_large_to_be_stored_runs_all_the_same(api: FakeApiServer) -> None:
    api.objects[RESOURCE]["spec"]["source"]["keys"] = [f"{number:04}".ljust(500, "x") for number in range(100)]
    operator = Operator(api)
    operator.reconcile()
    stored = operator.store.resource(OWNER.key)
    assert stored and "spec" not in stored and "status" not in stored
    assert api.names(PODS) == ["catalog-1-driver"]
    api.objects[DRIVER]["status"] = {"phase": "Running"}
    operator.catch_up()
    operator.reconcile()
    assert operator.state("DriverReady") == ("True", "Running")


def test_a_resource_that_vanishes_before_it_is_read_again_is_dropped(api: FakeApiServer) -> None:
    api.objects[RESOURCE]["spec"]["source"]["keys"] = ["x" * 1000] * 100
    operator = Operator(api)
    operator.reconcile()
    del api.objects[RESOURCE]
    assert operator.reconcile() is None
    assert operator.store.resource(OWNER.key) is None


def test_lists_are_read_page_by_page_and_not_without_end(
    api: FakeApiServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3 * PAGE + 1):
        metadata = {"name": f"p-{number}", "labels": {"featx.dev/uid": "u-1"}}
        api.objects[f"{PODS}/p-{number}"] = {"metadata": metadata}
    before = len(api.sent)
    selected = {"labelSelector": "featx.dev/uid=u-1"}
    assert len(list(api.items(PODS, selected, dict))) == 3 * PAGE + 1
    assert len(api.sent) - before == 4
    monkeypatch.setattr(transport, "MOST_ITEMS", 2 * PAGE)
    assert len(list(api.items(PODS, selected, dict))) == 2 * PAGE
    assert "the others are ignored" in caplog.text


def test_of_config_maps_only_the_metadata_is_listed(api: FakeApiServer) -> None:
    Operator(api).reconcile()
    api.sent.clear()
    assert list(children.config_maps(api, OWNER)) == ["catalog-u-1-1-job"]
    assert api.objects[f"{CONFIG_MAPS}/catalog-u-1-1-job"]["data"]
    assert not any("job.json" in response for response in api.sent)


def test_kopf_lists_a_few_objects_at_a_time() -> None:
    assert operator_settings(Settings()).watching.chunk_size == CHUNK <= 10
