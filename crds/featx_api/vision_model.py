"""VisionModel and ClusterVisionModel: a net with a name, pinned by its digest, that runs refer to by `modelRef`.

The operator has each generation checked once, by a pod that reads the files and reports what it found: they may be
anything, so nothing but that pod opens them, and its report is bounded like everything that comes from outside.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from featx_api import API_VERSION
from featx_api.model import ApiModel, Rule, StatusModel, rules
from featx_api.names import Licence, Line, claim_of
from featx_api.nets import NamedNet
from featx_api.status import LARGEST, Condition, Count, Failure, Text

VISION_MODEL_KIND: Final = "VisionModel"
VISION_MODEL_PLURAL: Final = "visionmodels"
CLUSTER_KIND: Final = "ClusterVisionModel"
CLUSTER_PLURAL: Final = "clustervisionmodels"
MODEL_NAME_LIMIT: Final = 48  # leaves room for -GENERATION-model

#: Role of the pod that checks a model, and the name of its container.
MODEL_ROLE: Final = "model"
#: Variable of that pod: the `NamedNet` as JSON.
FEATX_MODEL: Final = "FEATX_MODEL"

TENSORS: Final = 16
TensorName = Annotated[Text, Field(max_length=128)]


class VisionModelSpec(NamedNet):
    """A net, how pixels become its input, and what people should know about it."""

    classes: list[Line] = Field(
        default=[],
        max_length=1024,
        description="Names of the classes that the model tells apart, in the order of its output, from number 0.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    licence: Licence | None = Field(
        None, description="Licence of the weights, as SPDX writes it, such as Apache-2.0 or CC-BY-NC-4.0."
    )
    retry: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Raise this number to have the model checked again, for example after a missing file was uploaded. "
        "So does any other change of the spec.",
    )

    def secret_names(self) -> list[str]:
        """Names of the Secrets that the check mounts."""
        store = self.model.s3
        return [store.secret_ref.name] if store and store.secret_ref else []

    def addresses(self) -> dict[str, str]:
        """The addresses of the model's files, by path of the field."""
        fields = {f"spec.model.{name}": getattr(self.model, name) for name in ("onnx", "prototxt", "weights")}
        return {field: uri for field, uri in fields.items() if uri}

    def claim_names(self) -> list[str]:
        """Names of the PersistentVolumeClaims that the check mounts, sorted."""
        return sorted({claim for uri in self.addresses().values() if (claim := claim_of(uri))})


class Tensor(StatusModel):
    """An input or output of a net."""

    name: TensorName = Field(description="Its name.")
    shape: list[Count] = Field(
        max_length=8,
        description="Its sizes for one image.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )


class Graph(StatusModel):
    """What the check has found in the files."""

    name: TensorName = Field("", description="The net's own name.")
    layers: Count = Field(description="Number of layers.")
    parameters: Count = Field(description="Number of weights.")
    gflop_per_image: float = Field(
        ge=0,
        le=LARGEST,
        allow_inf_nan=False,
        description="Billions of floating-point operations per image, of convolutions and matrix products, where a "
        "multiplication with its addition counts as two.",
    )
    inputs: list[Tensor] = Field(
        default=[],
        max_length=TENSORS,
        description="Inputs.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    outputs: list[Tensor] = Field(
        default=[],
        max_length=TENSORS,
        description="Outputs, the first of them if there are more.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    detector: bool = Field(False, description="Whether it is an SSD, so that spec.detector of a run can refer to it.")
    feature_length: Count | None = Field(None, description="Length of the feature of spec.layer, if that is set.")


class ModelReport(StatusModel):
    """The outcome of a check, as its pod reports it: a graph or a failure."""

    graph: Graph | None = None
    failure: Failure | None = None
    retryable: bool = Field(False, description="Whether a further check may succeed.")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.graph is None) == (self.failure is None):
            raise ValueError("a report has either a graph or a failure")
        return self


class ModelCondition(Condition):
    """A condition of a model."""

    type: Literal["Ready", "Reconciling", "Stalled"] = Field(  # type: ignore[assignment]
        description="What the condition is about."
    )


class Check(StatusModel):
    """The check of one generation."""

    generation: Count = Field(description="The generation.")
    pod_name: Text = Field("", max_length=253, description="Name of its pod.")
    pod_uid: Text = Field("", max_length=64, description="Uid of its pod; empty while there is none.")
    failures: Count = Field(0, description="Checks of this generation that have failed and are repeated.")
    next_time: datetime | None = Field(None, description="When the next one starts.")
    result: Literal["Succeeded", "Failed"] | None = Field(
        None, description="Its result, which stays until the spec changes. Unset while there is none."
    )


class VisionModelStatus(StatusModel):
    """State of the model."""

    observed_generation: int = Field(
        -1, ge=-1, le=LARGEST, description="Generation of the resource that the status describes."
    )
    conditions: list[ModelCondition] = Field(
        default=[],
        max_length=8,
        description="Conditions. Ready is True if the files are what the spec says, and Featx can run the net.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    graph: Graph | None = Field(None, description="The net, as the last check that succeeded has found it.")
    check: Check | None = Field(None, description="The check that is under way or has ended.")


_NAME_RULE = Rule(
    f"size(self.metadata.name) <= {MODEL_NAME_LIMIT}", f"metadata.name must have at most {MODEL_NAME_LIMIT} characters"
)


class _Resource(ApiModel):
    """What the two kinds share."""

    model_config = ConfigDict(json_schema_extra=rules(_NAME_RULE))

    metadata: dict[str, Any]
    spec: VisionModelSpec = Field(description="The model.")
    status: VisionModelStatus = Field(
        default=VisionModelStatus(), description="State of the model, written by the operator."
    )

    @model_validator(mode="after")
    def _name_fits(self) -> Self:
        name = str(self.metadata.get("name") or "")
        if not 0 < len(name) <= MODEL_NAME_LIMIT:
            raise ValueError(f"metadata.name must have 1 to {MODEL_NAME_LIMIT} characters")
        return self


class VisionModel(_Resource):
    """A net with a name, for the runs of its namespace."""

    api_version: Literal["featx.dev/v1alpha1"] = API_VERSION  # type: ignore[assignment]
    kind: Literal["VisionModel"] = VISION_MODEL_KIND


class ClusterVisionModel(_Resource):
    """A net with a name, for the runs of all namespaces.

    Its Secret is that of the run's own namespace with this name, and the namespace's rules hold for it.
    """

    api_version: Literal["featx.dev/v1alpha1"] = API_VERSION  # type: ignore[assignment]
    kind: Literal["ClusterVisionModel"] = CLUSTER_KIND
