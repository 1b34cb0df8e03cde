"""The queue: a key once, never in two workers, failures by key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from featx_operator.queue import LONGEST_RETRY, Key, Queue, work

ONE, TWO = Key("default", "one"), Key("default", "two")


def in_loop(scene: Callable[[Queue], Awaitable[None]]) -> None:
    async def play() -> None:
        await asyncio.wait_for(scene(Queue()), 10)

    asyncio.run(play())


def test_a_key_waits_once_however_often_it_is_added() -> None:
    async def scene(queue: Queue) -> None:
        for key in (ONE, TWO, ONE, ONE):
            queue.add(key)
        assert [await queue.take(), await queue.take()] == [ONE, TWO]
        assert len(queue) == 0

    in_loop(scene)


def test_a_key_that_is_worked_on_is_not_handed_out_until_it_is_done() -> None:
    async def scene(queue: Queue) -> None:
        queue.add(ONE)
        assert await queue.take() == ONE
        queue.add(ONE)
        queue.add(TWO)
        assert await queue.take() == TWO
        second = asyncio.create_task(queue.take())
        await asyncio.sleep(0)
        assert not second.done()
        queue.done(ONE)
        assert await second == ONE

    in_loop(scene)


def test_what_is_not_added_again_does_not_come_again() -> None:
    async def scene(queue: Queue) -> None:
        queue.add(ONE)
        queue.done(await queue.take())
        queue.add(TWO)
        assert await queue.take() == TWO

    in_loop(scene)


def test_the_earliest_of_several_delays_wins_and_an_add_ends_them() -> None:
    async def scene(queue: Queue) -> None:
        queue.add_after(ONE, 3600)
        queue.add_after(ONE, 0.01)
        queue.add_after(ONE, 1800)
        assert await queue.take() == ONE
        queue.done(ONE)
        queue.add_after(ONE, 0.01)
        queue.add(ONE)
        assert await queue.take() == ONE
        queue.done(ONE)
        assert not queue._timers

    in_loop(scene)


def test_failures_back_off_by_key_up_to_a_cap() -> None:
    async def scene(queue: Queue) -> None:
        assert [queue.retry(ONE) for _ in range(10)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST_RETRY]
        assert queue.retry(TWO) == 1
        queue.forget(ONE)
        assert queue.retry(ONE) == 1

    in_loop(scene)


def test_a_poisoned_key_blocks_no_other_and_never_runs_twice_at_a_time() -> None:
    async def scene(queue: Queue) -> None:
        running: set[Key] = set()
        seen: list[Key] = []
        enough = asyncio.Event()

        async def reconcile(key: Key) -> float | None:
            assert key not in running
            running.add(key)
            await asyncio.sleep(0)
            running.discard(key)
            seen.append(key)
            if seen.count(TWO) == 50:
                enough.set()
            if key == ONE:
                raise RuntimeError("poisoned")
            queue.add(TWO)
            return 0

        workers = [asyncio.create_task(work(queue, reconcile)) for _ in range(4)]
        queue.add(ONE)
        queue.add(TWO)
        await enough.wait()
        for worker in workers:
            worker.cancel()
        assert seen.count(ONE) == 1
        assert ONE in queue._timers

    in_loop(scene)
