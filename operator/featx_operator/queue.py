"""The work queue of resource keys: each key is queued at most once, and never processed by two workers at a time.

It follows client-go's workqueue: a key added while it is being processed is processed again afterwards. Delays are per
key, and the earliest wins. Failures back off per key, so a poisoned resource never blocks another.

Keys wait in lanes: started runs go before new ones, and ended ones come last, but each lane gets a share of the turns,
so none starves. In a lane, namespaces take turns, and none has all workers at a time: one with thousands of resources,
or with slow ones, delays no other, nor the heartbeat, without which the operator is restarted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from featx_api.text import shortened

from featx_operator import metrics
from featx_operator.objects import Key

logger = logging.getLogger(__name__)

FIRST_RETRY = 1.0
LONGEST_RETRY = 300.0
LOGGED_CHARACTERS = 1000
REPORTED_FAILURES = 2  # in a row; one alone is mostly a request that was lost
LANES = 3
# Which lane comes first, turn by turn; after it the others, most urgent first. A new run costs ten times as much as
# news of a started one, so its share is small: it only counts when started runs alone take all workers.
TURNS = (0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2)


class Backlog(NamedTuple):
    """What waits in a namespace.

    Attributes:
        keys: How many are ready.
        seconds: For how long the oldest of them has been.
    """

    keys: int
    seconds: float


class Queue:
    """Keys to reconcile. Use it from one event loop only.

    Args:
        workers: How many workers share it; None if their number does not matter.
        lane: The lane of a key, from 0, the most urgent one; asked when the key becomes ready.
    """

    def __init__(self, workers: int | None = None, lane: Callable[[Key], int] = lambda _: 0) -> None:
        self._limit = None if workers is None else max(1, workers - 1)  # keys of a namespace in processing
        # Keys of all lanes but the first in processing: the API server is to answer those of the first soon.
        self._patient_limit = None if workers is None else max(1, workers // 2)
        self._patient: set[Key] = set()
        self._lane = lane
        self._busy: Counter[str] = Counter()
        # By lane and namespace, the next one first.
        self._ready: tuple[OrderedDict[str, deque[Key]], ...] = tuple(OrderedDict() for _ in range(LANES))
        self._since: dict[Key, float] = {}  # when a ready key became so
        self._turn = 0
        self._queued: set[Key] = set()
        self._processing: dict[Key, float] = {}  # and since when
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._wakeup = asyncio.Event()

    def add(self, key: Key) -> None:
        """Queues a key unless it is queued already."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key in self._queued:
            return
        self._queued.add(key)
        if key not in self._processing:
            self._make_ready(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Queues a key after a delay, unless it is due sooner already."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer and timer.when() <= loop.time() + seconds:
            return
        if timer:
            timer.cancel()
        self._timers[key] = loop.call_later(seconds, self.add, key)

    async def take(self) -> Key:
        """Waits for a key that no worker is processing, and takes it; call `done` when finished."""
        while (place := self._next()) is None:
            self._wakeup.clear()
            await self._wakeup.wait()
        lane, namespace = place
        ready = self._ready[lane]
        keys = ready.pop(namespace)
        key = keys.popleft()
        if keys:
            ready[namespace] = keys  # after all others
        self._turn = (self._turn + 1) % len(TURNS)
        self._queued.discard(key)
        del self._since[key]
        self._processing[key] = time.monotonic()
        if lane:
            self._patient.add(key)
        self._busy[namespace] += 1
        return key

    def done(self, key: Key) -> None:
        """Marks a key as processed; if it was added in the meantime, it becomes ready again."""
        self._processing.pop(key, None)
        self._patient.discard(key)
        self._busy[key.namespace] -= 1
        if not self._busy[key.namespace]:
            del self._busy[key.namespace]
        if key in self._queued:
            self._make_ready(key)
        self._wakeup.set()  # another key of its namespace may be next

    def retry(self, key: Key) -> float:
        """Queues a key that failed, doubling the delay each time; returns the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        seconds: float = min(FIRST_RETRY * 2 ** min(failures, 16), LONGEST_RETRY)
        self.add_after(key, seconds)
        return seconds

    def failures(self, key: Key) -> int:
        """How often a key has failed since it last succeeded."""
        return self._failures.get(key, 0)

    def forget(self, key: Key) -> None:
        """Drops the delay and the failures of a key that no longer exists."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        self.reset_failures(key)

    def reset_failures(self, key: Key) -> None:
        """Resets a key's back-off after a success."""
        self._failures.pop(key, None)

    def backlogs(self) -> Mapping[str, Backlog]:
        """What waits, by namespace."""
        now, keys, oldest = time.monotonic(), Counter[str](), dict[str, float]()
        for key, since in self._since.items():
            keys[key.namespace] += 1
            oldest[key.namespace] = max(oldest.get(key.namespace, 0.0), now - since)
        return {namespace: Backlog(keys[namespace], oldest[namespace]) for namespace in keys}

    def longest(self) -> float:
        """For how many seconds the slowest worker has been processing its key; 0 if none has one."""
        return time.monotonic() - min(self._processing.values()) if self._processing else 0.0

    def _next(self) -> tuple[int, str] | None:
        """Lane and namespace whose turn it is; None if each one with ready keys has its share of the workers."""
        first = TURNS[self._turn]
        for lane in (first, *(lane for lane in range(LANES) if lane != first)):
            if lane and self._patient_limit is not None and len(self._patient) >= self._patient_limit:
                continue
            for namespace in self._ready[lane]:
                if self._limit is None or self._busy[namespace] < self._limit:
                    return lane, namespace
        return None

    def _make_ready(self, key: Key) -> None:
        self._ready[self._lane(key)].setdefault(key.namespace, deque()).append(key)
        self._since[key] = time.monotonic()
        self._wakeup.set()

    def __len__(self) -> int:
        return len(self._queued)


Reconcile = Callable[[Key], Awaitable[float | None]]
Report = Callable[[Key, Exception], Awaitable[None]]


async def work(queue: Queue, reconcile: Reconcile, report: Report) -> None:
    """Processes keys one by one, forever; several workers may share a queue.

    Args:
        queue: Where keys come from.
        reconcile: Processes a key; returns the seconds after which to process it again, or None.
        report: Reports an error of a key that has failed twice in a row. It never raises.
    """
    while True:
        await process(queue, await queue.take(), reconcile, report)


async def process(queue: Queue, key: Key, reconcile: Reconcile, report: Report) -> None:
    """Processes a key that was taken; one that fails is queued again and counted. See `work`."""
    try:
        again = await reconcile(key)
    except Exception as error:
        metrics.RECONCILE_ERRORS.labels(key.namespace).inc()
        first = not queue.failures(key)  # log the traceback once, then one line per failure
        text = shortened(str(error), LOGGED_CHARACTERS)
        logger.error("%s: %s; retrying in %.0f s", key, text, queue.retry(key), exc_info=first)
        if queue.failures(key) >= REPORTED_FAILURES:
            await report(key, error)
    else:
        queue.reset_failures(key)
        if again is not None:
            queue.add_after(key, again)
    finally:
        queue.done(key)
