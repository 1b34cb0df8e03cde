"""An SSD of TensorFlow's Object Detection API becomes the same file, in whatever order its layers were converted."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from featx_job.nets.errors import ModelError
from featx_job.nets.onnx import onnx_reader
from featx_job.nets.onnx.onnx_writer import to_onnx
from featx_job.nets.ssd.object_detection import BOXES, INPUT, SCORES, with_detection_output
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

CLASSES, MAPS = 3, (8, 4, 2)
ANCHORS = np.linspace(0, 1, 4 * sum(side * side for side in MAPS), dtype=np.float32).reshape(-1, 4)


def graph(score_maps: int = len(MAPS)) -> GraphProto:
    """A trunk of three convolutions; each has a head for boxes and one for scores, as the API arranges them."""
    numbers = np.random.default_rng(0)
    nodes: list[NodeProto] = []
    weights: dict[str, NDArray[Any]] = {}

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def convolution(name: str, source: str, channels: tuple[int, int], size: int, stride: int) -> str:
        weights[f"{name}/w"] = numbers.random((*channels, size, size), np.float32)
        pads = [size // 2] * 4
        return node("Conv", [source, f"{name}/w"], name, kernel_shape=[size] * 2, strides=[stride] * 2, pads=pads)

    def head(name: str, source: str, length: int) -> str:
        last = node("Transpose", [convolution(name, source, (length, 4), 1, 1)], f"{name}/last", perm=[0, 2, 3, 1])
        weights[f"{name}/shape"] = np.array([1, -1, length], np.int64)
        return node("Reshape", [last, f"{name}/shape"], f"{name}/flat")

    source, boxes, scores = INPUT, [], []
    for index in range(len(MAPS)):
        source = convolution(f"trunk{index}", source, (4, 3 if index == 0 else 4), 3, 2)
        boxes.append(head(f"box{index}", source, 4))
        scores.append(head(f"class{index}", source, CLASSES))
    node("Concat", boxes, BOXES, axis=1)
    node("Concat", scores[:score_maps], SCORES, axis=1)
    image = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, 3, 16, 16])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (BOXES, SCORES)]
    constants = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    return helper.make_graph(nodes, "ssd", [image], ends, constants)


def shuffled(whole: GraphProto, seed: int) -> ModelProto:
    """The graph with its nodes in another order, in which inputs still come before their readers."""
    dice, known = random.Random(seed), {INPUT, *(constant.name for constant in whole.initializer)}
    left, order = list(whole.node), []
    while left:
        chosen = dice.choice([node for node in left if known.issuperset(node.input)])
        left.remove(chosen)
        order.append(chosen)
        known.update(chosen.output)
    constants = dice.sample(list(whole.initializer), len(whole.initializer))
    return helper.make_model(
        helper.make_graph(order, "ssd", whole.input, whole.output, constants),
        opset_imports=[helper.make_opsetid("", 17)],
    )


def imported(model: ModelProto) -> bytes:
    return to_onnx(with_detection_output(onnx_reader.read(model.SerializeToString()), ANCHORS))


def test_the_order_of_the_converted_layers_does_not_change_a_byte() -> None:
    whole = graph()
    models = [shuffled(whole, seed) for seed in range(20)]
    assert len({model.SerializeToString() for model in models}) == 20
    assert len({imported(model) for model in models}) == 1


def test_a_map_without_scores_is_refused() -> None:
    with pytest.raises(ModelError, match="joins 3 maps, but concat_1:0 joins 2"):
        imported(shuffled(graph(score_maps=2), 0))
