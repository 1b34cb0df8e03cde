"""`spec.detector`, `spec.extractor` and `spec.quantization`: what is computed for each image."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from featx_api.model import MISSING, ApiModel, Renamed, Rule, rules
from featx_api.names import ModelUri, ObjectName
from featx_api.s3 import StoreAccess


class Model(ApiModel):
    """A model, as one ONNX file or two Caffe files, with the digest of its weights."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "has(self.onnx) != has(self.weights) && has(self.prototxt) == has(self.weights)",
                "a model must have either onnx, or both prototxt and weights",
            )
        )
    )

    onnx: ModelUri | None = Field(
        None,
        description="Address of an ONNX model: s3://bucket/key or claim://CLAIM/path. For `featx run` also "
        "file:///path, and package:NAME==VERSION/path, a file inside a Python package.",
    )
    prototxt: ModelUri | None = Field(None, description="Address of a Caffe model's architecture.")
    weights: ModelUri | None = Field(None, description="Address of a Caffe model's weights (caffemodel).")
    sha256: str = Field(
        min_length=64,
        max_length=64,
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 digest of onnx or weights. It is checked before any executor starts. `featx run` computes "
        "it if it is missing.",
        json_schema_extra={MISSING: "sha256 is missing: `sha256sum FILE` prints it, and so does `featx run`"},
    )
    s3: StoreAccess | None = Field(None, description="How to reach s3:// addresses. Defaults to source.s3.")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.onnx is None) == (self.weights is None) or (self.prototxt is None) != (self.weights is None):
            raise ValueError("a model must have either onnx, or both prototxt and weights")
        return self


class NetInput(ApiModel):
    """How pixels become the input of a model. Width and height are those that the model declares."""

    mean: list[Annotated[float, Field(ge=0, le=255)]] = Field(
        default=[0.0, 0.0, 0.0],
        min_length=3,
        max_length=3,
        description="Mean per channel, in the order of `channels`. It is subtracted first.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    scale: float = Field(1.0, gt=0, le=1000, description="Factor applied after the mean is subtracted.")
    channels: Literal["BGR", "RGB"] = Field("BGR", description="Channel order that the model was trained with.")


class ModelRef(ApiModel):
    """A VisionModel of the run's namespace, or a ClusterVisionModel."""

    kind: Literal["VisionModel", "ClusterVisionModel"] = Field("VisionModel", description="Kind of the resource.")
    name: ObjectName = Field(description="Its name.")

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class NamedNet(ApiModel):
    """What a model says of itself, for all runs that refer to it."""

    model: Model = Field(
        description="The model. Without model.s3, s3:// addresses are at AWS, and are read anonymously."
    )
    input: NetInput = Field(default=NetInput(), description="How pixels become the input of the model.")
    layer: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="Layer whose flattened output is the feature, for runs that name none.",
    )


ONE_NET = "a detector or extractor must have either model or modelRef"
OWN_INPUT = "input requires model: what modelRef names has its own"
NO_LAYER = "layer is missing: only a modelRef can do without, if its model names one"
_NET_RULES = (
    Rule("has(self.model) != has(self.modelRef)", ONE_NET),
    Rule(
        "!has(self.modelRef) || (self.input.mean.all(mean, mean == 0.0) && self.input.scale == 1.0 "
        "&& self.input.channels == 'BGR')",
        OWN_INPUT,
    ),
)


class Net(ApiModel):
    """A net of a run: described in place, or by reference."""

    model_config = ConfigDict(json_schema_extra=rules(*_NET_RULES))

    model: Model | None = Field(None, description="The model. Either this or modelRef.")
    model_ref: ModelRef | None = Field(
        None,
        description="A VisionModel or ClusterVisionModel. The run waits until it is Ready, and keeps to what it says "
        "then, whatever becomes of it.",
    )
    input: NetInput = Field(
        default=NetInput(), description="How pixels become the input of the model. What modelRef names has its own."
    )

    @model_validator(mode="after")
    def _has_one_model(self) -> Self:
        if (self.model is None) == (self.model_ref is None):
            raise ValueError(ONE_NET)
        if self.model_ref and self.input != NetInput():
            raise ValueError(OWN_INPUT)
        return self

    @property
    def described(self) -> Model:
        """The model; in place of a reference, what was put there (`FeatureExtractionSpec.with_nets`)."""
        assert self.model is not None, f"{self.model_ref} is not resolved"
        return self.model

    def with_net(self, net: NamedNet, default: StoreAccess) -> Self:
        """A copy with what a named model says in place of the reference.

        Args:
            net: The named model.
            default: How its addresses are reached if it does not say so.
        """
        model = net.model if net.model.s3 else net.model.model_copy(update={"s3": default})
        return self.model_copy(update={"model": model, "model_ref": None, "input": net.input})


