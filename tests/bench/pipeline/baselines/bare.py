"""An engine alone: both nets in turn, on input that is already in memory."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.pipeline.baselines.engines import Floats, compiled_openvino, loaded
from tests.bench.pipeline.baselines.work import Net, Work

SECONDS = 4.0


def main(path: str) -> None:
    """Measures the nets of a work file; writes seconds per image of each net."""
    work = Work.read(path)
    seconds = {}
    for name, net in (("detector", work.detector), ("extractor", work.extractor)):
        batch = np.random.default_rng(0).uniform(-1, 1, (work.batch, 3, net.size, net.size)).astype(np.float32)
        batch *= 127 * net.scale
        seconds[name] = (asynchronous if work.engine == "openvino" else one_by_one)(net, work, batch)
    folder = Path(work.output)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bare.json").write_text(json.dumps(seconds))


def one_by_one(net: Net, work: Work, batch: Floats) -> float:
    """The median of successive forwards, in seconds per image."""
    forward = loaded(work.engine, net.onnx, work.batch, work.cores, work.precision)
    forward(batch)
    taken, end = list[float](), time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(taken) < 3:
        started = time.perf_counter()
        forward(batch)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) / work.batch


def asynchronous(net: Net, work: Work, batch: Floats) -> float:
    """Seconds per image with requests in flight, like benchmark_app: the better of one stream and one per core."""
    from openvino import AsyncInferQueue

    best = float("inf")
    for streams in {1, work.cores}:
        settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": work.cores, "NUM_STREAMS": streams}
        queue = AsyncInferQueue(compiled_openvino(net.onnx, work.batch, settings, work.precision), streams)
        for _ in range(2 * streams):
            queue.start_async([batch])
        queue.wait_all()
        started, count = time.perf_counter(), 0
        while time.perf_counter() < started + SECONDS / 2:
            queue.start_async([batch])
            count += 1
        queue.wait_all()
        best = min(best, (time.perf_counter() - started) / count / work.batch)
    return best


if __name__ == "__main__":
    main(sys.argv[1])
