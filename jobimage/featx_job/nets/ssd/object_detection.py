"""SSDs of TensorFlow's Object Detection API: their raw heads and anchors become an SSD with Caffe's end.

Both compute the same boxes from the same numbers in another order: TensorFlow has y before x, and stores anchors in the
file. Scores are sigmoids of each class. (`box_coders/faster_rcnn_box_coder.py` and `meta_architectures/
ssd_meta_arch.py` of the API.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations, shapes
from featx_job.nets.graph.fold import fold
from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.graph.operations import Array, Operation
from featx_job.nets.ssd.detection import heads

# Tensors of an exported graph, as the API's code names them.
INPUT, BOXES, SCORES, ANCHORS = "Preprocessor/sub:0", "concat:0", "concat_1:0", "Postprocessor/ExpandDims:0"

# ssd_mobilenet_v2_coco.config: faster_rcnn_box_coder divides by 10, 10, 5, 5; suppression at 0.6, 100 boxes per class.
VARIANCES = (0.1, 0.1, 0.2, 0.2)
NMS_THRESHOLD, TOP_K, KEEP_TOP_K, CONFIDENCE = 0.6, 100, 100, 0.01


def with_detection_output(network: Network, anchors: Array) -> Network:
    """Return the whole SSD.

    Args:
        network: The net from the normalized image to `BOXES` and `SCORES`.
        anchors: (n, 4) float32: y0, x0, y1, x1, relative to the input.

    Raises:
        ModelError: The heads differ from those of the API, or do not match the anchors.
    """
    for name in (BOXES, SCORES):
        if name not in network.outputs:
            raise ModelError(f"the graph has no tensor {name}: it is not an SSD of TensorFlow's Object Detection API")
    network = fold(network)
    boxes, scores = heads(network, BOXES), heads(network, SCORES)
    if len(boxes) != len(scores):
        raise ModelError(f"{BOXES} joins {len(boxes)} maps, but {SCORES} joins {len(scores)}")
    classes = network.shape_of(SCORES)[-1]
    trunk = network.ending_at((*boxes, *scores))
    # tf2onnx writes layers in another order in each process, but the file's digest must be the same on all machines.
    trunk = trunk.depth_first([name for pair in zip(boxes, scores, strict=True) for name in pair][::-1])
    layers = [replace(layer, operation=_swapped(layer)) if layer.name in boxes else layer for layer in trunk.layers]
    end = _End(replace(trunk, layers=tuple(layers)))
    locations, logits = end.concatenate("boxes", boxes), end.concatenate("logits", scores)
    confidences = end.add("scores", operations.Sigmoid(), logits)
    priors = end.add("priors", operations.Priors(anchors[:, [1, 0, 3, 2]].copy(), np.array(VARIANCES, np.float32)))
    detection = operations.DetectionOutput(classes, 0, NMS_THRESHOLD, TOP_K, KEEP_TOP_K, CONFIDENCE, False)
    last = end.add("detection", detection, locations, confidences, priors)
    return replace(end.network, outputs=(last,))


class _End:
    """Layers added after a trunk."""

    def __init__(self, trunk: Network) -> None:
        self.network = trunk

    def add(self, name: str, operation: Operation, *inputs: str) -> str:
        layer = shapes.layer_with_shape(name, operation, inputs, self.network.shape_of, self.network.input_shape)
        self.network = replace(self.network, layers=(*self.network.layers, layer))
        return name

    def concatenate(self, name: str, maps: list[str]) -> str:
        flat = []
        for head in maps:
            last = self.add(f"{head}/channels-last", operations.Permute((0, 2, 3, 1)), head)
            flat.append(self.add(f"{head}/flat", operations.Flatten(), last))
        return self.add(name, operations.Concat(1), *flat)


def _swapped(layer: Layer) -> Operation:
    """Return a box head that predicts x, y, w, h instead of y, x, h, w."""
    head = layer.operation
    if not isinstance(head, operations.Convolution) or len(head.weight) % 4:
        raise ModelError(f"layer {layer.name} predicts boxes, but is not a convolution with 4 channels per box")
    order = np.arange(len(head.weight)).reshape(-1, 4)[:, [1, 0, 3, 2]].ravel()
    return replace(head, weight=head.weight[order], bias=head.bias[order])
