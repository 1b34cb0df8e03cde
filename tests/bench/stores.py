"""`make bench WHAT=stores`: how fast sources are read and listed, compared with bare clients in the same run.

Images are 30 kB. Featx reads like its executors, in Spark, without nets (`featx read`); the bare client reads the
same rows or objects in a loop, from S3 with as many threads as Featx. Writes docs/bench/stores.{json,md}.

`python -m tests.bench stores --part 0.02 --rounds 1 --output DIR` tries everything on little data, in two minutes.
"""

from __future__ import annotations

import argparse
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

SIZE = 30_000
# Enough that reading takes seconds: a Spark job of 36 shards takes 0.3 s regardless of their size.
IMAGES = {"HBase": 48_000, "S3": 8_000, "HDFS": 4_000, "files": 100_000}
SHARDS = 36  # a multiple of three, as three run at a time
THREADS = 6  # three shards at a time, with two reading threads each
KEYS, KEYS_PER_FOLDER = 1_000_000, 2_500
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"
Bare = Callable[[], int]


class Options(argparse.Namespace):
    """What to measure, and where to write it.

    Attributes:
        part: Part of the images and keys that are used.
        rounds: Rounds that count, after one of warm-up.
        output: Folder of the results.
    """

    part: float
    rounds: int
    output: Path

    def images(self, source: str) -> int:
        """How many images a source has."""
        return max(int(IMAGES[source] * self.part), SHARDS)

    @property
    def keys(self) -> int:
        """How many keys are planned."""
        return max(int(KEYS * self.part), KEYS_PER_FOLDER)


def main() -> int:
    """Runs the benchmark and writes its results; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tests.bench stores")
    parser.add_argument("--part", type=float, default=1.0, help="part of the images and keys to use")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count, after one of warm-up")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the results")
    options = parser.parse_args(namespace=Options())
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as text, ExitStack() as servers:
        work = Path(text)
        environment = Environment(jars=jars(), work=work / "work", secrets=secrets(work))
        for name, prepare in (
            ("HBase", prepare_hbase),
            ("S3", prepare_s3),
            ("HDFS", prepare_hdfs),
            ("files", prepare_files),
        ):
            (work / name).mkdir()
            count = options.images(name)
            source, bare = prepare(work / name, servers, count)
            rows.append(measure(name, count, source, bare, environment, options.rounds))
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
            sys.stdout.flush()
        outputs = measure_writing(work, servers, environment, options.rounds)
        with ExitStack() as alone:
            planning = measure_planning(work, alone, options.keys)
    write(rows, outputs, planning, options)
    return 0


def images(count: int) -> Iterator[tuple[str, bytes]]:
    """Yields keys and incompressible contents."""
    random = np.random.default_rng(0)
    for number in range(count):
        yield f"{number:06}.jpg", random.bytes(SIZE)


def secrets(work: Path) -> Path:
    """Writes the Secret of the S3 server; returns the folder of Secrets."""
    folder = work / "secrets" / "store"
    folder.mkdir(parents=True)
    (folder / "AWS_ACCESS_KEY_ID").write_text(s3.ADMIN[0])
    (folder / "AWS_SECRET_ACCESS_KEY").write_text(s3.ADMIN[1])
    return folder.parent


def prepare_hbase(folder: Path, servers: ExitStack, count: int) -> tuple[dict[str, Any], Bare]:
    """Fills a table; returns the source and the bare scan of it."""
    server = servers.enter_context(hbase.running(folder))
    server.client.create("bench", [b"004000", b"008000", b"012000"])
    batch: dict[bytes, bytes] = {}
    for key, data in images(count):
        batch[key.encode()] = data
        if len(batch) == 200:
            server.client.put("bench", batch)
            batch = {}
    server.client.put("bench", batch)
    server.client.flush("bench")
    column = f"{hbase.FAMILY}:{hbase.QUALIFIER}"
    source = {"hbase": {"quorum": server.quorum, "table": "bench", "column": column}}
    return source, lambda: server.client.scanned("bench") * SIZE


def prepare_s3(folder: Path, servers: ExitStack, count: int) -> tuple[dict[str, Any], Bare]:
    """Fills a bucket; returns the source and the bare client's read of it."""
    store = servers.enter_context(s3.running(folder))
    store.put("bench", {})
    with ThreadPoolExecutor(THREADS) as pool:
        keys = list(pool.map(lambda item: put(store, *item), images(count)))
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


