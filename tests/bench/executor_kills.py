"""Executors SIGKILLed at random moments on a real node, and the resulting tables.

Every run processes 2,000 small images with a real extractor in one executor pod; a tiny net would finish before a kill.
Whenever an executor is working, its JVM is killed after a random time from a seeded generator. In the end every image
must be in the table or in quarantine exactly once. `make bench WHAT=kills` runs this in the cluster's network.
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

LONGEST = 4.0  # seconds an executor may work before it is killed; it would finish in half a minute
TIMEOUT = 600.0


def main() -> int:
    """Runs the benchmark and writes its results; returns 1 if an image was lost or duplicated."""
    moments, kill_count = random.Random(kills.SEED), 0
    runs: list[dict[str, Any]] = []
    with reachable("store", "s3", 8333) as address:
        store = Store(Minio(address, ACCESS_KEY, SECRET_KEY, secure=False))
        extractor = specs(store)[1]
        images = kills.images()
        while kill_count < kills.KILLS:
            name = f"kills-{len(runs)}"
            store.put_images(f"images/{name}", images)
            runs.append(run(name, store, extractor, moments, kills.KILLS - kill_count))
            kill_count += runs[-1]["kills"]
            sys.stdout.write(json.dumps(runs[-1]) + "\n")
            sys.stdout.flush()
    write(runs)
    return int(any(result["lost"] or result["twice"] for result in runs))


def run(name: str, store: Store, extractor: dict[str, Any], moments: random.Random, most: int) -> dict[str, Any]:
    """Runs to completion through all kills; returns the result."""
    kubectl("delete", "fx", name, "--ignore-not-found")
    started, kill_count, victims = time.monotonic(), 0, set[int]()
    spec = {"execution": {"shardImages": kills.SHARD}, "backoffLimit": kills.KILLS}
    applied = apply(resource(name, store, None, extractor, **spec))
    while not _has_succeeded(applied):
        if time.monotonic() - started > TIMEOUT:
            raise RuntimeError(f"{json.dumps(applied.status, indent=1)}{applied.driver_log()}")
        fresh = executor_processes() - victims
        if not fresh or kill_count == most:
            time.sleep(0.2)
            continue
        (victim, *_) = fresh
        before = store.shards_done(f"tables/{name}")
        while _is_alive(victim) and store.shards_done(f"tables/{name}") == before:
            time.sleep(0.05)  # it is starting
        time.sleep(moments.uniform(0, LONGEST))
        if _is_alive(victim):
            os.kill(victim, signal.SIGKILL)
            kill_count += 1
        victims.add(victim)
    rows, quarantine = (store.rows(f"tables/{name}{part}") for part in ("", "/_quarantine"))
    return {
        **kills.count_images(rows, quarantine),
        "kills": kill_count,
        "attempts": applied.status["attempt"],
        "seconds": round(time.monotonic() - started, 1),
    }


def _has_succeeded(applied: Run) -> bool:
    status = applied.condition("Succeeded").get("status", "Unknown")
    if status == "False":
        raise RuntimeError(json.dumps(applied.status, indent=1))
    return bool(status == "True")


def _is_alive(pid: int) -> bool:
    return pid in executor_processes()


def write(runs: list[dict[str, Any]]) -> None:
    """Writes the JSON file and the page."""
    story = (
        f"times the JVM of a run's one executor was killed (SIGKILL) on a real node, up to {LONGEST:.0f} s after its "
        f"first shard; {kills.IMAGES} images a run in bucket {BUCKET}, seed {kills.SEED}."
    )
    kills.report("executor-kills", "Killed executors", story, (*kills.COLUMNS, "attempts"), runs, {})


if __name__ == "__main__":
    sys.exit(main())
