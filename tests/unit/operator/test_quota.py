"""A run waits until its namespace's quotas have room for all of it, and says what is missing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from featx_operator.allowed import Allowed, Tenants
from featx_operator.decisions.gang import gang_of
from featx_operator.objects import Key, Owner
from featx_operator.settings import Priorities, Settings
from featx_operator.state.quantities import amounts
from featx_operator.state.quotas import Claim, Limits, Missing, Quota, QuotaView, Scope, quota_from

from tests.unit.operator.test_manifests import resource
from tests.unit.operator.world import START, World

EXECUTION = {"executors": 3, "cores": 1, "memory": "1Gi", "driverMemory": "1Gi"}  # 3.25 CPU, 4 Gi, 4 pods


def quota(hard: dict[str, str], used: dict[str, str] | None = None, *scopes: Scope, name: str = "team-a") -> Quota:
    return Quota(name, amounts(hard), amounts(used), scopes)


def world(*quotas: Quota, limits: tuple[Limits, ...] = (), others: tuple[Claim, ...] = (), **spec: Any) -> World:
    execution = EXECUTION | spec.pop("execution", {})
    allowed = Tenants(allowed=Allowed(priority_classes=("high", "low")))
    settings = Settings(allowed=allowed, priorities=Priorities(high=10, low=-10))
    result = World(settings, execution=execution, **spec)
    result.quota = QuotaView(quotas, limits, others)
    return result


NOTHING = Missing(0, 0, 0)


def other(held: bool = False, missing: Missing = NOTHING, age: int = 60, priority: int = 0) -> Claim:
    gang = gang_of(resource(execution=EXECUTION))
    return Claim(Owner(Key("default", "other"), "u-2"), gang, priority, START - timedelta(seconds=age), held, missing)


def test_a_run_that_fits_starts_at_once() -> None:
    run = world(quota({"requests.cpu": "4", "pods": "4"}))
    run.converge()
    assert run.created == ["catalog-1-driver"]
    assert run.state("QuotaReserved") == ("True", "Reserved")


def test_a_run_that_does_not_fit_says_what_is_missing_and_starts_once_it_does() -> None:
    run = world(quota({"requests.cpu": "4", "pods": "10"}, {"requests.cpu": "2800m", "pods": "8"}))
    assert run.converge().requeue_after == 3
    assert run.state("QuotaReserved") == ("False", "QuotaExceeded")
    assert run.condition("QuotaReserved").message == (
        "driver and 3 executors need 3.25 CPU (1.2 of 4 free in ResourceQuota team-a), "
        "4 pods (2 of 10 free in ResourceQuota team-a)"
    )
    assert run.state("Reconciling")[0] == "True"
    assert run.created == []
    run.quota = QuotaView((quota({"requests.cpu": "4", "pods": "10"}),))
    run.converge()
    assert run.created == ["catalog-1-driver"]


def test_what_never_fits_is_stalled_at_once_until_the_quota_is_raised() -> None:
    run = world(quota({"requests.memory": "3Gi"}))
    run.converge()
    assert run.state("Stalled") == ("True", "QuotaTooSmall")
    assert run.condition("Stalled").message.startswith(
        "driver and 3 executors can never start: they need 4Gi memory (the limit is 3Gi in ResourceQuota team-a)"
    )
    run.quota = QuotaView((quota({"requests.memory": "4Gi"}),))
    run.converge()
    assert run.state("Stalled")[0] == "False"
    assert run.created == ["catalog-1-driver"]


def test_a_gang_that_others_hold_is_not_free() -> None:
    two_to_come = other(held=True, missing=Missing(0, 2, 0))  # its driver and an executor are used
    run = world(quota({"requests.cpu": "7"}, {"requests.cpu": "1250m"}), others=(two_to_come,))
    run.converge()
    assert run.created == ["catalog-1-driver"]
    run = world(quota({"requests.cpu": "6"}, {"requests.cpu": "1250m"}), others=(two_to_come,))
    run.converge()
    assert "2.75 of 6 free" in run.condition("QuotaReserved").message
    assert run.created == []


@pytest.mark.parametrize(
    ("waiting", "name", "reason"),
    [
        (other(age=60), None, "Queued"),
        (other(age=-60), None, "Reserved"),
        (other(age=60), "high", "Reserved"),
        (other(age=-60), "low", "Queued"),
        (other(age=-60, priority=1), None, "Queued"),
    ],
    ids=["an older one", "a newer one", "an older one of lower priority", "a newer, higher one", "a higher one"],
)
def test_runs_go_in_order_of_priority_then_age(waiting: Claim, name: str | None, reason: str) -> None:
    chosen: dict[str, Any] = {"priorityClassName": name} if name else {}
    run = world(quota({"pods": "100"}), others=(waiting,), **chosen)
    run.converge()
    assert run.state("QuotaReserved")[1] == reason


def test_a_run_overtakes_in_a_quota_that_no_earlier_run_waits_for() -> None:
    high = quota({"pods": "4"}, {"pods": "4"}, Scope("PriorityClass", "In", ("high",)), name="high")
    low = quota({"pods": "4"}, {}, Scope("PriorityClass", "In", ("low",)), name="low")
    gang = gang_of(resource(execution=EXECUTION, priorityClassName="high"))
    earlier = Claim(Owner(Key("default", "other"), "u-2"), gang, 10, START)
    run = world(high, low, others=(earlier,), priorityClassName="low")
    run.converge()
    assert run.created == ["catalog-1-driver"]


@pytest.mark.parametrize(
    ("scope", "counts"),
    [
        (Scope("NotTerminating"), True),
        (Scope("Terminating"), False),
        (Scope("NotBestEffort"), True),
        (Scope("BestEffort"), False),
        (Scope("PriorityClass"), False),
        (Scope("PriorityClass", "DoesNotExist"), True),
        (Scope("PriorityClass", "NotIn", ("high",)), True),
        (Scope("PriorityClass", "In", ("high",)), False),
        (Scope("CrossNamespacePodAffinity"), False),
        (Scope("OfALaterKubernetes"), False),
    ],
)
def test_a_quota_counts_the_pods_of_its_scopes(scope: Scope, counts: bool) -> None:
    run = world(quota({"pods": "0"}, {}, scope))
    run.converge()
    assert (run.created == []) is counts


def test_config_maps_and_secrets_are_counted_once() -> None:
    run = world(quota({"count/configmaps": "2", "secrets": "3"}, {"count/configmaps": "2", "secrets": "2"}))
    run.converge()
    assert run.condition("QuotaReserved").message == (
        "driver and 3 executors need 1 ConfigMaps (0 of 2 free in ResourceQuota team-a)"
    )
    run.files = {1}  # the one that is used is the run's own
    run.converge()
    assert run.created == ["catalog-1-driver"]


def test_a_quota_of_cpu_limits_calls_for_cpu_limits() -> None:
    run = world(quota({"limits.cpu": "4"}))
    run.converge()
    assert run.state("Stalled") == ("True", "CpuLimitRequired")
    assert run.condition("Stalled").message.endswith("set spec.execution.cpuLimits: true")
    run = world(quota({"limits.cpu": "4"}), execution={"cpuLimits": True})
    run.converge()
    assert run.created == ["catalog-1-driver"]
    run = world(quota({"limits.cpu": "3"}), execution={"cpuLimits": True})
    run.converge()
    assert "4 CPU of limits (the limit is 3 in" in run.condition("Stalled").message


def test_an_estimate_alone_never_stalls_a_run() -> None:
    execution = {"executors": 1, "memory": None, "driverMemory": "1Gi"}
    run = world(quota({"requests.memory": "3Gi"}, {"requests.memory": "1Gi"}), execution=execution)
    run.converge()
    assert run.state("QuotaReserved") == ("False", "QuotaExceeded")
    run.quota = QuotaView((quota({"requests.memory": "3Gi"}),))
    run.converge()
    assert run.created == ["catalog-1-driver"]


def test_an_operator_that_does_not_know_its_runs_yet_starts_none() -> None:
    run = world()
    run.quota = QuotaView((quota({"pods": "100"}),), known=False)
    assert run.converge().requeue_after == 0.5
    assert run.created == []


def test_quota_is_given_back_between_attempts_and_while_suspended() -> None:
    run = world(quota({"pods": "100"}))
    run.converge()
    run.run().fail().converge()
    assert run.state("QuotaReserved") == ("False", "BackingOff")
    run.advance(60).converge()
    run.run().converge()
    assert run.state("QuotaReserved") == ("True", "Reserved")
    run.change(suspend=True).converge()
    run.finish_deletions().converge()
    assert run.state("QuotaReserved") == ("False", "Suspended")


def test_a_quota_is_read_as_it_is_enforced() -> None:
    spec = {"hard": {"pods": "9"}, "scopes": ["NotTerminating"]}
    body = {"metadata": {"name": "q"}, "spec": spec, "status": {"hard": {"pods": "4"}, "used": {"pods": "3"}}}
    assert quota_from(body) == Quota("q", {"pods": Decimal(4)}, {"pods": Decimal(3)}, (Scope("NotTerminating"),))
    fresh = quota_from({**body, "status": {}})
    assert fresh and fresh.hard == {"pods": Decimal(9)}


@pytest.mark.parametrize("text", ["", "many", "1ki", "NaN", "Infinity", "1e", None])
def test_a_quota_that_can_not_be_read_is_ignored(text: str | None) -> None:
    assert quota_from({"metadata": {"name": "q"}, "spec": {"hard": {"pods": text}}}) is None


@pytest.mark.parametrize("text", ["1e999999", "9" * 4000, "-1e999999"])
def test_a_huge_quantity_costs_nothing(text: str) -> None:
    read = quota_from({"metadata": {"name": "q"}, "spec": {"hard": {"pods": text}}})
    assert read is None or abs(read.hard["pods"]) <= 2**63
