"""The queue: each key once, never in two workers, never all workers for one namespace, failures per key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from featx_operator.objects import Key
from featx_operator.queue import LONGEST_RETRY, REPORTED_FAILURES, Queue, process, work
from hypothesis import given
from hypothesis import strategies as st

ONE, TWO = Key("default", "one"), Key("default", "two")


def run_in_loop(scenario: Callable[[Queue], Awaitable[None]], workers: int | None = None) -> None:
    async def run() -> None:
        await asyncio.wait_for(scenario(Queue(workers)), 10)

    asyncio.run(run())


async def ignore(_: Key, __: Exception) -> None:
    """Reports nothing."""


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


def test_a_namespace_whose_resources_are_slow_leaves_a_worker_to_the_others() -> None:
    async def scenario(queue: Queue) -> None:
        processed: list[Key] = []

        async def reconcile(key: Key) -> float | None:
            processed.append(key)
            if key.namespace == "slow":
                await asyncio.Event().wait()
            return None

        workers = [asyncio.create_task(work(queue, reconcile, ignore)) for _ in range(4)]
        for number in range(100):
            queue.add(Key("slow", str(number)))
        await asyncio.sleep(0.01)
        for key in (ONE, TWO):
            queue.add(key)
        await asyncio.sleep(0.01)
        assert processed == [Key("slow", "0"), Key("slow", "1"), Key("slow", "2"), ONE, TWO]
        for worker in workers:
            worker.cancel()

    run_in_loop(scenario, workers=4)


@given(
    workers=st.integers(1, 5),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from("abc"), st.integers(0, 9)),
            st.tuples(st.just("take"), st.just(""), st.just(0)),
            st.tuples(st.just("done"), st.just(""), st.integers(0, 9)),
        ),
        max_size=60,
    ),
)
def test_no_namespace_has_all_workers_and_no_worker_idles_without_need(
    workers: int, steps: list[tuple[str, str, int]]
) -> None:
    async def scenario(queue: Queue) -> None:
        idle: list[asyncio.Task[Key]] = []  # in `take`
        busy: list[Key] = []
        limit = max(1, workers - 1)
        for step, namespace, number in [*steps, *[("take", "", 0)] * workers, *[("done", "", 0)] * 200]:
            if step == "add":
                queue.add(Key(namespace, str(number)))
            elif step == "take" and len(idle) + len(busy) < workers:
                idle.append(asyncio.create_task(queue.take()))
            elif step == "done" and busy:
                queue.done(busy.pop(number % len(busy)))
                idle.append(asyncio.create_task(queue.take()))
            for _ in range(3):
                await asyncio.sleep(0)
            busy += [task.result() for task in idle if task.done()]
            idle = [task for task in idle if not task.done()]
            namespaces = [key.namespace for key in busy]
            assert len(set(busy)) == len(busy)
            assert all(namespaces.count(name) <= limit for name in namespaces)
            waiting = {key.namespace for key in queue._queued - queue._processing.keys()}
            assert not idle or all(namespaces.count(name) == limit for name in waiting)
        assert len(queue) == 0  # nothing is left behind
        for task in idle:
            task.cancel()

    run_in_loop(scenario, workers)


@pytest.mark.parametrize("failures", [REPORTED_FAILURES - 1, REPORTED_FAILURES])
def test_a_key_that_fails_twice_in_a_row_is_reported(failures: int) -> None:
    async def scenario(queue: Queue) -> None:
        reported: list[tuple[Key, str]] = []

        async def reconcile(_: Key) -> float | None:
            raise RuntimeError("poisoned")

        async def report(key: Key, error: Exception) -> None:
            reported.append((key, str(error)))

        for _ in range(failures):
            await process(queue, ONE, reconcile, report)
        assert reported == ([(ONE, "poisoned")] if failures == REPORTED_FAILURES else [])

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

        workers = [asyncio.create_task(work(queue, reconcile, ignore)) for _ in range(4)]
        queue.add(ONE)
        queue.add(TWO)
        await enough.wait()
        for worker in workers:
            worker.cancel()
        assert processed.count(ONE) == 1
        assert ONE in queue._timers

    run_in_loop(scenario)


def test_started_runs_go_first_and_no_lane_starves() -> None:
    async def scenario() -> None:
        queue = Queue(lane=lambda key: int(key.name[0]))
        for number in range(100):
            for lane in (2, 1, 0):
                queue.add(Key("default", f"{lane}-{number}"))
        taken = [int((await queue.take()).name[0]) for _ in range(32)]
        assert [taken.count(lane) for lane in (0, 1, 2)] == [28, 2, 2]

    asyncio.run(scenario())


def test_a_started_run_waits_for_few_of_a_thousand_new_ones() -> None:
    async def scenario() -> None:
        queue = Queue(4, lambda key: 0 if key.name == "started" else 1)
        for number in range(1000):
            queue.add(Key("default", f"new-{number}"))
        for _ in range(10):
            queue.done(await queue.take())
            queue.add(Key("default", "started"))
            taken = [await queue.take(), await queue.take()]
            assert Key("default", "started") in taken
            for key in taken:
                queue.done(key)

    asyncio.run(scenario())


def test_the_backlog_is_known_by_namespace() -> None:
    async def scenario() -> None:
        queue = Queue()
        for key in (ONE, TWO, Key("other", "one")):
            queue.add(key)
        queue.done(await queue.take())
        backlogs = queue.backlogs()
        assert {namespace: backlog.keys for namespace, backlog in backlogs.items()} == {"default": 1, "other": 1}
        assert all(0 <= backlog.seconds < 5 for backlog in backlogs.values())

    asyncio.run(scenario())


def test_new_runs_never_have_more_than_half_of_the_workers() -> None:
    async def scenario() -> None:
        queue = Queue(8, lambda key: 0 if key.name == "started" else 1)
        for number in range(20):
            queue.add(Key(f"team-{number}", "new"))
        taken = [await queue.take() for _ in range(4)]
        waiting = asyncio.create_task(queue.take())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        queue.add(Key("team-0", "started"))
        assert await waiting == Key("team-0", "started")
        queue.done(taken[0])
        assert (await queue.take()).name == "new"

    asyncio.run(asyncio.wait_for(scenario(), 5))
