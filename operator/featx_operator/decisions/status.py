"""Changes to a status: typed where they are written, validated when they are applied.

pydantic's own `model_copy(update=...)` does neither: a misspelled field or a value that the API server would reject
passes unnoticed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict, TypeVar, Unpack

from featx_api.model import StatusModel
from featx_api.status import (
    Condition,
    Driver,
    Executors,
    Failure,
    FeatureExtractionStatus,
    OutputTable,
    PinnedModel,
    Progress,
    RaisedMemory,
)

Model = TypeVar("Model", bound=StatusModel)


class StatusChanges(TypedDict, total=False):
    """The fields of a status, each of them optional."""

    observed_generation: int
    conditions: list[Condition]
    attempt: int
    failed_attempts: int
    disruptions: int
    memory: RaisedMemory | None
    retry: int
    next_attempt_time: datetime | None
    start_time: datetime | None
    completion_time: datetime | None
    progress: Progress | None
    executors: Executors | None
    driver: Driver | None
    outputs: list[OutputTable]
    failure: Failure | None
    workload: str | None
    models: list[PinnedModel]


def with_changes(status: FeatureExtractionStatus, **changes: Unpack[StatusChanges]) -> FeatureExtractionStatus:
    """A copy of the status with some fields changed.

    Raises:
        ValidationError: A value is not valid.
    """
    return validated_copy(status, **changes)


def validated_copy(model: Model, **changes: Any) -> Model:
    """A copy of a part of the status with some fields changed.

    Raises:
        TypeError: There is no such field.
        ValidationError: A value is not valid.
    """
    if unknown := changes.keys() - type(model).model_fields.keys():
        raise TypeError(f"{type(model).__name__} has no field {', '.join(sorted(unknown))}")
    return type(model).model_validate({**dict(model), **changes})
