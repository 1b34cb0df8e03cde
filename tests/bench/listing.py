"""`make bench WHAT=listing`: how long a flat bucket takes to list, and how much memory it takes.

Writes docs/bench/listing.{json,md}.

Keys come from a server that computes them from their numbers, in a process of its own on the same cores, and from a
real SeaweedFS. Each listing runs in a process of its own, which prints its measurements:
`python -m tests.bench.listing ENDPOINT BUCKET PREFIX chain|ranges`. One chain of pages is what there was before.

`python -m tests.bench listing --most 100000 --output DIR` tries everything on few keys.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from featx_job.clients.s3 import Bucket
from featx_job.clients.s3_settings import Connection, Credentials
from featx_job.source.s3 import BucketSource

from tests.bench import machine
from tests.integration.job import store as s3
from tests.support import listing_server

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"
COUNTS = (10_000, 100_000, 1_000_000, 10_000_000)
CHAIN_AT_MOST = 1_000_000  # keys; more take minutes, each like those before
LATENCY, LATENT = 0.05, 300_000  # seconds of each response, as of a store across a network; and keys
STORED = 100_000  # in SeaweedFS
BATCH = 10_000  # files that are copied into it at a time


class Options(argparse.Namespace):
    """What to measure, and where to write it.

    Attributes:
        most: Keys of the largest bucket.
        output: Folder of the results.
    """

    most: int
    output: Path


def main(arguments: list[str]) -> int:
    """Runs the benchmark and writes its results; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tests.bench listing")
    parser.add_argument("--most", type=int, default=COUNTS[-1], help="keys of the largest bucket")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the results")
    options = parser.parse_args(arguments, namespace=Options())
    rows, load = [], round(os.getloadavg()[0], 1)  # a machine that others use is slower
    counts = [count for count in COUNTS if count <= options.most]
    cases = [("hashes", count, 0.0) for count in counts]
    cases += [(names, min(COUNTS[2], options.most), 0.0) for names in listing_server.NAMES if names != "hashes"]
    cases += [(names, min(LATENT, options.most), LATENCY) for names in listing_server.NAMES]
    for names, count, latency in cases:
        with listing_server.running(names, count, latency) as endpoint:
            compared = count <= CHAIN_AT_MOST and (names == "hashes" or latency > 0)
            for way in ("ranges", "chain") if compared else ("ranges",):
                rows.append(measured(way, names, count, latency, endpoint, listing_server.BUCKET, ""))
    rows += measure_seaweedfs(min(STORED, options.most))
    write(rows, load, options.output)
    return 0


def measured(way: str, names: str, count: int, latency: float, *where: str) -> dict[str, Any]:
    """Lists a bucket in another process; returns a row."""
    command = [sys.executable, "-m", "tests.bench.listing", *where, way]
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    if result.pop("keys") != count:
        raise RuntimeError(f"{names}, {way}: {result} for {count} keys")
    row = {"names": names, "keys": count, "latency": latency, "way": way, **result}
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()
    return row


def measure_seaweedfs(count: int) -> list[dict[str, Any]]:
    """Lists a flat folder of a real store."""
    with tempfile.TemporaryDirectory() as text, s3.running(Path(text)) as store:
        store.put("flat", {})
        for first in range(0, count, BATCH):
            folder = Path(text) / str(first) / "flat"
            folder.mkdir(parents=True)
            for number in range(first, min(count, first + BATCH)):
                (folder / f"img-{number:010}.jpg").write_bytes(b"-")
            store.copy_folder(folder, "flat")
        ways = ("ranges", "chain")
        return [measured(way, "SeaweedFS, digits", count, 0.0, store.endpoint, "flat", "flat/") for way in ways]


def list_once(endpoint: str, name: str, prefix: str, way: str) -> None:
    """Lists a bucket, checks the order, and prints the measurements as JSON."""
    connection = Connection(endpoint=endpoint, region="us-east-1", credentials=Credentials(*s3.ADMIN))
    bucket = Bucket(connection, "spec.source.s3", name, 30)
    before, started, keys, last = time.process_time(), time.monotonic(), 0, ""
    for listed in BucketSource(bucket, prefix).objects() if way == "ranges" else bucket.below(prefix):
        if listed.key <= last:
            raise RuntimeError(f"{listed.key} after {last}")
        keys, last = keys + 1, listed.key
    seconds, cpu = time.monotonic() - started, (time.process_time() - before) / keys * 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    result = {"keys": keys, "seconds": round(seconds, 1), "cpu": round(cpu, 1), "MiB": peak}
    sys.stdout.write(json.dumps(result))


def write(rows: list[dict[str, Any]], load: float, output: Path) -> None:
    """Writes the JSON file and the page."""
    day = datetime.now(UTC).date().isoformat()
    results = {"date": day, "machine": machine.described(), "load": load, "rows": rows}
    (output / "listing.json").write_text(json.dumps(results, indent=2) + "\n")
    lines = [
        "# Listing flat buckets\n",
        f"`make bench WHAT=listing`, {day}: {machine.described()}; load {load} at the start. A server computes the "
        "keys from their numbers and shares the two cores with the lister; with a latency, each of its responses takes "
        "that much longer. Ranges: what a run lists, in order, 16 requests at a time. Chain: one page after the other, "
        "as before. Memory is the peak of the whole process, of which some 60 MiB are the interpreter and its modules."
        "\n",
        "| names | keys | latency, ms | way | s | keys/s | CPU of the lister, us per key | MiB |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {row['names']} | {row['keys']:,} | {row['latency'] * 1000:.0f} | {row['way']} | {row['seconds']} | "
            f"{row['keys'] / max(row['seconds'], 0.1):,.0f} | {row['cpu']} | {row['MiB']} |"
            for row in rows
        ),
    ]
    (output / "listing.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if sys.argv[-1] in ("chain", "ranges"):
        list_once(*sys.argv[1:])
    else:
        sys.exit(main(sys.argv[1:]))
