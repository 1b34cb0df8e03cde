"""Builds the class archive and small nets that make JVMs start faster: `python -m featx_job.build_class_archive JARS`.

Java records the classes that a run of both engines on one image loads. The job image builds the archive when it is
built; on a developer's machine it is built after the jars.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
from featx_api.contract import JobSpec
from featx_api.spec import FeatureExtractionSpec

from featx_job import run
from featx_job.clients import java
from featx_job.environment import Environment
from featx_job.models import fetch
from featx_job.nets.graph import operations, shapes
from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.graph.operations import Operation
from featx_job.nets.onnx.onnx_writer import to_onnx
from featx_job.spark import class_path

SIDE = 32  # pixels of the image, which is the net's input too
SECONDS_TO_END = 120  # without any CPU time


def build(jars: Path) -> None:
    """Build archive and nets, unless they exist.

    Args:
        jars: Folder of Featx's jars, where they are put.

    Raises:
        RuntimeError: The run fails.
    """
    archive = class_path.archive(Environment(jars=jars, work=jars))
    if archive.exists():
        return
    with tempfile.TemporaryDirectory(dir=jars, prefix="classes-") as text:
        folder = Path(text)
        environment = Environment(jars=jars, work=folder / "work", cores=1, new_archive=folder / "new.jsa")
        (folder / "images").mkdir()
        (folder / "images" / "grey.png").write_bytes(_image())
        (folder / "net.onnx").write_bytes(to_onnx(_net()))
        for engine in ("openvino", "bigdl"):
            job = _job(folder, engine)
            with class_path.first_net(environment, engine).open("wb") as file:
                file.writelines(fetch.load(job.spec, environment).files().extractor)
            outcome = run.run(job, environment, lambda _: None)
            if outcome.failure:
                raise RuntimeError(f"{outcome.failure.class_}: {outcome.failure.message}")
        java.stop(SECONDS_TO_END)
        (folder / "new.jsa").rename(archive)


def _job(folder: Path, engine: str) -> JobSpec:
    digest = hashlib.sha256((folder / "net.onnx").read_bytes()).hexdigest()
    spec = {
        "source": {"files": {"uri": f"file://{folder}/images"}},
        "extractor": {"model": {"onnx": f"file://{folder}/net.onnx", "sha256": digest}, "layer": "feature"},
        "output": {"uri": f"file://{folder}/{engine}"},
        "engine": engine,
    }
    parsed = FeatureExtractionSpec.from_wire(spec)
    return JobSpec(name="classes", namespace="featx", uid=engine, attempt=1, spec=parsed)


def _image() -> bytes:
    """Return a grey PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes([128]) * 3 * SIDE) * SIDE
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _net() -> Network:
    """Return a net with the most common layers."""
    shape = (3, SIDE, SIDE)
    layers: dict[str, Layer] = {}

    def add(name: str, operation: Operation, *reads: str) -> str:
        layers[name] = shapes.layer_with_shape(
            name, operation, reads, lambda read: layers[read].shape if read in layers else shape, shape
        )
        return name

    def convolution(name: str, reads: str, channels: int) -> str:
        weight, bias = np.full((8, channels, 3, 3), 0.01, np.float32), np.zeros(8, np.float32)
        return add(
            f"{name}/relu", operations.Relu(), add(name, operations.Convolution(weight, bias, (1, 1), (1, 1)), reads)
        )

    pooled = add("pool", operations.Pooling("max", (2, 2), (2, 2)), convolution("first", "image", 3))
    two = convolution("left", pooled, 8), convolution("right", pooled, 8)
    joined = add("joined", operations.Concat(1), add("sum", operations.Eltwise("sum"), *two), two[0])
    mean = add("mean", operations.Pooling("average", (SIDE // 2, SIDE // 2), (1, 1)), joined)
    add("feature", operations.Flatten(), mean)
    return Network("classes", "image", shape, tuple(layers.values()), ("feature",))


if __name__ == "__main__":
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # where images are built, the host's own name may not resolve
    build(Path(sys.argv[1]))
