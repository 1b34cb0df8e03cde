"""After the end: stop what still runs, and delete pods, ConfigMaps and Secrets after spec.ttlSecondsAfterFinished.

The resource itself is never deleted: a GitOps tool that misses it would apply it again, and run everything again.
"""

from __future__ import annotations

from featx_operator.decisions import conditions
from featx_operator.decisions.policies.stop import stop
from featx_operator.decisions.run import Action, DeleteFiles, DeletePod, Plan, Run, whole
from featx_operator.decisions.status import with_changes


def after_end(run: Run) -> Plan:
    """Plans what is left to do for a finished run."""
    restamped = conditions.merged(run.before.conditions, {}, whole(run.now), run.generation)
    status = with_changes(run.before, observed_generation=run.generation, conditions=restamped)
    stopping = stop(run.observed.alive())
    ttl = run.resource.spec.ttl_seconds_after_finished
    if ttl is None or run.before.completion_time is None:
        return Plan(stopping, status)
    seconds_left = ttl - run.seconds_since(run.before.completion_time)
    if seconds_left > 0:
        return Plan(stopping, status, requeue_after=seconds_left)
    expired: list[Action] = [DeletePod(pod.name, pod.uid) for pod in run.observed.drivers() if not pod.deleting]
    expired += [action for action in stopping if action not in expired]
    expired += [DeleteFiles(attempt) for attempt in sorted(run.observed.files)]
    return Plan(tuple(expired), status)
