"""SSDs of TensorFlow's Object Detection API: their raw heads and anchors become an SSD that ends as Caffe's do.

The two compute the same boxes from the same numbers in another order: TensorFlow has y before x, and anchors as
numbers in the file. Scores are sigmoids of each class. (`box_coders/faster_rcnn_box_coder.py` and `meta_architectures/
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

# Tensors of an exported graph, with the names that the API's code gives them.
INPUT, BOXES, SCORES, ANCHORS = "Preprocessor/sub:0", "concat:0", "concat_1:0", "Postprocessor/ExpandDims:0"

# ssd_mobilenet_v2_coco.config: faster_rcnn_box_coder divides by 10, 10, 5, 5; suppression at 0.6, 100 boxes a class.
VARIANCES = (0.1, 0.1, 0.2, 0.2)
NMS_THRESHOLD, TOP_K, KEEP_TOP_K, CONFIDENCE = 0.6, 100, 100, 0.01


def with_end(network: Network, anchors: Array) -> Network:
    """Returns the whole SSD.

    Args:
        network: The net from the normalised image to `BOXES` and `SCORES`.
        anchors: (n, 4) float32: y0, x0, y1, x1, relative to the input.

    Raises:
        ModelError: The heads are not made as the API makes them, or do not fit the anchors.
    """
    for name in (BOXES, SCORES):
        if name not in network.outputs:
            raise ModelError(f"the graph has no tensor {name}: it is no SSD of TensorFlow's Object Detection API")
    network = fold(network)
    boxes, scores = heads(network, BOXES), heads(network, SCORES)
    classes = network.shape_of(SCORES)[-1]
    trunk = network.ending_at((*boxes, *scores))
    layers = [replace(layer, operation=_swapped(layer)) if layer.name in boxes else layer for layer in trunk.layers]
    end = _End(replace(trunk, layers=tuple(layers)))
    located, scored = end.joined("boxes", boxes), end.joined("logits", scores)
    likely = end.add("scores", operations.Sigmoid(), scored)
    priors = end.add("priors", operations.Priors(anchors[:, [1, 0, 3, 2]].copy(), np.array(VARIANCES, np.float32)))
    detection = operations.DetectionOutput(classes, 0, NMS_THRESHOLD, TOP_K, KEEP_TOP_K, CONFIDENCE, False)
    last = end.add("detection", detection, located, likely, priors)
    return replace(end.network, outputs=(last,))


class _End:
    """Layers that are added behind a trunk."""

    def __init__(self, trunk: Network) -> None:
        self.network = trunk

    def add(self, name: str, operation: Operation, *inputs: str) -> str:
        layer = shapes.layer(name, operation, inputs, self.network.shape_of, self.network.input_shape)
        self.network = replace(self.network, layers=(*self.network.layers, layer))
        return name

    def joined(self, name: str, maps: list[str]) -> str:
        flat = []
        for each in maps:
            last = self.add(f"{each}/channels-last", operations.Permute((0, 2, 3, 1)), each)
            flat.append(self.add(f"{each}/flat", operations.Flatten(), last))
        return self.add(name, operations.Concat(1), *flat)


def _swapped(layer: Layer) -> Operation:
    """Returns a box head that predicts x, y, w, h where it predicted y, x, h, w."""
    head = layer.operation
    if not isinstance(head, operations.Convolution) or len(head.weight) % 4:
        raise ModelError(f"layer {layer.name} predicts boxes, but is no convolution with 4 channels a box")
    order = np.arange(len(head.weight)).reshape(-1, 4)[:, [1, 0, 3, 2]].ravel()
    return replace(head, weight=head.weight[order], bias=head.bias[order])
