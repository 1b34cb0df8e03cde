"""kopf's handlers: watch events in, keys into the queue. They decide nothing and write nothing.

Only low-level `on.event` handlers: kopf's others store their state in annotations on our objects, and are edge
triggered. They are coroutines because kopf runs plain functions in threads, and the queue is not thread-safe.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import kopf
from featx_api import GROUP, PLURAL, VERSION
from featx_api.contract import LABEL_UID
from kopf._core.reactor import inventory

from featx_operator import kueue
from featx_operator.admission import Admission
from featx_operator.liveness import Liveness
from featx_operator.objects import Key, key_of
from featx_operator.queue import Queue
from featx_operator.settings import Settings
from featx_operator.state.store import Store

WAKE_SECONDS = 0.3
ENDED = ("Succeeded", "Failed")
CHUNK = 2  # objects per response of a list: each may have 1.5 MiB, and take ten times that when it is parsed


class EndlessBackoff:
    """Waits between attempts to open a watch, forever.

    kopf abandons a watch for good after a minute of refusals, and would never see new runs of that namespace. A
    namespace that is deleted or lacks its Role is tried until it is back, without affecting any other.
    """

    def __iter__(self) -> Iterator[float]:
        """Yields seconds."""
        return itertools.chain((1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0), itertools.repeat(20.0))


class Watches:
    """What becomes of watch events: objects into the store, keys of their resources into the queue."""

    def __init__(
        self, store: Store, queue: Queue, admission: Admission, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._store = store
        self._queue = queue
        self._admission = admission
        self._clock = clock or (lambda: datetime.now(UTC))

    async def on_resource(self, event: kopf.RawEvent, **_: Any) -> None:
        """Stores or removes a resource."""
        body = event["object"]
        self._store.echoes.hear("FeatureExtraction", body)
        if event["type"] == "DELETED":
            self._store.drop_resource(key_of(body), body["metadata"]["uid"])
            self._admission.drop(key_of(body), body["metadata"]["uid"])
            if not self._store.has_resource(key_of(body)):
                self._queue.forget(key_of(body))
        elif self._store.put_resource(body):
            self._add_if_due(key_of(body))
            self._claim(body)
        self._wake(key_of(body).namespace)

    async def on_pod(self, event: kopf.RawEvent, **_: Any) -> None:
        """Stores or removes a pod, if it is the child of a resource that is known."""
        self._store.echoes.hear("Pod", event["object"])
        change = self._store.pod_deleted if event["type"] == "DELETED" else self._store.put_pod
        if key := change(event["object"]):
            self._add_if_due(key)
            if event["type"] == "DELETED" or (event["object"].get("status") or {}).get("phase") in ENDED:
                self._wake(key.namespace)

    def _add_if_due(self, key: Key) -> None:
        seconds = self._store.seconds_until_due(key, self._clock())
        if seconds is not None:
            self._queue.add_after(key, seconds)

    def _claim(self, body: kopf.RawBody) -> None:
        if self._store.has_ended(key_of(body)):
            self._admission.drop(key_of(body), body["metadata"]["uid"])
        else:
            self._admission.put(body)

    def _wake(self, namespace: str) -> None:
        """Queues the runs whose turn it is, a moment later: only then does a quota show what is free."""
        for key in self._admission.turns(namespace):
            self._queue.add_after(key, WAKE_SECONDS)

    async def on_workload(self, event: kopf.RawEvent, **_: Any) -> None:
        """Stores or removes a Workload of Kueue, if it is that of a resource that is known."""
        change = self._store.workload_deleted if event["type"] == "DELETED" else self._store.put_workload
        if key := change(event["object"]):
            self._queue.add(key)


class NothingStored(kopf.DiffBaseStorage):
    """Stores no state of ours in objects, and reads none from them.

    kopf parses an annotation that anybody may write, and never delivers an object on which it can't.
    """

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        """Nothing of an object."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Nothing."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Stores nothing."""


class NoMemories(inventory.ResourceMemories):
    """kopf's own state of each object, which our handlers have no use for: it would stay for as long as the object."""

    async def recall(
        self,
        raw_body: kopf.RawBody,
        *,
        memobase: Any = None,
        noticed_by_listing: bool = False,
        ephemeral: bool = False,
    ) -> inventory.ResourceMemory:
        """A state that is not stored."""
        return await super().recall(raw_body, memobase=memobase, noticed_by_listing=noticed_by_listing, ephemeral=True)


def registry(
    store: Store, queue: Queue, admission: Admission, liveness: Liveness, with_kueue: bool = False
) -> kopf.OperatorRegistry:
    """The handlers, bound to what they fill."""
    handlers = kopf.OperatorRegistry()
    watches = Watches(store, queue, admission)

    async def is_alive(**_: Any) -> dict[str, float]:
        if problem := liveness.problem():
            raise kopf.PermanentError(problem)
        return {"queue": len(queue)}

    kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)(watches.on_resource)
    kopf.on.event("v1", "pods", labels={LABEL_UID: kopf.PRESENT}, registry=handlers)(watches.on_pod)
    if with_kueue:
        of_runs = {LABEL_UID: kopf.PRESENT}
        kopf.on.event(kueue.GROUP, kueue.VERSION, kueue.WORKLOADS, labels=of_runs, registry=handlers)(
            watches.on_workload
        )
    kopf.on.probe(id="reconcile", registry=handlers)(is_alive)
    kopf.on.login(registry=handlers)(_login)
    return handlers


def operator_settings(settings: Settings, streamed: bool = False) -> kopf.OperatorSettings:
    """Settings of kopf: no scanning, no peering, no Events of its own, a bounded number of workers.

    Args:
        settings: The operator's.
        streamed: Whether the API server sends all objects in a watch: a list takes a request for every few objects.
    """
    result = kopf.OperatorSettings()
    result.scanning.disabled = True  # it needs list and watch on namespaces and CRDs in the whole cluster
    result.peering.standalone = True
    result.posting.enabled = False
    # kopf runs one worker per object, unbounded by default. Ours finish at once, but would idle for 5 s more, and the
    # events of all further objects would wait for a free worker.
    result.queueing.worker_limit = 50
    result.queueing.idle_timeout = 0.001
    result.watching.chunk_size = CHUNK
    result.watching.initial_streaming = streamed
    result.watching.server_timeout = 300
    result.watching.client_timeout = 330
    result.watching.connect_timeout = 10
    # Objects may carry kopf's own marks, written by anybody: it would try to remove its finalizer, and fail forever.
    result.persistence.diffbase_storage = NothingStored()
    result.persistence.finalizer = f"{GROUP}/{secrets.token_hex(16)}"
    result.networking.error_backoffs = EndlessBackoff()
    result.networking.request_timeout = settings.request_seconds
    result.watching.label_selectors["pods"] = LABEL_UID
    result.watching.label_selectors[kueue.WORKLOADS] = LABEL_UID
    return result


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_via_client(**arguments)
