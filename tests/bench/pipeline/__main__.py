"""`make bench WHAT=pipeline`: measures each row on each pair of nets; writes docs/bench/pipeline.{json,md}."""

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
    """Measures and writes; returns the exit code."""
    given = _parser().parse_args(arguments)
    jars()  # built before anything is timed
    cpus = sorted(os.sched_getaffinity(0))[: given.cores]
    results = report.read(given.output) if given.add else report.empty(len(cpus))
    for name in given.nets:
        pair = PAIRS[name]
        with prepared(name) as folder:
            bench = Bench(pair, folder, cpus, given.images or pair.images)
            runs = bench.rounds(given.rows, given.rounds or pair.rounds)
            results["pairs"][name] = report.summary(pair, bench.count, runs, results["pairs"].get(name))
            if given.scaling:
                results["scaling"][name] = bench.scaling()
        report.write(results, given.output)
    return 0


def _parser() -> argparse.ArgumentParser:
    def names(known: dict[str, Any]) -> Any:
        def parse(text: str) -> list[str]:
            found = text.split(",")
            unknown = [name for name in found if name not in known]
            if unknown:
                raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: known are {', '.join(known)}")
            return found

        return parse

    parser = argparse.ArgumentParser(prog="python -m tests.bench pipeline", description=__doc__)
    parser.add_argument("--rows", type=names(ROWS), default=list(ROWS), help="rows, with commas between")
    parser.add_argument("--nets", type=names(PAIRS), default=list(PAIRS), help="pairs of nets, with commas between")
    parser.add_argument("--images", type=int, help="how many; each pair has its own number")
    parser.add_argument("--rounds", type=int, help="how often each row is run; each pair has its own number")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--no-scaling", dest="scaling", action="store_false", help="leave out one core against two")
    parser.add_argument("--add", action="store_true", help="keep what the files hold of rows that are not run")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "bench", help="folder of the two files")
    return parser


@contextmanager
def prepared(name: str) -> Iterator[Path]:
    """Yields a folder with a pair of nets; VGG16's files are 2 GB, so nothing is kept."""
    cache = cache_folder() / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="nets-") as text:
        subprocess.run([sys.executable, "-m", "tests.bench.pipeline.nets", name, text], check=True, cwd=ROOT)
        yield Path(text)


class Bench:
    """One pair of nets, on some images and processors."""

    def __init__(self, pair: Pair, nets: Path, cpus: list[int], count: int) -> None:
        self._pair, self._nets, self._cpus = pair, nets, cpus
        self._images = nets / "images"
        self._images.mkdir()
        found = images.paths(count)
        for index in range(count):
            source = found[index % len(found)]
            shutil.copyfile(source, self._images / f"{index:05}{source.suffix}")
        self.count = count
        self._features: dict[str, Any] = {}  # of the first row that ran; others are compared with them

    def rounds(self, names: list[str], rounds: int) -> dict[str, list[Any]]:
        """Returns for each row its runs; rows take turns, each round in the other direction."""
        runs: dict[str, list[Any]] = {name: [] for name in names}
        for index in range(rounds):
            for name in names if index % 2 == 0 else reversed(names):
                try:
                    runs[name].append(self._bare(name) if name.endswith("-bare") else self._row(name))
                except RowFailed as failure:
                    runs[name].append({"error": str(failure)})
                said = {key: value for key, value in runs[name][-1].items() if key != "finished"}
                sys.stdout.write(f"{name}: {json.dumps(said)}\n")
                sys.stdout.flush()
        return runs

    def scaling(self) -> dict[str, float]:
        """Returns one executor of one core beside two of them, each its own process on a processor of its own.

        Two times the same images: the speed-up is twice the time of one over the time of both.
        """
        alone: list[Measured] = []
        both: list[Measured] = []
        try:
            self._on(self._cpus[0], 0, alone)
            threads = [threading.Thread(target=self._on, args=(cpu, i, both)) for i, cpu in enumerate(self._cpus[:2])]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
        except RowFailed:
            return {}
        if len(both) < 2:
            return {}
        one, two = alone[0].steady, sum(each.steady for each in both)
        return {"oneCore": round(one, 2), "twoOfOneCore": round(two, 2), "speedUp": round(two / one, 2)}

    def _on(self, cpu: int, index: int, found: list[Measured]) -> None:
        found.append(self._measured(SCALED, {cpu}, f"{index}"))

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
            found = measured.features(job.output)
            self._features = self._features or found
            return replace(result, cosine=measured.cosine(found, self._features))

    def _bare(self, name: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=self._nets, prefix=name) as text:
            job = self._job(Path(text), len(self._cpus))
            command, log = ROWS[name].command(job), Path(text) / "log"
            samples, seconds, _ = measured.observed(command, log, {"PYTHONPATH": str(ROOT)}, set(self._cpus))
            taken = json.loads((job.output / "bare.json").read_text())
        each = {net: 1 / value for net, value in taken.items()}
        peak = max(sample.memory for sample in samples)
        return {"steady": 1 / sum(taken.values()), "seconds": seconds, "peak": peak, **each}

    def _job(self, folder: Path, cores: int) -> Job:
        return Job(self._pair, self._nets, self._images, folder / "table", folder, cores, self._pair.part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
