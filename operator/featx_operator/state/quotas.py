"""The ResourceQuotas and LimitRanges of a namespace, reduced to what decisions need."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from featx_operator.objects import Body, Owner
from featx_operator.state.quantities import Amounts, amounts

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scope:
    """Which pods a ResourceQuota counts: those for which all of its scopes hold."""

    name: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quota:
    """A ResourceQuota, as the API server enforces it."""

    name: str
    hard: Amounts
    used: Amounts = field(default_factory=dict)
    scopes: tuple[Scope, ...] = ()


@dataclass(frozen=True)
class Limits:
    """One item of a LimitRange.

    Attributes:
        name: Of the LimitRange.
        kind: What its bounds are about.
        default: Limits of containers that have none.
        default_request: Requests of containers that have none.
        min: Lower bounds of requests and limits.
        max: Upper bounds of requests and limits.
        ratio: Upper bounds of limit divided by request.
    """

    name: str
    kind: Literal["Container", "Pod"]
    default: Amounts = field(default_factory=dict)
    default_request: Amounts = field(default_factory=dict)
    min: Amounts = field(default_factory=dict)
    max: Amounts = field(default_factory=dict)
    ratio: Amounts = field(default_factory=dict)


@dataclass(frozen=True)
class PodShape:
    """What one kind of pod requests, and its limits."""

    requests: Amounts
    limits: Amounts
    priority_class: str = ""


@dataclass(frozen=True)
class Gang:
    """The pods without which a run makes no progress: its driver and as many executors as it asks for at its start.

    Attributes:
        driver: The driver.
        executor: Each executor. Its memory is an estimate if the run does not set it.
        least_executor: The smallest executor that the run may turn out to have.
        executors: Their number.
    """

    driver: PodShape
    executor: PodShape
    least_executor: PodShape
    executors: int


@dataclass(frozen=True)
class Missing:
    """How much of a gang a quota does not count yet."""

    drivers: int
    executors: int
    files: int

    @property
    def nothing(self) -> bool:
        """Whether all is counted."""
        return not (self.drivers or self.executors or self.files)


@dataclass(frozen=True)
class Claim:
    """One run's claim to the quota of its namespace.

    Attributes:
        owner: The run.
        gang: What it asks for.
        priority: Higher ones go first.
        since: When it began to wait; earlier ones go first.
        held: Whether its gang is reserved; otherwise it waits.
        missing: What of its gang no quota counts yet.
    """

    owner: Owner
    gang: Gang
    priority: int
    since: datetime
    held: bool = False
    missing: Missing = Missing(0, 0, 0)

    @property
    def rank(self) -> tuple[int, datetime, str, str]:
        """Its place among the runs that wait: the lowest goes first."""
        return -self.priority, self.since, self.owner.key.name, self.owner.uid


@dataclass(frozen=True)
class QuotaView:
    """What a run's admission depends on.

    Attributes:
        quotas: The ResourceQuotas of its namespace.
        limits: The items of its LimitRanges.
        others: The claims of all other runs of the namespace.
        known: Whether these are all. An operator that has just started does not know its runs yet.
    """

    quotas: tuple[Quota, ...] = ()
    limits: tuple[Limits, ...] = ()
    others: tuple[Claim, ...] = ()
    known: bool = True


def quota_from(body: Body) -> Quota | None:
    """Reduces a ResourceQuota; None if it can't be read."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    scopes = [Scope(str(name)) for name in spec.get("scopes") or ()]
    for expression in (spec.get("scopeSelector") or {}).get("matchExpressions") or ():
        scopes.append(Scope(expression["scopeName"], expression["operator"], tuple(expression.get("values") or ())))
    try:
        # What is enforced is the status. A quota that was just created has none.
        hard = amounts(status.get("hard") or spec.get("hard"))
        return Quota(body["metadata"]["name"], hard, amounts(status.get("used")), tuple(scopes))
    except ValueError as error:
        logger.warning("ResourceQuota %s is ignored: %s", body["metadata"]["name"], error)
        return None


def limits_from(body: Body) -> tuple[Limits, ...]:
    """Reduces a LimitRange to its items about containers and pods; nothing if it can't be read."""
    name, items = body["metadata"]["name"], (body.get("spec") or {}).get("limits") or ()
    try:
        return tuple(
            Limits(
                name,
                item["type"],
                amounts(item.get("default")),
                amounts(item.get("defaultRequest")),
                amounts(item.get("min")),
                amounts(item.get("max")),
                amounts(item.get("maxLimitRequestRatio")),
            )
            for item in items
            if item.get("type") in ("Container", "Pod")
        )
    except ValueError as error:
        logger.warning("LimitRange %s is ignored: %s", name, error)
        return ()


def combined(one: Amounts, other: Amounts, times: int = 1) -> dict[str, Decimal]:
    """The sum of amounts, the second ones so many times."""
    return {name: one.get(name, Decimal(0)) + times * other.get(name, Decimal(0)) for name in {**one, **other}}
