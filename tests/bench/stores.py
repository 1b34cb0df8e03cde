"""`make bench WHAT=stores`: how fast sources are read and listed, each beside the bare client in the same run.

Images are of 30 kB. Featx reads as its executors do, in Spark, without nets (`featx read`); the bare client reads the
same rows or objects in a loop, S3 with as many threads as Featx has. Writes docs/bench/stores.{json,md}.
"""

from __future__ import annotations

import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from featx_api.contract import JobSpec
from featx_api.spec import FeatureExtractionSpec
from featx_api.status import Progress
from featx_cli.java_build import jars
from featx_job import read_source, run
from featx_job.environment import Environment

from tests.bench import kills, machine
from tests.integration.job import runs
from tests.integration.job import store as s3
from tests.support.stores import hbase, hdfs

SIZE, ROUNDS = 30_000, 3
# So many that reading takes some seconds: a Spark job of 36 shards takes 0.3, whatever they hold.
IMAGES = {"HBase": 48_000, "S3": 8_000, "HDFS": 4_000, "files": 100_000}
SHARDS = 36  # so that three at a time end together
THREADS = 6  # three shards at once, each with two threads that read
KEYS, KEYS_A_FOLDER = 1_000_000, 2_500
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"
Bare = Callable[[], int]


def main() -> int:
    """Measures and writes; returns the exit code."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as text, ExitStack() as servers:
        work = Path(text)
        environment = Environment(jars=jars(), work=work / "work", secrets=secrets(work))
        for name, prepare in (("HBase", of_hbase), ("S3", of_s3), ("HDFS", of_hdfs), ("files", of_files)):
            (work / name).mkdir()
            source, bare = prepare(work / name, servers)
            rows.append(measured(name, source, bare, environment))
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
            sys.stdout.flush()
        outputs = written(work, servers, environment)
        with ExitStack() as alone:
            planning = planned(work, alone)
    write(rows, outputs, planning)
    return 0


def images(source: str) -> Iterator[tuple[str, bytes]]:
    """Yields keys and contents that can't be compressed."""
    random = np.random.default_rng(0)
    for number in range(IMAGES[source]):
        yield f"{number:06}.jpg", random.bytes(SIZE)


def secrets(work: Path) -> Path:
    """Writes the Secret of the S3 server; returns the folder of Secrets."""
    folder = work / "secrets" / "store"
    folder.mkdir(parents=True)
    (folder / "AWS_ACCESS_KEY_ID").write_text(s3.ADMIN[0])
    (folder / "AWS_SECRET_ACCESS_KEY").write_text(s3.ADMIN[1])
    return folder.parent


def of_hbase(folder: Path, servers: ExitStack) -> tuple[dict[str, Any], Bare]:
    """Fills a table; returns the source and the bare scan of it."""
    server = servers.enter_context(hbase.running(folder))
    server.client.create("bench", [b"004000", b"008000", b"012000"])
    batch: dict[bytes, bytes] = {}
    for key, data in images("HBase"):
        batch[key.encode()] = data
        if len(batch) == 200:
            server.client.put("bench", batch)
            batch = {}
    server.client.flush("bench")
    column = f"{hbase.FAMILY}:{hbase.QUALIFIER}"
    source = {"hbase": {"quorum": server.quorum, "table": "bench", "column": column}}
    return source, lambda: server.client.scanned("bench") * SIZE


def of_s3(folder: Path, servers: ExitStack) -> tuple[dict[str, Any], Bare]:
    """Fills a bucket; returns the source and the bare client's way to read it."""
    store = servers.enter_context(s3.running(folder))
    store.put("bench", {})
    with ThreadPoolExecutor(THREADS) as pool:
        keys = list(pool.map(lambda each: put(store, *each), images("S3")))
    access = {"endpoint": store.endpoint, "secretRef": {"name": "store"}}

    def get(key: str) -> int:
        return len(store.get("bench", key))

    def bare() -> int:
        with ThreadPoolExecutor(THREADS) as pool:
            return sum(pool.map(get, keys))

    return {"s3": {**access, "bucket": "bench", "prefix": "images/"}}, bare


