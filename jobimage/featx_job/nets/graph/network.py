"""A net as a graph of layers: what the readers produce and what every engine is built from.

Each layer has one output, named like the layer itself. Caffe's in-place layers are resolved when a file is read, so no
engine has to know about them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from featx_job.nets.errors import ModelError
from featx_job.nets.graph.operations import Operation, Shape


@dataclass(frozen=True, eq=False)
class Layer:
    """One operation with its place in the graph: the layers (or the net's input) that it reads, and its shape."""

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in an order in which each one's inputs come before it."""

    name: str
    input: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def by_name(self) -> Mapping[str, Layer]:
        """Returns the layers by name."""
        return {layer.name: layer for layer in self.layers}

    def shape_of(self, name: str) -> Shape:
        """Returns the shape of a layer's output, or of the net's input."""
        return self.input_shape if name == self.input else self.by_name()[name].shape

    def consumers(self) -> Mapping[str, tuple[Layer, ...]]:
        """Returns, for each layer and for the input, the layers that read it."""
        found: dict[str, tuple[Layer, ...]] = dict.fromkeys((self.input, *self.by_name()), ())
        for layer in self.layers:
            for name in layer.inputs:
                found[name] += (layer,)
        return found

    def of_layer(self, name: str) -> Network:
        """Returns the part of the net that ends at one layer.

        Raises:
            ModelError: There is no such layer; the message lists those with similar names.
        """
        names = [layer.name for layer in self.layers]
        if name not in names:
            near = difflib.get_close_matches(name, names, 5, 0.4) or names[-5:]
            raise ModelError(f"the net has no layer {name!r}; it has, among others, {', '.join(near)}")
        return self.ending_at((name,))

    def ending_at(self, outputs: tuple[str, ...]) -> Network:
        """Returns the part of the graph that these outputs need."""
        layers = self.by_name()
        needed: set[str] = set()
        waiting = list(outputs)
        while waiting:
            name = waiting.pop()
            if name not in needed and name != self.input:
                needed.add(name)
                waiting.extend(layers[name].inputs)
        return replace(self, layers=tuple(layer for layer in self.layers if layer.name in needed), outputs=outputs)
