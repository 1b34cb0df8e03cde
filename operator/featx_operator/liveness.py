"""Whether this process does its work: what its liveness probe asks.

A restart costs all tenants a pause, so it has to mend something: workers or watches that stand still. An API server
that is down, or refuses one namespace, is no reason.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from featx_operator.cluster import children, resources
from featx_operator.cluster.transport import ApiServer
from featx_operator.lease import Lease
from featx_operator.objects import Key
from featx_operator.queue import Queue
from featx_operator.state.echoes import Echoes, Watched

logger = logging.getLogger(__name__)

SENTINEL = Key("", "sentinel")  # never a resource's key: those have a namespace
SENTINEL_SECONDS = 10.0
SILENT_SECONDS = 60.0  # of a queue whose workers do not get to the sentinel
STUCK_SECONDS = 1800.0  # of one reconcile: longer than all of its requests together, if each takes almost its timeout
DEAF_SECONDS = 300.0  # of a watch; kopf opens one again that was silent for 70 s


class Liveness:
    """The proofs of life of this process.

    Args:
        lease: This replica's; one that waits for it has idle workers.
        queues: By names that messages have.
        echoes: What the watches should have delivered.
        monotonic: Seconds.
    """

    def __init__(
        self,
        lease: Lease,
        queues: Mapping[str, Queue],
        echoes: Echoes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lease = lease
        self._queues = queues
        self._echoes = echoes
        self._monotonic = monotonic
        self._beats = dict.fromkeys(queues, monotonic())
        self._deaf: Watched | None = None

    def start(self) -> None:
        """Puts the sentinel into each queue, whose workers start now."""
        for name, queue in self._queues.items():
            self.beat(name)
            queue.add(SENTINEL)

    def beat(self, queue: str) -> float:
        """Records that a worker has taken the sentinel from a queue; returns the seconds until it is due again."""
        self._beats[queue] = self._monotonic()
        return SENTINEL_SECONDS

    async def check(self, api: ApiServer, namespace: str) -> None:
        """Sends a request as workers do, and looks for watches that stand still. Takes as long as these requests do.

        Args:
            api: The API server.
            namespace: One to ask for.
        """
        try:
            await asyncio.to_thread(resources.ping, api, namespace)
        except Exception as error:  # a restart would not help
            logger.warning("can't list resources of %s: %s", namespace, type(error).__name__)
        overdue = self._echoes.overdue(DEAF_SECONDS)
        self._deaf = await self._deaf_one(api, overdue[0]) if overdue else None

    async def _deaf_one(self, api: ApiServer, watched: Watched) -> Watched | None:
        """A watch that is silent, if another one that is opened now is not."""
        try:
            if await asyncio.to_thread(_can_watch, api, watched):
                return watched
            logger.warning("a watch of %s in %s delivers nothing", watched.kind, watched.namespace)
        except Exception as error:
            logger.warning("can't watch %s in %s: %s", watched.kind, watched.namespace, type(error).__name__)
        self._echoes.forgive(watched)
        return None

    def problem(self) -> str | None:
        """Why this process should be restarted, or None."""
        if not self._lease.held:
            waited = self._lease.seconds_since_try
            return f"the Lease was not tried for {waited:.0f} s" if waited > SILENT_SECONDS else None
        for name, beat in self._beats.items():
            if (silent := self._monotonic() - beat) > SILENT_SECONDS:
                return f"no worker has taken a {name} from the queue for {silent:.0f} s"
        for name, queue in self._queues.items():
            if (longest := queue.longest()) > STUCK_SECONDS:
                return f"a worker has been busy with one {name} for {longest:.0f} s"
        if self._deaf:
            return f"the watch of {self._deaf.kind} in {self._deaf.namespace} delivers nothing"
        return None


def _can_watch(api: ApiServer, watched: Watched) -> bool:
    """Whether a watch delivers anything: the objects that exist come first."""
    first_event = children.first_event if watched.kind == "Pod" else resources.first_event
    return bool(first_event(api, watched.namespace))
