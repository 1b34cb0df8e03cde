"""A field that is wrong is described in the words of the resource, never in pydantic's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast

import pytest
from featx_api.problems import FORMS, describe, line
from featx_api.resource import FeatureExtraction
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tests.support.bad_resources import ABSENT, BAD, Bad, changed, good

TIME = "must be a time, such as 2026-11-26T00:00:00Z"


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
        ("spec.execution.cores", "many", "must be an integer"),
        ("spec.suspend", "perhaps", "must be true or false"),
        ("spec.limits.megapixels", 1.5, "must be an integer"),
        ("spec.errors.maxFailedFraction", "few", "must be a number"),
        ("spec.detector.input.mean", [1, 2], "must have at least 3 items, not 2"),
        ("spec.source.hbase", {"quorum": "zk", "table": "t", "column": "p:j", "since": "monday"}, TIME),
        ("spec.extractor.model.sha256", ABSENT, "is missing: `sha256sum FILE` prints it, and so does `featx run`"),
        ("spec.execution.memory", "3000", "must be a size from 64Mi to 999Gi, such as 3Gi"),
        ("spec.execution.memory", "9999999Gi", "must be a size from 64Mi to 999Gi, such as 3Gi"),
        ("spec.execution.image", "featx/job:1\n", "must not contain control characters"),
        ("spec.output.uri", "s3://features/\u202eelbat", "must not contain control characters"),
        ("spec.extractor.layer", "", "must have at least 1 character"),
        ("spec.decoding", {"background": "green"}, "must be a colour, such as #ffffff"),
        ("spec.limits.megapixels", float("inf"), "must be a number, and not infinite"),
    ],
)
def test_a_problem_is_described_in_the_words_of_the_resource(path: str, value: Any, expected: str) -> None:
    assert problems(path, value) == [expected]


def patterns(schema: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths of all fields below a JSON schema whose value must match a pattern."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    if "pattern" in schema:
        yield path
    for name, part in schema.get("properties", {}).items():
        yield from patterns(part, definitions, (*path, name))
    for part in [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]:
        yield from patterns(part, definitions, path)


SCHEMA = FeatureExtraction.model_json_schema(by_alias=True)
PATTERNS = sorted(set(patterns(SCHEMA["properties"]["spec"], SCHEMA["$defs"], ("spec",))))


@pytest.mark.parametrize("path", PATTERNS, ids=".".join)
def test_a_field_with_a_pattern_has_words_for_it(path: tuple[str, ...]) -> None:
    assert len(PATTERNS) > 40
    problem = {"type": "string_pattern_mismatch", "loc": path, "input": "?", "msg": "Pattern", "ctx": {"pattern": "a"}}
    described = describe(FeatureExtraction, cast(ErrorDetails, problem))
    assert described.startswith("must ")
    assert described == next(FORMS[key] for key in (".".join(path[-2:]), path[-1]) if key in FORMS)


def fields(schema: dict[str, Any], path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The paths of all fields, items and values of maps below a JSON schema."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    yield path
    for name, part in schema.get("properties", {}).items():
        yield from fields(part, (*path, name))
    for part in schema.get("anyOf", []):
        yield from fields(part, path)
    for name, kind in ((0, "items"), ("any", "additionalProperties")):
        if isinstance(part := schema.get(kind), dict):
            yield from fields(part, (*path, name))


FIELDS = sorted(set(fields(SCHEMA["properties"]["spec"], ("spec",))), key=str)
WRONG = [
    *(None, "", "?", "x y", "green", "a" * 5000, "[x", "^\\d", "\0", -1, 10**30, 1.5, float("nan"), float("inf"), True),
    *([], {}, [1], [""], ["x y"], {"x": 1}, {"": ""}),
]


def with_value(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """A valid resource with one field set, however deep it is."""
    resource = good()
    node: Any = resource
    for name, below in pairwise(path):
        if name != 0 and not isinstance(node.get(name), list if below == 0 else dict):
            node[name] = [{}] if below == 0 else {}
        node = node[name]
    node[path[-1]] = value
    return resource


def test_whatever_is_wrong_no_message_shows_a_pattern_or_speaks_of_python() -> None:
    shown = set()
    for path in FIELDS:
        for value in WRONG:
            try:
                FeatureExtraction.from_wire(with_value(path, value))
            except ValidationError as error:
                shown |= {line(FeatureExtraction, problem) for problem in error.errors()}
    assert len(shown) > 400
    words = (
        r"pattern|regex|\^|\\[^x]|\bInput\b|\bshould\b|Value error|instance|validation|dictionary|this field does not"
    )
    assert [text for text in shown if re.search(words, text)] == []


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.id)
def test_a_problem_never_shows_a_pattern_and_names_its_field_once(bad: Bad) -> None:
    with pytest.raises(ValidationError) as refusal:
        FeatureExtraction.from_wire(changed(bad.path, bad.value))
    for problem in refusal.value.errors():
        shown = line(FeatureExtraction, problem)
        assert shown.startswith(("spec", "metadata"))
        assert not re.search(r"pattern|\^|\[a-z|Input|Value error|validation", shown)
        field = ".".join(map(str, problem["loc"]))
        assert not field or shown.count(f"{field} ") + shown.count(f"{field}:") <= 1


@pytest.mark.parametrize("path", ["spec.suspend", "spec.limits", "spec.source.keys", "spec.execution.sparkConf"])
@pytest.mark.parametrize("value", ["x", 1.5, [[]], {"x": 1}])
def test_no_description_is_pydantics(path: str, value: Any) -> None:
    for problem in problems(path, value):
        assert not re.search("Input|Value|String|should|permitted|instance of|dictionary", problem)
