"""Executors that are SIGKILLed at random moments on a real node, and what is in the tables in the end.

Each run is of 2,000 small images with a real extractor, by one executor pod: a tiny net is done with all of them
before anybody can be killed. Whenever an executor works, its JVM is killed after a time that is drawn from a seeded
generator. Then each image must be in table or quarantine, once. `make bench WHAT=kills` runs it in the
cluster's network.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from typing import Any

from minio import Minio

from examples.cluster.reach import reachable
from tests.bench import kills
from tests.bench.main_job import specs
from tests.e2e.names import ACCESS_KEY, SECRET_KEY
from tests.e2e.run.harness import BUCKET, Run, Store, apply, executor_processes, kubectl, resource

LONGEST = 4.0  # seconds of an executor's work before it is killed; it would do all images in half a minute
PATIENCE = 600.0


def main() -> int:
    """Kills and writes; returns 1 if an image was lost or is there twice."""
    moments, done = random.Random(kills.SEED), 0
    runs: list[dict[str, Any]] = []
    with reachable("store", "s3", 8333) as address:
        store = Store(Minio(address, ACCESS_KEY, SECRET_KEY, secure=False))
        extractor = specs(store)[1]
        images = kills.images()
        while done < kills.KILLS:
            name = f"kills-{len(runs)}"
            store.put_images(f"images/{name}", images)
            runs.append(run(name, store, extractor, moments, kills.KILLS - done))
            done += runs[-1]["kills"]
            sys.stdout.write(json.dumps(runs[-1]) + "\n")
            sys.stdout.flush()
    write(runs)
    return int(any(each["lost"] or each["twice"] for each in runs))


def run(name: str, store: Store, extractor: dict[str, Any], moments: random.Random, most: int) -> dict[str, Any]:
    """Runs to the end through all kills; returns what came of it."""
    kubectl("delete", "fx", name, "--ignore-not-found")
    started, done, seen = time.monotonic(), 0, set[int]()
    spec = {"execution": {"shardImages": kills.SHARD}, "backoffLimit": kills.KILLS}
    applied = apply(resource(name, store, None, extractor, **spec))
    while not _ended(applied):
        if time.monotonic() - started > PATIENCE:
            raise RuntimeError(f"{json.dumps(applied.status, indent=1)}{applied.driver_log()}")
        fresh = executor_processes() - seen
        if not fresh or done == most:
            time.sleep(0.2)
            continue
        (victim, *_) = fresh
        before = store.shards_done(f"tables/{name}")
        while _lives(victim) and store.shards_done(f"tables/{name}") == before:
            time.sleep(0.05)  # it starts
        time.sleep(moments.uniform(0, LONGEST))
        if _lives(victim):
            os.kill(victim, signal.SIGKILL)
            done += 1
        seen.add(victim)
    rows, quarantine = (store.rows(f"tables/{name}{part}") for part in ("", "/_quarantine"))
    return {
        **kills.counted(rows, quarantine),
        "kills": done,
        "attempts": applied.status["attempt"],
        "seconds": round(time.monotonic() - started, 1),
    }


def _ended(applied: Run) -> bool:
    status = applied.condition("Succeeded").get("status", "Unknown")
    if status == "False":
        raise RuntimeError(json.dumps(applied.status, indent=1))
    return bool(status == "True")


def _lives(pid: int) -> bool:
    return pid in executor_processes()


def write(runs: list[dict[str, Any]]) -> None:
    """Writes both files."""
    story = (
        f"times the JVM of a run's one executor was killed (SIGKILL) on a real node, up to {LONGEST:.0f} s after its "
        f"first shard; {kills.IMAGES} images a run in bucket {BUCKET}, seed {kills.SEED}."
    )
    kills.report("executor-kills", "Killed executors", story, (*kills.COLUMNS, "attempts"), runs, {})


if __name__ == "__main__":
    sys.exit(main())
