"""The whole resource, as it is applied and as it is read back."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from featx_api import API_VERSION, KIND
from featx_api.model import ApiModel, Rule, rules
from featx_api.spec import FeatureExtractionSpec
from featx_api.status import FeatureExtractionStatus

#: What decides on a run's rows.
COMPUTED = ("source", "detector", "extractor", "engine", "precision", "quantization", "decoding", "output")
#: Fixed once a run has started: also a Secret that its executors mount, which its owner labelled before that.
FIXED = (*COMPUTED, "execution.kerberos")
NAME_LIMIT = 48  # leaves room for -ATTEMPT-driver in a label's 63 characters


_UNCHANGED = "has(oldSelf.{path}) == has(self.{path}) && (!has(self.{path}) || self.{path} == oldSelf.{path})"


def _fixed_once_started(path: str) -> Rule:
    """The rule that a part of the spec cannot change once the first attempt has started."""
    return Rule(
        f"!has(oldSelf.status) || !has(oldSelf.status.startTime) || ({_UNCHANGED.format(path=path)})",
        f"{path} cannot change once the run has started: create a new resource",
    )


class FeatureExtraction(ApiModel):
    """Turns the images of one source into one table of features."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                f"size(self.metadata.name) <= {NAME_LIMIT}", f"metadata.name must have at most {NAME_LIMIT} characters"
            ),
            *(_fixed_once_started(f"spec.{part}") for part in FIXED),
            Rule(_UNCHANGED.format(path="spec.managedBy"), "spec.managedBy cannot change: create a new resource"),
        )
    )

    api_version: Literal["featx.dev/v1alpha1"] = API_VERSION  # type: ignore[assignment]
    kind: Literal["FeatureExtraction"] = KIND  # type: ignore[assignment]
    metadata: dict[str, Any]
    spec: FeatureExtractionSpec = Field(description="The run.")
    status: FeatureExtractionStatus | None = Field(None, description="State of the run, written by the operator.")

    @property
    def name(self) -> str:
        """The resource's name."""
        return str(self.metadata["name"])

    @model_validator(mode="after")
    def _name_fits(self) -> Self:
        name = str(self.metadata.get("name") or "")
        if not 0 < len(name) <= NAME_LIMIT:
            raise ValueError(f"metadata.name must have 1 to {NAME_LIMIT} characters")
        return self
