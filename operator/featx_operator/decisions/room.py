"""Whether the gangs of runs fit into the ResourceQuotas of their namespace. Pure.

Runs that wait go in order of priority, then age, in each quota: one that comes later never overtakes, however small,
so a large one does not starve. It may overtake in a quota that no earlier run waits for. A run that can never fit is
in nobody's way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from featx_api.contract import DRIVER, EXECUTOR

from featx_operator.decisions.gang import all_with_defaults, total
from featx_operator.state.quantities import Amounts, shown, words
from featx_operator.state.quotas import Claim, Gang, Limits, Missing, Quota, QuotaView, Scope

_OF_PODS = {
    "Terminating": False,  # of pods with a deadline of their own
    "NotTerminating": True,
    "BestEffort": False,  # of pods without requests
    "NotBestEffort": True,
    "CrossNamespacePodAffinity": False,
}
# If a quota has one of these, every container must have it.
_REQUIRED = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


@dataclass(frozen=True)
class Shortage:
    """A resource of which a quota has too little."""

    quota: Quota
    name: str
    need: Decimal
    free: Decimal

    @property
    def never(self) -> bool:
        """Whether the whole quota would not be enough."""
        return self.need > self.quota.hard[self.name]

    def __str__(self) -> str:
        hard = shown(self.name, self.quota.hard[self.name])
        room = f"the limit is {hard}" if self.never else f"{shown(self.name, self.free)} of {hard} free"
        return f"{shown(self.name, self.need, up=True)} {words(self.name)} ({room} in ResourceQuota {self.quota.name})"


def counts_pods(quota: Quota, priority_class: str) -> bool:
    """Whether a quota counts the pods of runs of this priority class."""
    return all(_holds(scope, priority_class) for scope in quota.scopes)


def _holds(scope: Scope, priority_class: str) -> bool:
    if scope.name != "PriorityClass":
        return _OF_PODS.get(scope.name, False)
    if scope.operator in ("In", "NotIn"):
        return (priority_class in scope.values) == (scope.operator == "In")
    return bool(priority_class) == (scope.operator == "Exists")


def needs(gang: Gang, quota: Quota, missing: Missing, *, least: bool = False) -> dict[str, Decimal]:
    """What of a quota so much of a gang takes, by the quota's names.

    Args:
        gang: With defaults.
        quota: The quota.
        missing: How much of the gang.
        least: Count the smallest executors that the run may have.
    """
    if not counts_pods(quota, gang.driver.priority_class):
        return {}
    files = 0 if quota.scopes else missing.files
    taken = total(gang, missing.drivers, missing.executors, files, gang.least_executor if least else None)
    return {name: taken[name] for name in quota.hard if taken.get(name)}


def without_limits(gang: Gang, quotas: Iterable[Quota]) -> str | None:
    """Why a quota refuses the pods of a gang, whatever is free: they lack a request or limit that it counts."""
    for quota in quotas:
        if not counts_pods(quota, gang.driver.priority_class):
            continue
        for name in _REQUIRED:
            kind, _, resource = name.rpartition(".")
            if name not in quota.hard:
                continue
            for role, shape in ((DRIVER, gang.driver), (EXECUTOR, gang.executor)):
                if resource not in (shape.limits if kind == "limits" else shape.requests):
                    return (
                        f"ResourceQuota {quota.name} counts {name}, but the {role} has none: set "
                        "spec.execution.cpuLimits: true"
                    )
    return None


def never(gang: Gang, quotas: Iterable[Quota], missing: Missing) -> list[Shortage]:
    """The resources of which a gang needs more than quotas ever have."""
    shortages = (
        Shortage(quota, name, need, Decimal(0))
        for quota in quotas
        for name, need in needs(gang, quota, missing, least=True).items()
    )
    return [shortage for shortage in shortages if shortage.never]


def lacking(gang: Gang, view: QuotaView, missing: Missing) -> list[Shortage]:
    """The resources of which quotas have too little for a gang now, beside the gangs that others hold.

    A gang whose estimate exceeds a quota is let in once the quota is empty: its executors may turn out smaller.
    """
    shortages = []
    for quota in view.quotas:
        held = _held(quota, view)
        for name, need in needs(gang, quota, missing).items():
            free = quota.hard[name] - quota.used.get(name, Decimal(0)) - held.get(name, Decimal(0))
            if min(need, quota.hard[name]) > free:
                shortages.append(Shortage(quota, name, need, max(free, Decimal(0))))
    return shortages


def _held(quota: Quota, view: QuotaView) -> Amounts:
    """What held gangs will still take of a quota."""
    held: dict[str, Decimal] = {}
    for claim in view.others:
        if not claim.held or claim.missing.nothing:
            continue
        for name, amount in needs(all_with_defaults(claim.gang, view.limits), quota, claim.missing).items():
            held[name] = held.get(name, Decimal(0)) + amount
    return held


def turns(waiting: Iterable[Claim], quotas: Sequence[Quota], limits: Sequence[Limits]) -> list[Claim]:
    """The runs whose turn it is: those that no earlier one precedes in any of their quotas.

    Args:
        waiting: The claims that wait.
        quotas: Of their namespace.
        limits: Of their namespace.
    """
    taken: set[str] = set()
    result = []
    for claim in sorted(waiting, key=lambda claim: claim.rank):
        mine = touched(claim.gang, quotas, limits)
        if not mine & taken:
            result.append(claim)
        taken |= mine
        if len(taken) == len(quotas):
            break
    return result


def touched(gang: Gang, quotas: Iterable[Quota], limits: Iterable[Limits]) -> set[str]:
    """The names of the quotas that a gang takes something of."""
    whole, complete = Missing(1, gang.executors, 1), all_with_defaults(gang, limits)
    return {quota.name for quota in quotas if needs(complete, quota, whole)}
