"""`spec`: what a user asks for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from featx_api.execution import Errors, Execution, Limits, Output
from featx_api.model import ApiModel, Rule, rules
from featx_api.nets import Detector, Extractor, Quantization
from featx_api.source import Source, StoreAccess

BF16_ENGINE = "spec.precision bf16 is for spec.engine openvino; bigdl computes in f32 or int8"
INT8_ONLY = "spec.quantization goes with spec.precision int8 only"
ONE_CHANGE = "spec takes source.changedSince or output.mode incremental, not both"

Seconds = Annotated[int, Field(ge=0, le=31_536_000)]


class FeatureExtractionSpec(ApiModel):
    """One run over one source: images in, a table of features out."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.precision != 'bf16' || self.engine == 'openvino'",
                BF16_ENGINE,
            ),
            Rule("self.precision == 'int8' || !has(self.quantization)", INT8_ONLY),
            Rule("self.output.mode != 'incremental' || !has(self.source.changedSince)", ONE_CHANGE),
        )
    )

    source: Source = Field(description="Where images are read from: exactly one of s3, hbase, files, claim.")
    detector: Detector | None = Field(None, description="Finds the subject. Without it the whole image is used.")
    extractor: Extractor = Field(description="Turns the subject into a feature.")
    engine: Literal["bigdl", "openvino"] = Field("bigdl", description="What runs the nets.")
    precision: Literal["f32", "bf16", "int8", "auto"] = Field(
        "f32",
        description="Numbers that the nets compute in. bf16 is for the engine openvino; auto is bf16 where engine and "
        "CPU have it, else f32. int8 is calibrated on images of the source.",
    )
    quantization: Quantization | None = Field(None, description="For precision int8: how it is calibrated and judged.")
    output: Output = Field(description="Where the table goes.")
    errors: Errors = Field(default=Errors(), description="How much may fail.")
    limits: Limits = Field(default=Limits(), description="What a single image may cost.")
    execution: Execution = Field(default=Execution(), description="What the run may use of the cluster.")
    suspend: bool = Field(False, description="Stops the run's pods; unsetting it goes on where it stopped.")
    active_deadline_seconds: Seconds | None = Field(
        None, description="The run fails after this long, over all attempts."
    )
    backoff_limit: int = Field(3, ge=0, le=100, description="Attempts after the first before the run is given up.")
    ttl_seconds_after_finished: Seconds | None = Field(
        None, description="Pods and ConfigMaps of a finished run are deleted after this long. The resource stays."
    )
    priority_class_name: str | None = Field(None, max_length=253, description="Priority of the run's pods.")

    @model_validator(mode="after")
    def _precision_fits(self) -> Self:
        if self.precision == "bf16" and self.engine != "openvino":
            raise ValueError(BF16_ENGINE)
        if self.precision != "int8" and self.quantization is not None:
            raise ValueError(INT8_ONLY)
        if self.output.mode == "incremental" and self.source.changed_since is not None:
            raise ValueError(ONE_CHANGE)
        return self

    def store_of(self, access: StoreAccess | None) -> StoreAccess:
        """Returns how an s3:// address is reached: by its own store, or else by the source's.

        Args:
            access: The `s3` part beside the address, if the user gave one.
        """
        return access or self.source.s3 or StoreAccess()

    def secret_names(self) -> list[str]:
        """Returns the names of all Secrets that the run mounts, sorted."""
        names = {store.secret_ref.name for store in self._stores() if store.secret_ref}
        return sorted(names | ({self.execution.kerberos.secret_ref.name} if self.execution.kerberos else set()))

    @property
    def by_pod_identity(self) -> bool:
        """Returns whether a store knows the run by its pods' identity."""
        return any(store.pod_identity for store in self._stores())

    def _stores(self) -> list[StoreAccess]:
        nets = [self.extractor.model, *([self.detector.model] if self.detector else [])]
        return [store for store in (self.source.s3, self.output.s3, *(model.s3 for model in nets)) if store]

    def claim_names(self) -> list[str]:
        """Returns the names of all PersistentVolumeClaims that the run mounts, sorted."""
        claims = {self.source.claim.name} if self.source.claim else set()
        for uri in (self.output.uri, self.source.changed_since or ""):
            if uri.startswith("claim://"):
                claims.add(uri.removeprefix("claim://").split("/", 1)[0])
        return sorted(claims)
