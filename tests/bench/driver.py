"""Measures the driver alone, from the first shard to the manifest: its code, its list, log and files, and no executor.

What executors would report comes at once, so the driver is never waited for and its own time shows. It is handed over
as the JSON that Spark's side hands over. Left out are Spark's scheduler, the listing of a source (`WHAT=listing`) and
the store's latency: files are on this machine's disk.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from featx_api.contract import JobSpec
from featx_api.executor_contract import KeyRange, ShardResult, StepSeconds
from featx_api.group_contract import GroupResult, GroupTask
from featx_api.status import Progress
from featx_job.computation import Computation
from featx_job.local_files import on_this_machine
from featx_job.progress import Tally
from featx_job.source import piece_tables, pieces
from featx_job.source.listed_shards import ListedShards
from featx_job.source.objects import SourceObject
from featx_job.source.pieces import INDEX, PIECE_OBJECTS, Pieces
from featx_job.table.delta_entries import Committer
from featx_job.table.delta_log import DeltaLog
from featx_job.table.delta_publisher import DeltaPublisher
from featx_job.table.output import RunOutput
from featx_job.table.run_files import RunFiles
from featx_job.table.run_lists import RunLists
from featx_job.table.storage.local import LocalStorage
from pydantic import TypeAdapter

from tests.bench import machine

SIZES = (10**4, 10**5, 10**6, 10**7, 10**8, 10**9)
SMALL_SHARDS = 32  # images, as in runs of up to 65,536 images
SECONDS_PER_IMAGE = 0.01
FEATURE_BYTES = 4096
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"
SPEC = {
    "source": {"s3": {"bucket": "images"}},
    "extractor": {"model": {"onnx": "s3://models/net.onnx", "sha256": "0" * 64}, "layer": "pool"},
    "output": {"uri": "s3://features/table"},
}
FINISHED = TypeAdapter(list[ShardResult])


class SyntheticLists(RunLists):
    """The list of a source of any size: each of its pieces has the same content."""

    def __init__(self, storage: LocalStorage, images: int) -> None:
        super().__init__(storage, "_featx/uid", exclusive=True)
        first = Pieces(self, "s3a://images/")
        objects = [SourceObject(f"catalog/{n:012}.jpg", 25_000, "5f70bf18a086007016e9") for n in range(PIECE_OBJECTS)]
        first.append(piece_tables.of_all(objects), {})
        self._piece = super().load("piece-000000.parquet")
        ends = [*range(PIECE_OBJECTS, images, PIECE_OBJECTS), images]
        self._index = json.dumps(
            {"base": "s3a://images/", "ends": ends, "bytes": 25_000 * images, "skipped": {}}
        ).encode()

    def load(self, name: str) -> bytes | None:
        return self._index if name == INDEX else self._piece


class Executors:
    """A Spark context whose executors finish whatever they are given at once."""

    def __init__(self) -> None:
        self.outstanding = 0
        self._lines: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to stop."""

    def prepare(self) -> None:
        """Nothing to prepare."""

    def write_nets(self, *_: object) -> None:
        """No nets."""

    def keep_executors(self, count: int | None) -> None:
        """As many as there are."""

    def shard_run(self, *_: object) -> Executors:
        return self

    @property
    def is_running(self) -> bool:
        return self.outstanding > 0

    def submit(self, lines: Iterable[str], count: int) -> None:
        self._lines += map(json.loads, lines)
        self.outstanding += count

    def wait(self, seconds: float) -> None:
        """Results are there."""

    def waiting(self) -> None:
        """No store to wait for."""

    def finished(self) -> Iterator[ShardResult]:
        taken, self._lines = self._lines[:500], self._lines[500:]
        self.outstanding -= len(taken)
        text = "[" + ",".join(result(line).to_json() for line in taken) + "]"
        yield from FINISHED.validate_json(text, strict=True)

    def join(self, tasks: list[GroupTask], _: object) -> list[GroupResult]:
        return [joined(task) for task in tasks]


def result(line: dict[str, Any]) -> ShardResult:
    """What an executor reports of a shard."""
    images = len(line["objects"]) if "objects" in line else sum(rows for _, _, rows in line["spans"])
    keys = KeyRange(first="catalog/000000000000.jpg", last="catalog/000000065535.jpg")
    seconds = StepSeconds(read=1, decode=1, idle=0, detect=images * SECONDS_PER_IMAGE, extract=0, write=0)
    return ShardResult(
        index=line["index"],
        file=f"part-{line['index']:05}-0b0e7f2a-5f70-4bf1-8a08-6007016e948b.parquet",
        features=images,
        failures=0,
        skipped=0,
        bytes=images * FEATURE_BYTES,
        failure_bytes=0,
        precision="f32",
        sha256="5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        failure_sha256="",
        keys=keys,
        seconds=seconds,
    )


