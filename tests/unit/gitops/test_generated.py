"""Files that are generated for Argo CD are what the code generates now, and each of them is tested."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.gitops.captured import CUSTOMIZATIONS
from tests.unit.gitops.generated import files
from tools import argo_cd

KINDS = sorted(path.parent for path in CUSTOMIZATIONS.glob("*/health.lua"))


def test_test_data_has_the_statuses_that_the_operator_writes() -> None:
    expected = files()
    kinds = {path.partition("/")[0] for path in expected}
    written = {
        str(path.relative_to(CUSTOMIZATIONS)): path.read_text()
        for kind in kinds
        for path in (CUSTOMIZATIONS / kind).rglob("testdata/*.yaml")
    }
    assert written == expected, "run `make generate`"


def test_the_config_map_has_the_scripts() -> None:
    assert argo_cd.PATH.read_text() == argo_cd.text(), "run `make generate`"
    assert yaml.safe_load(argo_cd.text())["data"] == argo_cd.settings()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_captured_resource_has_an_expectation(kind: Path) -> None:
    tests: list[dict[str, Any]] = yaml.safe_load((kind / "health_test.yaml").read_text())["tests"]
    captured = {f"testdata/{path.name}" for path in (kind / "testdata").glob("*.yaml")}
    assert {test["inputPath"] for test in tests} == captured


@pytest.mark.parametrize("kind", [kind for kind in KINDS if (kind / "actions").exists()], ids=lambda kind: kind.name)
def test_every_action_is_tested_and_discovered(kind: Path) -> None:
    tests = yaml.safe_load((kind / "actions/action_test.yaml").read_text())
    actions = {path.parent.name for path in kind.glob("actions/*/action.lua")}
    assert {test["action"] for test in tests["actionTests"]} == actions
    # Upstream's test only asks whether each discovered action is an expected one.
    assert all({item["name"] for item in test["result"]} == actions for test in tests["discoveryTests"])


@pytest.mark.parametrize("script", sorted(CUSTOMIZATIONS.rglob("*.lua")), ids=lambda path: path.parent.name)
def test_no_script_needs_a_library_that_argo_cd_does_not_have(script: Path) -> None:
    assert not [name for name in ("string.", ":gsub", ":find", "math.", "require") if name in script.read_text()]
