"""The committed CRD is generated from the models, and every field is bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from featx_api.crd import CLUSTER_MODEL, MODEL, RUN, SCHEDULE, definition, render, resource_schema

CRD_FILE = Path("crds/featureextractions.featx.dev.yaml")
CHART_FILE = Path("charts/featx-crds/templates/featureextractions.featx.dev.yaml")


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields every node of a schema below the root's own metadata, with its path."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            yield from nodes(schema[inner], f"{path}[]")


BOUNDED = [
    (path, node)
    for kind in (RUN, SCHEDULE, MODEL, CLUSTER_MODEL)
    for path, node in nodes(resource_schema(kind))
    if path.startswith((".spec", ".status"))
]


def test_the_committed_files_are_up_to_date_with_the_models() -> None:
    assert CRD_FILE.read_text() == render(), "run `make generate`"
    assert CHART_FILE.read_text() == render(), "run `make generate`"


def test_the_committed_files_of_schedules_are_up_to_date_with_the_models() -> None:
    for folder in ("crds", "charts/featx-crds/templates"):
        text = Path(folder, "featureextractionschedules.featx.dev.yaml").read_text()
        assert text == render(SCHEDULE), "run `make generate`"
        assert len(text.encode()) < 128 * 1024


def test_the_committed_files_of_models_are_up_to_date_with_the_models() -> None:
    for folder in ("crds", "charts/featx-crds/templates"):
        for kind in (MODEL, CLUSTER_MODEL):
            assert Path(folder, f"{kind.plural}.featx.dev.yaml").read_text() == render(kind), "run `make generate`"


def test_the_crd_is_small_enough_for_a_plain_apply() -> None:
    assert len(json.dumps(definition())) < 128 * 1024
    assert len(CRD_FILE.read_bytes()) < 128 * 1024


def test_every_string_is_limited() -> None:
    free = [
        path
        for path, node in BOUNDED
        if node.get("type") == "string" and not {"maxLength", "enum", "format"} & node.keys() and "summary" not in path
    ]
    assert free == []


def test_every_list_and_map_is_limited_and_lists_say_how_they_merge() -> None:
    lists = [(path, node) for path, node in BOUNDED if node.get("type") == "array"]
    assert [path for path, node in lists if "maxItems" not in node] == []
    assert [path for path, node in lists if "x-kubernetes-list-type" not in node] == []
    assert [path for path, node in BOUNDED if "additionalProperties" in node and "maxProperties" not in node] == []


def test_every_number_has_bounds_in_the_spec() -> None:
    numbers = [(path, node) for path, node in BOUNDED if node.get("type") in ("integer", "number")]
    assert [
        path for path, node in numbers if path.startswith(".spec") and not {"minimum", "maximum"} <= node.keys()
    ] == []


def test_every_field_of_the_spec_is_described() -> None:
    fields = [(path, node) for path, node in BOUNDED if path.startswith(".spec") and not path.endswith("[]")]
    assert [path for path, node in fields if not node.get("description")] == []


def test_an_old_field_name_is_refused_with_the_new_one() -> None:
    stated = {rule["message"]: rule["rule"] for _, node in BOUNDED for rule in node.get("x-kubernetes-validations", [])}
    assert {message: rule for message, rule in stated.items() if "was renamed" in message} == {
        "spec.execution.shardPictures was renamed: use spec.execution.shardImages": "!has(self.shardPictures)",
        "spec.quantization.pictures was renamed: use spec.quantization.images": "!has(self.pictures)",
        "spec.extractor.binarize.method: pictureMean was renamed: use imageMean": "self.method != 'pictureMean'",
    }


def test_the_printed_columns_are_the_most_useful_ones() -> None:
    (version,) = yaml.safe_load(CRD_FILE.read_text())["spec"]["versions"]
    shown = [column["name"] for column in version["additionalPrinterColumns"] if not column.get("priority")]
    assert shown == ["Status", "Progress", "Executors", "Age"]
