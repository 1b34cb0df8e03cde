"""The scenarios: a steady rate, a thousand runs at once, and a restart beside twenty thousand ended runs."""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

from featx_api import GROUP, PLURAL

from tests.bench.load import control_plane, etcd
from tests.bench.load.control_plane import NAMESPACES
from tests.bench.load.operator_process import Operator
from tests.bench.load.simulation import MERGE, RESOURCES, Cluster, Times, resource

RATE, RATE_SECONDS = 10, 60
BURST = 1000
FINISHED = 20_000


async def until(reached: Callable[[], bool], timeout: float) -> bool:
    """Waits until something is so; returns whether it came to be in time."""
    deadline = time.monotonic() + timeout
    while not reached():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def percentiles(seconds: Iterable[float]) -> dict[str, float]:
    """Median, 95th percentile and most, in seconds."""
    values = sorted(seconds)
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return {"p50": round(cuts[9], 3), "p95": round(cuts[18], 3), "most": round(values[-1], 3)}


async def rate(operator: Operator) -> dict[str, Any]:
    """Ten resources a second, whose drivers run for two seconds."""
    async with Cluster(seconds=2) as cluster:
        offset, cpu = control_plane.audit_log().stat().st_size, operator.cpu_seconds
        started = time.monotonic()
        for number in range(RATE * RATE_SECONDS):
            await asyncio.sleep(max(0.0, started + number / RATE - time.monotonic()))
            cluster.start(cluster.apply(f"rate-{number}", number))
        return await _result(cluster, operator, offset, cpu)


async def burst(operator: Operator, name: str = "burst", seconds: float = 2) -> dict[str, Any]:
    """A thousand resources at once."""
    async with Cluster(seconds) as cluster:
        offset, cpu = control_plane.audit_log().stat().st_size, operator.cpu_seconds
        for number in range(BURST):
            cluster.start(cluster.apply(f"{name}-{number}", number))
        return await _result(cluster, operator, offset, cpu)


async def finished(operator: Operator) -> dict[str, Any]:
    """A restart beside twenty thousand ended runs, some with a driver, then a thousand active ones."""
    async with Cluster(seconds=1) as cluster:
        before = operator.mebibytes()
        template = await _end(cluster, 0)
        await etcd.copies(f"/registry/{GROUP}/{PLURAL}", template, NAMESPACES, FINISHED)
        await asyncio.sleep(20)
        watched = operator.mebibytes()
        offset = control_plane.audit_log().stat().st_size
        operator.restart()
        started = time.monotonic()
        await asyncio.to_thread(operator.wait_until_active)
        await cluster.apply("first", 0)
        await until(lambda: bool(cluster.runs["first"].driver), 900)
        ready = time.monotonic() - started
        await asyncio.sleep(30)
        requests = control_plane.requests(offset)
        restarted = {"resident": operator.mebibytes(), "most": operator.mebibytes("VmHWM")}
    return {
        "endedRuns": FINISHED,
        "mebibytesWithNone": before,
        "mebibytesWithAll": watched,
        "afterRestart": restarted,
        "startToFirstDriver": round(ready, 2),
        "requestsAfterRestart": dict(requests.most_common()),
        "active": await burst(operator, "active", seconds=30),
        "mostMebibytes": operator.mebibytes("VmHWM"),
    }


async def replicas(operator: Operator) -> dict[str, Any]:
    """A replica that is killed, and one that is stopped: the seconds until the other one creates a driver."""
    result, acting = {}, operator
    for index, (how, number) in enumerate((("killed", signal.SIGKILL), ("stopped", signal.SIGTERM))):
        async with Cluster(seconds=1) as cluster:
            other = Operator(operator.folder, 0, f"other-{index}")
            await asyncio.sleep(15)  # a start takes a while where a core is shared
            started = time.monotonic()
            acting.process.send_signal(number)
            await cluster.apply(f"after-{how}", 0)
            run = cluster.runs[f"after-{how}"]
            await until(lambda run=run: bool(run.driver), 60)  # type: ignore[misc]
            result[how] = round(run.driver - started, 2)
            acting = other
    acting.stop()
    return {"secondsUntilADriver": result}


