"""kopf's handlers of schedules and their runs, and the workers of their queue.

The queue is their own: a schedule never waits for a thousand runs, nor they for it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import kopf
from featx_api import GROUP, PLURAL, VERSION
from featx_api.schedule import SCHEDULE_PLURAL

from featx_operator.liveness import SENTINEL, Liveness
from featx_operator.objects import Key, key_of
from featx_operator.queue import Queue, work
from featx_operator.scheduling import Scheduler
from featx_operator.state.scheduled import ScheduleStore

WORKERS = 2


class ScheduleWatches:
    """What becomes of watch events: objects into the store, keys of schedules into the queue."""

    def __init__(self, store: ScheduleStore, queue: Queue) -> None:
        self._store = store
        self._queue = queue

    async def on_schedule(self, event: kopf.RawEvent, **_: Any) -> None:
        """Stores or removes a schedule."""
        body = event["object"]
        if event["type"] == "DELETED":
            self._store.drop_schedule(key_of(body), body["metadata"]["uid"])
        else:
            self._store.put_schedule(body)
        self._queue.add(key_of(body))

    async def on_run(self, event: kopf.RawEvent, **_: Any) -> None:
        """Stores or removes a run, if a known schedule controls it."""
        change = self._store.drop_run if event["type"] == "DELETED" else self._store.put_run
        if key := change(event["object"]):
            self._queue.add(key)


def register(registry: kopf.OperatorRegistry, store: ScheduleStore, queue: Queue) -> None:
    """Adds the handlers, bound to the store and the queue that they fill."""
    watches = ScheduleWatches(store, queue)
    kopf.on.event(GROUP, VERSION, SCHEDULE_PLURAL, registry=registry)(watches.on_schedule)
    kopf.on.event(GROUP, VERSION, PLURAL, id="scheduled", registry=registry)(watches.on_run)


async def reconcile_schedules(queue: Queue, scheduler: Scheduler, liveness: Liveness) -> None:
    """Runs the workers, forever."""

    async def reconcile(key: Key) -> float | None:
        return liveness.beat("schedule") if key == SENTINEL else await scheduler.reconcile(key)

    await asyncio.gather(*(work(queue, reconcile, scheduler.report) for _ in range(WORKERS)))
