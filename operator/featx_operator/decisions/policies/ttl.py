"""After the end: stop what still runs, and delete pods, ConfigMaps and Secrets after spec.ttlSecondsAfterFinished.

Drivers are deleted last: an operator that starts later sees by them that there is something left to delete.
The resource itself is never deleted: a GitOps tool that misses it would apply it again, and run everything again.
"""

from __future__ import annotations

from featx_operator.decisions import conditions
from featx_operator.decisions.policies.stop import delete_files, stop
from featx_operator.decisions.run import Action, DeletePod, Plan, Run, whole
from featx_operator.decisions.status import with_changes


def after_end(run: Run) -> Plan:
    """Plans what is left to do for a finished run."""
    restamped = conditions.merged(run.before.conditions, {}, whole(run.now), run.generation)
    status = with_changes(run.before, observed_generation=run.generation, conditions=restamped)
    stopping = (*stop(run.observed.alive()), *delete_files(run.observed, range(1, run.attempt)))
    ttl = run.resource.spec.ttl_seconds_after_finished
    if ttl is None or run.before.completion_time is None:
        return Plan(stopping, status)
    seconds_left = ttl - run.seconds_since(run.before.completion_time)
    if seconds_left > 0:
        return Plan(stopping, status, requeue_after=seconds_left)
    expired: list[Action] = [*stopping]
    expired += [action for action in delete_files(run.observed, run.observed.files) if action not in expired]
    drivers = (DeletePod(pod.name, pod.uid) for pod in run.observed.drivers() if not pod.deleting)
    expired += [action for action in drivers if action not in expired]
    # A pod that is still terminating mounts its files, and a watch may miss its end.
    return Plan(tuple(expired), status, requeue_after=run.settings.resync_seconds if run.observed.files else None)
