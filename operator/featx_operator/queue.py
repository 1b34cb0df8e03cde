"""The work queue of resource keys: each key is queued at most once, and never processed by two workers at a time.

It follows client-go's workqueue: a key added while it is being processed is processed again afterwards. Delays are per
key, and the earliest wins. Failures back off per key, so a poisoned resource never blocks another. Namespaces take
turns, and none has all workers at a time: one with thousands of resources, or with slow ones, delays no other, nor the
heartbeat, without which the operator is restarted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable

from featx_api.text import shortened

from featx_operator.objects import Key

logger = logging.getLogger(__name__)

FIRST_RETRY = 1.0
LONGEST_RETRY = 300.0
LOGGED_CHARACTERS = 1000
REPORTED_FAILURES = 2  # in a row; one alone is mostly a request that was lost


class Queue:
    """Keys to reconcile. Use it from one event loop only.

    Args:
        workers: How many workers share it; None if their number does not matter.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._limit = None if workers is None else max(1, workers - 1)  # keys of a namespace in processing
        self._busy: Counter[str] = Counter()
        self._ready: OrderedDict[str, deque[Key]] = OrderedDict()  # by namespace, the next one first
        self._queued: set[Key] = set()
        self._processing: set[Key] = set()
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
        while (namespace := self._next_namespace()) is None:
            self._wakeup.clear()
            await self._wakeup.wait()
        keys = self._ready.pop(namespace)
        key = keys.popleft()
        if keys:
            self._ready[namespace] = keys  # after all others
        self._queued.discard(key)
        self._processing.add(key)
        self._busy[namespace] += 1
        return key

    def done(self, key: Key) -> None:
        """Marks a key as processed; if it was added in the meantime, it becomes ready again."""
        self._processing.discard(key)
        self._busy -= Counter({key.namespace: 1})
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

    def reset_failures(self, key: Key) -> None:
        """Resets a key's back-off after a success."""
        self._failures.pop(key, None)

    def _next_namespace(self) -> str | None:
        """The namespace whose turn it is, or None if each that has ready keys has its share of the workers."""
        ready = iter(self._ready)
        return next((name for name in ready if self._limit is None or self._busy[name] < self._limit), None)

    def _make_ready(self, key: Key) -> None:
        self._ready.setdefault(key.namespace, deque()).append(key)
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
