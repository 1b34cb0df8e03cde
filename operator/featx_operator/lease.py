"""One replica acts at a time: a Lease, held by whoever renewed it last.

The official client's leaderelection is not used: a connection error ends its renewing loop without telling anyone, its
requests have no timeout (a hung one outlives the Lease), and it does not give the Lease up at exit, so that each
upgrade would wait for it to run out. The rules are client-go's: another holder's time is measured on our own clock,
from when we saw its last renewal, so clocks need not agree.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from featx_operator.cluster.client import ApiError, Body, Cluster
from featx_operator.settings import Settings

logger = logging.getLogger(__name__)


class LostError(Exception):
    """The Lease could not be renewed in time: another replica may act by now, so this process must end."""


class Lease:
    """This replica's claim."""

    def __init__(self, cluster: Cluster, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._settings = settings
        self._monotonic = monotonic
        self._seen: tuple[str, str] = ("", "")
        self._seen_at = 0.0
        self._renewed_at: float | None = None
        self.last_try = monotonic()

    @property
    def held(self) -> bool:
        """Tells whether the Lease is ours and has not run out."""
        return self._renewed_at is not None and self._monotonic() - self._renewed_at < self._settings.lease_seconds

    def claim(self) -> bool:
        """Takes or renews the Lease; tells whether it is ours.

        Raises:
            ApiError: if the API server's answer is neither yes nor no.
        """
        self.last_try = started = self._monotonic()
        current = self._cluster.lease(self._settings.lease_namespace, self._settings.lease_name)
        if current and not self._free(current["spec"]):
            self._renewed_at = None
            return False
        try:
            self._cluster.put_lease(self._ours(current))
        except ApiError as error:
            if error.status != 409:
                raise
            return False
        self._renewed_at = started
        return True

    def release(self) -> None:
        """Gives the Lease up, so that the next replica need not wait."""
        if not self.held:
            return
        self._renewed_at = None
        current = self._cluster.lease(self._settings.lease_namespace, self._settings.lease_name)
        if current and current["spec"].get("holderIdentity") == self._settings.identity:
            current["spec"]["holderIdentity"] = ""
            self._cluster.put_lease(current)

    async def acquire(self) -> None:
        """Waits until the Lease is ours."""
        waited = False
        while not await self._try():
            if not waited:
                logger.info("another replica acts; waiting for its Lease %s", self._settings.lease_name)
                waited = True
            await asyncio.sleep(self._settings.lease_seconds / 5)
        logger.info("%s acts now", self._settings.identity)

    async def keep(self) -> None:
        """Renews the Lease for ever.

        Raises:
            LostError: when it has run out.
        """
        while True:
            await asyncio.sleep(self._settings.lease_seconds / (3 if self.held else 10))
            await self._try()
            if not self.held:
                raise LostError(f"lost the Lease {self._settings.lease_name}")

    async def _try(self) -> bool:
        try:
            return await asyncio.to_thread(self.claim)
        except Exception as error:  # the API server is away: `held` runs out by itself
            logger.warning("the Lease can't be renewed: %s", error)
            return False

    def _free(self, spec: Body) -> bool:
        """Tells whether a Lease may be taken: ours, given up, or not renewed for its whole duration."""
        holder, renewed = spec.get("holderIdentity") or "", spec.get("renewTime") or ""
        if (holder, renewed) != self._seen:
            self._seen, self._seen_at = (holder, renewed), self._monotonic()
        duration = float(spec.get("leaseDurationSeconds") or 0)
        return holder in ("", self._settings.identity) or self._monotonic() - self._seen_at >= duration

    def _ours(self, current: Body | None) -> Body:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        before = (current or {}).get("spec", {})
        same = before.get("holderIdentity") == self._settings.identity
        spec = {
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": max(1, round(self._settings.lease_seconds)),
            "acquireTime": before.get("acquireTime", now) if same else now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if same or not current else 1),
        }
        metadata = {"namespace": self._settings.lease_namespace, "name": self._settings.lease_name}
        if current:
            metadata["resourceVersion"] = current["metadata"]["resourceVersion"]
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
