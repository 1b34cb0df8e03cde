"""`status`: the state of a run. Only the operator writes it, from what it observes and the driver reports.

Both may be anything: drivers run images and models of tenants. So each number and list has a bound and each text is
printable, however it got here, and a status never takes more than `STATUS_LIMIT` bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, computed_field

from featx_api.failures import FailureClass
from featx_api.model import StatusModel
from featx_api.nets import NamedNet
from featx_api.spec import Part
from featx_api.states import FAILED, RunState
from featx_api.text import printable

#: Bytes of the largest status that the operator writes, as JSON in UTF-8.
STATUS_LIMIT = 65_536
MESSAGE_LIMIT = 4096  # characters
#: Largest number: JSON has no larger one that every reader gets exactly.
LARGEST = 2**53


def _printable(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value


Count = Annotated[int, Field(ge=0, le=LARGEST)]
Seconds = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Text = Annotated[str, BeforeValidator(_printable)]
Message = Annotated[Text, Field(max_length=MESSAGE_LIMIT)]

ConditionType = Literal[
    "Accepted",
    "QuotaReserved",
    "DriverReady",
    "ExecutorsReady",
    "Suspended",
    "Succeeded",
    "Complete",
    "Failed",
    "Finished",
    "Reconciling",
    "Stalled",
]
#: What a driver may wait for, as the run's state shows it.
WaitingReason = Literal["Calibrating", "StoreUnreachable"]


def _known_reason(value: Any) -> Any:
    """A reason of a newer driver is left out: the text next to it still says what it waits for."""
    return value if value in get_args(WaitingReason) else None


class Condition(StatusModel):
    """A condition as defined by KEP-1623."""

    type: ConditionType = Field(description="What the condition is about.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="Machine-readable reason.",
    )
    message: Message = Field("", description="Human-readable explanation.")
    last_transition_time: datetime = Field(description="When status last changed.")
    observed_generation: Count = Field(0, description="Generation of the resource that it was observed for.")


class StepSeconds(StatusModel):
    """How long the steps of a run took, in seconds.

    They are added over all threads of all executors, which work at the same time, and over the shards that this attempt
    has finished.
    """

    read: Seconds = Field(0.0, description="Reading images from the source, also waiting for it and retrying.")
    decode: Seconds = Field(0.0, description="Decoding images, and resizing them for the detector.")
    idle: Seconds = Field(0.0, description="Shards had no decoded image for the models: reading or decoding is slow.")
    detect: Seconds = Field(0.0, description="In the detector, also waiting until it is free.")
    extract: Seconds = Field(0.0, description="Cropping images and in the extractor, also waiting until it is free.")
    write: Seconds = Field(0.0, description="Writing the table.")


class Progress(StatusModel):
    """Progress of the run (names follow Kubeflow Trainer's KEP-2779 where they fit).

    imagesDone counts all finished images, including the imagesFailed that are in quarantine.
    """

    images_total: Count = Field(
        0, description="Number of images. 0 until the total is known: HBase rows are counted as they are read."
    )
    images_done: Count = Field(0, description="Finished images, including those in quarantine.")
    images_failed: Count = Field(0, description="Images in quarantine.")
    files_skipped: Count = Field(
        0,
        description="Files that were left out: hidden and system files, links to folders, and those that "
        "source.include, source.exclude or source.packed.format do not select; of an HBase table, rows. The manifest "
        "has the number for each cause. A hidden folder counts once.",
    )
    files_added: Count = Field(
        0,
        description="Files that came while the run read its source, and are not in the table. Counted at the end, "
        "unless the source is an HBase table or has more than a million files. The manifest also has those that are "
        "gone or changed.",
    )
    images_per_second: float = Field(
        0.0, ge=0, le=LARGEST, allow_inf_nan=False, description="Mean over the current attempt."
    )
    eta_seconds: Count | None = Field(
        None, description="Estimated seconds to the end. Unset until it can be estimated."
    )
    shards_done: Count = Field(0, description="Committed shards.")
    shards_total: Count = Field(0, description="Number of shards.")
    precision: Text | None = Field(
        None,
        max_length=64,
        description="Number format that the models compute in; several if the CPUs of the executors differ.",
    )
    step_seconds: StepSeconds | None = Field(
        None, description="Where the time of the current attempt went. Unset until a shard is finished."
    )
    waiting: Text | None = Field(
        None,
        max_length=512,
        description="What the run is waiting for: int8 calibration, or an unresponsive store. Unset while it is not "
        "waiting.",
    )
    waiting_reason: Annotated[WaitingReason | None, BeforeValidator(_known_reason)] = Field(
        None, description="The same in one word, as status.state shows it."
    )
    last_update_time: datetime | None = Field(None, description="When the progress was written.")

    @computed_field(description="Images done in percent; shards while imagesTotal is unknown. 100 means complete.")  # type: ignore[prop-decorator]
    @property
    def percent(self) -> int:
        """The percentage, rounded down, so that 100 means complete."""
        done, total = (
            (self.images_done, self.images_total) if self.images_total else (self.shards_done, self.shards_total)
        )
        return min(done * 100 // total, 100) if total else 0

    @computed_field(description="imagesDone/imagesTotal, for `kubectl get`.")  # type: ignore[prop-decorator]
    @property
    def summary(self) -> str:
        """done/total, since a printer column cannot join two fields."""
        unknown = self.shards_total and not self.images_total
        return f"{self.images_done}/{'?' if unknown else self.images_total}"


class Executors(StatusModel):
    """Executor pods of the current attempt."""

    desired: Count = Field(0, description="Executors that the attempt wants.")
    ready: Count = Field(0, description="Executors that are ready.")
    killed_for_memory: Count = Field(
        0, description="Executors of the current attempt that were seen to exceed their memory limit."
    )
    missing_since: datetime | None = Field(
        None, description="Since when the driver has had no executor although it has work for them."
    )

    @computed_field(description="ready/desired, for `kubectl get`.")  # type: ignore[prop-decorator]
    @property
    def summary(self) -> str:
        """ready/desired, since a printer column cannot join two fields."""
        return f"{self.ready}/{self.desired}"


class Driver(StatusModel):
    """The driver of the current attempt."""

    pod_name: Text = Field(max_length=253, description="Name of the driver pod.")
    pod_uid: Text = Field(
        "", max_length=64, description="Its uid. No other pod counts as this driver, whatever its name and labels."
    )
    start_time: datetime | None = Field(None, description="When its container started.")


class PinnedModel(StatusModel):
    """A model that the run refers to, as it was when the run started: all attempts compute with it."""

    field: Part = Field(description="The part of the spec that refers to it.")
    kind: Literal["VisionModel", "ClusterVisionModel"] = Field(description="Kind of the model.")
    name: Text = Field(max_length=253, description="Its name.")
    uid: Text = Field(max_length=64, description="Its uid.")
    generation: Count = Field(description="Its generation.")
    net: NamedNet = Field(description="What it said.")


class RaisedMemory(StatusModel):
    """Memory that attempts get beyond the spec, since an earlier one ran out of it. Each is raised once, by half."""

    driver_percent: Annotated[int, Field(ge=100, le=1000)] = Field(
        100, description="Memory of the driver pod, in percent of spec.execution.driverMemory."
    )
    executor_percent: Annotated[int, Field(ge=100, le=1000)] = Field(
        100, description="Memory of an executor pod, in percent of spec.execution.memory or of the estimate."
    )


class OutputTable(StatusModel):
    """A complete table that the run has written."""

    uri: Text = Field(max_length=1100, description="Folder of the table.")
    kind: Literal["features", "quarantine"] = Field(description="What its rows are.")
    format: Literal["delta", "parquet"] = Field(description="Table format. A quarantine is always parquet.")
    record_count: Count = Field(description="Number of rows.")
    bytes: Count = Field(description="Size of its files.")
    manifest: Text | None = Field(None, max_length=1100, description="Address of the manifest.")


class Failure(StatusModel):
    """Why the run, or its last attempt, failed."""

    class_: str = Field(
        alias="class",
        max_length=128,
        description=f"Machine-readable: one of {', '.join(sorted(FailureClass))} (docs/reference/failures.md).",
    )
    message: Message = Field(description="Human-readable message: the field, its value, and how to fix it.")


class FeatureExtractionStatus(StatusModel):
    """State of the run."""

    observed_generation: int = Field(
        0, ge=-1, le=LARGEST, description="Generation of the resource that the status describes; -1 before the first."
    )
    conditions: list[Condition] = Field(
        default=[],
        description="Conditions. Succeeded is True if, and only if, the table is complete. Of a run that has ended, "
        "Finished is True, and either Complete or Failed.",
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    attempt: Count = Field(0, description="Number of the current or last attempt. Resuming a run starts a new one.")
    failed_attempts: Count = Field(
        0,
        description="Failed attempts, which count towards backoffLimit: since the start, the last retry, or the last "
        "attempt that worked for long.",
    )
    disruptions: Count = Field(
        0,
        description="Attempts that ended because the cluster or somebody stopped the driver pod. They don't count "
        "towards backoffLimit. Since the same time as failedAttempts.",
    )
    memory: RaisedMemory | None = Field(None, description="Memory that was raised after an attempt ran out of it.")
    retry: Count = Field(0, description="The last spec.retry that was acted on.")
    next_attempt_time: datetime | None = Field(None, description="When the next attempt starts, after one has failed.")
    start_time: datetime | None = Field(None, description="When the run started, or was last resumed.")
    completion_time: datetime | None = Field(None, description="When the run finished.")
    progress: Progress | None = Field(None, description="Progress of the run.")
    executors: Executors | None = Field(None, description="Executor pods of the current attempt.")
    driver: Driver | None = Field(None, description="The driver of the current attempt.")
    workload: str | None = Field(
        None, max_length=253, description="The Kueue Workload whose quota the run uses, or used at its end."
    )
    models: list[PinnedModel] = Field(
        default=[],
        max_length=2,
        description="The models that modelRef names, as they were when the run started.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    outputs: list[OutputTable] = Field(
        default=[],
        max_length=8,
        description="Complete tables.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    failure: Failure | None = Field(None, description="The last failure.")

    @computed_field(  # type: ignore[prop-decorator]
        description="The run in one word: what it waits for, Running, Succeeded, Cancelled, or Failed: and the class "
        "of its failure (docs/reference/states.md). The condition Succeeded has the message.",
        json_schema_extra={"maxLength": 160},
    )
    @property
    def state(self) -> str:
        """The first column of `kubectl get`."""
        by_type = {condition.type: condition for condition in self.conditions}
        succeeded, stalled = by_type.get("Succeeded"), by_type.get("Stalled")
        if succeeded is None:
            return RunState.WAITING_FOR_OPERATOR
        if succeeded.status == "True":
            return RunState.SUCCEEDED
        if succeeded.status == "Unknown":
            return stalled.reason if stalled and stalled.status == "True" else succeeded.reason
        if succeeded.reason == RunState.CANCELLED:
            return RunState.CANCELLED
        return FAILED + (self.failure.class_ if self.failure else succeeded.reason)
