"""The FeatureExtractionSchedule resource: runs that start by the clock, as batch/v1 CronJob starts Jobs.

A scheduled run updates one table by default, so its template differs from a run's spec in one default only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from featx_api import API_VERSION
from featx_api.execution import Output
from featx_api.model import ApiModel, Rule, StatusModel, rules
from featx_api.spec import FeatureExtractionSpec, Seconds
from featx_api.status import LARGEST, Condition, Count, Text

SCHEDULE_KIND: Final = "FeatureExtractionSchedule"
SCHEDULE_PLURAL: Final = "featureextractionschedules"
#: Starts one run at once, whatever the clock says. The same value never starts a second one.
RUN_NOW_ANNOTATION: Final = "featx.dev/run-now"
SCHEDULE_LABEL: Final = "featx.dev/schedule"
SCHEDULE_UID_LABEL: Final = "featx.dev/schedule-uid"
SCHEDULED_AT_ANNOTATION: Final = "featx.dev/scheduled-at"

SCHEDULE_NAME_LIMIT: Final = 39  # leaves room for the nine characters by which runs differ
ACTIVE_LIMIT: Final = 100
RESERVED_PREFIX: Final = "featx.dev/"

_ONE_TABLE = (
    "spec.separateOutputs: true and spec.template.spec.output.mode: create require each other: a table is created once"
)
_RESERVED = f"must not set labels or annotations that begin with {RESERVED_PREFIX}"
_MACRO = "@(hourly|daily|midnight|weekly|monthly|yearly|annually)"
_FIELD = "[0-9A-Za-z*/,#-]+"

LabelText = Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")]
AnnotationText = Annotated[str, Field(max_length=4096)]
_NOT_RESERVED = rules(Rule(f"!self.exists(key, key.startsWith('{RESERVED_PREFIX}'))", _RESERVED))


class TemplateMetadata(ApiModel):
    """Labels and annotations of the runs."""

    labels: dict[str, LabelText] = Field(
        default={},
        max_length=32,
        description="Labels of each run, such as the queue that it waits in.",
        json_schema_extra=_NOT_RESERVED,
    )
    annotations: dict[str, AnnotationText] = Field(
        default={}, max_length=32, description="Annotations of each run.", json_schema_extra=_NOT_RESERVED
    )

    @model_validator(mode="after")
    def _reserves_our_own(self) -> Self:
        if any(key.startswith(RESERVED_PREFIX) for key in (*self.labels, *self.annotations)):
            raise ValueError(_RESERVED)
        return self


class ScheduledOutput(Output):
    """Where the runs write: all of them to one table, unless `separateOutputs` is set."""

    mode: Literal["create", "incremental"] = Field(
        "incremental",
        description="incremental (delta only) updates one table: each run processes the images that are new or "
        "changed, and a run that finds none succeeds. create writes a new table, and requires separateOutputs.",
    )


class ScheduledSpec(FeatureExtractionSpec):
    """The spec of each run, with `output.mode: incremental` by default."""

    output: ScheduledOutput = Field(description="Where the table is written.")


class RunTemplate(ApiModel):
    """What each run is created from."""

    metadata: TemplateMetadata = Field(default=TemplateMetadata(), description="Labels and annotations of the runs.")
    spec: ScheduledSpec = Field(description="The spec of the runs.")


class FeatureExtractionScheduleSpec(ApiModel):
    """When runs start, and what they are."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule("self.separateOutputs == (self.template.spec.output.mode == 'create')", _ONE_TABLE)
        )
    )

    schedule: str = Field(
        min_length=1,
        max_length=100,
        pattern=rf"^({_MACRO}|{_FIELD}( {_FIELD}){{4}})$",
        description="When runs start: minute, hour, day of month, month and day of week as in cron, or one of @hourly, "
        "@daily, @weekly, @monthly and @yearly.",
    )
    time_zone: str = Field(
        "Etc/UTC",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+)*$",
        description="Time zone of the schedule, by its name in the tz database, such as Europe/Berlin. A time that the "
        "change to daylight saving time skips is made up for right after it; one that occurs twice starts one run.",
    )
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = Field(
        "Forbid",
        description="What happens if a run is still active when the next one is due. Forbid starts it after the active "
        "one has finished; Replace deletes the active run first; Allow runs both, which is of use with separateOutputs "
        "only.",
    )
    starting_deadline_seconds: Seconds | None = Field(
        None,
        description="How late a run may start, in seconds. A run that could not start in time is skipped. No limit if "
        "unset.",
    )
    suspend: bool = Field(
        False,
        description="Starts no further runs. Active runs continue. The annotation featx.dev/run-now still starts one.",
    )
    successful_history_limit: int = Field(
        3, ge=0, le=100, description="How many succeeded runs are kept. The oldest are deleted first."
    )
    failed_history_limit: int = Field(
        1, ge=0, le=100, description="How many failed runs are kept. The oldest are deleted first."
    )
    separate_outputs: bool = Field(
        False,
        description="Appends the name of the run to output.uri, so that each run writes a table of its own. Requires "
        "output.mode: create.",
    )
    template: RunTemplate = Field(description="What each run is created from.")

    @model_validator(mode="after")
    def _writes_each_table_once(self) -> Self:
        if self.separate_outputs != (self.template.spec.output.mode == "create"):
            raise ValueError(_ONE_TABLE)
        return self


