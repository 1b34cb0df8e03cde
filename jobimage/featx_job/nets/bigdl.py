"""What the engine bigdl can run, checked on the driver: a net that it can't is refused before any executor starts."""

from __future__ import annotations

from featx_job.nets import graph
from featx_job.nets.errors import ModelError
from featx_job.nets.graph import Layer, Network


def check(network: Network) -> None:
    """Checks that dev.featx.nets makes a BigDL graph of this net.

    Raises:
        ModelError: It can't; the message names the layer.
    """
    for layer in network.layers:
        reason = _reason(network, layer)
        if reason:
            kind = type(layer.operation).__name__
            raise ModelError(f"layer {layer.name} ({kind}) can't run on the engine bigdl: {reason}")


def _reason(network: Network, layer: Layer) -> str | None:
    axes = len(network.shape_of(layer.inputs[0])) + 1 if layer.inputs else 0
    match layer.operation:
        case graph.PriorBox() | graph.Priors() | graph.DetectionOutput():
            return "it is known at the end of a detector only"
        case graph.Softmax(axis=axis) if axis != 1 or axes not in (2, 4):
            return f"softmax along axis {axis} of {axes}; known is axis 1 of a map or a vector"
        case graph.Convolution(dilation=(high, wide), groups=groups) if high != wide and groups > 1:
            return f"groups together with the dilation {high}x{wide}"
        case graph.Affine() if axes not in (2, 4):
            return f"scale and shift of {axes} axes; known are maps and vectors"
    return None
