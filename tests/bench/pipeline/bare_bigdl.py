"""The bigdl engine alone: both nets in turn, with input already in the JVM."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import numpy as np

from tests.bench.pipeline.baselines.work import Work
from tests.integration.nets.engine import running

SECONDS = 4.0


def main(path: str) -> None:
    """Measures the nets of a work file; writes seconds per image of each net."""
    work = Work.read(path)
    seconds = {}
    with running(threads=work.cores) as engine:
        for name, net in (("detector", work.detector), ("extractor", work.extractor)):
            batch = np.random.default_rng(0).uniform(-1, 1, (work.batch, 3, net.size, net.size)).astype(np.float32)
            with engine.loaded(Path(net.onnx).with_suffix(".net"), work.batch) as compiled:
                taken = compiled.seconds(batch * np.float32(127 * net.scale), SECONDS)
            seconds[name] = statistics.median(taken) / work.batch
    Path(work.output).mkdir(parents=True, exist_ok=True)
    (Path(work.output) / "bare.json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1])
