"""Quota: a run starts once there is room for all of it, driver and executors, and nobody before it waits for that room.

Otherwise two drivers could share a quota in which neither finds room for an executor, and wait for each other forever.
Nothing is recorded in advance: the run that is let in is the one whose driver is created in the same step. From then on
`QuotaReserved` is True, and holds room for those of its pods that do not exist yet.
"""

from __future__ import annotations

from featx_api.resource import FeatureExtraction
from featx_api.status import FeatureExtractionStatus

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding, Findings
from featx_operator.decisions.gang import all_with_defaults, gang_of, refusals
from featx_operator.decisions.policies.end import refused_memory
from featx_operator.decisions.room import lacking, never, touched, without_limits
from featx_operator.decisions.run import Plan, Run
from featx_operator.objects import owner_from
from featx_operator.settings import Settings
from featx_operator.state.quotas import Claim, Gang, Missing, QuotaView
from featx_operator.state.words import EPOCH, time_of

POLL_SECONDS = 3.0  # of the run whose turn it is: other pods of the namespace give quota back without a sign
STALLED_SECONDS = 15.0  # of those that can't start: somebody has to change the quota
UNKNOWN_SECONDS = 0.5
_WAITING = (reasons.QUOTA_EXCEEDED, reasons.QUEUED)


def waits(run: Run) -> Plan | None:
    """Waits until the whole gang of a run fits into the quotas of its namespace; None if it does."""
    view = run.observed.quota
    if view is None or not (view.quotas or view.limits) or run.before.workload:
        return None  # with a Workload, Kueue has decided
    claim = claim_of(run.resource, run.before, run.settings)
    gang = claim.gang
    complete = all_with_defaults(gang, view.limits)
    missing = Missing(1, gang.executors, 0 if run.attempt in run.observed.files else 1)
    if stalled := _never(run, view, complete, missing):
        return stalled
    if not view.known:
        return Plan((), run.before, requeue_after=UNKNOWN_SECONDS)
    mine = touched(gang, view.quotas, view.limits)
    earlier = [other for other in view.others if not other.held and other.rank < claim.rank]
    if any(mine & touched(other.gang, view.quotas, view.limits) for other in earlier):
        text = f"{_pods(gang)} start when it is this run's turn: runs before it wait for the same ResourceQuota"
        return _waiting(run, Finding("False", reasons.QUEUED, text))
    if shortages := lacking(complete, view, missing):
        text = f"{_pods(gang)} need {', '.join(map(str, shortages))}"
        return _waiting(run, Finding("False", reasons.QUOTA_EXCEEDED, text), POLL_SECONDS)
    return None


def claim_of(resource: FeatureExtraction, status: FeatureExtractionStatus, settings: Settings) -> Claim:
    """A run's place among those of its namespace. One that queues again goes behind those that came before."""
    metadata, pool = resource.metadata, settings.allowed.pool(resource.spec.execution.node_pool)
    since = time_of(metadata.get("creationTimestamp")) if status.attempt <= 1 else status.next_attempt_time
    return Claim(
        owner_from({"metadata": metadata}),
        gang_of(resource.model_copy(update={"status": status}), pool),
        settings.priorities.get(resource.spec.priority_class_name or "", 0),
        since or status.start_time or EPOCH,
        is_held(status),
    )


def is_waiting(status: FeatureExtractionStatus) -> bool:
    """Whether a run waits for quota, as its status says."""
    condition = conditions.find(status.conditions, "QuotaReserved")
    return condition is not None and condition.status == "False" and condition.reason in _WAITING


def is_held(status: FeatureExtractionStatus) -> bool:
    """Whether a run holds quota for its gang, as its status says."""
    return conditions.is_true(status.conditions, "QuotaReserved") and status.driver is not None


def _never(run: Run, view: QuotaView, gang: Gang, missing: Missing) -> Plan | None:
    """Reports a gang that can't start until somebody changes the run, a quota or a LimitRange."""
    whole = Missing(missing.drivers, missing.executors, 1)
    if text := next(refusals(gang, view.limits), None):
        if ended := refused_memory(run, text):
            return ended
        return _stalled(run, Finding("False", reasons.LIMIT_RANGE_VIOLATED, text))
    if text := without_limits(gang, view.quotas):
        return _stalled(run, Finding("False", reasons.CPU_LIMIT_REQUIRED, text))
    if shortages := never(gang, view.quotas, whole):
        text = f"{_pods(gang)} can never start: they need {', '.join(map(str, shortages))}"
        if ended := refused_memory(run, text):
            return ended
        hint = "ask for less in spec.execution, or ask the platform team for more"
        return _stalled(run, Finding("False", reasons.QUOTA_TOO_SMALL, f"{text}: {hint}"))
    return None


def _waiting(run: Run, finding: Finding, again: float | None = None) -> Plan:
    return Plan((), run.report(_findings(finding)), requeue_after=again)


def _stalled(run: Run, finding: Finding) -> Plan:
    stalled: Findings = {"Stalled": finding._replace(status="True"), "Reconciling": finding}
    return Plan((), run.report(_findings(finding) | stalled), requeue_after=STALLED_SECONDS)


def _findings(finding: Finding) -> Findings:
    return {
        "QuotaReserved": finding,
        "DriverReady": Finding("False", finding.reason),
        "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
        "Succeeded": finding._replace(status="Unknown"),
        "Reconciling": finding._replace(status="True"),
    }


def _pods(gang: Gang) -> str:
    return f"driver and {gang.executors} executor{'s' if gang.executors > 1 else ''}"
