"""`make lint`, pre-commit and CI run the same checks, and `make help` lists what there is."""

from __future__ import annotations

import re
import subprocess

import yaml

from tools.version import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def recipe(target: str) -> list[str]:
    found = re.search(rf"(?m)^{target}:.*\n((?:\t.*\n)+)", MAKEFILE)
    assert found
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in found.group(1).splitlines()]


def test_pre_commit_runs_the_checks_of_make_lint() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == recipe("lint")


def test_continuous_integration_runs_make_test() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())
    assert any(".ci/run" in step.get("run", "") for step in workflow["jobs"]["test"]["steps"])
    assert (ROOT / ".ci" / "run").read_text().endswith("exec make test\n")


def test_make_help_lists_each_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"(?m)^\.PHONY: (\S+)$", MAKEFILE)
    assert "e2e" in targets
    assert re.findall(r"(?m)^  (\S+) ", shown) == targets
