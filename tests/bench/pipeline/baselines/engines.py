"""onnxruntime, OpenVINO and torch behind one interface, each tuned for throughput on few cores per its manual."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Forward = Callable[[Floats], list[Floats]]


@cache
def loaded(engine: str, path: str, batch: int, cores: int, precision: str) -> Forward:
    """A net, loaded once per process: maps (n, 3, height, width) to its outputs, with n at most the batch size."""
    return {"onnxruntime": onnxruntime, "openvino": openvino, "torch": torch}[engine](path, batch, cores, precision)


def onnxruntime(path: str, batch: int, cores: int, precision: str) -> Forward:
    """An onnxruntime session for a file."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = cores
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return lambda images: session.run(None, {given.name: images})


def openvino(path: str, batch: int, cores: int, precision: str) -> Forward:
    """A compiled OpenVINO model with a fixed batch size, which is faster than a dynamic one."""
    compiled = compiled_openvino(path, batch, {"INFERENCE_NUM_THREADS": cores, "NUM_STREAMS": 1}, precision)
    request = compiled.create_infer_request()

    def forward(images: Floats) -> list[Floats]:
        padded = images
        if len(images) < batch:
            padded = np.zeros((batch, *images.shape[1:]), np.float32)
            padded[: len(images)] = images
        request.infer([padded], share_inputs=True)
        return [request.get_output_tensor(i).data[: len(images)] for i in range(len(compiled.outputs))]

    return forward


def compiled_openvino(path: str, batch: int, settings: dict[str, Any], precision: str) -> Any:
    """A compiled model whose input has a fixed batch size."""
    from openvino import Core

    core = Core()
    model = core.read_model(path)
    shape = model.input().partial_shape
    shape[0] = batch
    model.reshape(shape)
    return core.compile_model(model, "CPU", {**settings, "INFERENCE_PRECISION_HINT": precision})


def torch(path: str, batch: int, cores: int, precision: str) -> Forward:
    """A torch module, traced, frozen and fused, which is faster than eager mode."""
    import onnx
    import torch as pytorch
    from onnx2torch import convert

    pytorch.set_num_threads(cores)
    module = convert(onnx.load(path)).eval()
    size = [dim.dim_value for dim in onnx.load(path).graph.input[0].type.tensor_type.shape.dim[1:]]
    with pytorch.inference_mode():
        example = pytorch.zeros(batch, *size)
        traced = pytorch.jit.optimize_for_inference(pytorch.jit.freeze(pytorch.jit.trace(module, example)))

    def forward(images: Floats) -> list[Floats]:
        with pytorch.inference_mode():
            outputs = traced(pytorch.from_numpy(images))
        return [output.numpy() for output in (outputs if isinstance(outputs, tuple | list) else (outputs,))]

    return forward
