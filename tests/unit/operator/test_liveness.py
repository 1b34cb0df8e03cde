"""What the liveness probe notices, and what it must not restart the operator for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from featx_operator import liveness as module
from featx_operator.cluster.transport import ApiError, ApiServer
from featx_operator.lease import Lease
from featx_operator.liveness import DEAF_SECONDS, SENTINEL, SILENT_SECONDS, STUCK_SECONDS, Liveness
from featx_operator.objects import Key
from featx_operator.queue import Queue, work
from featx_operator.settings import Settings
from featx_operator.state.echoes import Echoes

from tests.unit.operator.api_server import PODS, RESOURCES, FakeApiServer
from tests.unit.operator.operator_process import DRIVER, RESOURCE, Operator


class Clock:
    """Seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watchable(FakeApiServer):
    """An API server that opens watches, or does not.

    Attributes:
        event: The first event, or the error with which watches are refused.
    """

    event: bytes | ApiError = b'{"type": "ADDED"}\n'

    def first_event(self, path: str, query: Any) -> bytes:
        assert path in (PODS, RESOURCES)
        if isinstance(self.event, ApiError):
            raise self.event
        return self.event


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("featx_operator.queue.time.monotonic", clock)
    return clock


@pytest.fixture
def server() -> Watchable:
    return Watchable("2026-11-25T12:00:00Z")


def alive(api: ApiServer, clock: Clock, echoes: Echoes | None = None, held: bool = True) -> tuple[Liveness, Queue]:
    """The liveness of a replica, and the queue of its runs."""
    queue, lease = Queue(2), Lease(api, Settings(), clock)
    if held:
        lease._renewed_at = float("inf")
    return Liveness(lease, {"run": queue, "schedule": Queue()}, echoes or Echoes(clock), clock), queue


def written(version: int, namespace: str = "default") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "resourceVersion": str(version)}}


@pytest.mark.parametrize(("queue", "other"), [("run", "schedule"), ("schedule", "run")])
def test_workers_of_either_queue_that_do_not_get_to_the_sentinel_are_noticed(
    queue: str, other: str, clock: Clock, server: Watchable
) -> None:
    liveness, _ = alive(server, clock)
    clock.now += SILENT_SECONDS + 1
    liveness.beat(other)
    assert f"no worker has taken a {queue}" in str(liveness.problem())
    liveness.beat(queue)
    assert liveness.problem() is None


def test_a_worker_that_never_returns_is_noticed_although_the_others_work(clock: Clock, server: Watchable) -> None:
    liveness, queue = alive(server, clock)

    async def scenario() -> None:
        queue.add(Key("team", "stuck"))
        assert await queue.take() == Key("team", "stuck")

    asyncio.run(scenario())
    clock.now += STUCK_SECONDS + 1
    liveness.beat("run")
    liveness.beat("schedule")
    assert "busy with one run" in str(liveness.problem())
    queue.done(Key("team", "stuck"))
    assert liveness.problem() is None


def test_a_namespace_that_can_not_be_listed_is_no_reason_for_a_restart(clock: Clock, server: Watchable) -> None:
    """Its errors would be retried ever later, and then nothing would beat for minutes."""
    liveness, queue = alive(server, clock)
    beats: list[float] = []
    refused = ApiError(403, "forbidden")

    async def reconcile(key: Key) -> float:
        assert key == SENTINEL
        for _ in range(20):
            server.refusals["GET", RESOURCES] = refused
            await liveness.check(server, "default")
            beats.append(liveness.beat("run"))
        raise asyncio.CancelledError

    async def report(key: Key, error: Exception) -> None:
        raise AssertionError(key)

    async def scenario() -> None:
        liveness.start()
        with pytest.raises(asyncio.CancelledError):
            await work(queue, reconcile, report)

    asyncio.run(scenario())
    assert beats == [module.SENTINEL_SECONDS] * 20
    assert liveness.problem() is None


def test_a_watch_that_does_not_deliver_what_was_written_is_noticed(clock: Clock, server: Watchable) -> None:
    echoes = Echoes(clock)
    liveness, _ = alive(server, clock, echoes)
    echoes.hear("Pod", written(5))
    echoes.expect("Pod", written(7))
    assert problem_after(DEAF_SECONDS - 1, liveness, server, clock) is None
    assert problem_after(2, liveness, server, clock) == "the watch of Pod in default delivers nothing"
    echoes.hear("Pod", written(8))
    assert problem_after(0, liveness, server, clock) is None


def test_a_replica_that_waits_for_the_lease_has_idle_workers_but_must_try(clock: Clock, server: Watchable) -> None:
    liveness, _ = alive(server, clock, held=False)
    clock.now += SILENT_SECONDS - 1
    assert liveness.problem() is None
    clock.now += 2
    assert "the Lease was not tried for 61 s" in str(liveness.problem())


def problem_after(seconds: float, liveness: Liveness, api: ApiServer, clock: Clock) -> str | None:
    """The problem after some time in which workers were well."""
    clock.now += seconds
    asyncio.run(liveness.check(api, "default"))
    liveness.beat("run")
    liveness.beat("schedule")
    return liveness.problem()


def refuse(server: Watchable, echoes: Echoes) -> None:
    server.event = ApiError(403, "forbidden")


def leave_empty(server: Watchable, echoes: Echoes) -> None:
    server.event = b""


def deliver_others(server: Watchable, echoes: Echoes) -> None:
    echoes.hear("Pod", written(6))


def write_nothing_new(server: Watchable, echoes: Echoes) -> None:
    echoes.hear("Pod", written(9))
    echoes.expect("Pod", written(9))


@pytest.mark.parametrize("event", [refuse, leave_empty, deliver_others, write_nothing_new])
def test_a_watch_that_a_restart_would_not_mend_is_no_reason_for_one(
    event: Callable[[Watchable, Echoes], None], clock: Clock, server: Watchable
) -> None:
    echoes = Echoes(clock)
    liveness, _ = alive(server, clock, echoes)
    echoes.expect("Pod", written(7))
    clock.now += DEAF_SECONDS
    event(server, echoes)
    assert problem_after(1, liveness, server, clock) is None


def test_a_silent_namespace_hides_no_other(clock: Clock) -> None:
    echoes = Echoes(clock)
    echoes.expect("Pod", written(7, "a"))
    echoes.expect("Pod", written(8, "b"))
    clock.now += 60
    echoes.expect("Pod", written(9, "b"))  # the oldest one counts
    echoes.hear("FeatureExtraction", written(20, "b"))
    assert {watched.namespace for watched in echoes.overdue(60)} == {"a", "b"}
    echoes.hear("Pod", written(10, "a"))
    assert [watched.namespace for watched in echoes.overdue(60)] == ["b"]


def test_what_a_run_writes_is_expected_from_the_watches_and_heard_there(api: FakeApiServer) -> None:
    operator = Operator(api)
    operator.reconcile()
    assert {watched.kind for watched in operator.store.echoes.overdue(0)} == {"FeatureExtraction", "Pod"}
    operator.watch({**api.objects[RESOURCE], "kind": "FeatureExtraction"})
    operator.watch({**api.objects[DRIVER], "kind": "Pod"})
    assert operator.store.echoes.overdue(0) == []