async def _end(cluster: Cluster, number: int) -> str:
    """Creates a run that has ended, as the operator would have left it; returns its name."""
    name, namespace = f"ended-{number}", NAMESPACES[number % len(NAMESPACES)]
    path = f"{RESOURCES}/namespaces/{namespace}/{PLURAL}"
    body = await cluster.request("POST", path, resource(name, namespace))
    status = ended_status(name, body["metadata"]["uid"])
    await cluster.request("PATCH", f"{path}/{name}/status", {"status": status}, MERGE)
    return name


def ended_status(name: str, uid: str) -> dict[str, Any]:
    """The status of a run that has succeeded."""
    at = "2026-11-27T00:00:00Z"
    conditions = [
        {"type": kind, "status": status, "reason": reason, "message": "", "observedGeneration": 1}
        | {"lastTransitionTime": at}
        for kind, status, reason in (
            ("Accepted", "True", "SpecValid"),
            ("QuotaReserved", "True", "Reserved"),
            ("DriverReady", "False", "Finished"),
            ("ExecutorsReady", "False", "Finished"),
            ("Suspended", "False", "NotSuspended"),
            ("Succeeded", "True", "Completed"),
            ("Reconciling", "False", "Finished"),
            ("Stalled", "False", "AsExpected"),
        )
    ]
    return {
        "observedGeneration": 1,
        "conditions": conditions,
        "attempt": 1,
        "failedAttempts": 0,
        "startTime": at,
        "completionTime": at,
        "executors": {"desired": 0, "ready": 0},
        "driver": {"podName": f"{name}-1-driver", "podUid": uid},
    }


async def _result(cluster: Cluster, operator: Operator, offset: int, cpu: float) -> dict[str, Any]:
    """Waits until all runs are over and sums up."""
    everybody = cluster.runs.values()
    await until(lambda: bool(cluster.runs) and all(run.succeeded for run in everybody), 150)
    await asyncio.sleep(1)
    count, counts = len(cluster.runs), control_plane.requests(offset)
    done = [run for run in everybody if run.driver]
    own = sum(number for what, number in counts.items() if "leases" not in what)
    return {
        "runs": count,
        "succeeded": sum(bool(run.succeeded) for run in everybody),
        "withSeveralDrivers": sum(run.drivers > 1 for run in everybody),
        "applyToDriver": percentiles(run.driver - run.applied for run in done),
        "driversPerMinute": round(60 * len(done) / _span(done)) if done else 0,
        "runningToStatus": percentiles(max(0.0, run.reported - run.running) for run in done if run.reported),
        "endToStatus": percentiles(max(0.0, run.succeeded - run.ended) for run in done if run.succeeded),
        "shownRunning": sum(run.was_running for run in everybody),
        "requestsPerRun": round(own / count, 2),
        "requestsByKind": {
            what: round(number / count, 2) for what, number in counts.most_common() if number >= count / 50
        },
        "cpuMillisecondsPerRun": round(1000 * (operator.cpu_seconds - cpu) / count, 1),
        "meanMilliseconds": means(operator.metrics()),
        "mebibytes": operator.mebibytes(),
        "mostMebibytes": operator.mebibytes("VmHWM"),
    }


def means(metrics: str) -> dict[str, float]:
    """The mean of each histogram of durations of the operator, in milliseconds."""
    sums: dict[str, list[float]] = {}
    for line in metrics.splitlines():
        name, _, value = line.rpartition(" ")
        for place, suffix in enumerate(("_seconds_sum", "_seconds_count")):
            if suffix in name:
                sums.setdefault(name.replace(suffix, ""), [0.0, 0.0])[place] = float(value)
    return {name: round(1000 * total / count, 1) for name, (total, count) in sums.items() if count}


def _span(runs: list[Times]) -> float:
    return max(run.driver for run in runs) - min(run.applied for run in runs)
