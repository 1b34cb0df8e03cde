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
    JAVA / "image/ImageFormat.java": java.image_format,
    JAVA / "source/HiddenFiles.java": java.hidden_files,
}
REPORTERS = {"RunFailure", "AttemptFailure", "Failure"}


def python_trees() -> Iterator[tuple[Path, ast.Module]]:
    """Yields the product's Python modules, except the registry."""
    for root in ("crds", "operator", "jobimage"):
        for path in sorted(Path(root).rglob("*.py")):
            if path != REGISTRY:
                yield path, ast.parse(path.read_text())


def is_report(node: ast.AST) -> bool:
    """Whether a member directly below this node is reported: by a reporter, or by who uses the value of a name."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in REPORTERS
    return isinstance(node, ast.Return | ast.Assign | ast.AnnAssign | ast.IfExp | ast.BoolOp) or (
        isinstance(node, ast.keyword) and node.arg == "class_"
    )


def python_reports(tree: ast.AST, enum: str) -> Iterator[str]:
    """Yields the members of an enum that code reports, not those that it compares or collects."""
    for child in ast.iter_child_nodes(tree):
        if is_report(tree) and isinstance(child, ast.Attribute) and ast.unparse(child.value) == enum:
            yield child.attr
        elif not isinstance(child, ast.Compare):
            yield from python_reports(child, enum)


def java_reports(text: str, enum: str) -> set[str]:
    """The members of an enum that code, without comments and strings, reports."""
    code = re.sub(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', "", text, flags=re.DOTALL)
    report = rf"\bnew (?:RunProblem|Rule|ImageProblem)\(\s*(?:[\w.]+,\s*)?{enum}\.([A-Z][A-Z0-9_]*)\b"
    return set(re.findall(report, code))


def used(enum: str) -> set[str]:
    """The members reported by Python or Java."""
    names = {name for _, tree in python_trees() for name in python_reports(tree, enum)}
    for path in JAVA.rglob("*.java"):
        if path not in GENERATED:
            names |= java_reports(path.read_text(), enum)
    return names


@pytest.mark.parametrize(
    "code",
    [
        "_PERMANENT = {FailureClass.STOPPED}",
        "_ALL = (FailureClass.STOPPED, FailureClass.STOPPED)",
        "_ALL = {FailureClass.STOPPED: 1}",
        "if failure.class_ is FailureClass.STOPPED: pass",
        "same = failure.class_ == FailureClass.STOPPED",
        "advice = FailureClass.STOPPED.advice",
        "log(FailureClass.STOPPED)",
    ],
)
def test_a_mention_in_python_is_not_a_report(code: str) -> None:
    assert list(python_reports(ast.parse(code), "FailureClass")) == []


@pytest.mark.parametrize(
    "code",
    [
        "// new RunProblem(FailureClass.STOPPED, a)",
        "/* see\n * new RunProblem(FailureClass.STOPPED, a)\n */",
        'String a = "new RunProblem(FailureClass.STOPPED, a)";',
        "if (a != FailureClass.STOPPED) {}",
        "Set.of(FailureClass.STOPPED)",
        "case FailureClass.STOPPED -> 1;",
    ],
)
def test_a_mention_in_java_is_not_a_report(code: str) -> None:
    assert java_reports(code, "FailureClass") == set()


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