def prepare_hdfs(folder: Path, servers: ExitStack, count: int) -> tuple[dict[str, Any], Bare]:
    """Fills a folder of HDFS; returns the source and the bare client's read of it."""
    server = servers.enter_context(hdfs.running(folder))
    client = servers.enter_context(hdfs.client(server))
    client.write("/images", images(count))
    return {"files": {"uri": f"{server.uri}/images"}}, lambda: client.read("/images")


def prepare_files(folder: Path, servers: ExitStack, count: int) -> tuple[dict[str, Any], Bare]:
    """Fills a folder; returns the source and a loop over its files."""
    for key, data in images(count):
        (folder / key).write_bytes(data)
    return {"files": {"uri": f"file://{folder}"}}, lambda: sum(len(path.read_bytes()) for path in folder.iterdir())


def measure(
    name: str, count: int, source: dict[str, Any], bare: Bare, environment: Environment, rounds: int
) -> dict[str, Any]:
    """MB/s of Featx and the bare client, in turns; the first round is a warm-up and does not count."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds + 1):
        result = read_source.read(job(source, count // SHARDS + 1), environment)
        if result.images != count:
            raise RuntimeError(f"{name}: {result}")
        ours.append(result.bytes / result.seconds / 1e6)
        started = time.monotonic()
        received = bare()
        if received != count * SIZE:
            raise RuntimeError(f"{name}: the bare client read {received} bytes")
        theirs.append(received / (time.monotonic() - started) / 1e6)
    both = [statistics.median(speeds[1:]) for speeds in (ours, theirs)]
    return {
        "source": name,
        "held": count,
        "shards": result.shards,
        "planning": round(result.listing, 2),
        "featx": round(both[0], 1),
        "bare": round(both[1], 1),
        "share": round(both[0] / both[1], 2),
        "images": round(both[0] * 1e6 / SIZE),
    }


def job(source: dict[str, Any], shard: int) -> JobSpec:
    """A job that reads a source."""
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


def measure_writing(work: Path, servers: ExitStack, environment: Environment, rounds: int) -> dict[str, Any]:
    """Images per second of a run by kind of output, and the cost of resuming after a failed attempt."""
    for name in ("runs", "s3-output", "hdfs-output"):
        (work / name).mkdir()
    store, files = (
        servers.enter_context(s3.running(work / "s3-output")),
        servers.enter_context(hdfs.running(work / "hdfs-output")),
    )
    store.put("written", {})
    spec = kills.prepare(work / "runs")
    access = {"endpoint": store.endpoint, "secretRef": {"name": "store"}}
    uris = {"files": f"file://{work}/runs/out", "S3": "s3://written/out", "HDFS": f"{files.uri}/out"}
    speeds: dict[str, list[float]] = {name: [] for name in uris}
    halves: list[float] = []
    for number in range(rounds + 1):
        for name, uri in uris.items():
            output = {"uri": f"{uri}-{number}"} | ({"s3": access} if name == "S3" else {})
            _, speed = run_attempt({**spec, "output": output}, f"{name}-{number}", environment, None)
            speeds[name].append(speed)
        output = {"uri": f"file://{work}/runs/whole-{number}"}
        whole, _ = run_attempt({**spec, "output": output}, f"whole-{number}", environment, None)
        output = {"uri": f"file://{work}/runs/halves-{number}"}
        first, _ = run_attempt({**spec, "output": output}, f"halves-{number}", environment, kills.IMAGES // 2)
        second, _ = run_attempt({**spec, "output": output}, f"halves-{number}", environment, None)
        halves.append(first + second - whole)
    medians = {name: round(statistics.median(values[1:])) for name, values in speeds.items()}
    return {"imagesPerSecond": medians, "resuming": round(statistics.median(halves[1:]), 1)}


def run_attempt(spec: dict[str, Any], uid: str, environment: Environment, until: int | None) -> tuple[float, float]:
    """Runs an attempt, optionally only until this many images are done; returns seconds and images per second."""

    def stop_half_way(progress: Progress) -> None:
        if until is not None and progress.images_done >= until:
            raise RuntimeError("stopped half-way")

    started = time.monotonic()
    outcome = run.run(runs.job(spec, uid), environment, stop_half_way)
    if (outcome.result == "Succeeded") != (until is None):
        raise RuntimeError(f"{uid}: {outcome.failure}")
    speed = outcome.progress.images_per_second if outcome.progress else None
    return time.monotonic() - started, speed or 0.0


def measure_planning(work: Path, servers: ExitStack, keys: int) -> dict[str, Any]:
    """Time and memory for planning a run over the keys of a real bucket, in a separate process."""
    (work / "keys").mkdir()
    store = servers.enter_context(s3.running(work / "keys"))
    store.put("keys", {})
    fill(work / "catalog", store, keys)
    (work / "store.json").write_text(json.dumps({"endpoint": store.endpoint, "secrets": str(work / "secrets")}))
    results = {}
    for what in ("plan", "bare"):
        command = [sys.executable, "-m", "tests.bench.planning", what, str(work / "store.json")]
        results[what] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {"keys": results["plan"]["keys"], **results}


def fill(folder: Path, store: s3.Store, keys: int) -> None:
    """Puts objects into the bucket with the server's own tool, which takes two minutes for a million."""
    for number in range(0, keys, KEYS_PER_FOLDER):
        below = folder / f"2026-{number // KEYS_PER_FOLDER:04}"
        below.mkdir(parents=True)
        for index in range(KEYS_PER_FOLDER):
            (below / f"{number + index:09}.jpg").write_bytes(b"-")  # as images are never empty
    store.copy_folder(folder, "keys")


