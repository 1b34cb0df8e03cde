"""The executor contract in Python: schemas are up to date, and golden files are exactly what models read and write.

The Java tests of the same golden files: jobimage/java/src/test/java, GoldenFiles.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from featx_api import executor_contract
from featx_api.executor_contract import ShardResult, TaskSettings
from featx_api.name_contract import FileNames
from featx_api.schemas import DOCUMENTS, schemas
from featx_api.table_contract import Columns
from pydantic import ValidationError

ROOT = Path(__file__).parents[3]
CONTRACT = ROOT / "jobimage/contract"
GOLDEN = sorted((CONTRACT / "golden").iterdir())
JAVA = ROOT / "jobimage/java/src/main/java"


# Documents that Java never receives, or with optional fields, whose absence would hide a misspelling.
OPTIONAL: dict[str, set[tuple[str | int, ...]]] = {
    "columns": {("features",), ("quarantine",)},
    "shard-result": {("reasons",), ("skipped",), ("seconds",)},  # which markers of earlier versions lack
}
OPEN: set[tuple[str | int, ...]] = {("ranges",), ("layers", 0, "weights")}  # maps keyed by names of the net


def document(path: Path) -> Any:
    """A golden file's JSON."""
    return json.loads(path.read_text())


def test_the_committed_schemas_are_up_to_date() -> None:
    assert {path.name: path.read_text() for path in CONTRACT.glob("*.schema.json")} == schemas()


def test_every_document_has_a_golden_file() -> None:
    assert {path.name.split(".")[0] for path in GOLDEN} == set(DOCUMENTS)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_a_golden_file_survives_a_round_trip_through_its_model(path: Path) -> None:
    name = path.name.split(".")[0]
    model = DOCUMENTS[name].validate_json(path.read_bytes(), strict=True)
    assert json.loads(model.to_json()) == document(path)
    jsonschema.validate(document(path), json.loads((CONTRACT / f"{name}.schema.json").read_text()))


def paths(node: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all fields of a document, in lists too."""
    if isinstance(node, list):
        return [inner for index, item in enumerate(node) for inner in paths(item, (*path, index))]
    result = []
    for key, value in node.items() if isinstance(node, dict) else ():
        result += [(*path, key), *paths(value, (*path, key))]
    return result


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_a_field_that_is_missing_or_unknown_is_refused(path: Path) -> None:
    name = path.name.split(".")[0]
    for at in paths(document(path)):
        changed = document(path)
        part = changed
        for key in at[:-1]:
            part = part[key]
        part[f"{at[-1]}Renamed"] = part.pop(at[-1])
        if at in OPTIONAL.get(name, ()) or at[:-1] in OPEN:
            continue
        with pytest.raises(ValidationError):
            DOCUMENTS[name].validate_json(json.dumps(changed), strict=True)


def test_the_end_of_time_is_the_latest_timestamp_of_java() -> None:
    assert executor_contract.END_OF_TIME == 9223372036854775807


def test_golden_columns_and_names_are_the_ones_in_use() -> None:
    assert document(CONTRACT / "golden/columns.json") == Columns().to_wire()
    assert document(CONTRACT / "golden/file-names.json") == FileNames.of(12).to_wire()


@pytest.mark.parametrize("text", ['{"index": "7"}', "[]", "", '{"index": 7}'])
def test_a_document_that_is_not_a_shard_result_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ShardResult.from_json(text)


def test_settings_are_immutable() -> None:
    settings = TaskSettings.from_json((CONTRACT / "golden/task-settings.json").read_text())
    with pytest.raises(ValidationError, match="frozen"):
        settings.max_pixels = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", [name for name in vars(executor_contract) if name.endswith("_CLASS")])
def test_every_java_class_named_by_the_driver_exists(name: str) -> None:
    assert (JAVA / (getattr(executor_contract, name).replace(".", "/") + ".java")).is_file()


@pytest.mark.parametrize("name", [name for name in vars(executor_contract) if re.search("_(SETTING|PROPERTY)$", name)])
def test_every_setting_passed_by_the_driver_is_read_by_java_and_spelled_once_in_python(name: str) -> None:
    literal = f'"{getattr(executor_contract, name)}"'
    assert any(literal in path.read_text() for path in JAVA.rglob("*.java"))
    job = [path for path in (ROOT / "jobimage/featx_job").rglob("*.py") if literal.strip('"') in path.read_text()]
    assert not job


def test_the_executor_script_starts_the_contracts_class() -> None:
    assert f"  {executor_contract.EXECUTOR_CLASS} \\\n" in (ROOT / "jobimage/executor.sh").read_text()
