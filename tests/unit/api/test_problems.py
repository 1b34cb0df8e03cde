"""A field that is wrong is described in the words of the resource, never in pydantic's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from featx_api.problems import describe
from featx_api.resource import FeatureExtraction
from pydantic import ValidationError

from tests.support.bad_resources import ABSENT, changed


def problems(path: str, value: Any) -> list[str]:
    with pytest.raises(ValidationError) as refusal:
        FeatureExtraction.model_validate(changed(path, value))
    return [describe(FeatureExtraction, problem) for problem in refusal.value.errors()]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("spec.outputs", {}, "unknown field; did you mean output?"),
        ("spec.execution.core", 2, "unknown field; did you mean cores?"),
        ("spec.detector.crop.margins", 1, "unknown field; did you mean margin?"),
        ("spec.source.s3.secretref", {}, "unknown field; did you mean secretRef?"),
        ("spec.qwertz", 1, "unknown field"),
        ("spec.output.uri", ABSENT, "is missing"),
        ("spec.output", "s3://features/table", "must be an object with fields"),
        ("spec.engine", "caffe", "must be 'bigdl' or 'openvino'"),
        ("spec.execution.cores", "many", "must be a valid integer, unable to parse string as an integer"),
        ("spec.extractor.layer", "", "must have at least 1 character"),
    ],
)
def test_a_problem_is_described_in_the_words_of_the_resource(path: str, value: Any, expected: str) -> None:
    assert problems(path, value) == [expected]


@pytest.mark.parametrize("path", ["spec.suspend", "spec.limits", "spec.source.keys", "spec.execution.sparkConf"])
@pytest.mark.parametrize("value", ["x", 1.5, [[]], {"x": 1}])
def test_no_description_is_pydantics(path: str, value: Any) -> None:
    for problem in problems(path, value):
        assert not re.search("Input|Value|String|should|permitted|instance of|dictionary", problem)
