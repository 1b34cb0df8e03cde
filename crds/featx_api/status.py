"""`status`: what the run has come to. Written by the operator alone, from what the driver reports."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, computed_field

from featx_api.model import StatusModel

Count = Annotated[int, Field(ge=0)]
Message = Annotated[str, Field(max_length=4096)]

ConditionType = Literal[
    "Accepted", "QuotaReserved", "DriverReady", "ExecutorsReady", "Suspended", "Succeeded", "Reconciling", "Stalled"
]


class Condition(StatusModel):
    """A condition in the sense of KEP-1623."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str = Field(min_length=1, max_length=128, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    message: Message = ""
    last_transition_time: datetime
    observed_generation: Count = 0


class Progress(StatusModel):
    """How far the run is (names after Kubeflow Trainer's KEP-2779 where they fit).

    `images_done` counts images that are finished either way; `images_failed` of them are in quarantine.
    """

    images_total: Count = Field(0, description="0 while nobody knows: rows of HBase are counted as they are read.")
    images_done: Count = 0
    images_failed: Count = 0
    images_per_second: float = Field(0.0, ge=0, description="Over the current attempt.")
    eta_seconds: Count | None = Field(None, description="Absent while there is nothing to judge it by.")
    shards_done: Count = 0
    shards_total: Count = 0
    precision: str | None = Field(
        None, max_length=64, description="What the nets compute in; several where executors' CPUs differ."
    )
    waiting: str | None = Field(
        None,
        max_length=512,
        description="What images wait for, while they do: int8's calibration, or a store that does not answer.",
    )
    last_update_time: datetime | None = None

    @computed_field(description="Of imagesTotal, or of shards while that is not known; 100 only when all are done.")  # type: ignore[prop-decorator]
    @property
    def percent(self) -> int:
        """Returns the share done, rounded down, so that 100 means complete."""
        done, total = (
            (self.images_done, self.images_total) if self.images_total else (self.shards_done, self.shards_total)
        )
        return done * 100 // total if total else 0

    @computed_field(description="imagesDone/imagesTotal, for `kubectl get`.")  # type: ignore[prop-decorator]
    @property
    def summary(self) -> str:
        """Returns done/total, since a printer column cannot join two fields."""
        unknown = self.shards_total and not self.images_total
        return f"{self.images_done}/{'?' if unknown else self.images_total}"


class Executors(StatusModel):
    """Executor pods of the current attempt."""

    desired: Count = 0
    ready: Count = 0

    @computed_field(description="ready/desired, for `kubectl get`.")  # type: ignore[prop-decorator]
    @property
    def summary(self) -> str:
        """Returns ready/desired, since a printer column cannot join two fields."""
        return f"{self.ready}/{self.desired}"


class Driver(StatusModel):
    """Where the current attempt runs."""

    pod_name: str = Field(max_length=253)
    ui_address: str | None = Field(None, max_length=512, description="Spark's UI, reachable inside the cluster.")


class OutputTable(StatusModel):
    """A table that the run has written and that is complete."""

    uri: str = Field(max_length=1100)
    kind: Literal["features", "quarantine"]
    format: Literal["delta", "parquet"] = Field(description="Table format. A quarantine is always parquet.")
    record_count: Count
    bytes: Count
    manifest: str | None = Field(None, max_length=1100)


class Failure(StatusModel):
    """Why the run, or its last attempt, failed."""

    class_: str = Field(alias="class", max_length=128, description="CamelCase, for programs.")
    message: Message = Field(description="Names the field, the value and the way out, for people.")


class FeatureExtractionStatus(StatusModel):
    """What the run has come to."""

    observed_generation: Count = 0
    conditions: list[Condition] = Field(
        default=[],
        max_length=16,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    attempt: Count = Field(0, description="Number of the current or last attempt; a resumed run begins a new one.")
    failed_attempts: Count = Field(0, description="Attempts that count against backoffLimit.")
    next_attempt_time: datetime | None = Field(None, description="When the next attempt begins, after one has failed.")
    start_time: datetime | None = None
    completion_time: datetime | None = None
    progress: Progress | None = None
    executors: Executors | None = None
    driver: Driver | None = None
    outputs: list[OutputTable] = Field(default=[], max_length=8, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    failure: Failure | None = None
