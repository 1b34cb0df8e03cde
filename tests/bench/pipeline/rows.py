"""The rows of the table: their programs and arguments."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from featx_api import API_VERSION, KIND

from tests.bench.pipeline import environment
from tests.bench.pipeline.nets import Pair

BATCH = 8
THRESHOLD, MARGIN = 0.5, 0.1
LOOSE = {"images": 16, "minCosine": 0, "minAgreement": 0}
HERE = "tests.bench.pipeline"


@dataclass(frozen=True)
class Job:
    """The inputs of one run of a row.

    Attributes:
        pair: The nets.
        nets: Folder of the prepared nets.
        images: Folder with only the images.
        output: Folder of the table.
        work: Folder for the program's input files.
        cores: Number of threads.
        part: Images per shard or partition.
    """

    pair: Pair
    nets: Path
    images: Path
    output: Path
    work: Path
    cores: int
    part: int


Command = Callable[[Job], list[str]]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        title: Name in the table.
        bare: Name of the row it is compared with, or empty; a bare engine names itself.
        command: The command to run.
        jobs: Passes over all images, needed if every pass writes a single file.
    """

    title: str
    bare: str
    command: Command
    jobs: int = 1


def featx(engine: str, precision: str) -> Command:
    """`featx run` with an engine. Defaults are omitted, so that older versions of Featx can be measured."""

    def command(job: Job) -> list[str]:
        nets = json.loads((job.nets / "pair.json").read_text())
        detector, extractor = (_model(nets[name]) for name in ("detector", "extractor"))
        spec: dict[str, Any] = {
            "source": {"files": {"uri": f"file://{job.images}"}},
            "detector": {**detector, "scoreThreshold": THRESHOLD, "crop": {"margin": MARGIN, "minArea": 0}},
            "extractor": {**extractor, "layer": job.pair.layer},
            "output": {"uri": f"file://{job.output}"},
            "execution": {"shardImages": job.part},
        }
        spec |= {"engine": engine} if engine != "bigdl" else {}
        spec |= {"precision": precision} if precision != "f32" or engine != "bigdl" else {}
        # Accept any int8 result for random weights; tests.bench.precision measures the effect on real nets.
        spec |= {"quantization": LOOSE} if precision == "int8" else {}
        resource = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "bench"}, "spec": spec}
        file = job.work / "featx.yaml"
        file.write_text(yaml.safe_dump(resource))
        return [sys.executable, "-m", "featx_cli", "run", str(file), "--cores", str(job.cores)]

    return command


def baseline(program: str, engine: str, precision: str = "f32") -> Command:
    """A program that runs in the baselines' environment."""
    return lambda job: [str(environment.python()), "-m", f"{HERE}.baselines.{program}", _work(job, engine, precision)]


def own(program: str) -> Command:
    """A program that runs in this environment."""
    return lambda job: [sys.executable, "-m", f"{HERE}.{program}", _work(job, "bigdl", "f32")]


ROWS = {
    "featx-bigdl": Row("Featx, bigdl f32", "bigdl-bare", featx("bigdl", "f32")),
    "featx-bigdl-int8": Row("Featx, bigdl int8", "", featx("bigdl", "int8")),
    "featx-openvino": Row("Featx, openvino f32", "openvino-bare", featx("openvino", "f32")),
    "featx-openvino-bf16": Row("Featx, openvino bf16", "openvino-bf16-bare", featx("openvino", "bf16")),
    "featx-openvino-int8": Row("Featx, openvino int8", "", featx("openvino", "int8")),
    "torch": Row("Spark mapInPandas + torch", "", baseline("spark_job", "torch")),
    "onnxruntime": Row("Spark mapInPandas + onnxruntime", "onnxruntime-bare", baseline("spark_job", "onnxruntime")),
    "openvino": Row("Spark mapInPandas + OpenVINO f32", "openvino-bare", baseline("spark_job", "openvino")),
    "openvino-bf16": Row(
        "Spark mapInPandas + OpenVINO bf16", "openvino-bf16-bare", baseline("spark_job", "openvino", "bf16")
    ),
    "stock": Row("stock BigDL predict_image, extractor only", "", own("stock_bigdl"), jobs=2),
    "bigdl-bare": Row("bare BigDL f32", "bigdl-bare", own("bare_bigdl")),
    "openvino-bare": Row("bare OpenVINO f32", "openvino-bare", baseline("bare", "openvino")),
    "openvino-bf16-bare": Row("bare OpenVINO bf16", "openvino-bf16-bare", baseline("bare", "openvino", "bf16")),
    "onnxruntime-bare": Row("bare onnxruntime", "onnxruntime-bare", baseline("bare", "onnxruntime")),
}


def _model(net: dict[str, Any]) -> dict[str, Any]:
    return {"model": net["model"], "input": {key: net[key] for key in ("mean", "scale", "channels")}}


def _work(job: Job, engine: str, precision: str) -> str:
    """Writes the file that `baselines.work.Work` reads."""
    nets = json.loads((job.nets / "pair.json").read_text())
    boxes = {**nets["detector"].pop("boxes"), "threshold": THRESHOLD, "margin": MARGIN}
    work: dict[str, Any] = {
        name: {
            "onnx": str(job.nets / f"{name}.onnx"),
            **{key: net[key] for key in ("size", "mean", "scale", "channels")},
        }
        for name, net in nets.items()
    }
    work |= {"engine": engine, "precision": precision, "cores": job.cores, "batch": BATCH, "part": job.part}
    work |= {"images": sorted(str(path) for path in job.images.iterdir()), "output": str(job.output)}
    file = job.work / "work.json"
    file.write_text(json.dumps(work | {"boxes": boxes}))
    return str(file)
