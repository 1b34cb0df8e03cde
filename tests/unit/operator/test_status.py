"""Changes to a status are validated, and their types are the model's."""

from __future__ import annotations

from typing import get_type_hints

import pytest
from featx_api.status import FeatureExtractionStatus, Progress
from featx_operator.decisions.status import StatusChanges, validated_copy, with_changes
from pydantic import ValidationError


def test_the_typed_changes_are_the_fields_of_the_status() -> None:
    fields = FeatureExtractionStatus.model_fields
    assert get_type_hints(StatusChanges) == {name: field.annotation for name, field in fields.items()}


def test_a_change_leaves_all_other_fields_as_they_are() -> None:
    before = FeatureExtractionStatus(attempt=2, failed_attempts=1)
    assert with_changes(before, attempt=3) == FeatureExtractionStatus(attempt=3, failed_attempts=1)


def test_a_value_that_the_api_server_would_reject_is_rejected() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        with_changes(FeatureExtractionStatus(), attempt=-1)


def test_an_unknown_field_is_rejected() -> None:
    with pytest.raises(TypeError, match="Progress has no field picturesDone"):
        validated_copy(Progress(), picturesDone=1)
