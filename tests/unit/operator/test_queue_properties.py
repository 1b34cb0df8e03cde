"""Random lives of a queued run: pods exist only by leave of its Workload, whatever happens in which order."""

from __future__ import annotations

import contextlib

from featx_operator import kueue
from featx_operator.decisions.plan import is_finished
from featx_operator.decisions.run import Action, CreateAttempt
from featx_operator.state.observed import Refusal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.operator.queued_world import QueuedWorld
from tests.unit.operator.world import DiedError

REACTIONS = st.sampled_from(["converges", "converges", "reconciles once", "dies at 0", "dies at 1", "is away"])


class CheckedWorld(QueuedWorld):
    """A world in which a driver is only ever created while quota is held for it."""

    def act(self, action: Action) -> Refusal | None:
        if isinstance(action, CreateAttempt):
            assert self.workload is None or self.workload.admitted
            assert self.workload or kueue.QUEUE_LABEL not in self.body["metadata"]["labels"]
        return super().act(action)


class QueuedRun(RuleBasedStateMachine):
    """Random lives of one queued run."""

    world: CheckedWorld

    @initialize(limit=st.integers(0, 2), ttl=st.sampled_from([None, 0, 50]))
    def begin(self, limit: int, ttl: int | None) -> None:
        self.world = CheckedWorld(backoffLimit=limit, ttlSecondsAfterFinished=ttl)
        self.limit = limit

    def then(self, reaction: str) -> None:
        if reaction == "converges":
            self.world.converge()
        elif reaction == "reconciles once":
            self.world.reconcile()
        elif reaction.startswith("dies"):
            with contextlib.suppress(DiedError):
                self.world.reconcile(int(reaction[-1]))

    @rule(seconds=st.sampled_from([1, 30, 150, 1000]), then=REACTIONS)
    def time_passes(self, seconds: int, then: str) -> None:
        self.world.advance(seconds)
        self.then(then)

    @rule(how=st.sampled_from(["admit", "admit", "evict", "deactivate", "activate", "delete", "pend"]), then=REACTIONS)
    def kueue_decides(self, how: str, then: str) -> None:
        workload = self.world.workload
        if workload is None or workload.is_true("Finished"):
            return
        if how == "delete":
            self.world.workload = None
        elif how == "pend" and not workload.reserved:
            self.world.pend("no room")
        elif how == "admit" and workload.active and not workload.reserved:
            self.world.admit()
        elif how == "evict" and workload.reserved:
            self.world.evict()
        elif how in ("activate", "deactivate"):
            object.__setattr__(workload, "active", how == "activate")
            if how == "deactivate" and workload.reserved:
                self.world.evict("Deactivated")
        self.then(then)

    @rule(
        how=st.sampled_from(["suspend", "resume", "more executors", "fewer executors", "other queue", "no queue"]),
        then=REACTIONS,
    )
    def people_change_the_run(self, how: str, then: str) -> None:
        if how in ("suspend", "resume"):
            self.world.change(suspend=how == "suspend")
        elif how.endswith("executors"):
            self.world.change(execution={"memory": "2Gi", "executors": 3 if how == "more executors" else 1})
        else:
            self.world.label(kueue.QUEUE_LABEL, "other" if how == "other queue" else None)
        self.then(then)

    @rule(how=st.sampled_from(["run", "run", "work", "fail", "succeed", "vanish", "gone"]), then=REACTIONS)
    def pods_change(self, how: str, then: str) -> None:
        world = self.world
        if how == "gone":
            world.finish_deletions()
        elif any(pod.role == "driver" and not pod.ended for pod in world.pods.values()):
            if how == "vanish":
                world.delete(world.driver.name)
            elif how == "work":
                world.run().executors(ready=1, waiting=1)
            elif how == "run":
                world.run()
            else:
                world.run().fail() if how == "fail" else world.run().succeed()
        self.then(then)

    @invariant()
    def at_most_one_driver(self) -> None:
        assert sum(pod.role == "driver" and not pod.ended for pod in self.world.pods.values()) <= 1

    @invariant()
    def no_driver_is_asked_for_more_than_is_admitted(self) -> None:
        workload, recorded = self.world.workload, self.world.status.workload
        drivers = [pod for pod in self.world.pods.values() if pod.role == "driver" and not (pod.ended or pod.deleting)]
        if workload and workload.admitted and workload.name == recorded:
            assert all((pod.executors or 0) <= workload.executors for pod in drivers)

    @invariant()
    def only_failures_count(self) -> None:
        assert self.world.status.failed_attempts <= self.limit + 1

    def teardown(self) -> None:
        """With quota, every run finishes, and gives the quota back."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.change(suspend=False)
        world.label(kueue.QUEUE_LABEL, "team")
        for _ in range(40):
            world.finish_deletions().advance(400).converge()
            if world.workload and not world.workload.is_true("Finished"):
                object.__setattr__(world.workload, "active", True)
                if not world.workload.reserved:
                    world.admit()
            if any(pod.role == "driver" and not pod.ended and not pod.deleting for pod in world.pods.values()):
                world.run().succeed()
        assert is_finished(world.status), world.status
        assert world.workload is None or world.workload.is_true("Finished")
        assert all(pod.ended for pod in world.pods.values())


TestQueuedRun = QueuedRun.TestCase
TestQueuedRun.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
