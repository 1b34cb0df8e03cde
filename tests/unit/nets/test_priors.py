"""Default boxes are those of caffe-ssd."""

from __future__ import annotations

import math

import numpy as np
from featx_job.nets.graph.operations import PriorBox
from featx_job.nets.graph.shapes import boxes_per_location
from featx_job.nets.ssd.priors import prior_boxes
from hypothesis import given
from hypothesis import strategies as st

sizes = st.floats(1, 300, width=32)


@st.composite
def layers(draw: st.DrawFn) -> PriorBox:
    smallest = tuple(draw(st.lists(sizes, min_size=1, max_size=3)))
    largest = tuple(size + draw(sizes) for size in smallest) if draw(st.booleans()) else ()
    return PriorBox(
        smallest,
        largest,
        tuple(draw(st.lists(st.sampled_from([1.0, 2.0, 3.0, 0.5]), max_size=3))),
        flip=draw(st.booleans()),
        clip=draw(st.booleans()),
        variances=(0.1,),
        step=draw(st.sampled_from([None, (8.0, 16.0)])),
        offset=draw(st.sampled_from([0.5, 0.0])),
        image=draw(st.sampled_from([None, (100, 50)])),
    )


@given(layers(), st.integers(1, 4), st.integers(1, 4))
def test_boxes_match_caffes_loops(layer: PriorBox, height: int, width: int) -> None:
    boxes = prior_boxes(layer, height, width, 300, 200)
    assert boxes.shape == (height * width * boxes_per_location(layer), 4)
    np.testing.assert_allclose(boxes, loops(layer, height, width), rtol=1e-5, atol=1e-5)


def loops(layer: PriorBox, height: int, width: int) -> list[list[float]]:
    """PriorBoxLayer::Forward_cpu, line by line."""
    high, wide = layer.image or (300, 200)
    step_y, step_x = layer.step or (high / height, wide / width)
    ratios = [1.0]
    for ratio in layer.aspect_ratios:
        if any(abs(ratio - other) < 1e-6 for other in ratios):
            continue
        ratios.append(ratio)
        if layer.flip:
            ratios.append(1 / ratio)
    boxes = []
    for y in range(height):
        for x in range(width):
            center_x, center_y = (x + layer.offset) * step_x, (y + layer.offset) * step_y
            for index, size in enumerate(layer.min_sizes):
                shapes = [(size, size)]
                if layer.max_sizes:
                    shapes.append((math.sqrt(size * layer.max_sizes[index]),) * 2)
                for ratio in ratios:
                    if abs(ratio - 1) >= 1e-6:
                        shapes.append((size * math.sqrt(ratio), size / math.sqrt(ratio)))
                for box_width, box_height in shapes:
                    box = [
                        (center_x - box_width / 2) / wide,
                        (center_y - box_height / 2) / high,
                        (center_x + box_width / 2) / wide,
                        (center_y + box_height / 2) / high,
                    ]
                    boxes.append([min(max(edge, 0), 1) for edge in box] if layer.clip else box)
    return boxes