def put(store: s3.Store, key: str, data: bytes) -> str:
    """Stores an image; returns its key."""
    store.client.put_object("bench", f"images/{key}", io.BytesIO(data), len(data))
    return f"images/{key}"


def of_hdfs(folder: Path, servers: ExitStack) -> tuple[dict[str, Any], Bare]:
    """Fills a folder of HDFS; returns the source and the bare client's way to read it."""
    server = servers.enter_context(hdfs.running(folder))
    client = servers.enter_context(hdfs.client(server))
    client.write("/images", images("HDFS"))
    return {"files": {"uri": f"{server.uri}/images"}}, lambda: client.read("/images")


def of_files(folder: Path, servers: ExitStack) -> tuple[dict[str, Any], Bare]:
    """Fills a folder; returns the source and a loop over its files."""
    for key, data in images("files"):
        (folder / key).write_bytes(data)
    return {"files": {"uri": f"file://{folder}"}}, lambda: sum(len(path.read_bytes()) for path in folder.iterdir())


def measured(name: str, source: dict[str, Any], bare: Bare, environment: Environment) -> dict[str, Any]:
    """Returns MB/s of both, in turns; the first round warms up and does not count."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS + 1):
        found = read_source.read(job(source, IMAGES[name] // SHARDS + 1), environment)
        if found.images != IMAGES[name]:
            raise RuntimeError(f"{name}: {found}")
        ours.append(found.bytes / found.seconds / 1e6)
        started = time.monotonic()
        count = bare()
        if count != IMAGES[name] * SIZE:
            raise RuntimeError(f"{name}: the bare client read {count} bytes")
        theirs.append(count / (time.monotonic() - started) / 1e6)
    both = [statistics.median(each[1:]) for each in (ours, theirs)]
    return {
        "source": name,
        "held": IMAGES[name],
        "shards": found.shards,
        "planning": round(found.planning, 2),
        "featx": round(both[0], 1),
        "bare": round(both[1], 1),
        "share": round(both[0] / both[1], 2),
        "images": round(both[0] * 1e6 / SIZE),
    }


def job(source: dict[str, Any], shard: int) -> JobSpec:
    """Returns a job that reads a source."""
    nowhere = {"prototxt": "file:///none", "weights": "file:///none", "sha256": "0" * 64}
    spec = {
        "source": source,
        "extractor": {"model": nowhere, "layer": "none"},
        "output": {"uri": "file:///none/none"},
        "execution": {"shardImages": shard},
    }
    return JobSpec(
        name="bench", namespace="bench", uid="bench", attempt=1, spec=FeatureExtractionSpec.model_validate(spec)
    )


def written(work: Path, servers: ExitStack, environment: Environment) -> dict[str, Any]:
    """Returns images a second of one run by its output, and what it costs to go on where an attempt has ended."""
    for name in ("runs", "of-s3", "of-hdfs"):
        (work / name).mkdir()
    store, files = (
        servers.enter_context(s3.running(work / "of-s3")),
        servers.enter_context(hdfs.running(work / "of-hdfs")),
    )
    store.put("written", {})
    spec = kills.prepared(work / "runs")
    access = {"endpoint": store.endpoint, "secretRef": {"name": "store"}}
    uris = {"files": f"file://{work}/runs/out", "S3": "s3://written/out", "HDFS": f"{files.uri}/out"}
    speeds: dict[str, list[float]] = {name: [] for name in uris}
    halves: list[float] = []
    for number in range(ROUNDS + 1):
        for name, uri in uris.items():
            output = {"uri": f"{uri}-{number}"} | ({"s3": access} if name == "S3" else {})
            _, speed = attempted({**spec, "output": output}, f"{name}-{number}", environment, None)
            speeds[name].append(speed)
        output = {"uri": f"file://{work}/runs/whole-{number}"}
        whole, _ = attempted({**spec, "output": output}, f"whole-{number}", environment, None)
        output = {"uri": f"file://{work}/runs/halves-{number}"}
        first, _ = attempted({**spec, "output": output}, f"halves-{number}", environment, kills.IMAGES // 2)
        second, _ = attempted({**spec, "output": output}, f"halves-{number}", environment, None)
        halves.append(first + second - whole)
    medians = {name: round(statistics.median(each[1:])) for name, each in speeds.items()}
    return {"imagesPerSecond": medians, "resuming": round(statistics.median(halves[1:]), 1)}


def attempted(spec: dict[str, Any], uid: str, environment: Environment, until: int | None) -> tuple[float, float]:
    """Runs an attempt, or as much of it as makes so many images; returns its seconds, and images a second."""

    def look(progress: Progress) -> None:
        if until is not None and progress.images_done >= until:
            raise RuntimeError("ended half-way")

    started = time.monotonic()
    outcome = run.run(runs.job(spec, uid), environment, look)
    if (outcome.result == "Succeeded") != (until is None):
        raise RuntimeError(f"{uid}: {outcome.failure}")
    speed = outcome.progress.images_per_second if outcome.progress else None
    return time.monotonic() - started, speed or 0.0


def planned(work: Path, servers: ExitStack) -> dict[str, Any]:
    """Returns what it takes to plan a run over a million keys of a real bucket, in a process of its own."""
    (work / "keys").mkdir()
    store = servers.enter_context(s3.running(work / "keys"))
    store.put("keys", {})
    fill(work / "catalog", store)
    (work / "store.json").write_text(json.dumps({"endpoint": store.endpoint, "secrets": str(work / "secrets")}))
    found = {}
    for what in ("plan", "bare"):
        command = [sys.executable, "-m", "tests.bench.planning", what, str(work / "store.json")]
        found[what] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {"keys": KEYS, **found}


def fill(folder: Path, store: s3.Store) -> None:
    """Puts a million objects into the bucket, by the server's own tool for folders: it takes two minutes."""
    for number in range(0, KEYS, KEYS_A_FOLDER):
        below = folder / f"2026-{number // KEYS_A_FOLDER:04}"
        below.mkdir(parents=True)
        for each in range(KEYS_A_FOLDER):
            (below / f"{number + each:09}.jpg").touch()
    store.copy_folder(folder, "keys")