def write(rows: list[dict[str, Any]], outputs: dict[str, Any], planning: dict[str, Any], options: Options) -> None:
    """Writes the JSON file and the page."""
    day = datetime.now(UTC).date().isoformat()
    header = {"date": day, "machine": machine.described(), "bytes": SIZE}
    (options.output / "stores.json").write_text(
        json.dumps({**header, "rows": rows, "outputs": outputs, "planning": planning}, indent=2) + "\n"
    )
    plan, bare, speeds = planning["plan"], planning["bare"], outputs["imagesPerSecond"]
    lines = [
        "# Reading sources\n",
        f"`make bench WHAT=stores`, {day}: {machine.described()}. Images of {SIZE // 1000} kB that can't be "
        "compressed; servers (HBase 2.6, SeaweedFS, HDFS 3.3, a local disk) share the two cores with the readers; "
        f"medians of {options.rounds} rounds, in turns. Bare: a scan in the JVM, `minio` with {THREADS} threads, "
        "Hadoop's client in a loop, a loop over files.\n",
        "| source | images | shards | listed in, s | Featx, MB/s | bare client, MB/s | share | Featx, images/s |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {row['source']} | {row['held']:,} | {row['shards']} | {row['planning']} | {row['featx']} | "
            f"{row['bare']} | {row['share']:.0%} | {row['images']} |"
            for row in rows
        ),
        f"\nWriting: {kills.IMAGES:,} small images from a local disk through tiny nets, {kills.SHARD} per shard, to "
        f"each output, images per second: {', '.join(f'{name} {speed}' for name, speed in speeds.items())}. A run "
        f"that is stopped half-way and resumed takes {outputs['resuming']} s longer in total than one that is not.",
        f"\nPlanning: a run over {planning['keys']:,} keys of a bucket, {KEYS_PER_FOLDER:,} per folder, is planned in "
        f"{plan['seconds']} s with {plan['MiB']} MiB in total: listed ({plan['listed']} s), split, stored, and sent to "
        f"executors. `minio` lists them in {bare['seconds']} s. A run in which nothing has changed detects this "
        f"in {plan['unchanged']} s.",
    ]
    (options.output / "stores.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
