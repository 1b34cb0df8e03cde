"""Losses mid-run: a deleted object costs its row, a dead store costs the attempt."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from featx_job.source.objects import SourceObject
from featx_job.source.shards import split_objects, to_bytes

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, rows_of_bucket
from tests.integration.job.store import Store, running

BOUND = 240.0  # retries of the S3 client times those of the reader


def spec_of(store: Store, tiny: Spec, bucket: str, shard: int) -> Spec:
    source = {"endpoint": store.endpoint, "bucket": bucket, "prefix": "images/", "secretRef": {"name": "store"}}
    return {
        "source": {"s3": source},
        **tiny,
        "output": {"uri": f"s3://{bucket}/table"},
        "errors": {"maxFailedFraction": 1},
        "execution": {"shardImages": shard},
    }


def test_an_object_deleted_after_listing_is_quarantined(runner: Runner, store: Store, tiny: Spec) -> None:
    image = drawings.encoded(drawings.scene())
    listed = [SourceObject(f"images/{name}.jpg", len(image)) for name in ("gone", "here")]
    shards = to_bytes(split_objects("s3a://losses/", listed, 10))
    store.put("losses", {"images/here.jpg": image, "table/_featx/gone/shards.json.gz": shards})
    outcome = runner.run(spec_of(store, tiny, "losses", 10), uid="gone")
    assert outcome.failure is None
    tables = rows_of_bucket(store, "losses", "table")
    assert tables.reasons() == {"images/gone.jpg": ("read", "Missing")}
    assert [row["key"] for row in tables.rows] == ["images/here.jpg"]


def test_a_store_that_disappears_fails_the_attempt_not_the_images(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    with running(tmp_path) as store:
        image = drawings.encoded(drawings.scene())
        store.put("lost", {f"images/{number:04}.jpg": image for number in range(400)})
        spec = spec_of(store, tiny, "lost", 4)

        def kill_mid_run() -> None:
            while len(store.keys("lost", "table/_featx/uid-lost/done/")) < 3:
                time.sleep(0.01)
            store.kill()

        killer = threading.Thread(target=kill_mid_run, daemon=True)
        killer.start()
        started = time.monotonic()
        outcome = runner.run(spec, uid="uid-lost")
        assert time.monotonic() - started < BOUND
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("StoreUnreachable", True), outcome.failure.message
    assert outcome.progress is not None
    assert 0 < outcome.progress.images_done < 400
    assert outcome.progress.images_failed == 0
