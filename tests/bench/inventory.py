"""Reads synthetic inventories and lists of keys as a driver would, each in a process of its own for its peak memory.

`make bench WHAT=inventory` writes docs/bench/inventory.{json,md}. The store is a folder, so that only reading counts.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pyarrow
from featx_job.clients.s3 import Bucket
from featx_job.source import key_list
from featx_job.source.inventory import Inventory
from pyarrow import parquet

from tests.bench import catalogue
from tests.support import inventories

COUNTS = (1_000_000, 10_000_000)
BILLION = 1_000_000_000
LISTS = ("list.parquet", "list.txt.gz")
URI = "s3://photos/inventory/daily"


class FolderBucket:
    """A bucket whose objects are files."""

    name = "photos"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def download(self, key: str, path: Path, most: int) -> bool:
        shutil.copyfile(self._folder / key, path)
        return path.stat().st_size <= most


def main(arguments: list[str]) -> None:
    """Measures each format and count, or reads once if it is told to (`--read`)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--read", nargs=3, metavar=("WHAT", "FOLDER", "HOW"))
    parsed = parser.parse_args(arguments)
    if parsed.read:
        what, folder, how = parsed.read
        sys.stdout.write(json.dumps(read(what, Path(folder), how)))
        return
    rows = [row for count in parsed.counts for what in (*inventories.FORMATS, *LISTS) for row in measured(what, count)]
    results = catalogue.environment() | {"rows": rows}
    results["versions"] = {"pyarrow": pyarrow.__version__}
    catalogue.write("inventory", results, page(results))


def measured(what: str, count: int) -> Iterator[dict[str, Any]]:
    """Yields one row for batches of columns, and one for tuples."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write(what, folder, count)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        for how in ("batches", "objects"):
            command = [sys.executable, "-m", "tests.bench.inventory", "--read", what, text, how]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row = json.loads(done.stdout)
            assert row["keys"] == count
            yield catalogue.report({"what": what, "how": how, "MB": round(size / 1e6), **row})


def write(what: str, folder: Path, count: int) -> None:
    """Writes an inventory, file by file, or a list of as many keys."""
    if what in inventories.FORMATS:
        format_ = what
        listed = []
        for number, data in enumerate(inventories.many(format_, "photos", count)):
            for key, content in inventories.objects(format_, "photos", [data], f"part-{number}").items():
                path = folder / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            manifest = json.loads((folder / f"part-{number}/2026-11-28T01-00Z/manifest.json").read_text())
            listed += manifest["files"]
        (folder / "inventory" / "daily").mkdir(parents=True)
        (folder / "inventory" / "daily" / "manifest.json").write_text(json.dumps(manifest | {"files": listed}))
        return
    keys = [f"photos/{number % 256:02x}/{number:032x}.jpg" for number in range(count)]
    if what == "list.parquet":
        parquet.write_table(pyarrow.table({"key": keys}), folder / what)
    else:
        with pyarrow.output_stream(folder / what, compression="gzip") as stream:
            stream.write("\n".join(keys).encode())


def read(what: str, folder: Path, how: str) -> dict[str, Any]:
    """Reads all of it; returns the number of keys, seconds, CPU seconds and MiB of peak memory, imports included."""
    uri = f"{URI}/manifest.json"
    started = time.monotonic()
    if what in inventories.FORMATS:
        listing = Inventory(cast(Bucket, FolderBucket(folder)), uri, folder)
        batches = listing.batches("photos", "photos/", listing.manifest())
    else:
        batches = key_list.local_batches(f"s3://photos/{what}", folder / what)
    if how == "batches":
        keys = sum(map(len, batches))
    else:
        keys = sum(1 for batch in batches for _ in zip(*(column.to_pylist() for column in batch.columns), strict=True))
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds, cpu = time.monotonic() - started, used.ru_utime + used.ru_stime
    return {"keys": keys, "seconds": round(seconds, 2), "cpu": round(cpu, 2), "MiB": used.ru_maxrss // 1024}


def page(results: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    lines = [
        "# Reading the list of a large source",
        "",
        catalogue.measured_by("bench WHAT=inventory", results),
        "",
        "Seconds and peak memory of a process that reads an S3 Inventory (`source.s3.inventory`) or a list of keys",
        "(`source.list`), from a folder in place of a store, with all MD5 checked. `batches` are columns;",
        "`objects` are tuples of Python. The last column is proportional: it is not measured.",
        "",
        "| list | as | keys | MB of files | seconds | CPU seconds | MiB | minutes for 10⁹ |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        minutes = row["seconds"] * BILLION / row["keys"] / 60
        cells = (row["what"], row["how"], f"{row['keys']:,}", row["MB"], row["seconds"], row["cpu"], row["MiB"])
        lines.append(f"| {' | '.join(map(str, cells))} | {minutes:.0f} |")
    return lines


if __name__ == "__main__":
    main(sys.argv[1:])
