"""The queue: each key once, never in two workers, failures per key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from featx_operator.objects import Key
from featx_operator.queue import LONGEST_RETRY, Queue, work

ONE, TWO = Key("default", "one"), Key("default", "two")


def run_in_loop(scenario: Callable[[Queue], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(scenario(Queue()), 10)

    asyncio.run(run())


def test_a_key_is_queued_once_however_often_it_is_added() -> None:
    async def scenario(queue: Queue) -> None:
        for key in (ONE, TWO, ONE, ONE):
            queue.add(key)
        assert [await queue.take(), await queue.take()] == [ONE, TWO]
        assert len(queue) == 0

    run_in_loop(scenario)


def test_a_key_in_processing_is_not_handed_out_again_until_done() -> None:
    async def scenario(queue: Queue) -> None:
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

    run_in_loop(scenario)


def test_a_key_is_processed_only_once_per_add() -> None:
    async def scenario(queue: Queue) -> None:
        queue.add(ONE)
        queue.done(await queue.take())
        queue.add(TWO)
        assert await queue.take() == TWO

    run_in_loop(scenario)


def test_namespaces_take_turns_however_many_keys_one_has() -> None:
    async def scenario(queue: Queue) -> None:
        many = [Key("crowded", str(number)) for number in range(1000)]
        for key in (*many, ONE, TWO):
            queue.add(key)
        assert [await queue.take() for _ in range(5)] == [many[0], ONE, many[1], TWO, many[2]]
        queue.add(ONE)
        queue.done(ONE)
        assert [await queue.take() for _ in range(3)] == [many[3], ONE, many[4]]

    run_in_loop(scenario)


def test_the_earliest_delay_wins_and_an_add_cancels_it() -> None:
    async def scenario(queue: Queue) -> None:
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

    run_in_loop(scenario)


def test_failures_back_off_per_key_up_to_a_cap() -> None:
    async def scenario(queue: Queue) -> None:
        assert [queue.retry(ONE) for _ in range(10)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST_RETRY]
        assert queue.retry(TWO) == 1
        queue.reset_failures(ONE)
        assert queue.retry(ONE) == 1

    run_in_loop(scenario)


def test_a_poisoned_key_blocks_no_other_and_never_runs_concurrently() -> None:
    async def scenario(queue: Queue) -> None:
        running: set[Key] = set()
        processed: list[Key] = []
        enough = asyncio.Event()

        async def reconcile(key: Key) -> float | None:
            assert key not in running
            running.add(key)
            await asyncio.sleep(0)
            running.discard(key)
            processed.append(key)
            if processed.count(TWO) == 50:
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
        assert processed.count(ONE) == 1
        assert ONE in queue._timers

    run_in_loop(scenario)
