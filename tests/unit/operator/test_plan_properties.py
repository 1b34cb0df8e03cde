"""Invariants of a run under random events, with the operator crashing between any two steps."""

from __future__ import annotations

import contextlib
from datetime import datetime
from itertools import pairwise

from featx_api.failures import FailureClass
from featx_api.states import FAILED, RunState
from featx_api.status import FeatureExtractionStatus
from featx_operator.decisions import conditions
from featx_operator.decisions.conditions import FOLLOWING
from featx_operator.decisions.plan import is_finished
from featx_operator.state.observed import PodWaiting, Refusal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.operator.world import DiedError, World

PROGRESS_SECONDS = 10
MISSING = PodWaiting("FailedMount", 'MountVolume.SetUp failed for volume "s" : secret "store" not found')
REACTIONS = st.sampled_from(
    ["converges", "converges", "converges", "reconciles once", "dies at 0", "dies at 1", "dies at 2", "is away"]
)


class RunOfOneResource(RuleBasedStateMachine):
    """Random lives of one run."""

    world: World

    @initialize(limit=st.integers(0, 3), deadline=st.sampled_from([None, 120]), ttl=st.sampled_from([None, 0, 50]))
    def begin(self, limit: int, deadline: int | None, ttl: int | None) -> None:
        self.world = World(backoffLimit=limit)
        for field, seconds in (("activeDeadlineSeconds", deadline), ("ttlSecondsAfterFinished", ttl)):
            if seconds is not None:
                self.world.body["spec"][field] = seconds
        self.limit = limit
        self.resumes = self.retries = self.disruptions = 0
        self.secret_was_absent = False

    def alive(self) -> bool:
        return any(pod.role == "driver" and not pod.ended for pod in self.world.pods.values())

    def then(self, reaction: str) -> None:
        """The operator reacts: it converges, reconciles once, dies in the middle of a reconcile, or is away."""
        if reaction == "converges":
            self.world.converge()
        elif reaction == "reconciles once":
            self.world.reconcile()
        elif reaction.startswith("dies"):
            with contextlib.suppress(DiedError):
                self.world.reconcile(int(reaction[-1]))

    @rule(seconds=st.sampled_from([1, 9, 30, 150, 1000]), then=REACTIONS)
    def time_passes(self, seconds: int, then: str) -> None:
        self.world.advance(seconds)
        self.then(then)

    @rule(refused=st.booleans(), then=REACTIONS)
    def quota_changes(self, refused: bool, then: str) -> None:
        self.world.refusal = Refusal("QuotaExceeded", "exceeded quota") if refused else None
        self.then(then)

    @rule(executors=st.integers(1, 4), then=REACTIONS)
    def people_change_the_number_of_executors(self, executors: int, then: str) -> None:
        self.world.change(execution={**self.world.body["spec"]["execution"], "executors": executors})
        self.then(then)

    @rule(then=REACTIONS)
    def people_suspend_or_resume(self, then: str) -> None:
        suspended = self.world.body["spec"].get("suspend", False)
        self.resumes += suspended
        self.world.change(suspend=not suspended)
        self.then(then)

    @rule(valid=st.booleans(), then=REACTIONS)
    def an_upgrade_rejects_or_accepts_the_spec(self, valid: bool, then: str) -> None:
        self.world.change(backoffLimit=self.limit if valid else 1000)
        self.then(then)

    @rule(then=REACTIONS)
    def people_cancel_or_do_not(self, then: str) -> None:
        self.world.change(cancel=not self.world.body["spec"].get("cancel", False))
        self.then(then)

    @rule(then=REACTIONS)
    def people_retry(self, then: str) -> None:
        self.retries += 1
        self.world.change(retry=self.world.body["spec"].get("retry", 0) + 1)
        self.then(then)

    @precondition(alive)
    @rule(then=REACTIONS)
    def the_cluster_evicts_the_driver(self, then: str) -> None:
        self.disruptions += 1
        self.world.run().end(143, disruption="EvictionByEvictionAPI")
        self.then(then)

    @rule(then=REACTIONS)
    def deletions_finish(self, then: str) -> None:
        self.world.finish_deletions()
        self.then(then)

    @precondition(alive)
    @rule(then=REACTIONS)
    def the_driver_runs(self, then: str) -> None:
        self.world.run()
        self.then(then)

    @precondition(alive)
    @rule(reported=st.booleans(), absent=st.booleans(), then=REACTIONS)
    def the_driver_can_not_start(self, reported: bool, absent: bool, then: str) -> None:
        if self.world.driver.phase == "Pending":
            self.world.wait("ContainerCreating" if reported else "ImagePullBackOff", "no such image")
            self.world.mount_failure = MISSING if reported else None
            self.world.absent_secrets = {"store"} if absent else set()
            self.secret_was_absent |= absent
        self.then(then)

    @precondition(alive)
    @rule(done=st.integers(0, 100), ready=st.integers(0, 3), then=REACTIONS)
    def the_driver_works(self, done: int, ready: int, then: str) -> None:
        if self.world.driver.phase == "Running":
            self.world.report(done).executors(ready)
        self.then(then)

    @precondition(alive)
    @rule(how=st.sampled_from(["succeed", "fail", "fail", "permanent", "no report", "killed"]), then=REACTIONS)
    def the_driver_ends(self, how: str, then: str) -> None:
        world = self.world.run()
        if how == "succeed":
            world.succeed()
        elif how in ("fail", "permanent"):
            world.fail("ModelInvalid" if how == "permanent" else "StoreUnreachable", retryable=how == "fail")
        else:
            world.end(0 if how == "no report" else 137)
        self.then(then)

    @precondition(alive)
    @rule(then=REACTIONS)
    def the_driver_is_deleted_by_somebody(self, then: str) -> None:
        self.disruptions += 1
        self.world.delete(self.world.driver.name)
        self.then(then)

    # Invariants

    @invariant()
    def never_two_drivers(self) -> None:
        drivers = [pod for pod in self.world.pods.values() if pod.role == "driver"]
        assert sum(not pod.ended for pod in drivers) <= 1
        assert len({pod.attempt for pod in drivers}) == len(drivers)

    @invariant()
    def living_pods_have_their_files(self) -> None:
        assert {pod.attempt for pod in self.world.pods.values() if not pod.ended} <= self.world.files

    @invariant()
    def attempts_are_bounded(self) -> None:
        status = self.world.status
        assert status.failed_attempts <= self.limit + 1
        assert status.attempt <= (self.limit + 1) * (self.retries + 1) + self.resumes + self.disruptions

    @invariant()
    def an_end_is_final_unless_a_retry_is_requested(self) -> None:
        """A success is final; each retry number undoes at most one failure."""
        undone = 0
        for (_, status), (_, later) in pairwise(self.world.written):
            if not is_finished(status):
                continue
            if not is_finished(later):
                undone += 1
                assert later.retry > status.retry
                assert not conditions.is_true(status.conditions, "Succeeded")
                continue
            first, second = (conditions.find(end.conditions, "Succeeded") for end in (status, later))
            assert first and second
            assert first.model_copy(update={"observed_generation": second.observed_generation}) == second
        assert undone <= self.retries

    @invariant()
    def the_state_is_documented(self) -> None:
        state = self.world.status.state
        assert state in list(RunState) or state.removeprefix(FAILED) in list(FailureClass)

    @invariant()
    def what_follows_from_the_end_agrees_with_it(self) -> None:
        status = self.world.status
        if status.conditions:
            true = [kind for kind in FOLLOWING if conditions.is_true(status.conditions, kind)]
            success = conditions.is_true(status.conditions, "Succeeded")
            assert true == (["Complete" if success else "Failed", "Finished"] if is_finished(status) else [])

    @invariant()
    def a_report_alone_fails_no_run(self) -> None:
        failure = self.world.status.failure
        assert failure is None or failure.class_ != "SecretNotFound" or self.secret_was_absent

    @invariant()
    def success_has_outputs(self) -> None:
        if conditions.is_true(self.world.status.conditions, "Succeeded"):
            assert self.world.status.outputs

    @invariant()
    def transition_times_never_go_backwards(self) -> None:
        last: dict[str, tuple[str, datetime]] = {}
        for _, status in self.world.written:
            for condition in status.conditions:
                state, when = last.get(condition.type, ("", condition.last_transition_time))
                assert condition.last_transition_time >= when
                if state == condition.status:
                    assert condition.last_transition_time == when
                last[condition.type] = (condition.status, condition.last_transition_time)

    @invariant()
    def progress_is_throttled(self) -> None:
        last: tuple[datetime, FeatureExtractionStatus] | None = None
        for when, status in self.world.written:
            if status.progress is None or (last and status.progress == last[1].progress):
                continue
            attempt_ended = last is not None and (is_finished(status) or status.attempt > last[1].attempt)
            if last and last[1].progress and not attempt_ended:
                assert (when - last[0]).total_seconds() >= PROGRESS_SECONDS
            last = (when, status)

    def teardown(self) -> None:
        """Once everything works again, every run finishes and stays finished."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.refusal = world.mount_failure = None
        world.absent_secrets = set()
        world.change(suspend=False, cancel=False, backoffLimit=self.limit)
        for _ in range(40):
            if self.alive() and not world.driver.deleting:
                world.run().succeed()
            world.finish_deletions().advance(400).converge()
        assert is_finished(world.status), world.status
        writes, creations = len(world.written), len(world.created)
        world.advance(10_000).converge()
        assert (len(world.written), len(world.created)) == (writes, creations)
        assert all(pod.ended for pod in world.pods.values())
        assert world.files <= {world.status.attempt}


TestRunOfOneResource = RunOfOneResource.TestCase
TestRunOfOneResource.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