def joined(task: GroupTask) -> GroupResult:
    """What an executor reports of a joined file."""
    return GroupResult(
        number=task.number,
        file=task.file,
        rows=len(task.rows),
        bytes=len(task.rows),
        sha256="5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        keys=KeyRange(first="catalog/000000000000.jpg", last="catalog/000000065535.jpg"),
        quarantine_file="",
        quarantined=0,
        quarantine_bytes=0,
        quarantine_sha256="",
        seconds=1.0,
    )


class NoSnapshots:
    """Checkpoints are Delta Kernel's work, in the driver's JVM."""

    def newest(self) -> Any:
        raise NotImplementedError

    def write_checkpoint(self, version: int) -> None:
        """None."""


class Nets:
    """Of a run whose executors compute nothing."""

    def files(self) -> object:
        return object()


def measure(images: int, shard_images: int | None, folder: Path) -> dict[str, Any]:
    """Runs the driver's part of a run of so many images."""
    storage = LocalStorage(on_this_machine(folder, "spec.output.uri"))
    files = RunFiles(storage, "uid", f"file://{folder}")
    log = DeltaLog(storage, Committer("uid", "catalog", "featx/1"), patience=30)
    output = RunOutput(files, DeltaPublisher(files, log, NoSnapshots(), None))
    lists = SyntheticLists(storage, images)
    started, cpu = time.monotonic(), time.process_time()
    listed = pieces.load(lists)
    assert listed
    shards = ListedShards(listed, lists, shard_images)
    output.publisher.resume()
    tally = Tally(shards.images, shards.expected, time.monotonic())
    reports: list[float] = [started]

    def report(_: Progress) -> None:
        reports.append(time.monotonic())

    job = JobSpec.model_validate({"name": "catalog", "namespace": "team", "uid": "uid", "attempt": 1, "spec": SPEC})
    executors: Any = Executors()
    nets: Any = Nets()
    Computation(job, shards, nets, output, tally, 2000, report).run(executors, lambda: None)
    entries = output.file_entries()
    output.publish({"uid": "uid", "files": entries})
    seconds = time.monotonic() - started
    return {
        "images": images,
        "shards": len(shards),
        "files": len(entries),
        "seconds": round(seconds, 1),
        "cpuSeconds": round(time.process_time() - cpu, 1),
        "shardsPerSecond": round(len(shards) / seconds),
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "longestSecondsBetweenReports": round(max(b - a for a, b in pairwise(reports)), 2),
        "logBytes": sum(path.stat().st_size for path in (folder / "_delta_log").iterdir()),
        "manifestBytes": (folder / "_manifest.json").stat().st_size,
    }


def main() -> int:
    """Measures each size in a process of its own and writes the results."""
    runs = [(images, None) for images in SIZES] + [(images, SMALL_SHARDS) for images in SIZES[:4]]
    rows = [json.loads(_apart(images, shard_images)) | {"shardImages": shard_images} for images, shard_images in runs]
    (FOLDER / "driver.json").write_text(json.dumps({"machine": machine.described(), "runs": rows}, indent=1) + "\n")
    (FOLDER / "driver.md").write_text(page(rows))
    return 0


def _apart(images: int, shard_images: int | None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.bench.driver", str(images), str(shard_images or 0), folder]
        return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def page(rows: list[dict[str, Any]]) -> str:
    """The results as a page."""
    day = datetime.now(UTC).date()
    lines = [
        "# The driver alone",
        "",
        f"`make bench WHAT=driver`, {day}: {machine.described()}.",
        "Simulated executors that finish at once; the driver with its list, stages, Delta log and manifest on a local",
        "disk. Spark's scheduler, the listing and the latency of a store are left out. Reports: the longest",
        "time between two reports of the progress.",
        "",
        "| images | images per shard | shards | files | seconds | shards/s | memory | reports | log | manifest |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['images']:,} | {row['shardImages'] or 'by work'} | {row['shards']:,} | {row['files']:,} "
            f"| {row['seconds']} | {row['shardsPerSecond']:,} | {row['MiB']} MiB "
            f"| {row['longestSecondsBetweenReports']} s "
            f"| {row['logBytes'] / 1e6:.1f} MB | {row['manifestBytes'] / 1e6:.1f} MB |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        size, per_shard, where = sys.argv[1:]
        sys.stdout.write(json.dumps(measure(int(size), int(per_shard) or None, Path(where))))
    else:
        sys.exit(main())
