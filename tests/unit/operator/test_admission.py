"""Claims follow plans, watch events and restarts: the same room is never given away twice."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from featx_operator.cluster.transport import ApiError
from featx_operator.decisions.plan import plan
from featx_operator.decisions.run import CreateAttempt
from featx_operator.objects import Key
from featx_operator.state.observed import Observed

from tests.unit.operator.api_server import PODS, FakeApiServer
from tests.unit.operator.operator_process import Operator
from tests.unit.operator.shared_namespace import NAMESPACE, QUOTAS, SharedNamespace, cost_of

EXECUTION = {"executors": 2, "cores": 1, "memory": "64Mi", "driverMemory": "64Mi", "driverCpu": "1"}
LIMIT_RANGES = QUOTAS.replace("resourcequotas", "limitranges")


def shared(*names: str, pods: int = 3, **execution: Any) -> SharedNamespace:
    spec = {"execution": EXECUTION | execution}
    return SharedNamespace({"team": {"pods": str(pods)}}, dict.fromkeys(names, spec), random.Random(0))


def reconcile(namespace: SharedNamespace, *names: str) -> None:
    async def all_of_them() -> None:
        for name in names:
            await namespace.reconcile(name)

    asyncio.run(all_of_them())


def reason(namespace: SharedNamespace, name: str) -> str:
    conditions = {condition.type: condition for condition in namespace.status(name).conditions}
    return conditions["QuotaReserved"].reason


def test_room_that_is_given_to_one_run_is_gone_for_the_next_before_any_pod_exists() -> None:
    namespace = shared("a", "b")
    reconcile(namespace, "a", "b")
    assert namespace.admitted == ["a"]
    assert reason(namespace, "b") == "QuotaExceeded"


def test_a_stale_watch_event_does_not_take_a_claim_away_while_the_driver_is_created() -> None:
    namespace = shared("a", "b")

    async def race() -> None:
        await namespace.refresh()
        for name in ("a", "b"):  # their start is recorded
            decision = plan(namespace.bodies[name], Observed(), namespace.now, namespace.settings)
            namespace.write(name, decision.status)
        body = namespace.bodies["a"]
        stale = {**body, "metadata": {**body["metadata"], "resourceVersion": "9"}}
        observed = namespace.admission.add_to(namespace.observed("a", None), body)
        decision = plan(body, observed, namespace.now, namespace.settings)
        assert decision.actions == (CreateAttempt(1),)
        namespace.admission.record(body, decision)
        namespace.admission.put(stale)
        await namespace.reconcile("b")

    asyncio.run(race())
    assert reason(namespace, "b") == "QuotaExceeded"


def test_a_restarted_operator_holds_what_the_last_one_gave_away() -> None:
    namespace = shared("a", "b")
    reconcile(namespace, "a")
    namespace.restart()
    reconcile(namespace, "b")
    assert namespace.admitted == ["a"]
    assert namespace.admission.turns(NAMESPACE) == [Key(NAMESPACE, "b")]


def test_a_run_that_is_gone_claims_nothing_even_if_its_name_is_used_again() -> None:
    namespace = shared("a", "b")
    reconcile(namespace, "a", "b")
    namespace.admission.drop(Key(NAMESPACE, "b"), "of-an-earlier-run")
    assert namespace.admission.turns(NAMESPACE) == [Key(NAMESPACE, "b")]
    namespace.admission.drop(Key(NAMESPACE, "b"))
    assert namespace.admission.turns(NAMESPACE) == []


def test_the_next_run_starts_when_the_first_one_has_ended() -> None:
    namespace = shared("a", "b")
    reconcile(namespace, "a", "b")
    (driver,) = namespace.drivers()
    for _ in range(3):
        namespace.work(driver)
    reconcile(namespace, "a")
    namespace.seconds += 2
    assert namespace.admission.turns(NAMESPACE) == [Key(NAMESPACE, "b")]
    reconcile(namespace, "b")
    assert namespace.admitted == ["a", "b"]
    assert namespace.admission.turns(NAMESPACE) == []


def test_a_large_run_is_not_overtaken_by_small_ones() -> None:
    namespace = shared("a", "large", "small-1", "small-2", pods=6)
    namespace.bodies["large"]["spec"]["execution"] |= {"executors": 5}
    reconcile(namespace, "a", "large", "small-1", "small-2")
    assert namespace.admitted == ["a"]
    assert reason(namespace, "small-1") == "Queued"
    (driver,) = namespace.drivers()
    for _ in range(3):
        namespace.work(driver)
    reconcile(namespace, "a")
    namespace.seconds += 2
    reconcile(namespace, "small-1", "small-2", "large")
    assert namespace.admitted == ["a", "large"]


def test_a_run_that_never_fits_is_in_nobodys_way() -> None:
    namespace = shared("a", "b")
    namespace.bodies["a"]["spec"]["execution"] |= {"executors": 50}
    reconcile(namespace, "a", "b")
    assert reason(namespace, "a") == "QuotaTooSmall"
    assert namespace.admitted == ["b"]


def test_pods_of_others_are_waited_for() -> None:
    namespace = shared("a")
    namespace.others_take(cost_of("1", "64Mi"))
    reconcile(namespace, "a")
    assert reason(namespace, "a") == "QuotaExceeded"
    namespace.foreign.clear()
    namespace.seconds += 2
    reconcile(namespace, "a")
    assert namespace.admitted == ["a"]


def put_quota(api: FakeApiServer, pods: str) -> None:
    hard = {"pods": pods}
    api.put(f"{QUOTAS}/team", {"metadata": {"name": "team"}, "spec": {"hard": hard}, "status": {"hard": hard}})


def test_quotas_are_listed_once_for_a_run_that_starts(api: FakeApiServer) -> None:
    put_quota(api, "10")
    operator = Operator(api)
    lists: list[str] = []
    serve = api._serve

    def counting(method: str, path: str, query: Any, body: Any) -> Any:
        lists.extend([path] if path in (QUOTAS, LIMIT_RANGES) else [])
        return serve(method, path, query, body)

    api._serve = counting  # type: ignore[method-assign]
    operator.advance(2)
    operator.reconcile()
    assert api.names(PODS) == ["catalog-1-driver"]
    assert lists == [QUOTAS, LIMIT_RANGES]


def test_without_the_permission_to_list_quotas_runs_start_as_before(api: FakeApiServer) -> None:
    put_quota(api, "0")
    api.refusals["GET", QUOTAS] = ApiError(403, "forbidden")
    operator = Operator(api)
    operator.reconcile()
    assert api.names(PODS) == ["catalog-1-driver"]


def test_a_run_waits_for_a_quota_and_reports_it(api: FakeApiServer) -> None:
    put_quota(api, "1")
    operator = Operator(api)
    operator.reconcile()
    assert operator.state("Stalled") == ("True", "QuotaTooSmall")
    assert operator.event_reasons() == ["QuotaTooSmall"]
    assert api.names(PODS) == []