def write(rows: list[dict[str, Any]], outputs: dict[str, Any], planning: dict[str, Any]) -> None:
    """Writes both files."""
    day = datetime.now(UTC).date().isoformat()
    found = {"date": day, "machine": machine.described(), "bytes": SIZE}
    (FOLDER / "stores.json").write_text(
        json.dumps({**found, "rows": rows, "outputs": outputs, "planning": planning}, indent=2) + "\n"
    )
    plan, bare, speeds = planning["plan"], planning["bare"], outputs["imagesPerSecond"]
    lines = [
        "# Reading sources\n",
        f"`make bench WHAT=stores`, {day}: {machine.described()}. Images of {SIZE // 1000} kB that can't be "
        "compressed; servers (HBase 2.6, SeaweedFS, HDFS 3.3, a local disk) share the two cores with the readers; "
        f"medians of {ROUNDS} rounds, in turns. Bare: a scan in the JVM, `minio` with {THREADS} threads, Hadoop's "
        "client in a loop, a loop over files.\n",
        "| source | images | shards | listed in, s | Featx, MB/s | bare client, MB/s | share | Featx, images/s |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {each['source']} | {each['held']:,} | {each['shards']} | {each['planning']} | {each['featx']} | "
            f"{each['bare']} | {each['share']:.0%} | {each['images']} |"
            for each in rows
        ),
        f"\nWriting: {kills.IMAGES:,} small images from a local disk through tiny nets, {kills.SHARD} a shard, to "
        f"each output, images a second: {', '.join(f'{name} {speed}' for name, speed in speeds.items())}. A run "
        f"that is ended half-way and goes on takes {outputs['resuming']} s longer in all than one that is not.",
        f"\nPlanning: a run over {planning['keys']:,} keys of a bucket, {KEYS_A_FOLDER:,} a folder, is planned in "
        f"{plan['seconds']} s with {plan['MiB']} MiB in all: listed ({plan['listed']} s), cut, stored, and told to "
        f"executors. `minio` lists them in {bare['seconds']} s. A run over none that have changed since then finds so "
        f"in {plan['unchanged']} s.",
    ]
    (FOLDER / "stores.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
