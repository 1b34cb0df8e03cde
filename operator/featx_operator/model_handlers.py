"""kopf's handlers for models and the pods that check them, and the workers that reconcile models. See `handlers`.

News of a model also queue the runs that refer to it: one that waits for the model starts at once.
"""

from __future__ import annotations

import asyncio
from typing import Any

import kopf
from featx_api import GROUP, VERSION
from featx_api.contract import LABEL_UID
from featx_api.vision_model import CLUSTER_PLURAL, VISION_MODEL_PLURAL

from featx_operator.liveness import SENTINEL, Liveness
from featx_operator.model_checks import ModelChecker
from featx_operator.objects import Key
from featx_operator.queue import Queue, work
from featx_operator.state.models import ModelStore, claimed_model, model_key
from featx_operator.state.store import Store

WORKERS = 2


class ModelWatches:
    """What becomes of watch events.

    Args:
        store: Where models go.
        queue: Of models.
        runs: Where it is stored which runs refer to which models.
        run_queue: Of runs.
    """

    def __init__(self, store: ModelStore, queue: Queue, runs: Store, run_queue: Queue) -> None:
        self._store = store
        self._queue = queue
        self._runs = runs
        self._run_queue = run_queue

    async def on_model(self, event: kopf.RawEvent, **_: Any) -> None:
        """Stores or removes a model, and wakes the runs that refer to it."""
        body = event["object"]
        key = model_key(body)
        if event["type"] == "DELETED":
            self._store.drop(key, body["metadata"]["uid"])
        else:
            self._store.put(body)
        self._queue.add(key)
        for run in self._runs.referring(key):
            self._run_queue.add(run)

    async def on_pod(self, event: kopf.RawEvent, **_: Any) -> None:
        """Queues the model that a pod names as its controller, if it is known."""
        owner = claimed_model(event["object"])
        if owner is None:
            return
        (self._store.drop_pod if event["type"] == "DELETED" else self._store.put_pod)(owner)
        if self._store.knows(owner):
            self._queue.add(owner.key)


def register(registry: kopf.OperatorRegistry, watches: ModelWatches, of_cluster: bool) -> None:
    """Adds the handlers.

    Args:
        registry: Of the operator.
        watches: What they call.
        of_cluster: Whether ClusterVisionModels are served.
    """
    kopf.on.event(GROUP, VERSION, VISION_MODEL_PLURAL, registry=registry)(watches.on_model)
    if of_cluster:
        kopf.on.event(GROUP, VERSION, CLUSTER_PLURAL, id="of-cluster", registry=registry)(watches.on_model)
    kopf.on.event("v1", "pods", labels={LABEL_UID: kopf.PRESENT}, id="checks", registry=registry)(watches.on_pod)


async def reconcile_models(queue: Queue, checker: ModelChecker, liveness: Liveness) -> None:
    """Runs the workers, forever."""

    async def reconcile(key: Key) -> float | None:
        return liveness.beat("model") if key == SENTINEL else await checker.reconcile(key)

    await asyncio.gather(*(work(queue, reconcile, checker.report) for _ in range(WORKERS)))
