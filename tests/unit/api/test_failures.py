"""The registry contains exactly the classes and reasons that code reports, and generated files are up to date."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from featx_api import docs, java
from featx_api.crd import resource_schema
from featx_api.failures import FailureClass, QuarantineReason
from featx_api.status import Condition

REGISTRY = Path("crds/featx_api/failures.py")
JAVA = Path("jobimage/java/src/main/java/dev/featx")
GENERATED = {
    Path("docs/reference/failures.md"): docs.failures,
    JAVA / "failure/FailureClass.java": java.failure_class,
    JAVA / "failure/QuarantineReason.java": java.quarantine_reason,
}
REPORTERS = {"RunFailure", "AttemptFailure", "Failure"}


def python_trees() -> Iterator[tuple[Path, ast.Module]]:
    """Yields the product's Python modules, except the registry."""
    for root in ("crds", "operator", "jobimage"):
        for path in sorted(Path(root).rglob("*.py")):
            if path != REGISTRY:
                yield path, ast.parse(path.read_text())


def members(tree: ast.AST, enum: str) -> Iterator[str]:
    """Yields the members of an enum that code refers to, except in comparisons."""
    if isinstance(tree, ast.Compare):
        return
    if isinstance(tree, ast.Attribute) and isinstance(tree.value, ast.Name) and tree.value.id == enum:
        yield tree.attr
    for child in ast.iter_child_nodes(tree):
        yield from members(child, enum)


def used(enum: str) -> set[str]:
    """The members reported by Python or Java."""
    names = {name for _, tree in python_trees() for name in members(tree, enum)} - {"named"}
    for path in JAVA.rglob("*.java"):
        if path not in GENERATED:
            names |= set(re.findall(rf"(?<![=!]= )\b{enum}\.([A-Z][A-Z0-9_]*)\b", path.read_text()))
    return names


def test_code_reports_every_class_of_the_registry_and_no_other() -> None:
    assert used("FailureClass") == set(FailureClass.__members__)


def test_code_reports_every_reason_of_the_registry_and_no_other() -> None:
    assert used("QuarantineReason") == set(QuarantineReason.__members__)


def test_no_class_is_spelled_out_where_it_is_reported() -> None:
    spelled = [
        f"{path}:{call.lineno}"
        for path, tree in python_trees()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in REPORTERS
        for value in [*call.args[:1], *(word.value for word in call.keywords if word.arg in ("class_", "class", None))]
        if any(isinstance(part, ast.Constant | ast.JoinedStr) for part in ast.walk(value))
    ]
    assert spelled == []


@pytest.mark.parametrize("path", GENERATED, ids=str)
def test_files_generated_from_the_registry_are_up_to_date(path: Path) -> None:
    assert path.read_text() == GENERATED[path](), "run `make generate`"


@pytest.mark.parametrize("class_", FailureClass)
def test_every_class_is_a_valid_condition_reason(class_: FailureClass) -> None:
    (rule,) = [part.pattern for part in Condition.model_fields["reason"].metadata if hasattr(part, "pattern")]
    assert re.search(rule, class_)
    assert class_.name == re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_).upper()


@pytest.mark.parametrize("one", [*FailureClass, *QuarantineReason])
def test_advice_is_a_sentence_and_names_existing_fields(one: FailureClass | QuarantineReason) -> None:
    assert one.advice.endswith(".")
    for field in re.findall(r"`((?:spec|status)(?:\.\w+)+)`", one.advice):
        node = resource_schema()
        for part in field.split("."):
            node = node["properties"][part]


def test_the_crd_lists_the_classes() -> None:
    status = resource_schema()["properties"]["status"]
    described = status["properties"]["failure"]["properties"]["class"]["description"]
    assert [one for one in FailureClass if one not in described] == []
