"""`make bench WHAT=pipeline`: measures every row on every pair of nets; writes docs/bench/pipeline.{json,md}."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from featx_cli.java_build import cache_folder, jars

from tests.bench.pipeline import measured, report
from tests.bench.pipeline.measured import Measured, RowFailed
from tests.bench.pipeline.nets import PAIRS, Pair
from tests.bench.pipeline.rows import ROWS, Job
from tests.support import images

ROOT = Path(__file__).resolve().parents[3]
SCALED = "featx-bigdl"


def main(arguments: list[str]) -> int:
    """Runs the benchmark and writes its results; returns the exit code."""
    options = _parser().parse_args(arguments)
    jars()  # built before anything is timed
    cpus = sorted(os.sched_getaffinity(0))[: options.cores]
    results = report.read(options.output) if options.add else report.empty(len(cpus))
    for name in options.nets:
        pair = PAIRS[name]
        with prepared(name) as folder:
            bench = Bench(pair, folder, cpus, options.images or pair.images)
            runs = bench.rounds(options.rows, options.rounds or pair.rounds)
            results["pairs"][name] = report.summary(pair, bench.count, runs, results["pairs"].get(name))
            if options.scaling:
                results["scaling"][name] = bench.scaling()
        report.write(results, options.output)
    return 0


def _parser() -> argparse.ArgumentParser:
    def names(known: dict[str, Any]) -> Any:
        def parse(text: str) -> list[str]:
            chosen = text.split(",")
            unknown = [name for name in chosen if name not in known]
            if unknown:
                raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: known are {', '.join(known)}")
            return chosen

        return parse

    parser = argparse.ArgumentParser(prog="python -m tests.bench pipeline", description=__doc__)
    parser.add_argument("--rows", type=names(ROWS), default=list(ROWS), help="comma-separated rows")
    parser.add_argument("--nets", type=names(PAIRS), default=list(PAIRS), help="comma-separated pairs of nets")
    parser.add_argument("--images", type=int, help="number of images (default: depends on the pair)")
    parser.add_argument("--rounds", type=int, help="runs per row (default: depends on the pair)")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument(
        "--no-scaling", dest="scaling", action="store_false", help="skip the comparison of one core with two"
    )
    parser.add_argument("--add", action="store_true", help="keep existing results of rows that are not run")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "bench", help="folder for the two files")
    return parser


@contextmanager
def prepared(name: str) -> Iterator[Path]:
    """Yields a temporary folder with a pair of nets, deleted afterwards because VGG16's files are 2 GB."""
    cache = cache_folder() / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="nets-") as text:
        subprocess.run([sys.executable, "-m", "tests.bench.pipeline.nets", name, text], check=True, cwd=ROOT)
        yield Path(text)


class Bench:
    """One pair of nets on a set of images and processors."""

    def __init__(self, pair: Pair, nets: Path, cpus: list[int], count: int) -> None:
        self._pair, self._nets, self._cpus = pair, nets, cpus
        self._images = nets / "images"
        self._images.mkdir()
        available = images.paths(count)
        for index in range(count):
            source = available[index % len(available)]
            shutil.copyfile(source, self._images / f"{index:05}{source.suffix}")
        self.count = count
        self._features: dict[str, Any] = {}  # of the first row; the others are compared with them

    def rounds(self, names: list[str], rounds: int) -> dict[str, list[Any]]:
        """The runs of each row. Rows take turns, and rounds alternate in direction."""
        runs: dict[str, list[Any]] = {name: [] for name in names}
        for index in range(rounds):
            for name in names if index % 2 == 0 else reversed(names):
                try:
                    runs[name].append(self._bare(name) if name.endswith("-bare") else self._row(name))
                except RowFailed as failure:
                    runs[name].append({"error": str(failure)})
                result = {key: value for key, value in runs[name][-1].items() if key != "finished"}
                sys.stdout.write(f"{name}: {json.dumps(result)}\n")
                sys.stdout.flush()
        return runs

    def scaling(self) -> dict[str, float]:
        """Compares one single-core executor with two, each a process pinned to its own processor.

        Both executors process the same images, so the speed-up is twice the time of one over the time of both.
        """
        alone: list[Measured] = []
        both: list[Measured] = []
        try:
            self._on(self._cpus[0], 0, alone)
            threads = [threading.Thread(target=self._on, args=(cpu, i, both)) for i, cpu in enumerate(self._cpus[:2])]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except RowFailed:
            return {}
        if len(both) < 2:
            return {}
        one, two = alone[0].steady, sum(result.steady for result in both)
        return {"oneCore": round(one, 2), "twoOfOneCore": round(two, 2), "speedUp": round(two / one, 2)}

    def _on(self, cpu: int, index: int, results: list[Measured]) -> None:
        results.append(self._measured(SCALED, {cpu}, f"{index}"))

    def _row(self, name: str) -> dict[str, Any]:
        result = self._measured(name, set(self._cpus), "")
        expected = self.count * ROWS[name].jobs
        if result.images != expected:
            raise RowFailed(f"{result.images} rows of {expected}")
        return asdict(result)

    def _measured(self, name: str, cpus: set[int], suffix: str) -> Measured:
        with tempfile.TemporaryDirectory(dir=self._nets, prefix=f"{name}-{suffix}") as text:
            job = self._job(Path(text), len(cpus))
            command, log = ROWS[name].command(job), Path(text) / "log"
            result = measured.run(command, job.output, log, {"PYTHONPATH": str(ROOT)}, cpus)
            features = measured.features(job.output)
            self._features = self._features or features
            return replace(result, cosine=measured.cosine(features, self._features))

    def _bare(self, name: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=self._nets, prefix=name) as text:
            job = self._job(Path(text), len(self._cpus))
            command, log = ROWS[name].command(job), Path(text) / "log"
            samples, seconds, _ = measured.observed(command, log, {"PYTHONPATH": str(ROOT)}, set(self._cpus))
            taken = json.loads((job.output / "bare.json").read_text())
        rates = {net: 1 / value for net, value in taken.items()}
        peak = max(sample.memory for sample in samples)
        return {"steady": 1 / sum(taken.values()), "seconds": seconds, "peak": peak, **rates}

    def _job(self, folder: Path, cores: int) -> Job:
        return Job(self._pair, self._nets, self._images, folder / "table", folder, cores, self._pair.part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
