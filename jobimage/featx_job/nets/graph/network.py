"""A net as a graph of layers: readers produce it, and every engine is built from it.

Each layer has one output with the layer's name. Caffe's in-place layers are resolved when a file is read, so engines
need not know about them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from featx_job.nets.errors import ModelError
from featx_job.nets.graph.operations import Operation, Shape


@dataclass(frozen=True, eq=False)
class Layer:
    """An operation in the graph: the layers (or the net's input) that it reads, and the shape of its output."""

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in an order in which inputs come before their readers."""

    name: str
    input: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    def by_name(self) -> Mapping[str, Layer]:
        """Return the layers by name."""
        return {layer.name: layer for layer in self.layers}

    def shape_of(self, name: str) -> Shape:
        """Return the shape of a layer's output, or of the net's input."""
        return self.input_shape if name == self.input else self.by_name()[name].shape

    def consumers(self) -> Mapping[str, tuple[Layer, ...]]:
        """Return the layers that read each layer, and those that read the input, by name."""
        consumers: dict[str, tuple[Layer, ...]] = dict.fromkeys((self.input, *self.by_name()), ())
        for layer in self.layers:
            for name in layer.inputs:
                consumers[name] += (layer,)
        return consumers

    def up_to_layer(self, name: str) -> Network:
        """Return the part of the net that ends at one layer.

        Raises:
            ModelError: Layer not found; the message lists layers with similar names.
        """
        names = [layer.name for layer in self.layers]
        if name not in names:
            near = difflib.get_close_matches(name, names, 5, 0.4) or names[-5:]
            raise ModelError(f"the net has no layer {name!r}; similar names are {', '.join(near)}")
        return self.ending_at((name,))

    def ending_at(self, outputs: tuple[str, ...]) -> Network:
        """Return the part of the graph that these outputs need."""
        layers = self.by_name()
        needed: set[str] = set()
        pending = list(outputs)
        while pending:
            name = pending.pop()
            if name not in needed and name != self.input:
                needed.add(name)
                pending.extend(layers[name].inputs)
        return replace(self, layers=tuple(layer for layer in self.layers if layer.name in needed), outputs=outputs)

    def depth_first(self, ends: Sequence[str]) -> Network:
        """Return the same graph in an order that only depends on its edges, not on the order of a file.

        Converters write layers in an order that changes from process to process.

        Args:
            ends: Layers that, together, need all others; each comes after all that it needs, as late as possible.
        """
        layers, ordered = self.by_name(), dict[str, Layer]()
        pending = list(reversed(ends))
        while pending:
            layer = layers[pending[-1]]
            missing = [name for name in layer.inputs if name not in ordered and name != self.input]
            if missing:
                pending += reversed(missing)
            else:
                ordered.setdefault(pending.pop(), layer)
        return replace(self, layers=tuple(ordered.values()))
