"""A simulated namespace: many runs, their pods, pods of others, and ResourceQuotas that are enforced as they are.

Decisions, claims and lists are the operator's own. Everything else happens in any order: an executor is created, a run
ends, others take quota, the operator dies between two steps and starts again.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from featx_api.contract import DRIVER, EXECUTOR
from featx_api.status import FeatureExtractionStatus, Progress
from featx_operator.admission import Admission
from featx_operator.allowed import Allowed, Tenants
from featx_operator.decisions.plan import is_finished, plan
from featx_operator.decisions.run import CreateAttempt, DeleteFiles, DeletePod
from featx_operator.objects import Owner, driver_name, owner_from, status_of
from featx_operator.settings import Priorities, Settings
from featx_operator.state.observed import Exit, Observed, Pod, Refusal
from featx_operator.state.store import Store

from tests.support.bad_resources import good
from tests.unit.operator.api_server import FakeApiServer
from tests.unit.operator.world import START

NAMESPACE = "default"
QUOTAS = f"/api/v1/namespaces/{NAMESPACE}/resourcequotas"
OUTCOME = (
    '{"result": "Succeeded", "progress": {}, "outputs": '
    '[{"uri": "s3://features/table", "kind": "features", "format": "delta", "recordCount": 1, "bytes": 1}]}'
)
#: The tests' own accounting: what a pod takes, by the role that it has.
Costs = Mapping[str, Decimal]


class Pods(Store):
    """The store's side that claims are counted by."""

    def __init__(self, namespace: SharedNamespace) -> None:
        super().__init__()
        self.namespace = namespace
        self.uids: dict[Owner, dict[int, str]] = {}

    def pods(self, owner: Owner) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.namespace.pods.values() if self.namespace.run_of[pod.uid] == owner.key.name)

    def created(self, owner: Owner) -> Mapping[int, str]:
        return self.uids.get(owner, {})


