"""Plans a run over a bucket of a million keys like a driver, in a separate process so that its memory can be measured.

`python -m tests.bench.planning plan|bare STORE.json` prints its measurements; `make bench WHAT=stores` calls it.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from featx_api.s3 import S3Source
from featx_job.clients import s3, s3_settings
from featx_job.local_files import on_this_machine
from featx_job.source.s3 import BucketSource
from featx_job.source.shards import from_bytes, split_objects, to_bytes
from featx_job.table import earlier_runs
from featx_job.table.run_files import RUN_MANIFEST, SHARD_LIST
from featx_job.table.storage.local import LocalStorage
from minio import Minio

Result = TypeVar("Result")


def main(what: str, file: str) -> None:
    """Plans or lists once and prints the measurements as JSON."""
    store = json.loads(Path(file).read_text())
    source = S3Source.model_validate(
        {"endpoint": store["endpoint"], "bucket": "keys", "prefix": "catalog/", "secretRef": {"name": "store"}}
    )
    if what == "bare":
        keys = s3_settings.credentials(source, "spec.source.s3", Path(store["secrets"]), {})
        assert keys is not None
        client = Minio(urlsplit(store["endpoint"]).netloc, *keys, secure=False, region="us-east-1")
        listed = timed(lambda: sum(1 for _ in client.list_objects("keys", "catalog/", recursive=True)))
        sys.stdout.write(json.dumps({"keys": listed[0], "seconds": round(listed[1], 1)}))
    else:
        bucket = s3.open_bucket(source, "spec.source.s3", "keys", Path(store["secrets"]), 30.0)
        sys.stdout.write(json.dumps(plan(BucketSource(bucket, source.prefix), Path(file).parent)))


def plan(source: BucketSource, work: Path) -> dict[str, Any]:
    """Lists, splits, stores and reloads shards and formats their lines; then plans a run in which nothing changed."""
    objects, listed = timed(lambda: list(source.objects()))
    table = work / "earlier"

    def rest() -> int:
        stored = to_bytes(split_objects(source.base, objects, 250))
        (table / "_featx" / "uid").mkdir(parents=True)
        (table / "_featx" / "uid" / SHARD_LIST).write_bytes(stored)
        again = from_bytes(stored)
        return sum(len(again.line(index)) for index in range(len(again)))

    seconds = listed + timed(rest)[1]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    (table / "_featx" / "uid" / RUN_MANIFEST).write_text(json.dumps({"completionTime": "2026"}))
    earlier = earlier_runs.shard_lists(LocalStorage(on_this_machine(table, "-")))
    changed, comparing = timed(lambda: sum(1 for _ in earlier_runs.changed(source.objects(), earlier, source.base)))
    assert changed == 0
    return {
        "keys": len(objects),
        "listed": round(listed, 1),
        "seconds": round(seconds, 1),
        "MiB": memory,
        "unchanged": round(comparing, 1),
    }


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    """The result of a call and its duration in seconds."""
    started = time.monotonic()
    return call(), time.monotonic() - started


if __name__ == "__main__":
    main(*sys.argv[1:])
