"""Packages are fetched by their names, which come from whoever wrote the resource."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from featx_job.failures import RunFailure
from featx_job.models import packages


def test_a_packages_name_is_never_an_option_of_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-r` reads a file of options, beside the resource: one lets pip run the code of any package."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, "", "refused")

    monkeypatch.setattr(packages, "user_cache_path", lambda _: tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(RunFailure, match="cannot be fetched"):
        packages.fetch("package:-r==1/a", "spec.source.files.uri")
    assert commands[0][-2:] == ["--", "-r==1"]
