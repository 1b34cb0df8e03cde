"""Runs Argo CD's own tests of health checks and actions, in its source, with our folder in place of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from examples.cluster import binaries

ROOT = Path(__file__).resolve().parents[2]
CUSTOMIZATIONS = ROOT / "examples/gitops/argo-cd/resource_customizations"
TESTS = "^(TestLuaHealthScript|TestLuaResourceActionsScript)$"
# No package of Go that the tests need is in them.
LEFT_OUT = ("ui", "docs", "manifests", "resource_customizations", "*.md")


def copy_source(folder: Path) -> Path:
    """Copies Argo CD's source to a new folder, with our health checks and actions instead of its own."""
    source = binaries.source_of(binaries.ARGO_CD)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(*LEFT_OUT), copy_function=shutil.copyfile)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        path.chmod(0o755)  # Go's cache of modules is read-only
    shutil.copytree(CUSTOMIZATIONS, folder / "resource_customizations")
    shutil.copyfile(source / "resource_customizations/embed.go", folder / "resource_customizations/embed.go")
    return folder


def results(source: Path) -> dict[str, str]:
    """Runs the tests; returns `pass` or the output of a failure, by the name of each test.

    Args:
        source: A result of `copy_source`.

    Raises:
        AssertionError: The tests can't be built.
    """
    # Cached packages are known by their content: -trimpath leaves the folder out.
    command = ["go", "test", "-trimpath", "-json", "-count=1", f"-run={TESTS}", "./util/lua"]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=mod"}
    outcome = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    ended: dict[str, str] = {}
    printed: dict[str, str] = {}
    for event in map(json.loads, outcome.stdout.splitlines()):
        name = event.get("Test", "")
        if event["Action"] == "output":
            printed[name] = printed.get(name, "") + event["Output"]
        elif event["Action"] in ("pass", "fail", "skip"):
            ended[name] = "pass" if event["Action"] == "pass" else f"{event['Action']}: {printed.get(name, '')}"
    assert "TestLuaHealthScript" in ended, outcome.stdout + outcome.stderr
    return {name: result for name, result in ended.items() if "/" in name}
