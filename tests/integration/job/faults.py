"""Shared by tests of stores that fail mid-run: images, and a way to act once some shards are done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tests.integration.job.runs import Spec
from tests.integration.job.store import Store

IMAGES = 240
NAMES = [f"{number:04}.jpg" for number in range(IMAGES)]


def act_when(condition: Callable[[], bool], act: Callable[[], None]) -> threading.Thread:
    """Waits in a thread for a condition, such as that some shards are done, and then acts."""

    def wait_and_act() -> None:
        while not condition():
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait_and_act, daemon=True)
    thread.start()
    return thread


def spec_of(store: Store, tiny: Spec, bucket: str) -> Spec:
    """A run within one bucket. Every test uses its own bucket, because the JVM caches clients by bucket name."""
    source = {"endpoint": store.endpoint, "bucket": bucket, "prefix": "images/", "secretRef": {"name": "store"}}
    output = {"uri": f"s3://{bucket}/table"}
    return {"source": {"s3": source}, **tiny, "output": output, "execution": {"shardImages": 6}}


def fill_bucket(store: Store, image: bytes, bucket: str) -> Store:
    store.put(bucket, {f"images/{name}": image for name in NAMES})
    return store


def some_shards_done(store: Store, bucket: str) -> bool:
    return len(store.keys(bucket, "table/_featx/faults/done/")) >= 3