class ScheduleCondition(Condition):
    """A condition of a schedule."""

    type: Literal["Ready", "Suspended", "Stalled"] = Field(  # type: ignore[assignment]
        description="What the condition is about."
    )


class ActiveRun(StatusModel):
    """A run that has not finished."""

    name: Text = Field(max_length=253, description="Name of the FeatureExtraction.")
    uid: Text = Field(max_length=64, description="Its uid.")


class FeatureExtractionScheduleStatus(StatusModel):
    """State of the schedule."""

    observed_generation: int = Field(
        -1, ge=-1, le=LARGEST, description="Generation of the resource that the status describes."
    )
    conditions: list[ScheduleCondition] = Field(
        default=[],
        max_length=8,
        description="Conditions. Ready is True while the schedule can start runs.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    active: list[ActiveRun] = Field(
        default=[],
        max_length=ACTIVE_LIMIT,
        description="Runs that have not finished.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    active_runs: Count = Field(0, description="Number of runs that have not finished.")
    last_schedule_time: datetime | None = Field(None, description="The time that the last run was due at.")
    last_successful_time: datetime | None = Field(None, description="When a run last succeeded.")
    last_missed_time: datetime | None = Field(
        None, description="The last time at which a run was due and could not start within startingDeadlineSeconds."
    )
    next_schedule_time: datetime | None = Field(None, description="When the next run is due. Unset while suspended.")
    last_run_now: Text | None = Field(
        None, max_length=128, description="Last value of the annotation featx.dev/run-now that has started a run."
    )


class FeatureExtractionSchedule(ApiModel):
    """Starts FeatureExtractions by the clock."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                f"size(self.metadata.name) <= {SCHEDULE_NAME_LIMIT}",
                f"metadata.name must have at most {SCHEDULE_NAME_LIMIT} characters",
            )
        )
    )

    api_version: Literal["featx.dev/v1alpha1"] = API_VERSION  # type: ignore[assignment]
    kind: Literal["FeatureExtractionSchedule"] = SCHEDULE_KIND
    metadata: dict[str, Any]
    spec: FeatureExtractionScheduleSpec = Field(description="The schedule.")
    status: FeatureExtractionScheduleStatus = Field(
        default=FeatureExtractionScheduleStatus(), description="State of the schedule, written by the operator."
    )

    @model_validator(mode="after")
    def _name_fits(self) -> Self:
        name = str(self.metadata.get("name") or "")
        if not 0 < len(name) <= SCHEDULE_NAME_LIMIT:
            raise ValueError(f"metadata.name must have 1 to {SCHEDULE_NAME_LIMIT} characters")
        return self
