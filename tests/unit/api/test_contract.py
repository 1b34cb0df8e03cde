"""Values shared by operator and driver are defined in `featx_api.contract` alone; files that repeat them agree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from featx_api import contract
from featx_operator.settings import Settings
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]
SOURCES = [*(ROOT / "operator").rglob("*.py"), *(ROOT / "jobimage/featx_job").rglob("*.py")]
CONSTANTS = {name: value for name, value in vars(contract).items() if name.isupper() and isinstance(value, str | int)}
SETTINGS = {f"FEATX_{name.upper()}" for name in Settings.__dataclass_fields__}
SCRIPTED_DRIVER = "tests/e2e/operator/scripted_driver/featx_job/__main__.py"
# Distinctive enough to be searched for inside longer strings.
DISTINCTIVE = [
    value
    for value in CONSTANTS.values()
    if isinstance(value, str) and value != contract.TEMPORARY_FOLDER and re.search(r"[/.]|^FEATX_", value)
]


def literals(source: str) -> Iterator[str | int]:
    """Yields the string and integer literals of a module, without docstrings and dictionary keys."""
    tree = ast.parse(source)
    left_out: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            left_out.add(node.value)
        if isinstance(node, ast.Dict):
            left_out.update(key for key in node.keys if key)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
            left_out.add(node.left)  # a word that messages are searched for
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in left_out and isinstance(node.value, str | int):
            yield node.value


def repeated(source: str) -> list[str | int]:
    """The literals of a module that are named in the contract."""
    values = set(CONSTANTS.values()) - {contract.TEMPORARY_FOLDER}
    return [
        literal
        for literal in literals(source)
        if literal in values or (isinstance(literal, str) and any(part in literal for part in DISTINCTIVE))
        if not (isinstance(literal, str) and literal in SETTINGS)
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_of_operator_and_job_repeats_a_value_of_the_contract(path: Path) -> None:
    assert not repeated(path.read_text())


@pytest.mark.parametrize("literal", ['"POD_NAME"', '"executor"', "10001", 'f"{folder}/var/featx"', '"featx.dev/role"'])
def test_a_repeated_value_is_found(literal: str) -> None:
    assert repeated(f"def spelled(folder):\n    return {literal}\n")


def test_every_constant_is_documented_by_a_sentence() -> None:
    lines = Path(contract.__file__).read_text().splitlines()
    for name in CONSTANTS:
        (number,) = [number for number, line in enumerate(lines) if line.startswith(f"{name}: Final")]
        assert re.match(r"#: [A-Z].*\.$", lines[number - 1]), name


def test_the_termination_message_fits_what_the_kubelet_reads() -> None:
    assert contract.TERMINATION_MESSAGE_LIMIT == 4096  # bytes; it cuts off the rest


def test_the_images_create_the_contracts_user_and_folders() -> None:
    for path in ("Dockerfile", "tests/e2e/operator/scripted_driver/Dockerfile"):
        text = (ROOT / path).read_text()
        users = re.findall(r"--uid (\d+)|USER (\d+):(\d+)|chown (\d+):(\d+)", text)
        assert {number for match in users for number in match if number} == {str(contract.USER)}
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"FEATX_\w+", dockerfile)) == {contract.FEATX_JARS}
    assert f"WORKDIR {contract.WORK_FOLDER}\n" in dockerfile
    assert f"mkdir -p {contract.WORK_FOLDER} " in dockerfile


def test_the_executor_script_reads_the_contracts_variables_and_role() -> None:
    script = (ROOT / "jobimage/executor.sh").read_text()
    assert set(re.findall(r"FEATX_\w+", script)) == {contract.FEATX_JARS}
    assert f"!= {contract.EXECUTOR} ]" in script


def test_the_charts_run_as_the_contracts_user_and_set_only_known_operator_settings() -> None:
    texts = [path.read_text() for path in (ROOT / "charts").rglob("*") if path.suffix in (".yaml", ".tpl")]
    assert {number for text in texts for number in re.findall(r"runAs(?:User|Group): (\d+)", text)} == {
        str(contract.USER)
    }
    assert {name for text in texts for name in re.findall(r"name: (FEATX_\w+)", text)} <= SETTINGS


def test_drivers_are_allowed_to_report_progress() -> None:
    text = (ROOT / "charts/featx/templates/job-access.yaml").read_text()
    rules: list[dict[str, Any]] = yaml.safe_load(re.search(r"rules:\n((?:  .*\n)+)", text)[1])  # type: ignore[index]
    assert any("pods" in rule["resources"] and "patch" in rule["verbs"] for rule in rules)


def test_the_scripted_driver_follows_the_contract() -> None:
    """Its image has the standard library only, so it can't import the contract."""
    text = (ROOT / SCRIPTED_DRIVER).read_text()
    spelled = {literal for literal in literals(text) if isinstance(literal, str)}
    keys = {str(node.value) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    shaped = re.compile(r"(FEATX|POD)_[A-Z_]+|featx\.dev/.*|/dev/.*|/etc/featx.*")
    assert {literal for literal in spelled | keys if shaped.fullmatch(literal)} <= set(DISTINCTIVE) | {
        contract.POD_NAME,
        contract.POD_NAMESPACE,
    }
    assert {contract.FEATX_JOB, contract.FEATX_EXECUTOR_POD, contract.PROGRESS_ANNOTATION, contract.EXECUTOR} <= (
        spelled | keys
    )
    assert contract.TERMINATION_MESSAGE_FILE in spelled
    assert f"sys.exit({contract.ExitCode.RETRYABLE} if retryable else {contract.ExitCode.PERMANENT})" in text


UID = st.uuids().map(str)
NAME = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,46}[a-z0-9])?", fullmatch=True)


@given(name=NAME, uid=UID, attempt=st.integers(1, 999_999_999))
def test_the_name_of_an_executor_is_a_host_name_whatever_the_runs_name(name: str, uid: str, attempt: int) -> None:
    prefix = contract.executor_prefix(name, uid, attempt)
    pod = f"{prefix}-exec-{2**31 - 1}"
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", pod)
    assert len(prefix) <= 47
    assert len(pod) <= 63


@given(start=NAME, ends=st.tuples(NAME, NAME), uids=st.tuples(UID, UID), attempts=st.tuples(*[st.integers(1, 99)] * 2))
def test_runs_whose_names_begin_alike_have_executors_of_other_names(
    start: str, ends: tuple[str, str], uids: tuple[str, str], attempts: tuple[int, int]
) -> None:
    prefixes = [
        contract.executor_prefix(f"{start}-{end}"[:48], uid, attempt)
        for end, uid, attempt in zip(ends, uids, attempts, strict=True)
    ]
    assert (prefixes[0] == prefixes[1]) <= (uids[0][:8] == uids[1][:8])
