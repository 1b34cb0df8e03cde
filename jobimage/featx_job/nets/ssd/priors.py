"""caffe-ssd's default boxes, worked out once when a model is imported (PriorBoxLayer::Forward_cpu)."""

from __future__ import annotations

import math

import numpy as np

from featx_job.nets.graph.operations import Array, PriorBox
from featx_job.nets.graph.shapes import ratios


def prior_boxes(operation: PriorBox, height: int, width: int, input_height: int, input_width: int) -> Array:
    """Returns the boxes of one map, row by row, place by place.

    Args:
        operation: The PriorBox layer.
        height: Rows of the map.
        width: Columns of the map.
        input_height: Height of the net's input in pixels; the layer's own `image` goes before it.
        input_width: Width of the net's input in pixels.

    Returns:
        (height * width * boxes a place, 4) float32: x0, y0, x1, y1, relative to the input.
    """
    input_height, input_width = operation.image or (input_height, input_width)
    step_y, step_x = operation.step or (input_height / height, input_width / width)
    sizes = np.array(_sizes(operation), np.float64)
    center_x = (np.arange(width) + operation.offset) * step_x
    center_y = (np.arange(height) + operation.offset) * step_y
    centers = np.stack(np.meshgrid(center_x, center_y), axis=-1)[:, :, None, :]
    relative = np.array([input_width, input_height], np.float64)
    boxes = np.concatenate([(centers - sizes / 2) / relative, (centers + sizes / 2) / relative], axis=-1)
    result: Array = boxes.reshape(-1, 4).astype(np.float32)
    return result.clip(0, 1) if operation.clip else result


def _sizes(operation: PriorBox) -> list[tuple[float, float]]:
    """Returns (width, height) of each box at a place: for each min size its square, the larger square, the others."""
    found: list[tuple[float, float]] = []
    for index, size in enumerate(operation.min_sizes):
        found.append((size, size))
        if operation.max_sizes:
            between = math.sqrt(size * operation.max_sizes[index])
            found.append((between, between))
        for ratio in ratios(operation)[1:]:
            found.append((size * math.sqrt(ratio), size / math.sqrt(ratio)))
    return found
