"""`python -m featx_operator`: reads the settings and runs kopf, the workers and the Lease in one event loop."""

from __future__ import annotations

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor

import kopf

from featx_operator import handlers
from featx_operator.cluster import resources
from featx_operator.cluster.transport import ApiServer
from featx_operator.lease import Lease, LeaseLostError
from featx_operator.objects import Key
from featx_operator.queue import Queue, work
from featx_operator.reconcile import Reconciler
from featx_operator.settings import Settings, from_environment
from featx_operator.state.store import Store

logger = logging.getLogger("featx_operator")


async def operate(settings: Settings) -> None:
    """Runs until a signal stops it.

    Raises:
        LeaseLostError: Another replica may be active by now.
    """
    # Two requests per worker, and two more so that the Lease never waits for a thread.
    threads = ThreadPoolExecutor(2 * settings.workers + 2, thread_name_prefix="request")
    asyncio.get_running_loop().set_default_executor(threads)
    api = ApiServer(settings.request_seconds)
    store, queue, heartbeat = Store(), Queue(settings.workers), handlers.Heartbeat()
    lease = Lease(api, settings)
    reconciler = Reconciler(api, store, settings)

    async def reconcile_or_beat(key: Key) -> float | None:
        if key != handlers.SENTINEL:
            return await reconciler.reconcile(key)
        try:
            await asyncio.to_thread(resources.ping, api, settings.namespaces[0])
        finally:
            heartbeat.beat()  # restarting would not help while the API server is unavailable
        return handlers.SENTINEL_SECONDS

    async def report(key: Key, error: Exception) -> None:
        if key != handlers.SENTINEL:
            await reconciler.report(key, error)

    async def act() -> None:
        await lease.acquire()
        heartbeat.beat()
        queue.add(handlers.SENTINEL)
        workers = (work(queue, reconcile_or_beat, report) for _ in range(settings.workers))
        await asyncio.gather(lease.renew_until_lost(), *workers)

    watching = asyncio.create_task(
        kopf.operator(
            registry=handlers.registry(store, queue, lease, heartbeat),
            settings=handlers.operator_settings(settings),
            standalone=True,
            clusterwide=settings.cluster_wide,
            namespaces=() if settings.cluster_wide else settings.namespaces,
            liveness_endpoint=f"http://127.0.0.1:{settings.probe_port}/healthz" if settings.probe_port else None,
        )
    )
    acting = asyncio.create_task(act())
    try:
        done, _ = await asyncio.wait([watching, acting], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled():  # kopf cancels every task on a signal
                task.result()
    finally:
        acting.cancel()
        watching.cancel()
        await asyncio.gather(acting, watching, return_exceptions=True)
        await lease.release()


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
        served = resources.are_served(ApiServer(settings.request_seconds))
    except Exception as error:  # no kubeconfig, no connection, no permission: the client has an exception for each
        logger.error("can't use the API server: %s", error)
        return 1
    if not served:
        logger.error("the CRD featureextractions.featx.dev is not installed: install the chart featx-crds first")
        return 1
    try:
        asyncio.run(operate(settings))
    except LeaseLostError as error:
        logger.error("%s; exiting", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
