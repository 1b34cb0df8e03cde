"""Leader election: one replica is active at a time, the one that holds the Lease.

The official client's leaderelection is not used: a connection error ends its renewal loop silently, its requests have
no timeout (a hung one outlives the Lease), and it does not release the Lease at exit, so every upgrade would wait for
it to expire. The rules are client-go's: another holder's time is measured on our own clock, from when we saw its last
renewal, so clocks need not agree. A replica stops writing some time before its Lease expires, as a request takes time.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

from featx_operator import metrics
from featx_operator.cluster import leases
from featx_operator.cluster.transport import ApiError, ApiServer
from featx_operator.objects import Body
from featx_operator.settings import Settings

logger = logging.getLogger(__name__)

WRITABLE = 0.8  # of the Lease's duration: client-go's deadline of renewal is two thirds
POLL_SECONDS = 1.0  # of a replica that waits


def boot_seconds() -> float:
    """Seconds on a clock that no one sets, and that does not stop while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class LeaseLostError(Exception):
    """The Lease could not be renewed in time: another replica may be active by now, so this process must exit."""


class Lease:
    """This replica's side of the Lease."""

    def __init__(self, api: ApiServer, settings: Settings, monotonic: Callable[[], float] = boot_seconds) -> None:
        self._api = api
        self._settings = settings
        self._monotonic = monotonic
        self._last_seen: tuple[str, str] = ("", "")  # holder and its time of renewal
        self._last_seen_at = 0.0
        self._renewed_at: float | None = None
        self._last_tried_at = monotonic()

    @property
    def held(self) -> bool:
        """Whether this replica holds the Lease and it has not expired."""
        return self._age() < self._settings.lease_seconds

    @property
    def seconds_since_try(self) -> float:
        """How long ago this replica last tried to acquire or renew the Lease."""
        return self._monotonic() - self._last_tried_at

    def may_write(self) -> bool:
        """Whether this replica holds the Lease for long enough for another request. Any thread may ask."""
        return self._age() < WRITABLE * self._settings.lease_seconds

    def acquire_or_renew(self) -> bool:
        """Acquires or renews the Lease once; returns whether this replica holds it now.

        Raises:
            ApiError: The API server's answer is neither yes nor no.
        """
        self._last_tried_at = started = self._monotonic()
        current = leases.get(self._api, self._settings.lease_namespace, self._settings.lease_name)
        if current and not self._is_available(current["spec"]):
            self._renewed_at = None
            return False
        try:
            leases.put(self._api, self._renewed(current))
        except ApiError as error:
            if error.status != 409:
                raise
            return False
        self._renewed_at = started
        return True

    async def acquire(self) -> None:
        """Waits until this replica holds the Lease."""
        waited = False
        while not await self._try_acquire_or_renew():
            if not waited:
                logger.info("another replica is active; waiting for the Lease %s", self._settings.lease_name)
                waited = True
            await asyncio.sleep(min(POLL_SECONDS, self._settings.lease_seconds / 5))
        metrics.LEASE_HELD.set(1)
        logger.info("%s is active now", self._settings.identity)

    async def renew_until_lost(self) -> None:
        """Renews the Lease for as long as possible.

        Raises:
            LeaseLostError: It has expired or been taken over.
        """
        renewed = True
        while True:
            await asyncio.sleep(self._settings.lease_seconds / (3 if renewed else 10))
            renewed = await self._try_acquire_or_renew()
            if not self.held:
                metrics.LEASE_HELD.set(0)
                raise LeaseLostError(f"lost the Lease {self._settings.lease_name}")

    async def release(self) -> None:
        """Releases the Lease, so that the next replica need not wait for it to expire."""
        if not self.held:
            return
        self._renewed_at = None
        try:
            await asyncio.to_thread(self._release)
        except Exception as error:  # at exit: it expires by itself
            logger.warning("can't release the Lease: %s", error)

    def _age(self) -> float:
        """The seconds since the last renewal; endless without one."""
        renewed_at = self._renewed_at  # another thread may set it to None
        return math.inf if renewed_at is None else self._monotonic() - renewed_at

    async def _try_acquire_or_renew(self) -> bool:
        try:
            return await asyncio.to_thread(self.acquire_or_renew)
        except Exception as error:  # the API server is unavailable: `held` expires by itself
            logger.warning("can't renew the Lease: %s", error)
            return False

    def _release(self) -> None:
        current = leases.get(self._api, self._settings.lease_namespace, self._settings.lease_name)
        if current and current["spec"].get("holderIdentity") == self._settings.identity:
            leases.put(self._api, {**current, "spec": {**current["spec"], "holderIdentity": ""}})

    def _is_available(self, spec: Body) -> bool:
        """Whether a Lease may be taken: it is ours, released, or was not renewed for its whole duration."""
        holder, renewed = spec.get("holderIdentity") or "", spec.get("renewTime") or ""
        if (holder, renewed) != self._last_seen:
            self._last_seen, self._last_seen_at = (holder, renewed), self._monotonic()
        duration = float(spec.get("leaseDurationSeconds") or 0)
        return holder in ("", self._settings.identity) or self._monotonic() - self._last_seen_at >= duration

    def _renewed(self, current: Body | None) -> Body:
        """The Lease with this replica as its holder, renewed now."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        last = (current or {}).get("spec", {})
        same_holder = last.get("holderIdentity") == self._settings.identity
        spec = {
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": max(1, round(self._settings.lease_seconds)),
            "acquireTime": last.get("acquireTime", now) if same_holder else now,
            "renewTime": now,
            "leaseTransitions": int(last.get("leaseTransitions") or 0) + (1 if current and not same_holder else 0),
        }
        metadata = {"namespace": self._settings.lease_namespace, "name": self._settings.lease_name}
        if current:
            metadata["resourceVersion"] = current["metadata"]["resourceVersion"]
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
