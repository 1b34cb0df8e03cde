"""What is stored of a run that has ended: a few numbers, enough to know when it needs a reconcile again.

Ended runs are kept for years, so their number only grows. Nothing is requested for one until its TTL has passed, its
spec changes, or a pod of it lives.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime

from featx_operator.objects import Body
from featx_operator.state.words import REASON_LIMIT, time_of

INTERNAL_ERROR = "InternalError"  # `featx_operator.decisions.reasons` is a layer above


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended.

    Attributes:
        uid: Of the resource.
        version: Its resourceVersion.
        succeeded: Whether it succeeded.
        reason: Of its condition Succeeded.
        expires: When its pods and files are to be deleted, in seconds since 1970; None without a TTL.
        changed: Whether its spec has changed since its status was written, or its status says that this can't be done.
        has_children: Whether there may be something to delete. An operator that has just started knows by the driver
            pod, which is deleted last.
        alive: Whether a pod of it may still run.
    """

    uid: str
    version: int
    succeeded: bool
    reason: str
    expires: float | None = None
    changed: bool = False
    has_children: bool = False
    alive: bool = False

    def seconds_until_due(self, now: datetime) -> float | None:
        """The seconds until the next reconcile, or None if it needs none."""
        if self.changed or self.alive:
            return 0.0
        if self.expires is None:
            return None
        left = self.expires - now.timestamp()
        if left > 0:
            return left
        return 0.0 if self.has_children else None


def ended_from(body: Body) -> Ended | None:
    """Reduces a resource that has ended; None for any other, and for one whose status can't be read."""
    status, metadata = body.get("status") or {}, body["metadata"]
    conditions = {item.get("type"): item for item in status.get("conditions") or ()}
    end, stalled = conditions.get("Succeeded"), conditions.get("Stalled", {})
    if end is None or end.get("status") not in ("True", "False"):
        return None
    ttl = (body.get("spec") or {}).get("ttlSecondsAfterFinished")
    try:
        completed = time_of(status.get("completionTime"))
    except (AttributeError, TypeError, ValueError):
        return None
    return Ended(
        uid=str(metadata["uid"]),
        version=int(metadata.get("resourceVersion") or 0),
        succeeded=end["status"] == "True",
        reason=sys.intern(str(end.get("reason", ""))[:REASON_LIMIT]),
        expires=completed.timestamp() + ttl if completed and isinstance(ttl, int) else None,
        changed=metadata.get("generation") != status.get("observedGeneration")
        or stalled.get("reason") == INTERNAL_ERROR,
    )
