"""`make bench-stores`: how fast sources are read and listed, each beside the bare client in the same run.

Pictures are of 30 kB. Featx reads as its executors do, in Spark, without nets (`featx read`); the bare client reads the
same rows or objects in a loop, S3 with as many threads as Featx has. Writes docs/bench/stores.{json,md}.
"""

from __future__ import annotations

import io
import json
import resource
import statistics
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
from featx_api.job import JobSpec
from featx_api.spec import FeatureExtractionSpec
from featx_cli.engine import jars
from featx_job import places, reading
from featx_job.hadoop import Hadoop
from featx_job.shards import cut, from_bytes, to_bytes
from featx_job.sources import Listed
from featx_job.surroundings import Surroundings

from tests.bench import machine
from tests.integration.job import store as s3
from tests.stores import hbase, hdfs

PICTURES, SIZE, ROUNDS = 4000, 30_000, 3
THREADS = 6  # three shards at once, each with two threads that read
KEYS, LISTED = 1_000_000, 20_000
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"
Bare = Callable[[], int]


def main() -> int:
    """Measures and writes; returns the exit code."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as text, ExitStack() as servers:
        work = Path(text)
        around = Surroundings(jars=jars(), work=work / "work", secrets=secrets(work))
        for name, prepare in (("HBase", of_hbase), ("S3", of_s3), ("HDFS", of_hdfs), ("files", of_files)):
            (work / name).mkdir()
            source, bare = prepare(work / name, servers)
            rows.append(measured(name, source, bare, around))
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
            sys.stdout.flush()
        planning = {"cut": planned(), "list": listed(work, servers, around)}
    write(rows, planning)
    return 0


def pictures() -> Iterator[tuple[str, bytes]]:
    """Yields keys and contents that can't be compressed."""
    random = np.random.default_rng(0)
    for number in range(PICTURES):
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
    server.client.create("bench", [b"001000", b"002000", b"003000"])
    batch: dict[bytes, bytes] = {}
    for key, data in pictures():
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
        keys = list(pool.map(lambda each: put(store, *each), pictures()))
    access = {"endpoint": store.endpoint, "secretRef": {"name": "store"}}

    def get(key: str) -> int:
        return len(store.get("bench", key))

    def bare() -> int:
        with ThreadPoolExecutor(THREADS) as pool:
            return sum(pool.map(get, keys))

    return {"s3": {**access, "bucket": "bench", "prefix": "pictures/"}}, bare


def put(store: s3.Store, key: str, data: bytes) -> str:
    """Stores a picture; returns its key."""
    store.client.put_object("bench", f"pictures/{key}", io.BytesIO(data), len(data))
    return f"pictures/{key}"


def of_hdfs(folder: Path, servers: ExitStack) -> tuple[dict[str, Any], Bare]:
    """Fills a folder of HDFS; returns the source and the bare client's way to read it."""
    server = servers.enter_context(hdfs.running(folder))
    client = servers.enter_context(hdfs.client(server))
    client.write("/pictures", pictures())
    return {"files": {"uri": f"{server.uri}/pictures"}}, lambda: client.read("/pictures")


def of_files(folder: Path, servers: ExitStack) -> tuple[dict[str, Any], Bare]:
    """Fills a folder; returns the source and a loop over its files."""
    for key, data in pictures():
        (folder / key).write_bytes(data)
    return {"files": {"uri": f"file://{folder}"}}, lambda: sum(len(path.read_bytes()) for path in folder.iterdir())


