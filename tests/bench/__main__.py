"""`make bench WHAT=...`: runs a benchmark, which writes its numbers and a page to docs/bench."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

# Rows also measured on more images: the JVM compiles during its first 20 seconds, and small nets are fast.
ROWS = (
    *("featx-bigdl", "bigdl-bare", "featx-openvino", "openvino-bare", "featx-openvino-bf16", "openvino-bf16-bare"),
    *("openvino-bf16", "openvino", "onnxruntime", "torch", "featx-bigdl-int8", "featx-openvino-int8"),
)
LONG = f"--nets coco,res10 --images 1536 --no-scaling --rows {','.join(ROWS)} --output docs/bench/long"


class Bench(NamedTuple):
    """A benchmark.

    Attributes:
        about: What it measures and how long it takes.
        local: Modules of `tests.bench` to run, each with its arguments.
        on_cluster: A module to run afterwards in a cluster that has Featx, or None.
    """

    about: str
    local: tuple[str, ...] = ()
    on_cluster: str | None = None


BENCHES = {
    "main": Bench("the main job on a real node (10 minutes)", on_cluster="main_job"),
    "memory": Bench(
        "the operator's memory beside 1,000 resources at the size limit (10 minutes)", on_cluster="operator_memory"
    ),
    "load": Bench(
        "the operator under load: ten runs a second, 1,000 at once, 20,000 ended ones (30 minutes)", ("load",)
    ),
    "gitops": Bench("from a commit to a run that has succeeded, with a real Argo CD (5 minutes)", ("gitops",)),
    "driver": Bench("the driver's own time and memory, from 10^4 to 10^9 images (20 minutes)", ("driver",)),
    "pipeline": Bench(
        "Featx compared with Spark using torch, onnxruntime, OpenVINO, and stock BigDL (60 minutes)",
        ("pipeline", f"pipeline {LONG}"),
    ),
    "crops": Bench("class mAP by crop policy, on the labelled catalogue (5 minutes)", ("crops",)),
    "precision": Bench("effect of bf16 and int8 on detections, features and class mAP (4 minutes)", ("precision",)),
    "duplicates": Bench(
        "near-duplicates from known transforms: precision, recall, thresholds (4 minutes)", ("duplicates",)
    ),
    "deepbit": Bench(
        "class mAP of short codes compared with features, random projection and PCA-ITQ (3 minutes)", ("codes",)
    ),
    "formats": Bench("error against Pillow and decode time of every image format (2 minutes)", ("formats",)),
    "fuzz": Bench("100,000 mutated images decoded in one JVM: crashes, longest time, memory (30 minutes)", ("fuzz",)),
    "stores": Bench("speed of HBase, S3, HDFS and files compared with bare clients (15 minutes)", ("stores",)),
    "listing": Bench("flat buckets of 10,000 to 10,000,000 keys: seconds and memory (10 minutes)", ("listing",)),
    "inventory": Bench("reading inventories and lists of up to 10,000,000 keys (10 minutes)", ("inventory",)),
    "kills": Bench(
        "drivers, then executors, killed at 50 random moments: no image lost or duplicated (25 minutes)",
        ("kills",),
        on_cluster="executor_kills",
    ),
}


def main(arguments: list[str]) -> int:
    """Runs a benchmark.

    Args:
        arguments: Its name (default `main`) and options for its only module.

    Returns:
        0; the exit code of the first part that failed; 2 for an unknown name, 0 for `help`, after listing all names.
    """
    name, *options = arguments or ["main"]
    if name not in BENCHES:
        return _list(name)
    bench = BENCHES[name]
    for command in bench.local[:1] if options else bench.local:
        code = subprocess.run([sys.executable, "-m", *f"tests.bench.{command}".split(), *options]).returncode
        if code:
            return code
    if bench.on_cluster is None:
        return 0
    from tests.e2e.__main__ import in_cluster

    return in_cluster([[sys.executable, "-m", f"tests.bench.{bench.on_cluster}"]])


def _list(name: str) -> int:
    unknown = name != "help"
    if unknown:
        print(f"error: unknown benchmark: {name}", file=sys.stderr)
    for known, bench in BENCHES.items():
        print(f"make bench WHAT={known:11} {bench.about}", file=sys.stderr if unknown else sys.stdout)
    return 2 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
