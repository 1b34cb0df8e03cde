"""`python -m featx_operator`: reads the settings and runs kopf, the workers and the Lease in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kopf
from kubernetes.config import ConfigException

from featx_operator import handlers, kueue, metrics, model_handlers, run_metrics, schedule_handlers
from featx_operator.admission import Admission
from featx_operator.cluster import models, resources, schedules, workloads
from featx_operator.cluster.transport import ApiServer
from featx_operator.exposition import Exposition
from featx_operator.lease import Lease, LeaseLostError
from featx_operator.liveness import SENTINEL, Liveness
from featx_operator.model_checks import ModelChecker, Models
from featx_operator.objects import Key
from featx_operator.queue import Queue, work
from featx_operator.reconcile import Reconciler
from featx_operator.recorder import WRITERS, Recorder
from featx_operator.scheduling import Scheduler
from featx_operator.settings import Settings, from_environment
from featx_operator.state.models import ModelStore
from featx_operator.state.scheduled import ScheduleStore
from featx_operator.state.store import Lane, Store

logger = logging.getLogger("featx_operator")

FLUSH_SECONDS = 3.0  # for Events that wait when the operator is stopped
LONGEST_PAUSE = 30.0  # between two attempts to reach the API server at the start


async def operate(settings: Settings, streamed: bool = False) -> None:
    """Runs until a signal stops it.

    Args:
        settings: The operator's.
        streamed: Whether the API server sends all objects in a watch.

    Raises:
        LeaseLostError: Another replica may be active by now.
    """
    connections = settings.workers + schedule_handlers.WORKERS + model_handlers.WORKERS + WRITERS
    # Two more so that the Lease never waits for a thread.
    threads = ThreadPoolExecutor(connections + 2, thread_name_prefix="request")
    asyncio.get_running_loop().set_default_executor(threads)
    lease = Lease(ApiServer(settings.request_seconds), settings)
    api = ApiServer(settings.request_seconds, connections, lease.may_write)
    store = Store()
    queue = Queue(settings.workers, lambda key: Lane.STARTED if key == SENTINEL else store.lane(key))
    recorder = Recorder(api, settings.identity)
    admission = Admission(api, store, settings)
    named, changed = ModelStore(), Queue()
    with_models = await asyncio.to_thread(models.are_served, api)
    checker = ModelChecker(api, named, settings, lambda: lease.held)
    lookup = Models(api, named, store, settings, with_models)
    reconciler = Reconciler(api, store, admission, settings, recorder, models=lookup)
    scheduled, due = ScheduleStore(), Queue()
    scheduler = Scheduler(api, scheduled, settings, lambda: lease.held)
    liveness = Liveness(lease, {"run": queue, "schedule": due, "model": changed}, store.echoes)

    async def reconcile_or_beat(key: Key) -> float | None:
        if key == SENTINEL:
            await liveness.check(api, settings.namespaces[0])
            return liveness.beat("run")
        with metrics.RECONCILE_SECONDS.time():
            return await reconciler.reconcile(key)

    stopping = asyncio.Event()

    async def act() -> None:
        await lease.acquire()
        for number in (signal.SIGINT, signal.SIGTERM):  # kopf takes seconds to stop, in which no replica would act
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        liveness.start()
        workers = [work(queue, reconcile_or_beat, reconciler.report) for _ in range(settings.workers)]
        writers = [recorder.work() for _ in range(WRITERS)]
        scheduling = schedule_handlers.reconcile_schedules(due, scheduler, liveness)
        checking = model_handlers.reconcile_models(changed, checker, liveness)
        await asyncio.gather(lease.renew_until_lost(), scheduling, checking, *workers, *writers)

    registry = handlers.registry(store, queue, admission, liveness, settings.kueue)
    if await asyncio.to_thread(schedules.are_served, api):
        schedule_handlers.register(registry, scheduled, due)
    else:
        logger.warning("schedules are not served: upgrade the chart featx-crds, then restart the operator")
    if with_models:
        watches = model_handlers.ModelWatches(named, changed, store, queue)
        model_handlers.register(registry, watches, of_cluster=bool(settings.cluster_models))
    else:
        logger.warning("models by name are not served: upgrade the chart featx-crds, then restart the operator")
    watching = asyncio.create_task(
        kopf.operator(
            registry=registry,
            settings=handlers.operator_settings(settings, streamed),
            standalone=True,
            clusterwide=settings.cluster_wide,
            namespaces=() if settings.cluster_wide else settings.namespaces,
            memories=handlers.NoMemories(),
            liveness_endpoint=f"http://127.0.0.1:{settings.probe_port}/healthz" if settings.probe_port else None,
        )
    )
    acting = asyncio.create_task(act())
    exposition = Exposition(lambda: run_metrics.refresh(store, queue, lease.held))
    exposing = asyncio.create_task(exposition.serve(settings.metrics_port) if settings.metrics_port else forever())
    stopped = asyncio.create_task(stopping.wait())
    tasks = [watching, acting, exposing, stopped]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled():  # kopf cancels every task on a signal
                task.result()
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(recorder.flush(), FLUSH_SECONDS if lease.held else 0)
        await cancel(acting)
        await lease.release()
        await cancel(*tasks)


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancels tasks and waits for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def forever() -> None:
    """Never returns."""
    await asyncio.Event().wait()


def wait_for_api_server(settings: Settings) -> tuple[bool, bool]:
    """Waits until the API server responds.

    Returns:
        Whether it serves the CRD, and whether it sends all objects in a watch.

    Raises:
        ConfigException: There is no API server to connect to.
    """
    api, pause = ApiServer(settings.request_seconds), 1.0
    while True:
        try:
            served = resources.are_served(api)
            return served, served and resources.are_streamed(api, settings.namespaces[0])
        except Exception as error:  # no connection, no permission, a fault: each may pass
            logger.warning("can't use the API server: %s; retrying in %.0f s", error, pause)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def main() -> int:
    """Starts the operator; returns the exit code."""
    try:
        settings = from_environment()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    kopf.configure(log_format=kopf.LogFormat.JSON if settings.log_format == "json" else kopf.LogFormat.FULL)
    for chatty in ("kopf.objects", "kopf.activities", "aiohttp.access"):  # one line per watch event, and per probe
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        served, streamed = wait_for_api_server(settings)
        queueing = not settings.kueue or workloads.are_served(ApiServer(settings.request_seconds))
    except ConfigException as error:
        logger.error("can't use the API server: %s", error)
        return 1
    if not served:
        logger.error("the CRD featureextractions.featx.dev is not installed: install the chart featx-crds first")
        return 1
    if not queueing:
        logger.error(
            "Kueue does not serve %s: install Kueue 0.15 or later, or set kueue.enabled to false", kueue.API_VERSION
        )
        return 1
    try:
        asyncio.run(operate(settings, streamed))
    except LeaseLostError as error:
        logger.error("%s; exiting", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
