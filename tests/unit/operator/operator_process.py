"""The operator's process without its loops: watches, store and reconciler, against the API server in memory."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from featx_operator.admission import Admission
from featx_operator.cluster import children
from featx_operator.handlers import Watches
from featx_operator.objects import Key, Owner
from featx_operator.queue import Queue, process
from featx_operator.reconcile import Reconciler
from featx_operator.recorder import Recorder
from featx_operator.settings import Settings
from featx_operator.state.store import Store

from tests.unit.operator.api_server import EVENTS, PODS, RESOURCES, FakeApiServer

KEY = Key("default", "catalog")
OWNER = Owner(KEY, "u-1")
RESOURCE = f"{RESOURCES}/catalog"
DRIVER = f"{PODS}/catalog-1-driver"
START = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Operator:
    """An operator with an empty store, as after a restart."""

    def __init__(self, api: FakeApiServer, now: datetime = START) -> None:
        self.api = api
        self.now = now
        self.store = Store()
        self.queue = Queue()
        self.admission = Admission(api, self.store, Settings(), lambda: self.now.timestamp())
        self.watches = Watches(self.store, self.queue, self.admission, lambda: self.now)

    def reconcile(self) -> float | None:
        """Reconciles once, as a worker does, and raises what it would log."""
        again: list[float | None] = []
        errors: list[Exception] = []

        async def reconcile_and_write_events() -> None:
            recorder = Recorder(self.api, "replica")
            reconciler = Reconciler(self.api, self.store, self.admission, Settings(), recorder, lambda: self.now)

            async def reconcile(key: Key) -> float | None:
                try:
                    again.append(await reconciler.reconcile(key))
                except Exception as error:
                    errors.append(error)
                    raise
                return None

            writer = asyncio.create_task(recorder.work())
            await process(self.queue, KEY, reconcile, reconciler.report)
            await recorder.flush()
            writer.cancel()

        asyncio.run(reconcile_and_write_events())
        if errors:
            raise errors[0]
        return again[0]

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def watch(self, body: dict[str, Any], type_: Any = "MODIFIED") -> None:
        """Delivers a watch event."""
        handler = self.watches.on_pod if body["kind"] == "Pod" else self.watches.on_resource
        asyncio.run(handler({"type": type_, "object": body}))  # type: ignore[typeddict-item]

    def catch_up(self) -> None:
        """Delivers the current version of every pod of the resource."""
        self.store.replace_pods(OWNER, children.pods(self.api, OWNER))

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.api.objects[RESOURCE].get("status", {}))

    def condition(self, kind: str) -> dict[str, Any]:
        return next((item for item in self.status.get("conditions", []) if item["type"] == kind), {})

    def state(self, kind: str) -> tuple[str, str]:
        """Status and reason of a condition."""
        condition = self.condition(kind)
        return condition.get("status", ""), condition.get("reason", "")

    def reason(self, kind: str) -> str:
        return self.state(kind)[1]

    def event_reasons(self) -> list[str]:
        return [item["reason"] for path, item in self.api.objects.items() if path.startswith(EVENTS)]
