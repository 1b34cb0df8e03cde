"""Argo CD's own tests accept our health checks and actions, as they would when these are sent upstream."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.gitops.upstream import CUSTOMIZATIONS, copy_source, results

pytestmark = pytest.mark.timeout(1800)  # Go compiles Argo CD once, which takes minutes


def count() -> int:
    """How many tests our files have."""
    expectations = [yaml.safe_load(path.read_text()) for path in CUSTOMIZATIONS.rglob("*_test.yaml")]
    return sum(len(tests) for file in expectations for tests in file.values())


def test_upstreams_tests_pass(tmp_path: Path) -> None:
    outcomes = results(copy_source(tmp_path / "argo-cd"))
    assert {name: outcome for name, outcome in outcomes.items() if outcome != "pass"} == {}
    assert len(outcomes) == count()
