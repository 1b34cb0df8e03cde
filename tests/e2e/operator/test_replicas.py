"""Two replicas: one takes over from the other in time, and one that was paused writes nothing when it wakes up."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.operator.harness import Operator, Run, apply, connect, kubectl, scripted
from tests.e2e.polling import eventually

LEASE = "featx-operator"  # the chart allows no other name
TAKEOVER_SECONDS = 15.0
NOWHERE = {"execution": {"nodePool": "no-such-pool"}}
Replica = Callable[..., Operator]


@pytest.fixture
def replica(kubeconfig: Path, tmp_path: Path) -> Iterator[Replica]:
    """Starts replicas by their identities; ends those that are left."""
    replicas: list[Operator] = []

    def start(identity: str, **settings: str) -> Operator:
        named = {"IDENTITY": identity, **settings}
        replicas.append(Operator(kubeconfig, tmp_path / f"{identity}.log", **named).start())
        return replicas[-1]

    connect()
    kubectl("delete", "lease", LEASE, "--ignore-not-found")
    yield start
    for operator in replicas:
        operator.signal(signal.SIGCONT)
        operator.kill()
    kubectl("delete", "fx", "--all", "--wait=false")


def holder() -> str:
    """The replica that holds the Lease."""
    return kubectl("get", "lease", LEASE, "--output=jsonpath={.spec.holderIdentity}", check=False).stdout


def runs_of(name: str, count: int) -> list[Run]:
    """Applies runs whose drivers find no node."""
    return [apply(scripted(f"{name}-{number}", "forever", **NOWHERE)) for number in range(count)]


def test_a_replica_takes_over_within_fifteen_seconds_after_a_crash(replica: Replica) -> None:
    first = replica("first", LEASE_SECONDS="12").until_active()
    replica("second", LEASE_SECONDS="12")
    time.sleep(3)  # until it has seen the Lease
    first.kill()
    started = time.monotonic()
    (run,) = runs_of("crash", 1)
    eventually(run.drivers, "a driver", 30)
    assert time.monotonic() - started < TAKEOVER_SECONDS


def test_a_replica_that_is_stopped_is_replaced_at_once(replica: Replica) -> None:
    first = replica("first", LEASE_SECONDS="12").until_active()
    replica("second", LEASE_SECONDS="12")
    time.sleep(3)
    started = time.monotonic()
    assert first.stop(signal.SIGTERM) == 0
    (run,) = runs_of("upgrade", 1)
    eventually(run.drivers, "a driver", 30)
    assert time.monotonic() - started < TAKEOVER_SECONDS / 3


def test_a_paused_replica_writes_nothing_when_it_wakes_up(replica: Replica) -> None:
    first = replica("first", LEASE_SECONDS="3").until_active()
    before = runs_of("before", 3)
    eventually(lambda: all(run.drivers() for run in before), "the drivers")
    many = [*before, *runs_of("during", 5)]  # it is in the middle of these
    first.signal(signal.SIGSTOP)
    replica("second", LEASE_SECONDS="3").until_active()
    many += runs_of("after", 5)
    eventually(lambda: all(run.drivers() for run in many), "the drivers")
    uids = {run.name: [pod.metadata.uid for pod in run.pods("driver")] for run in many}
    first.signal(signal.SIGCONT)
    assert first.wait() == 1
    assert "lost the Lease" in first.log
    assert holder() == "second"
    time.sleep(2)
    assert {run.name: [pod.metadata.uid for pod in run.pods("driver")] for run in many} == uids