class SharedNamespace:
    """Runs that share quotas.

    Args:
        quotas: `spec.hard` by name.
        runs: `spec.execution` and the priority class of each run, by name.
        order: Chooses what happens next.
    """

    def __init__(
        self, quotas: dict[str, dict[str, str]], runs: dict[str, dict[str, Any]], order: random.Random
    ) -> None:
        self.order = order
        self.now, self.seconds = START, 0.0
        self.hard = {name: {key: parsed(value) for key, value in hard.items()} for name, hard in quotas.items()}
        self.settings = Settings(
            allowed=Tenants(allowed=Allowed(priority_classes=("high",))),
            priorities=Priorities(high=10),
            executor_start_deadline_seconds=1e9,  # nothing but the order of events resolves what is stuck
        )
        self.pods: dict[str, Pod] = {}
        self.run_of: dict[str, str] = {}
        self.costs: dict[str, Costs] = {}
        self.foreign: dict[str, Costs] = {}
        self.files: dict[str, set[int]] = {name: set() for name in runs}
        self.bodies: dict[str, dict[str, Any]] = {}
        self.lists_used: dict[str, dict[str, Decimal]] = {}
        self.admitted: list[str] = []
        self._serial = 0
        for number, (name, spec) in enumerate(runs.items()):
            body = copy.deepcopy(good())
            metadata = {
                "name": name,
                "namespace": NAMESPACE,
                "uid": f"u-{name}",
                "generation": 1,
                "resourceVersion": "1",
            }
            body["metadata"] = {**metadata, "creationTimestamp": f"2026-11-25T11:{number // 60:02}:{number % 60:02}Z"}
            body["spec"] |= copy.deepcopy(spec)
            self.bodies[name] = body
        self.restart()

    # The operator

    def restart(self) -> None:
        """A new process: it knows only what the API server has."""
        self.store = Pods(self)
        self.api = FakeApiServer(START.isoformat())
        self.admission = Admission(self.api, self.store, self.settings, lambda: self.seconds)
        for body in self.order.sample(list(self.bodies.values()), len(self.bodies)):
            self.admission.put(body)
        self.seconds += 2

    async def reconcile(self, name: str, dies: bool = False) -> None:
        """One reconcile of a run; a process that dies does so after it has acted, before it writes the status."""
        refusal: Refusal | None = None
        for _ in range(10):
            body = self.bodies[name]
            await self.refresh()
            decision = plan(body, self.admission.add_to(self.observed(name, refusal), body), self.now, self.settings)
            self.admission.record(body, decision)
            refusal = None
            for action in decision.actions:
                if isinstance(action, CreateAttempt):
                    refusal = self.create_driver(name, action.attempt)
                elif isinstance(action, DeletePod):
                    self.remove(action.name)
                elif isinstance(action, DeleteFiles):
                    self.files[name].discard(action.attempt)
            if dies:
                self.restart()
                return
            if not decision.actions:
                self.write(name, decision.status)
                if decision.requeue_after != 0:
                    return
        raise AssertionError(f"{name} never comes to rest")

    async def refresh(self) -> None:
        for name, hard in self.hard.items():
            used = {key: str(amount) for key, amount in self.used(name).items()}
            status = {"hard": {key: str(amount) for key, amount in hard.items()}, "used": used}
            self.api.objects[f"{QUOTAS}/{name}"] = {"metadata": {"name": name}, "spec": {}, "status": status}
        await self.admission.refresh(NAMESPACE)

    def observed(self, name: str, refusal: Refusal | None) -> Observed:
        owner, status = owner_from(self.bodies[name]), self.status(name)
        known = self.store.created(owner)
        uid = status.driver.pod_uid if status.driver else known.get(max(status.attempt, 1), "")
        named = self.pods.get(driver_name(name, max(status.attempt, 1)))
        impostor = named if named and named.uid != uid else None
        return Observed(self.store.pods(owner), frozenset(self.files[name]), known, impostor, refusal)

    def write(self, name: str, status: FeatureExtractionStatus) -> None:
        body = self.bodies[name]
        if status != status_of(body):
            version = str(int(body["metadata"]["resourceVersion"]) + 1)
            metadata = {**body["metadata"], "resourceVersion": version}
            self.bodies[name] = {**body, "metadata": metadata, "status": status.to_wire()}
            self.admission.put(self.bodies[name])

    # The API server

    def used(self, quota: str) -> dict[str, Decimal]:
        costs = [*(self.costs[pod.uid] for pod in self.pods.values() if not pod.ended), *self.foreign.values()]
        return {key: sum((cost.get(key, Decimal(0)) for cost in costs), Decimal(0)) for key in self.hard[quota]}

    def has_room(self, cost: Costs) -> bool:
        return all(
            self.used(quota)[key] + cost.get(key, Decimal(0)) <= amount
            for quota, hard in self.hard.items()
            for key, amount in hard.items()
        )

    def create_driver(self, name: str, attempt: int) -> Refusal | None:
        self.files[name].add(attempt)
        execution = self.bodies[name]["spec"]["execution"]
        if not self.has_room(cost_of(execution["driverCpu"], execution["driverMemory"])):
            return Refusal("QuotaExceeded", "exceeded quota")
        pod = self._create(name, driver_name(name, attempt), attempt, DRIVER, f"u-{name}")
        self.store.uids[owner_from(self.bodies[name])] = {attempt: pod.uid}
        self.admitted.append(name)
        return None

    def _create(self, run: str, name: str, attempt: int, role: str, owner: str) -> Pod:
        assert name not in self.pods
        execution = self.bodies[run]["spec"]["execution"]
        size = ("driverCpu", "driverMemory") if role == DRIVER else ("cores", "memory")
        self._serial += 1
        progress = Progress(shards_total=1) if role == DRIVER else None
        pod = Pod(name, f"p-{self._serial}", attempt, role, owner, phase="Running", ready=True, progress=progress)
        self.pods[name] = pod
        self.run_of[pod.uid], self.costs[pod.uid] = run, cost_of(*(str(execution[key]) for key in size))
        return pod

    def remove(self, name: str) -> None:
        """Deletes a pod, and what it owns."""
        pod = self.pods.pop(name, None)
        for other in [other for other in self.pods.values() if pod and other.owner == pod.uid]:
            self.remove(other.name)

    # Drivers, and the tenants of the namespace

    def status(self, name: str) -> FeatureExtractionStatus:
        return status_of(self.bodies[name])

    def drivers(self) -> list[Pod]:
        return [pod for pod in self.pods.values() if pod.role == DRIVER and not pod.ended]

    def work(self, driver: Pod) -> None:
        """A driver creates its next executor if a quota has room; with all of them it ends the run."""
        run = self.run_of[driver.uid]
        execution = self.bodies[run]["spec"]["execution"]
        present = sum(pod.owner == driver.uid for pod in self.pods.values())
        if present < execution["executors"]:
            if self.has_room(cost_of(str(execution["cores"]), execution["memory"])):
                number = next(n for n in range(1000) if f"{run}-{driver.attempt}-exec-{n}" not in self.pods)
                self._create(run, f"{run}-{driver.attempt}-exec-{number}", driver.attempt, EXECUTOR, driver.uid)
            return
        ended = Pod(driver.name, driver.uid, driver.attempt, DRIVER, driver.owner, phase="Succeeded")
        object.__setattr__(ended, "exit", Exit(0, message=OUTCOME))
        for name in [pod.name for pod in self.pods.values() if pod.owner == driver.uid]:
            del self.pods[name]
        self.pods[driver.name] = ended

    def others_take(self, cost: Costs) -> None:
        """Another pod of the namespace, if there is room."""
        if self.has_room(cost):
            self._serial += 1
            self.foreign[f"f-{self._serial}"] = cost

    def lose_executor(self) -> None:
        """One executor is lost with its node."""
        if executors := [pod.name for pod in self.pods.values() if pod.role == EXECUTOR]:
            self.remove(self.order.choice(executors))

    @property
    def unfinished(self) -> list[str]:
        return [name for name in self.bodies if not is_finished(self.status(name))]


def parsed(text: str) -> Decimal:
    """A quantity of the tests: a number, or one with m or Mi."""
    if text.endswith("Mi"):
        return Decimal(text[:-2]) * 1024**2
    return Decimal(text[:-1]) / 1000 if text.endswith("m") else Decimal(text)


def cost_of(cpu: str, memory: str) -> Costs:
    """What a pod takes of each quota."""
    return {"pods": Decimal(1), "requests.cpu": parsed(cpu), "requests.memory": parsed(memory)}
