"""Writes Events beside the workers: a run's next step does not wait for them, and none of them fails a reconcile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from featx_operator import metrics
from featx_operator.cluster import events
from featx_operator.cluster.transport import ApiServer
from featx_operator.decisions.events import Event
from featx_operator.objects import Body, key_of

logger = logging.getLogger(__name__)

MOST_WAITING = 2000
WRITERS = 8


class _Entry(NamedTuple):
    body: Body
    event: Event
    at: datetime


class Recorder:
    """Events that wait to be written. Use it from one event loop."""

    def __init__(self, api: ApiServer, identity: str) -> None:
        self._api = api
        self._identity = identity
        self._waiting: asyncio.Queue[_Entry] = asyncio.Queue(MOST_WAITING)

    def put(self, body: Body, new: Iterable[Event]) -> None:
        """Has Events about a resource written soon. Drops them if too many wait."""
        # Only what names the resource: its spec may be large.
        regarding = {"metadata": body["metadata"]}
        for event in new:
            try:
                self._waiting.put_nowait(_Entry(regarding, event, datetime.now(UTC)))
            except asyncio.QueueFull:
                metrics.EVENTS_DROPPED.inc()
                logger.warning("%s: the event %s is dropped: %d wait", key_of(body), event.reason, MOST_WAITING)

    async def work(self) -> None:
        """Writes Events, forever; several may do so at a time."""
        while True:
            entry = await self._waiting.get()
            try:
                await asyncio.to_thread(events.create, self._api, entry.body, entry.event, self._identity, entry.at)
            except Exception as error:
                logger.warning("%s: can't create the event %s: %s", key_of(entry.body), entry.event.reason, error)
            finally:
                self._waiting.task_done()

    async def flush(self) -> None:
        """Waits until all Events are written."""
        await self._waiting.join()
