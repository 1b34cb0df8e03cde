"""What is done with an image: the `detector` and `extractor` parts of the spec."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from featx_api.model import ApiModel, Rule, rules
from featx_api.source import StoreAccess

ModelUri = Annotated[
    str,
    Field(max_length=1024, pattern=r"^(s3://[a-z0-9][a-z0-9.\-]*/.+|file:///.+|package:[A-Za-z0-9._\-]+==[^/]+/.+)$"),
]


class Model(ApiModel):
    """A model, in ONNX or as Caffe's two files, and the digest that its weights must have."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "has(self.onnx) != has(self.weights) && has(self.prototxt) == has(self.weights)",
                "a model is either onnx, or prototxt and weights",
            )
        )
    )

    onnx: ModelUri | None = Field(
        None, description="ONNX model: s3://bucket/key, file:///path or package:NAME==VERSION/path."
    )
    prototxt: ModelUri | None = Field(None, description="Architecture of a Caffe model, addressed like onnx.")
    weights: ModelUri | None = Field(None, description="Weights of a Caffe model (caffemodel), addressed like onnx.")
    sha256: str = Field(
        min_length=64,
        max_length=64,
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 of onnx, or of weights, checked first.",
    )
    s3: StoreAccess | None = Field(None, description="Store of s3:// addresses; source.s3's where absent.")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.onnx is None) == (self.weights is None) or (self.prototxt is None) != (self.weights is None):
            raise ValueError("a model is either onnx, or prototxt and weights")
        return self


class NetInput(ApiModel):
    """How pixels become a net's input. Width and height are the ones that the model declares."""

    mean: list[Annotated[float, Field(ge=0, le=255)]] = Field(
        default=[0.0, 0.0, 0.0],
        min_length=3,
        max_length=3,
        description="Mean of each channel, in the order of `channels`, subtracted first.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    scale: float = Field(1.0, gt=0, le=1000, description="Factor applied after the mean is subtracted.")
    channels: Literal["BGR", "RGB"] = Field("BGR", description="Channel order that the net was trained with.")


class Crop(ApiModel):
    """Which part of the image goes on to the extractor.

    The defaults cost no class mAP that could be told from chance; tighter crops did (docs/bench/crops.md).
    """

    margin: float = Field(0.1, ge=0, le=1, description="Widens the box by this share of its size on each side.")
    min_area: float = Field(0.25, ge=0, le=1, description="A box smaller than this share of the image is not used.")
    fallback: Literal["wholeImage", "skip"] = Field(
        "wholeImage", description="Without a usable box: take the whole image, or put the image into quarantine."
    )


class Detector(ApiModel):
    """The SSD net that finds the subject; its best box is cropped."""

    model: Model = Field(description="The net.")
    input: NetInput = Field(default=NetInput(), description="How pixels become its input.")
    score_threshold: float = Field(0.5, ge=0, le=1, description="Boxes with a lower score are not used.")
    classes: list[Annotated[int, Field(ge=0, le=65535)]] = Field(
        default=[],
        max_length=256,
        description="Only these classes are used; all but the background where empty.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    crop: Crop = Field(default=Crop(), description="What is cropped.")


class Binarize(ApiModel):
    """How a feature becomes bits (DeepBit thresholds all units alike)."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.method != 'fixed' || has(self.threshold)",
                "spec.extractor.binarize.threshold is required with method fixed",
            ),
            Rule(
                "self.method == 'fixed' || !has(self.threshold)",
                "spec.extractor.binarize.threshold goes with method fixed only",
            ),
        )
    )

    method: Literal["imageMean", "fixed"] = Field(
        "imageMean",
        description="A unit's bit is set above the mean of the image's own units, or above threshold.",
    )
    threshold: float | None = Field(None, ge=-1e6, le=1e6, description="For method fixed.")
    layer: str | None = Field(
        None, min_length=1, max_length=128, description="The layer that bits are made of; the feature's where absent."
    )

    @model_validator(mode="after")
    def _threshold_goes_with_fixed(self) -> Self:
        if (self.method == "fixed") != (self.threshold is not None):
            raise ValueError("spec.extractor.binarize.threshold is required with method fixed, and goes with it only")
        return self


class Extractor(ApiModel):
    """The net whose layer is the feature."""

    model: Model = Field(description="The net.")
    input: NetInput = Field(default=NetInput(), description="How pixels become its input.")
    layer: str = Field(min_length=1, max_length=128, description="The layer whose output, flattened, is the feature.")
    binarize: Binarize | None = Field(None, description="Also store the feature as packed bits.")


class Quantization(ApiModel):
    """How nets are brought to 8-bit integers, and how far from float32 they may be: else the run is refused.

    By default as far as cost no class mAP that could be told from chance (docs/bench/precision.md).
    """

    images: int = Field(
        64, ge=1, le=1000, description="Images of the source that are looked at, and as many others to judge by."
    )
    min_cosine: float = Field(
        0.98, ge=0, le=1, description="Least mean cosine between features in int8 and in f32, detector and all."
    )
    min_agreement: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Least share of images with the same subject as in f32: of one class, boxes overlapping by half.",
    )
