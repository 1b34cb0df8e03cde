"""The header of a network file: the part of the executor contract that describes a net.

The file around it is laid out in `featx_job.nets.network_file`. Unlike other documents it leaves out fields without a
value, since a net of hundreds of layers would otherwise list them hundreds of times.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from featx_api.executor_contract import Count, Document, Values

Shape = tuple[Count, ...]


class Array(Document):
    """Float32 values among the weights."""

    offset: Count = Field(description="In bytes, from the start of the weights.")
    shape: Shape


class OnnxModel(Document):
    """A whole ONNX model among the weights."""

    offset: Count = Field(description="In bytes, from the start of the weights.")
    length: Count


class Input(Document):
    """The net's input."""

    name: str = Field(description="By which layers refer to it.")
    shape: Shape = Field(description="Channels, height, width.")


class Layer(Document):
    """A layer."""

    name: str
    type: str = Field(description="Name of its operation (featx_job.nets.graph.operations).")
    inputs: tuple[str, ...] = Field(description="Names of the layers that it reads.")
    shape: Shape = Field(description="Of its output, without the batch axis.")
    settings: dict[str, Any] = Field(description="The operation's own.")
    weights: dict[str, Array]


class SingleShot(Document):
    """The last part of an SSD, which executors compute themselves."""

    classes: Count
    background: int = Field(description="Class that is no object; -1 for none.")
    nms_threshold: float
    top_k: int
    keep_top_k: int
    confidence_threshold: float
    variance_in_target: bool
    scores: str = Field(description="How confidences become scores.")
    priors: Array
    variances: Array


class NetworkHeader(Document):
    """A net: its layers for the engine bigdl, or an ONNX model for the engine openvino."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    name: str
    input: Input
    outputs: tuple[str, ...] = Field(description="Layers whose outputs are the net's.")
    output_shapes: tuple[Shape, ...] = Field(description="Of each output, without the batch axis.")
    own_outputs: Count | None = Field(None, description="How many outputs are the net's own; all if unset.")
    onnx: OnnxModel | None = None
    layers: tuple[Layer, ...] | None = Field(None, description="In the order in which they run.")
    ranges: dict[str, Values] | None = Field(None, description="Of layers, for 8-bit integers.")
    detection: SingleShot | None = Field(None, description="Of a detector.")

    def to_wire(self) -> dict[str, Any]:
        """Return the camelCase form, without unset fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
