"""One queue of resource keys: a key waits in it once however often it is added, and never runs in two workers.

What client-go's workqueue does: a key that is added while it is being worked on is worked on again afterwards. Delays
are per key and the earliest wins; failures of a key back off by that key alone, so a poisoned resource blocks no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

logger = logging.getLogger(__name__)

FIRST_RETRY = 1.0
LONGEST_RETRY = 300.0


class Key(NamedTuple):
    """Names one resource."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Queue:
    """Keys to reconcile. To be used from one event loop."""

    def __init__(self) -> None:
        self._ready: deque[Key] = deque()
        self._waiting: set[Key] = set()
        self._running: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._wakeup = asyncio.Event()

    def add(self, key: Key) -> None:
        """Puts a key into the queue, unless it waits there already."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._running:
            self._ready.append(key)
            self._wakeup.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Puts a key into the queue later, unless it is due sooner already."""
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
        """Waits for a key that no worker has, and takes it; `done` gives it back."""
        while not self._ready:
            self._wakeup.clear()
            await self._wakeup.wait()
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._running.add(key)
        return key

    def done(self, key: Key) -> None:
        """Ends the work on a key; it is handed out again if it was added meanwhile."""
        self._running.discard(key)
        if key in self._waiting:
            self._ready.append(key)
            self._wakeup.set()

    def retry(self, key: Key) -> float:
        """Puts a key whose work failed into the queue later, each time twice as late; returns the seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        seconds: float = min(FIRST_RETRY * 2 ** min(failures, 16), LONGEST_RETRY)
        self.add_after(key, seconds)
        return seconds

    def failures(self, key: Key) -> int:
        """Returns how often the work on a key has failed without a success in between."""
        return self._failures.get(key, 0)

    def forget(self, key: Key) -> None:
        """Takes a key's failures back, after it was worked on without one."""
        self._failures.pop(key, None)

    def __len__(self) -> int:
        return len(self._waiting)


async def work(queue: Queue, reconcile: Callable[[Key], Awaitable[float | None]]) -> None:
    """Takes keys one by one, for ever; several of these may run on one queue.

    Args:
        queue: where keys come from.
        reconcile: works on a key; returns the seconds after which it wants to see it again.
    """
    while True:
        key = await queue.take()
        try:
            again = await reconcile(key)
        except Exception as error:
            first = not queue.failures(key)  # the traceback once; what goes on failing gets a line each time
            logger.error("%s: %s; again in %.0f s", key, error, queue.retry(key), exc_info=first)
        else:
            queue.forget(key)
            if again is not None:
                queue.add_after(key, again)
        finally:
            queue.done(key)
