"""What tests of stores that fail in the middle of a run have in common: images, and the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tests.integration.job.runs import Spec
from tests.integration.job.store import Store

IMAGES = 240
NAMES = [f"{number:04}.jpg" for number in range(IMAGES)]


def in_the_middle(is_there: Callable[[], bool], act: Callable[[], None]) -> threading.Thread:
    """Does something as soon as some shards are done."""

    def wait_and_act() -> None:
        while not is_there():
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait_and_act, daemon=True)
    thread.start()
    return thread


def spec_of(store: Store, tiny: Spec, bucket: str) -> Spec:
    """Returns a run within a bucket; each test has a name of its own, since the JVM keeps clients by bucket."""
    source = {"endpoint": store.endpoint, "bucket": bucket, "prefix": "images/", "secretRef": {"name": "store"}}
    output = {"uri": f"s3://{bucket}/table"}
    return {"source": {"s3": source}, **tiny, "output": output, "execution": {"shardImages": 6}}


def filled(store: Store, image: bytes, bucket: str) -> Store:
    store.put(bucket, {f"images/{name}": image for name in NAMES})
    return store


def some_done(store: Store, bucket: str) -> bool:
    return len(store.keys(bucket, "table/_featx/faults/done/")) >= 3
