"""Runs that share a quota never wedge it, whatever happens in whatever order."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.operator.shared_namespace import SharedNamespace, cost_of, parsed

#: `FEATX_GANG_ORDERS=500` for the figure of docs/how-to/quotas.md.
ORDERS = int(os.environ.get("FEATX_GANG_ORDERS", "40"))
STEPS, ROUNDS = 40, 60

EXECUTIONS = st.fixed_dictionaries(
    {
        "executors": st.integers(1, 4),
        "cores": st.integers(1, 3),
        "memory": st.sampled_from(["64Mi", "512Mi", "1024Mi"]),
        "driverMemory": st.sampled_from(["64Mi", "256Mi"]),
        "driverCpu": st.sampled_from(["100m", "250m", "1"]),
    }
)
RUNS = st.lists(st.tuples(EXECUTIONS, st.sampled_from([None, None, "high"])), min_size=2, max_size=7)


def bounds(runs: list[tuple[dict[str, Any], str | None]], slack: float) -> dict[str, str]:
    """A quota in which the largest gang fits, with a little more room."""
    pods = max(execution["executors"] for execution, _ in runs) + 1
    cpu = max(execution["executors"] * execution["cores"] + parsed(execution["driverCpu"]) for execution, _ in runs)
    memory = max(
        execution["executors"] * parsed(execution["memory"]) + parsed(execution["driverMemory"])
        for execution, _ in runs
    )
    return {
        "pods": str(pods + int(slack)),
        "requests.cpu": str(float(cpu) + slack),
        "requests.memory": str(int(float(memory) * (1 + slack / 4))),
    }


async def live(namespace: SharedNamespace) -> None:
    """Random events, then a time without disturbances in which every run must finish."""
    order = namespace.order
    for _ in range(STEPS):
        event = order.choice(
            ["reconcile"] * 5 + ["work"] * 5 + ["others", "others leave", "dies", "restart", "loss", "time"]
        )
        if event == "reconcile":
            await namespace.reconcile(order.choice(list(namespace.bodies)))
        elif event == "dies":
            await namespace.reconcile(order.choice(list(namespace.bodies)), dies=True)
        elif event == "work" and (drivers := namespace.drivers()):
            namespace.work(order.choice(drivers))
        elif event == "others":
            namespace.others_take(cost_of(order.choice(["100m", "1"]), "64Mi"))
        elif event == "others leave" and namespace.foreign:
            namespace.foreign.pop(order.choice(list(namespace.foreign)))
        elif event == "restart":
            namespace.restart()
        elif event == "loss":
            namespace.lose_executor()
        namespace.seconds += order.choice([0, 0.2, 1.5])
    namespace.foreign.clear()
    for _ in range(ROUNDS):
        if not namespace.unfinished:
            return
        namespace.seconds += 2
        for name in order.sample(list(namespace.bodies), len(namespace.bodies)):
            await namespace.reconcile(name)
            for driver in order.sample(namespace.drivers(), len(namespace.drivers())):
                namespace.work(driver)


@given(
    runs=RUNS,
    kinds=st.lists(st.sampled_from(["pods", "requests.cpu", "requests.memory"]), min_size=1, max_size=3, unique=True),
    two=st.booleans(),
    slack=st.sampled_from([0.0, 0.5, 2.0]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=ORDERS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_run_finishes_in_any_order_of_events(
    runs: list[tuple[dict[str, Any], str | None]], kinds: list[str], two: bool, slack: float, seed: int
) -> None:
    hard = {kind: bounds(runs, slack)[kind] for kind in kinds}
    quotas = {"one": hard, **({"two": bounds(runs, slack + 1)} if two else {})}
    specs = {
        f"run-{number}": {"execution": execution, **({"priorityClassName": name} if name else {})}
        for number, (execution, name) in enumerate(runs)
    }
    namespace = SharedNamespace(quotas, specs, random.Random(seed))
    asyncio.run(live(namespace))
    assert namespace.unfinished == [], {name: namespace.status(name).conditions for name in namespace.unfinished}
