"""`python -m featx_operator`: reads settings, and starts kopf, the workers and the Lease in one event loop."""

from __future__ import annotations

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor

import kopf

from featx_operator import handlers
from featx_operator.cluster.client import Cluster
from featx_operator.lease import Lease, LostError
from featx_operator.queue import Key, Queue, work
from featx_operator.reconcile import Reconciler
from featx_operator.settings import Settings, from_environment
from featx_operator.state.store import Store

logger = logging.getLogger("featx_operator")


async def operate(settings: Settings) -> None:
    """Runs until a signal ends it.

    Raises:
        LostError: if another replica may act by now.
    """
    threads = ThreadPoolExecutor(2 * settings.workers + 2, thread_name_prefix="request")  # the Lease never has to wait
    asyncio.get_running_loop().set_default_executor(threads)
    cluster = Cluster(settings.identity, settings.request_seconds)
    store, queue, pulse = Store(), Queue(), handlers.Pulse()
    lease = Lease(cluster, settings)
    reconcile = Reconciler(cluster, store, settings)

    async def reconcile_or_beat(key: Key) -> float | None:
        if key != handlers.SENTINEL:
            return await reconcile(key)
        try:
            await asyncio.to_thread(cluster.ping, settings.namespaces[0])
        finally:
            pulse.beat()  # an API server that is away is no reason to be restarted
        return handlers.SENTINEL_SECONDS

    async def act() -> None:
        await lease.acquire()
        pulse.beat()
        queue.add(handlers.SENTINEL)
        await asyncio.gather(lease.keep(), *(work(queue, reconcile_or_beat) for _ in range(settings.workers)))

    watching = asyncio.create_task(
        kopf.operator(
            registry=handlers.registry(store, queue, lease, pulse),
            settings=handlers.operator_settings(settings),
            standalone=True,
            namespaces=settings.namespaces,
            liveness_endpoint=f"http://0.0.0.0:{settings.probe_port}/healthz" if settings.probe_port else None,
        )
    )
    acting = asyncio.create_task(act())
    try:
        done, _ = await asyncio.wait([watching, acting], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled():  # kopf cancels all that runs when a signal ends it
                task.result()
    finally:
        acting.cancel()
        watching.cancel()
        await asyncio.gather(acting, watching, return_exceptions=True)
        await asyncio.to_thread(lease.release)


def main() -> int:
    """Starts the operator; returns the exit code."""
    try:
        settings = from_environment()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    kopf.configure(log_format=kopf.LogFormat.JSON if settings.log_format == "json" else kopf.LogFormat.FULL)
    for chatty in ("kopf.objects", "kopf.activities", "aiohttp.access"):  # a line per watch event, and per probe
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        served = Cluster(settings.identity, settings.request_seconds).serves_resources()
    except Exception as error:  # no kubeconfig, no connection, no right: the client raises its own kinds for each
        logger.error("the API server can't be used: %s", error)
        return 1
    if not served:
        logger.error("the CRD featureextractions.featx.dev is not installed: install the chart featx-crds first")
        return 1
    try:
        asyncio.run(operate(settings))
    except LostError as error:
        logger.error("%s; ending, so that only one replica acts", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
