"""`spec`: the run that a user asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, model_validator

from featx_api.execution import Decoding, Errors, Execution, Limits, Output
from featx_api.model import ApiModel, Rule, rules
from featx_api.names import ControllerName, ObjectName, claim_of
from featx_api.nets import Detector, Extractor, Model, ModelRef, NamedNet, Quantization
from featx_api.s3 import StoreAccess
from featx_api.source import Source

BF16_ENGINE = "spec.precision: bf16 requires spec.engine: openvino; bigdl computes in f32 or int8"
INT8_ONLY = "spec.quantization requires spec.precision: int8"
ONE_CHANGE = "spec.source.changedSince and spec.output.mode: incremental exclude each other"

#: A part of the spec that has a net.
Part = Literal["detector", "extractor"]

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

    source: Source = Field(description="Where images are read from: exactly one of s3, hbase, files or claim.")
    detector: Detector | None = Field(
        None, description="Detects the main subject. Without a detector the whole image is used."
    )
    extractor: Extractor = Field(description="Computes the feature of the subject.")
    engine: Literal["bigdl", "openvino"] = Field("bigdl", description="Library that runs the models.")
    precision: Literal["f32", "bf16", "int8", "auto"] = Field(
        "f32",
        description="Number format that the models compute in. bf16 requires engine openvino and a CPU with "
        "AVX512-BF16 or AMX. int8 requires a CPU with VNNI, and is calibrated on images from the source. auto uses "
        "bf16 where engine and CPU support it, otherwise f32.",
    )
    quantization: Quantization | None = Field(
        None, description="Calibration for precision int8, and the accuracy it must reach."
    )
    output: Output = Field(description="Where the table is written.")
    errors: Errors = Field(default=Errors(), description="How many images may fail.")
    decoding: Decoding = Field(default=Decoding(), description="How images are decoded.")
    limits: Limits = Field(default=Limits(), description="Size limits for a single image.")
    execution: Execution = Field(default=Execution(), description="Resources and identities that the run uses.")
    suspend: StrictBool = Field(False, description="Stops the run's pods. Set to false to resume.")
    cancel: StrictBool = Field(
        False,
        description="Stops the run for good: its pods are stopped, what is done is kept, and the run fails with class "
        "Cancelled.",
    )
    retry: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Raise this number to continue a run that has failed: with new attempts and a new deadline, from "
        "where the last attempt stopped. A cancelled run also needs cancel: false. Between two attempts the next one "
        "starts at once. A run that has succeeded stays as it is.",
    )
    active_deadline_seconds: Seconds | None = Field(
        None, description="Time limit for the run in seconds, over all attempts. No limit if unset."
    )
    backoff_limit: int = Field(
        3,
        ge=0,
        le=100,
        description="Number of retries before the run fails. Neither waits for nodes, images and quota nor disruptions "
        "count, and an attempt that worked for long starts the count over.",
    )
    ttl_seconds_after_finished: Seconds | None = Field(
        None,
        description="Deletes the pods and ConfigMaps of a finished run after this many seconds; the resource stays. "
        "Never, if unset.",
    )
    priority_class_name: ObjectName | None = Field(
        None, description="Priority class of the run's pods, one that the chart's values allow."
    )

    managed_by: ControllerName | None = Field(
        None,
        description="Controller of the run, such as kueue.x-k8s.io/multikueue. Any other than featx.dev/operator, the "
        "default, makes the operator leave the run alone. It cannot change.",
    )

    @model_validator(mode="after")
    def _precision_fits(self) -> Self:
        if self.precision == "bf16" and self.engine != "openvino":
            raise ValueError(BF16_ENGINE)
        if self.precision != "int8" and self.quantization is not None:
            raise ValueError(INT8_ONLY)
        if self.output.mode == "incremental" and self.source.changed_since is not None:
            raise ValueError(ONE_CHANGE)
        return self

    @property
    def reads_everything(self) -> bool:
        """Whether the run reads all of its source, rather than what has changed or what belongs to a time."""
        hbase = self.source.hbase
        changes = self.output.mode == "incremental" or self.source.changed_since is not None
        return not changes and not (hbase and (hbase.since or hbase.until))

    def store_of(self, access: StoreAccess | None) -> StoreAccess:
        """How to reach an s3:// address: by its own `s3` part, or by default as the source is reached.

        Args:
            access: The `s3` part next to the address, if the user set one.
        """
        return access or self.source.s3 or StoreAccess()

    def secret_names(self) -> list[str]:
        """Names of all Secrets that the run mounts, sorted."""
        names = {store.secret_ref.name for store in self.stores().values() if store.secret_ref}
        return sorted(names | ({self.execution.kerberos.secret_ref.name} if self.execution.kerberos else set()))

    @property
    def by_pod_identity(self) -> bool:
        """Whether the run authenticates to any store with its pods' cloud identity."""
        return any(store.pod_identity for store in self.stores().values())

    def stores(self) -> dict[str, StoreAccess]:
        """How the run reaches each S3-compatible store, by path of the field."""
        stores = {"spec.source.s3": self.source.s3, "spec.output.s3": self.output.s3}
        stores |= {f"{field}.s3": model.s3 for field, model in self._models().items()}
        return {field: store for field, store in stores.items() if store}

    def addresses(self) -> dict[str, str]:
        """Every address that the run reads or writes, by path of the field; bucket, table and claim names are none."""
        files, snapshot = self.source.files, self.source.hbase.snapshot if self.source.hbase else None
        uris = {
            "spec.source.files.uri": files.uri if files else None,
            "spec.source.hbase.snapshot.rootDir": snapshot.root_dir if snapshot else None,
            "spec.source.hbase.snapshot.restoreDir": snapshot.restore_dir if snapshot else None,
            "spec.source.s3.inventory": self.source.s3.inventory if self.source.s3 else None,
            "spec.source.list": self.source.key_list,
            "spec.source.changedSince": self.source.changed_since,
            "spec.output.uri": self.output.uri,
        }
        for field, model in self._models().items():
            uris |= {f"{field}.{name}": getattr(model, name) for name in ("onnx", "prototxt", "weights")}
        return {field: uri for field, uri in uris.items() if uri}

    def _models(self) -> dict[str, Model]:
        """The models that are described; before `with_nets` those by reference are not."""
        return {f"spec.{part}.model": net.model for part, net in self._nets().items() if net.model}

    def _nets(self) -> dict[Part, Detector | Extractor]:
        nets: dict[Part, Detector | Extractor] = {"detector": self.detector} if self.detector else {}
        return nets | {"extractor": self.extractor}

    def model_refs(self) -> dict[Part, ModelRef]:
        """The models that the run refers to, by the part of the spec that does."""
        return {part: net.model_ref for part, net in self._nets().items() if net.model_ref}

    def with_nets(self, named: Mapping[Part, NamedNet]) -> Self:
        """A copy with these nets in place of the references of their parts.

        A store that the model does not describe is reached as it was when the model was validated, not as the source.
        """
        nets = self._nets()
        changes: dict[str, Any] = {
            part: nets[part].with_net(net, StoreAccess()) for part, net in named.items() if part in self.model_refs()
        }
        return self.model_copy(update=changes)

    def claim_names(self) -> list[str]:
        """Names of all PersistentVolumeClaims that the run mounts, sorted."""
        claims = {claim for uri in self.addresses().values() if (claim := claim_of(uri))}
        return sorted(claims | ({self.source.claim.name} if self.source.claim else set()))
