"""pyproject.toml's version is the one that all other files state."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.cluster import Build, featx
from tools import version


@pytest.mark.parametrize("path", version.PLACES)
def test_a_file_states_the_projects_version(path: str) -> None:
    assert (version.ROOT / path).read_text() == version.stamped(path), "run `make generate`"


def test_a_file_without_a_place_for_the_version_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (tmp_path / "chart.yaml").write_text("name: x\n")
    monkeypatch.setattr(version, "ROOT", tmp_path)
    monkeypatch.setitem(version.PLACES, "chart.yaml", (version.CHART_VERSION,))
    with pytest.raises(ValueError, match=r"chart\.yaml: no text matches"):
        version.stamped("chart.yaml")


@pytest.mark.parametrize("build", [featx.OPERATOR, featx.JOB], ids=lambda build: build.target)
def test_an_image_is_built_with_the_version_for_its_label(build: Build) -> None:
    assert f"--build-arg=VERSION={version.version()}" in build.options()
