"""The header of a network file: the part of the executor contract that describes a net.

The file around it is laid out in `featx_job.nets.network_file`. Unlike other documents it leaves out fields without a
value, since a net of hundreds of layers would otherwise list them hundreds of times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import ConfigDict, Field, model_validator

from featx_api.document import Document
from featx_api.executor_contract import Count, Values

Shape = tuple[Count, ...]


#: The settings of each operation that the engine bigdl supports; executors read them by these names.
SETTINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "Convolution": ("stride", "pad", "dilation", "groups"),
    "FullyConnected": (),
    "Affine": (),
    "Relu": ("slope",),
    "Clip": ("low", "high"),
    "Pooling": ("method", "kernel", "stride", "pad", "roundUp"),
    "Eltwise": ("method", "factors"),
    "Concat": ("axis",),
    "Softmax": ("axis",),
    "Sigmoid": (),
    "Power": ("power", "scale", "shift"),
    "LocalResponse": ("size", "alpha", "beta", "k"),
    "Normalize": ("epsilon",),
    "Flatten": (),
    "Reshape": ("dims",),
    "Permute": ("order",),
}


def _settings_of(operation: str) -> dict[str, Any]:
    """Return the part of a layer's JSON schema that holds for one operation."""
    names = list(SETTINGS[operation])
    settings = {"required": names, "maxProperties": len(names)}
    return {"if": {"properties": {"type": {"const": operation}}}, "then": {"properties": {"settings": settings}}}


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

    model_config = ConfigDict(json_schema_extra={"allOf": [_settings_of(operation) for operation in SETTINGS]})

    name: str
    type: str = Field(description="Name of its operation (featx_job.nets.graph.operations).")
    inputs: tuple[str, ...] = Field(description="Names of the layers that it reads.")
    shape: Shape = Field(description="Of its output, without the batch axis.")
    settings: dict[str, Any] = Field(description="The operation's own.")
    weights: dict[str, Array]

    @model_validator(mode="after")
    def _has_the_settings_of_its_operation(self) -> Self:
        names = SETTINGS.get(self.type, self.settings)
        if self.settings.keys() != set(names):
            raise ValueError(
                f"layer {self.name}: {self.type} has settings {list(self.settings)}; must be {list(names)}"
            )
        return self


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