def measured(name: str, source: dict[str, Any], bare: Bare, around: Surroundings) -> dict[str, Any]:
    """Returns MB/s of both, in turns; the first round warms up and does not count."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS + 1):
        found = reading.read(job(source), around)
        if found.pictures != PICTURES:
            raise RuntimeError(f"{name}: {found}")
        ours.append(found.bytes / found.seconds / 1e6)
        started = time.monotonic()
        count = bare()
        if count != PICTURES * SIZE:
            raise RuntimeError(f"{name}: the bare client read {count} bytes")
        theirs.append(count / (time.monotonic() - started) / 1e6)
    both = [statistics.median(each[1:]) for each in (ours, theirs)]
    return {
        "source": name,
        "shards": found.shards,
        "planning": round(found.planning, 2),
        "featx": round(both[0], 1),
        "bare": round(both[1], 1),
        "share": round(both[0] / both[1], 2),
        "pictures": round(both[0] * 1e6 / SIZE),
    }


def job(source: dict[str, Any]) -> JobSpec:
    """Returns a job that reads a source."""
    nowhere = {"prototxt": "file:///none", "weights": "file:///none", "sha256": "0" * 64}
    spec = {
        "source": source,
        "extractor": {"model": nowhere, "layer": "none"},
        "output": {"uri": "file:///none/none"},
        "execution": {"shardPictures": 250},
    }
    return JobSpec(
        name="bench", namespace="bench", uid="bench", attempt=1, spec=FeatureExtractionSpec.model_validate(spec)
    )


def planned() -> dict[str, Any]:
    """Returns what it takes to cut a million listed keys into shards, to store the list and to read it again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    shards = cut("s3a://bucket/", (Listed(f"shop/2026-11/{n:09}.jpg", SIZE) for n in range(KEYS)), 250)
    again = from_bytes(to_bytes(shards))
    lines = sum(len(again.line(index)) for index in range(len(again)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"keys": KEYS, "seconds": round(time.monotonic() - started, 1), "MiB": grown // 1024, "lines": lines}


def listed(work: Path, servers: ExitStack, around: Surroundings) -> dict[str, Any]:
    """Returns what it takes to list keys of a real S3 server."""
    (work / "keys").mkdir()
    store = servers.enter_context(s3.running(work / "keys"))
    store.put("keys", {})
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: store.client.put_object("keys", f"{n:09}", io.BytesIO(b"x"), 1), range(LISTED)))
    access = {"endpoint": store.endpoint, "secretRef": {"name": "store"}}
    spec = job({"s3": {**access, "bucket": "keys"}}).spec
    started = time.monotonic()
    shards = places.shards(spec, around, Hadoop(dict, 0))
    seconds = time.monotonic() - started
    return {"keys": shards.pictures, "seconds": round(seconds, 2), "keysASecond": round(LISTED / seconds)}


def write(rows: list[dict[str, Any]], planning: dict[str, Any]) -> None:
    """Writes both files."""
    day = datetime.now(UTC).date().isoformat()
    found = {"date": day, "machine": machine.described(), "pictures": PICTURES, "bytes": SIZE}
    (FOLDER / "stores.json").write_text(json.dumps({**found, "rows": rows, "planning": planning}, indent=2) + "\n")
    cutting, listing = planning["cut"], planning["list"]
    lines = [
        "# Reading sources\n",
        f"`make bench-stores`, {day}: {machine.described()}. {PICTURES} pictures of {SIZE // 1000} kB that can't be "
        "compressed; servers (HBase 2.6, SeaweedFS, HDFS 3.3, a local disk) share the two cores with the readers; "
        f"medians of {ROUNDS} rounds, in turns. Bare: a scan in the JVM, `minio` with {THREADS} threads, Hadoop's "
        "client in a loop, a loop over files.\n",
        "| source | shards | listed in, s | Featx, MB/s | bare client, MB/s | share | Featx, pictures/s |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {each['source']} | {each['shards']} | {each['planning']} | {each['featx']} | {each['bare']} | "
            f"{each['share']:.0%} | {each['pictures']} |"
            for each in rows
        ),
        f"\n{cutting['keys']:,} keys are cut into shards, stored, read again and told to executors in "
        f"{cutting['seconds']} s; the driver grows by {cutting['MiB']} MiB. {listing['keys']:,} keys of a bucket are "
        f"listed in {listing['seconds']} s, {listing['keysASecond']:,} a second.",
    ]
    (FOLDER / "stores.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