class Crop(ApiModel):
    """Which part of the image the extractor sees.

    The defaults changed class mAP by less than is statistically significant; tighter crops lowered it
    (docs/bench/crops.md).
    """

    margin: float = Field(0.1, ge=0, le=1, description="Widens the box on each side by this fraction of its size.")
    min_area: float = Field(0.25, ge=0, le=1, description="Ignores boxes smaller than this fraction of the image.")
    fallback: Literal["wholeImage", "skip"] = Field(
        "wholeImage",
        description="What to do without a usable box: use the whole image, or skip the image, which puts it into "
        "quarantine.",
    )


class Detector(Net):
    """The SSD model that detects the main subject. Its best box is cropped."""

    score_threshold: float = Field(0.5, ge=0, le=1, description="Ignores boxes with a lower score.")
    classes: list[Annotated[int, Field(ge=0, le=65535)]] = Field(
        default=[],
        max_length=256,
        description="Uses only boxes of these classes. Empty means all but the background.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    crop: Crop = Field(default=Crop(), description="Which part of the image is cropped.")


class Binarize(ApiModel):
    """How a feature is binarized (DeepBit applies one threshold to all units)."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.method != 'fixed' || has(self.threshold)",
                "spec.extractor.binarize.threshold is required with method: fixed",
            ),
            Rule(
                "self.method == 'fixed' || !has(self.threshold)",
                "spec.extractor.binarize.threshold requires method: fixed",
            ),
        )
    )

    renamed: ClassVar = (Renamed("spec.extractor.binarize.method", "imageMean", value="pictureMean"),)

    method: Literal["imageMean", "fixed"] = Field(
        "imageMean",
        description="imageMean sets the bit of a unit that is above the mean of the image's units, fixed of one that "
        "is above threshold.",
    )
    threshold: float | None = Field(None, ge=-1e6, le=1e6, description="Threshold for method fixed.")
    layer: str | None = Field(
        None, min_length=1, max_length=128, description="Layer to binarize. Defaults to the feature layer."
    )

    @model_validator(mode="after")
    def _threshold_is_for_fixed(self) -> Self:
        if (self.method == "fixed") != (self.threshold is not None):
            raise ValueError("spec.extractor.binarize.threshold and method: fixed must be set together")
        return self


class Extractor(Net):
    """The model that computes the feature."""

    model_config = ConfigDict(
        json_schema_extra=rules(*_NET_RULES, Rule("has(self.layer) || has(self.modelRef)", NO_LAYER))
    )

    layer: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="Layer whose flattened output is the feature. Required, unless the model of modelRef names one.",
    )
    binarize: Binarize | None = Field(None, description="Also store the feature as packed bits.")

    @model_validator(mode="after")
    def _has_a_layer(self) -> Self:
        if self.layer is None and self.model_ref is None:
            raise ValueError(NO_LAYER)
        return self

    @property
    def feature_layer(self) -> str:
        """The layer; see `described`."""
        assert self.layer is not None, f"{self.model_ref} is not resolved"
        return self.layer

    def with_net(self, net: NamedNet, default: StoreAccess) -> Self:
        """See `Net.with_net`; the model's layer counts if the run names none."""
        return super().with_net(net, default).model_copy(update={"layer": self.layer or net.layer})


class Quantization(ApiModel):
    """How models are quantized to 8-bit integers, and how accurate they must be for the run to start.

    At the default limits the change in class mAP was not statistically significant (docs/bench/precision.md).
    """

    renamed: ClassVar = (Renamed("spec.quantization.pictures", "images"),)

    images: int = Field(
        64,
        ge=1,
        le=1000,
        description="Number of source images to calibrate on. As many others are used to measure the accuracy.",
    )
    min_cosine: float = Field(
        0.98, ge=0, le=1, description="Lowest acceptable mean cosine between int8 and f32 features, detection included."
    )
    min_agreement: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Lowest acceptable fraction of images whose subject is the same as in f32: same class, boxes that "
        "overlap by half.",
    )
