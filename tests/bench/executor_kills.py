"""Executors that are SIGKILLed at random moments on a real node, and what is in the tables in the end.

Each run is of 2,000 small pictures with a real extractor, by one executor pod: a tiny net is done with all of them
before anybody can be killed. Whenever an executor works, its JVM is killed after a time that is drawn from a seeded
generator. Then each picture must be in table or quarantine, once. Runs in the cluster's network (`make bench-kills`).
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime
from typing import Any

from minio import Minio

from tests.bench import machine
from tests.bench.kills import BROKEN, COLUMNS, FOLDER, KILLS, PICTURES, SEED, SHARD
from tests.bench.main_job import specs
from tests.cluster.reach import reachable
from tests.e2e.names import ACCESS_KEY, SECRET_KEY
from tests.e2e.run.stage import BUCKET, Run, Store, apply, executor_processes, kubectl, resource
from tests.integration.job import drawings

LONGEST = 4.0  # seconds of an executor's work before it is killed; it would do all pictures in half a minute
PATIENCE = 600.0


def main() -> int:
    """Kills and writes; returns 1 if a picture was lost or is there twice."""
    moments, kills = random.Random(SEED), 0
    runs: list[dict[str, Any]] = []
    with reachable("store", "s3", 8333) as address:
        store = Store(Minio(address, ACCESS_KEY, SECRET_KEY, secure=False))
        extractor = specs(store)[1]
        pictures = {f"{number:04}.jpg": _picture(number) for number in range(PICTURES)}
        while kills < KILLS:
            name = f"kills-{len(runs)}"
            store.put_pictures(f"pictures/{name}", pictures)
            runs.append(run(name, store, extractor, moments, KILLS - kills))
            kills += runs[-1]["kills"]
            sys.stdout.write(json.dumps(runs[-1]) + "\n")
            sys.stdout.flush()
    write(runs)
    return int(any(each["lost"] or each["twice"] for each in runs))


def _picture(number: int) -> bytes:
    return drawings.encoded(drawings.scene(seed=number % 50)) if number % BROKEN else b"no picture"


def run(name: str, store: Store, extractor: dict[str, Any], moments: random.Random, most: int) -> dict[str, Any]:
    """Runs to the end through all kills; returns what came of it."""
    kubectl("delete", "fx", name, "--ignore-not-found")
    started, kills, killed = time.monotonic(), 0, set[int]()
    spec = {"execution": {"shardPictures": SHARD}, "backoffLimit": KILLS}
    applied = apply(resource(name, store, None, extractor, **spec))
    while not _ended(applied):
        if time.monotonic() - started > PATIENCE:
            raise RuntimeError(f"{json.dumps(applied.status, indent=1)}{applied.driver_log()}")
        fresh = executor_processes() - killed
        if not fresh or kills == most:
            time.sleep(0.2)
            continue
        (victim, *_) = fresh
        before = store.shards_done(f"tables/{name}")
        while _lives(victim) and store.shards_done(f"tables/{name}") == before:
            time.sleep(0.05)  # it starts
        time.sleep(moments.uniform(0, LONGEST))
        if _lives(victim):
            os.kill(victim, signal.SIGKILL)
            kills += 1
        killed.add(victim)
    return {**found(name, store), "kills": kills, "attempts": applied.status["attempt"]} | {
        "seconds": round(time.monotonic() - started, 1)
    }


def found(name: str, store: Store) -> dict[str, int]:
    """Returns what is in both tables."""
    rows, quarantine = (store.rows(f"tables/{name}{part}") for part in ("", "/_quarantine"))
    keys = [row["key"] for row in [*rows, *quarantine]]
    return {
        "rows": len(rows),
        "quarantine": len(quarantine),
        "twice": len(keys) - len(set(keys)),
        "lost": PICTURES - len(set(keys)),
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
    day, columns = datetime.now(UTC).date().isoformat(), (*COLUMNS, "attempts")
    described = {"date": day, "machine": machine.described(), "seed": SEED}
    (FOLDER / "executor-kills.json").write_text(json.dumps({**described, "runs": runs}, indent=2) + "\n")
    lines = [
        "# Killed executors\n",
        f"`make bench-kills`, {day}: {machine.described()}. {sum(each['kills'] for each in runs)} times the JVM of a "
        f"run's one executor was killed (SIGKILL) on a real node, up to {LONGEST:.0f} s after its first shard; "
        f"{PICTURES} pictures a run in bucket {BUCKET}, seed {SEED}. Lost and twice: pictures that are neither in "
        "table nor quarantine in the end, and rows too many.\n",
        f"| run | {' | '.join(columns)} |",
        "|---" * (len(columns) + 1) + "|",
        *(f"| {row} | {' | '.join(str(each[name]) for name in columns)} |" for row, each in enumerate(runs, 1)),
    ]
    (FOLDER / "executor-kills.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
