"""What kopf calls: watch events in, keys into the queue. Nothing is decided here, and nothing is written.

Only low-level `on.event` handlers: kopf's others store their state in annotations on our objects, and see edges. They
are coroutines since kopf runs plain functions in threads, where the queue must not be touched.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import kopf
from featx_api import GROUP, PLURAL, VERSION
from featx_api.contract import LABEL_UID

from featx_operator.lease import Lease
from featx_operator.queue import Key, Queue
from featx_operator.settings import Settings
from featx_operator.state.store import Store, key_of, owner_of

SENTINEL = Key("", "sentinel")  # no namespace is empty, so it is never a resource's
SENTINEL_SECONDS = 10.0
PATIENCE_SECONDS = 60.0


class Unending:
    """Waits between tries of a watch, for ever.

    kopf gives a watch up for good after a minute of refusals; new runs of that namespace would then never be seen. A
    namespace that is deleted or lacks its Role is asked for until it is back, and troubles no other one.
    """

    def __iter__(self) -> Iterator[float]:
        """Yields seconds."""
        return itertools.chain((1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0), itertools.repeat(20.0))


class Pulse:
    """When the sentinel last came through the queue and a worker, which proves more than that a clock runs."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def beat(self) -> None:
        """Notes that a worker has had the sentinel."""
        self.last = time.monotonic()


def registry(store: Store, queue: Queue, lease: Lease, pulse: Pulse) -> kopf.OperatorRegistry:
    """Returns the handlers, bound to where they put what they see."""
    handlers = kopf.OperatorRegistry()

    async def on_resource(event: kopf.RawEvent, **_: Any) -> None:
        body = event["object"]
        if event["type"] == "DELETED":
            store.drop_resource(key_of(body), body["metadata"]["uid"])
        else:
            store.put_resource(body)
        queue.add(key_of(body))

    async def on_pod(event: kopf.RawEvent, **_: Any) -> None:
        body = event["object"]
        if event["type"] == "DELETED":
            store.drop_pod(body)
        else:
            store.put_pod(body)
        if key := owner_of(body):
            queue.add(key)

    async def alive(**_: Any) -> dict[str, float]:
        now = time.monotonic()
        age = now - (pulse.last if lease.held else lease.last_try)
        if age > PATIENCE_SECONDS:
            raise kopf.PermanentError(f"nothing was reconciled for {age:.0f} s")
        return {"secondsSinceReconcile": round(age, 1), "queue": len(queue)}

    kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)(on_resource)
    kopf.on.event("v1", "pods", labels={LABEL_UID: kopf.PRESENT}, registry=handlers)(on_pod)
    kopf.on.probe(id="reconcile", registry=handlers)(alive)
    kopf.on.login(registry=handlers)(_login)
    return handlers


def operator_settings(settings: Settings) -> kopf.OperatorSettings:
    """Returns kopf's settings: no scanning, no peering, no Events of its own, bounded workers."""
    result = kopf.OperatorSettings()
    result.scanning.disabled = True  # it needs list and watch on namespaces and CRDs in the whole cluster
    result.peering.standalone = True
    result.posting.enabled = False
    # kopf has one worker an object, unbounded by default. Ours are done at once, yet each would hold its place for 5 s
    # more, and the events of all further objects would wait for it.
    result.queueing.worker_limit = 50
    result.queueing.idle_timeout = 0.05
    result.watching.server_timeout = 300
    result.watching.client_timeout = 330
    result.watching.connect_timeout = 10
    result.networking.error_backoffs = Unending()
    result.networking.request_timeout = settings.request_seconds
    result.watching.label_selectors["pods"] = LABEL_UID
    return result


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_via_client(**arguments)
