"""caffe-ssd's default boxes, computed once when a model is imported (PriorBoxLayer::Forward_cpu)."""

from __future__ import annotations

import math

import numpy as np

from featx_job.nets.graph.operations import Array, PriorBox
from featx_job.nets.graph.shapes import aspect_ratios


def prior_boxes(operation: PriorBox, height: int, width: int, input_height: int, input_width: int) -> Array:
    """Return the boxes of one map, row by row, location by location.

    Args:
        operation: The PriorBox layer.
        height: Rows of the map.
        width: Columns of the map.
        input_height: Height of the net's input in pixels; the layer's own `image` takes precedence.
        input_width: Width of the net's input in pixels.

    Returns:
        (height * width * boxes per location, 4) float32: x0, y0, x1, y1, relative to the input.
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
    """Return (width, height) of each box at a location: per min size its square, the larger square, and the ratios."""
    sizes: list[tuple[float, float]] = []
    for index, size in enumerate(operation.min_sizes):
        sizes.append((size, size))
        if operation.max_sizes:
            between = math.sqrt(size * operation.max_sizes[index])
            sizes.append((between, between))
        for ratio in aspect_ratios(operation)[1:]:
            sizes.append((size * math.sqrt(ratio), size / math.sqrt(ratio)))
    return sizes
