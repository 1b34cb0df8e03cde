"""After the end: stop what still runs, and delete pods and ConfigMaps after spec.ttlSecondsAfterFinished.

The resource itself stays for good: a GitOps tool that finds it gone would apply it again, and run everything again.
"""

from __future__ import annotations

from featx_operator.decisions.policies.stop import stopped
from featx_operator.decisions.run import Action, DeleteConfigMap, DeletePod, Plan, Run


def after_end(run: Run) -> Plan:
    """Returns what is left to do for a finished run."""
    generation = int(run.resource.metadata.get("generation") or 0)
    status = run.before.model_copy(update={"observed_generation": generation})
    drivers = [pod for pod in run.observed.drivers() if not pod.deleting]
    actions = stopped(run.observed.alive())
    ttl = run.resource.spec.ttl_seconds_after_finished
    if ttl is None or run.before.completion_time is None:
        return Plan(actions, status)
    left = ttl - run.seconds_since(run.before.completion_time)
    if left > 0:
        return Plan(actions, status, requeue_after=left)
    expired: list[Action] = [DeletePod(pod.name, pod.uid) for pod in drivers]
    expired += [action for action in actions if action not in expired]
    expired += [DeleteConfigMap(name) for name in sorted(run.observed.config_maps)]
    return Plan(tuple(expired), status)
