"""Leader election against a simulated API server, with a clock that the tests advance."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from featx_operator.cluster import leases
from featx_operator.cluster.transport import ApiError
from featx_operator.lease import Lease
from featx_operator.objects import Body
from featx_operator.settings import Settings


class Leases:
    """One Lease, with the API server's check of resourceVersion; `down` makes every request fail."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.down = False

    def get(self, *_: object) -> Body | None:
        if self.down:
            raise ApiError(503, "unavailable")
        return copy.deepcopy(self.stored)

    def put(self, _: object, lease: Body) -> None:
        stored = self.stored["metadata"]["resourceVersion"] if self.stored else None
        if self.down or lease["metadata"].get("resourceVersion") != stored:
            raise ApiError(503 if self.down else 409, "conflict")
        self.stored = copy.deepcopy(dict(lease))
        self.stored["metadata"]["resourceVersion"] = str(int(stored or 0) + 1)

    @property
    def holder(self) -> str:
        assert self.stored
        return str(self.stored["spec"]["holderIdentity"])


class Clock:
    """Seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Leases:
    server = Leases()
    monkeypatch.setattr(leases, "get", server.get)
    monkeypatch.setattr(leases, "put", server.put)
    return server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def replica(identity: str, clock: Clock) -> Lease:
    return Lease(None, Settings(identity=identity, lease_seconds=15), clock)  # type: ignore[arg-type]


def test_the_first_replica_acquires_the_lease_and_the_second_waits(server: Leases, clock: Clock) -> None:
    first, second = replica("first", clock), replica("second", clock)
    assert first.acquire_or_renew()
    assert not second.acquire_or_renew()
    assert (first.held, second.held, server.holder) == (True, False, "first")


def test_a_lease_that_is_not_renewed_is_taken_over_after_its_duration(server: Leases, clock: Clock) -> None:
    first, second = replica("first", clock), replica("second", clock)
    first.acquire_or_renew()
    second.acquire_or_renew()
    clock.now = 14.9
    assert not second.acquire_or_renew()
    clock.now = 15
    assert second.acquire_or_renew()
    assert (first.held, server.holder) == (False, "second")
    assert server.stored and server.stored["spec"]["leaseTransitions"] == 1


def test_a_renewal_starts_the_other_replicas_wait_over(server: Leases, clock: Clock) -> None:
    first, second = replica("first", clock), replica("second", clock)
    first.acquire_or_renew()
    second.acquire_or_renew()
    clock.now = 10
    assert first.acquire_or_renew()
    second.acquire_or_renew()
    clock.now = 24
    assert not second.acquire_or_renew()


def test_a_released_lease_is_acquired_without_waiting(server: Leases, clock: Clock) -> None:
    first, second = replica("first", clock), replica("second", clock)
    first.acquire_or_renew()
    asyncio.run(first.release())
    assert not first.held
    assert second.acquire_or_renew()


def test_a_failed_release_is_no_error(server: Leases, clock: Clock) -> None:
    lease = replica("first", clock)
    lease.acquire_or_renew()
    server.down = True
    asyncio.run(lease.release())
    assert not lease.held


def test_of_two_replicas_that_create_the_lease_together_one_acquires_it(
    server: Leases, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = replica("first", clock), replica("second", clock)
    assert first.acquire_or_renew()
    monkeypatch.setattr(leases, "get", lambda *_: None)  # what the second saw before the first created it
    assert not second.acquire_or_renew()
    assert (server.holder, second.held) == ("first", False)


def test_a_lease_survives_failed_renewals_until_it_expires(server: Leases, clock: Clock) -> None:
    lease = replica("first", clock)
    lease.acquire_or_renew()
    server.down = True
    clock.now = 14.9
    with pytest.raises(ApiError):
        lease.acquire_or_renew()
    assert lease.held
    clock.now = 15
    assert not lease.held


def test_a_stolen_lease_is_no_longer_held(server: Leases, clock: Clock) -> None:
    lease = replica("first", clock)
    lease.acquire_or_renew()
    assert server.stored
    server.stored["spec"] |= {"holderIdentity": "thief"}
    assert not lease.acquire_or_renew()
    assert not lease.held
