"""Metrics: what they count, how many values their labels have, and who may read them."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from featx_api.status import Progress
from featx_operator import exposition, metrics, metrics_by_run, run_metrics
from featx_operator.exposition import Exposition
from featx_operator.metrics import REGISTRY
from featx_operator.objects import Key
from featx_operator.queue import Queue

from tests.unit.operator.api_server import PODS, SECRETS, FakeApiServer
from tests.unit.operator.operator_process import DRIVER, OWNER, RESOURCE, Operator
from tests.unit.operator.test_reconcile import succeed

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/metrics.md"
PORT = 19464


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_the_page_of_metrics_is_what_the_code_generates() -> None:
    assert PAGE.read_text() == "\n".join(metrics.page()) + "\n"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/namespaces/team/pods/run-1-driver", "pods"),
        ("/api/v1/namespaces/team/secrets", "secrets"),
        ("/apis/featx.dev/v1alpha1/namespaces/team/featureextractions/run", "featureextractions"),
        ("/apis/featx.dev/v1alpha1/namespaces/team/featureextractions/run/status", "featureextractions/status"),
        ("/apis/events.k8s.io/v1/namespaces/team/events", "events"),
        ("/apis/coordination.k8s.io/v1/namespaces/team/leases/featx-operator", "leases"),
        ("/apis/featx.dev/v1alpha1", "other"),
        ("/api/v1/namespaces/team/anything/else", "other"),
    ],
)
def test_the_kind_of_a_request_is_one_of_a_few(path: str, kind: str) -> None:
    assert metrics.kind_of(path) == kind


def test_a_reason_that_featx_does_not_know_counts_as_other() -> None:
    assert run_metrics.bounded("Completed") == "Completed"
    assert run_metrics.bounded("StoreUnreachable") == "StoreUnreachable"
    assert run_metrics.bounded("x" * 100) == metrics.OTHER


def test_a_run_that_succeeds_is_counted(api: FakeApiServer) -> None:
    assert f"{SECRETS}/store" in api.objects
    labels = {"namespace": "default", "result": "Succeeded", "reason": "Completed"}
    before = value("featx_ended_runs_total", **labels)
    operator = Operator(api)
    operator.reconcile()
    run_metrics.refresh(operator.store, operator.queue)
    assert value("featx_runs", namespace="default", state="Active", reason="Pending") == 1
    succeed(api, operator)
    run_metrics.refresh(operator.store, operator.queue)
    assert value("featx_ended_runs_total", **labels) == before + 1
    assert value("featx_runs", namespace="default", state="Succeeded", reason="Completed") == 1
    assert value("featx_runs", namespace="default", state="Active", reason="Pending") == 0
    assert api.objects[RESOURCE]["status"]["completionTime"]


def test_the_speed_of_running_drivers_is_summed_by_namespace(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    driver = api.objects[DRIVER]
    annotations = {"featx.dev/progress": '{"imagesDone": 3, "imagesPerSecond": 12.5, "waiting": "s3://images"}'}
    metadata = {**driver["metadata"], "annotations": annotations}
    operator.watch({**api.put(DRIVER, {**driver, "metadata": metadata, "status": {"phase": "Running"}}), "kind": "Pod"})
    run_metrics.refresh(operator.store, operator.queue)
    assert value("featx_images_per_second", namespace="default") == 12.5
    assert value("featx_waiting_drivers", namespace="default") == 1


def report(api: FakeApiServer, operator: Operator, progress: str, path: str = DRIVER, **metadata: Any) -> None:
    """Has the pod at a path run and report progress."""
    pod = api.objects[path]
    annotated = {**pod["metadata"], "annotations": {"featx.dev/progress": progress}, **metadata}
    operator.watch({**api.put(path, {**pod, "metadata": annotated, "status": {"phase": "Running"}}), "kind": "Pod"})


PROGRESS = """{"imagesDone": 30, "imagesFailed": 2, "imagesTotal": 90, "imagesPerSecond": 12.5,
"waiting": "s3://images", "waitingReason": "StoreUnreachable",
"stepSeconds": {"read": 7.5, "decode": 3, "detect": 2, "extract": 4, "write": 1}}"""


def test_a_running_run_has_its_speed_and_where_its_time_goes(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    report(api, operator, PROGRESS)
    run_metrics.refresh(operator.store, operator.queue)
    run = {"namespace": "default", "run": "catalog"}
    assert value("featx_run_images_total", **run) == 30
    assert value("featx_run_failed_images_total", **run) == 2
    assert value("featx_run_source_images", **run) == 90
    assert value("featx_run_images_per_second", **run) == 12.5
    assert value("featx_run_step_seconds_total", **run, step="read") == 7.5
    assert REGISTRY.get_sample_value("featx_run_step_seconds_total", {**run, "step": "idle"}) == 0
    assert value("featx_run_waiting", **run, reason="StoreUnreachable") == 1
    assert REGISTRY.get_sample_value("featx_run_waiting", {**run, "reason": "Calibrating"}) == 0
    succeed(api, operator)
    run_metrics.refresh(operator.store, operator.queue)
    assert REGISTRY.get_sample_value("featx_run_images_total", run) is None


def test_a_resource_that_is_too_large_to_be_stored_has_metrics_too(api: FakeApiServer) -> None:
    api.objects[RESOURCE]["spec"]["source"]["keys"] = [f"{number:04}".ljust(500, "x") for number in range(100)]
    operator = Operator(api)
    operator.reconcile()
    report(api, operator, PROGRESS)
    assert "status" not in (operator.store.resource(Key("default", "catalog")) or {})
    run_metrics.refresh(operator.store, operator.queue)
    assert value("featx_run_images_total", namespace="default", run="catalog") == 30


def test_a_pod_that_only_claims_to_be_the_driver_has_no_metrics(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    forged = copy.deepcopy(api.objects[DRIVER])
    forged["metadata"] |= {"name": "catalog-2-driver", "uid": "forged"}
    forged["metadata"]["labels"] |= {"featx.dev/attempt": "2"}
    api.put(f"{PODS}/catalog-2-driver", forged)
    report(api, operator, PROGRESS, f"{PODS}/catalog-2-driver")
    assert len(operator.store.pods(OWNER)) == 2
    run_metrics.refresh(operator.store, operator.queue)
    assert REGISTRY.get_sample_value("featx_run_images_total", {"namespace": "default", "run": "catalog"}) is None
    assert value("featx_images_per_second", namespace="default") == 0


@pytest.mark.parametrize(
    "progress",
    [
        '{"imagesDone": -1}',
        '{"imagesDone": 1e300}',
        '{"stepSeconds": {"read": NaN}}',
        '{"stepSeconds": {"read": Infinity}}',
        '{"stepSeconds": {"read": -5}}',
        '{"stepSeconds": [1, 2]}',
        '{"imagesPerSecond": "x"}',
        '{"waitingReason": "x"' + " " * 5000 + "}",
    ],
)
def test_a_driver_reports_numbers_that_make_sense_or_none(api: FakeApiServer, progress: str) -> None:
    operator = Operator(api)
    operator.reconcile()
    report(api, operator, progress)
    run_metrics.refresh(operator.store, operator.queue)
    assert REGISTRY.get_sample_value("featx_run_images_total", {"namespace": "default", "run": "catalog"}) is None


def test_a_reason_or_a_step_that_a_driver_makes_up_is_no_label(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    report(api, operator, '{"waitingReason": "Mine", "waiting": "x", "stepSeconds": {"mine": 1, "read": 2}}')
    run_metrics.refresh(operator.store, operator.queue)
    samples = [sample for family in metrics.BY_RUN.collect() for sample in family.samples]
    assert "mine" not in str(samples).lower()
    assert len(samples) == 5 + len(metrics_by_run.STEPS) + len(metrics_by_run.REASONS)


def test_the_number_of_runs_with_metrics_is_bounded() -> None:
    collector = metrics_by_run.RunCollector()
    collector.runs = (metrics_by_run.RunningRun("team", "run", Progress(), 1),) * (metrics_by_run.MOST_RUNS + 5)
    families = {family.name: family for family in collector.collect()}
    assert len(families["featx_run_images"].samples) == metrics_by_run.MOST_RUNS


def test_a_replica_that_waits_reports_no_runs_and_no_queue(api: FakeApiServer) -> None:
    """It knows the same runs, and takes no key from its queue: sums would be wrong, and alerts would fire."""
    operator = Operator(api)
    operator.reconcile()
    report(api, operator, PROGRESS)
    asyncio.run(add(operator.queue, Key("default", "catalog")))
    run_metrics.refresh(operator.store, operator.queue, active=False)
    names = {"featx_runs", "featx_queue_depth", "featx_queue_oldest_seconds", "featx_images_per_second"}
    families = {family.name: family.samples for family in REGISTRY.collect()}
    assert [name for name in names | {"featx_run_images", "featx_waiting_drivers"} if families[name]] == []
    run_metrics.refresh(operator.store, operator.queue)
    families = {family.name: family.samples for family in REGISTRY.collect()}
    assert [name for name in names if not families[name]] == []


async def add(queue: Queue, key: Key) -> None:
    queue.add(key)


def serving(scenario: Callable[[], Awaitable[None]], queue: Queue | None = None) -> None:
    async def run() -> None:
        served = Exposition(lambda: run_metrics.refresh(Operator(FakeApiServer("")).store, queue or Queue()))
        task = asyncio.create_task(served.serve(PORT, "127.0.0.1"))
        await asyncio.sleep(0.1)
        await scenario()
        task.cancel()

    asyncio.run(run())


async def request(text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.write(text)
    response = await reader.read()
    writer.close()
    return response


def test_metrics_are_served_in_the_text_format() -> None:
    async def scenario() -> None:
        queue.add(Key("team", "run"))
        response = await request(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert response.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b'\nfeatx_queue_depth{namespace="team"} 1.0\n' in response
        assert (await request(b"GET /other HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
        assert (await request(b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")

    queue = Queue()
    serving(scenario, queue)


def test_idle_connections_are_closed_and_their_number_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "SECONDS", 0.3)

    async def scenario() -> None:
        idle: list[Any] = [await asyncio.open_connection("127.0.0.1", PORT) for _ in range(exposition.CONNECTIONS)]
        await asyncio.sleep(0.05)
        with pytest.raises((ConnectionError, AssertionError)):
            assert await request(b"GET /metrics HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.5)
        assert b"200 OK" in await request(b"GET /metrics HTTP/1.1\r\n\r\n")
        for _, writer in idle:
            writer.close()

    serving(scenario)


def test_a_long_request_is_refused() -> None:
    async def scenario() -> None:
        with pytest.raises((ConnectionError, AssertionError)):
            assert await request(b"GET /metrics HTTP/1.1\r\n" + b"x" * 100_000 + b"\r\n\r\n")

    serving(scenario)
