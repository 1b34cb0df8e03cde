"""The memory of an executor: images per forward, heap, and the whole pod, from the run's nets. Pure.

Numbers were measured on SSD300-VGG16 with DeepBit-VGG16, the largest pair that Featx is meant for
(docs/architecture.md, "Memory"). MKL-DNN allocates the output of each layer; OpenVINO shares memory among layers. Both
hold weights per stream. With one stream per core no cores wait for each other: small nets get that on both engines.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from featx_api.spec import FeatureExtractionSpec

from featx_job.nets.graph import operations
from featx_job.nets.graph.network import Network

MEBIBYTE = 1024 * 1024
LARGEST_BATCH = 8  # 97% of the speed that 32 images reach, at a quarter of the memory
VALUES = 640  # MiB of all layers' values: 4 images of the VGG16 pair reach 98% of the speed of 8
HEAP = 700  # Spark, a shard's objects and rows
OUTSIDE = 300  # the JVM itself and its libraries
PIXELS = 192  # MiB decoded: dev.featx.task.ShardTask.PIXELS_IN_FLIGHT
STEP = 128
STREAMS = 8  # more batches in flight would cost memory only
NATIVE = 1024  # MiB of all of BigDL's streams; one is always allowed


class Sizes(NamedTuple):
    """What an executor gets.

    Attributes:
        batch: Images per forward.
        streams: Batches that a net runs at the same time, sharing the cores.
        heap: The JVM's heap, in MiB.
        pod: The pod's memory, heap included, in MiB.
    """

    batch: int
    streams: int
    heap: int
    pod: int


def sizes(networks: Iterable[Network], spec: FeatureExtractionSpec, cores: int, percent: int = 100) -> Sizes:
    """Return what an executor needs.

    Args:
        networks: The nets it runs.
        spec: The run's; `execution.memory`, if set, is the pod's.
        cores: Threads of an executor.
        percent: Of that memory, heap and pod alike: more after an attempt ran out of it.
    """
    nets = list(networks)
    weights = [_mebibytes_of_weights(net) for net in nets]
    values = sum(_mebibytes_of_values(net) for net in nets)
    batch = LARGEST_BATCH
    while batch > 1 and batch * values > VALUES:
        batch //= 2
    heap, native = float(HEAP), 0.0
    streams = min(cores, STREAMS)
    if spec.engine == "bigdl":
        stream = sum(weights) + batch * values
        while streams > 1 and streams * stream > NATIVE:
            streams //= 2
        heap += max(weights, default=0) + batch * values / 5
        native = streams * stream
    if spec.engine == "openvino" or spec.precision == "int8":
        # An int8 run first observes its nets with OpenVINO.
        native = max(native, sum(weights) * (1 + streams) + max(weights, default=0) + streams * batch * values / 2)
    needed = _rounded(heap + native + OUTSIDE + PIXELS)
    pod = needed if spec.execution.memory is None else mebibytes(spec.execution.memory)
    raised = percent / 100
    return Sizes(batch, streams, round(heap * min(1.0, pod / needed) * raised), round(pod * raised))


def mebibytes(memory: str) -> int:
    """Return a Kubernetes quantity of the spec in Mi."""
    return int(memory[:-2]) * (1024 if memory.endswith("Gi") else 1)


def _mebibytes_of_weights(network: Network) -> float:
    arrays = (value for layer in network.layers for value in vars(layer.operation).values())
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray)) / MEBIBYTE


def _mebibytes_of_values(network: Network) -> float:
    """A ReLU shares the memory of the layer before it (dev.featx.nets.bigdl.Fusion)."""
    kept = [layer for layer in network.layers if not isinstance(layer.operation, operations.Relu | operations.Clip)]
    return sum(4 * int(np.prod(layer.shape)) for layer in kept) / MEBIBYTE


def _rounded(size: float) -> int:
    return int(-(-size // STEP)) * STEP
