"""What the Dockerfile puts into each image."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.version import ROOT

PACKAGES = {
    "operator": {"featx_api", "featx_operator"},
    "job": {"featx_api", "featx_job"},
}
STAGES = {
    stage.split("\n", 1)[0].rsplit(" ", 1)[-1]: stage
    for stage in re.split(r"(?m)^FROM ", (ROOT / "Dockerfile").read_text())[1:]
}


def copied(stage: str) -> list[str]:
    lines = re.findall(r"(?m)^COPY (?!--from)(.+)$", STAGES["build"] + STAGES[stage])
    return [name for line in lines for name in line.split()[:-1]]


@pytest.mark.parametrize("image", PACKAGES)
def test_an_image_holds_only_the_packages_that_it_runs(image: str, tmp_path: Path) -> None:
    for name in copied(f"{image}-build"):
        source, target = ROOT / name, tmp_path / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    assert packages(wheel_of(tmp_path / "source", tmp_path)) == PACKAGES[image]


def test_a_wheel_holds_all_packages_with_their_types_and_licences(tmp_path: Path) -> None:
    names = wheel_of(ROOT, tmp_path)
    assert packages(names) == {"featx_api", "featx_operator", "featx_job", "featx_retrieval", "featx_cli"}
    assert {f"{package}/py.typed" for package in packages(names)} <= set(names)
    assert {Path(name).name for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}


def wheel_of(source: Path, folder: Path) -> list[str]:
    """Returns the files of the wheel that is built from a source tree."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, source], check=True)
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


def packages(names: list[str]) -> set[str]:
    return {name.split("/")[0] for name in names if ".dist-info/" not in name}


@pytest.mark.parametrize("image", PACKAGES)
def test_an_image_installs_only_pinned_packages(image: str) -> None:
    installs = re.findall(r"uv pip install ([^&\n]+)", STAGES[f"{image}-build"])
    assert all("--constraint constraints.txt" in line or "--no-deps" in line for line in installs)
    assert len(installs) == 2


@pytest.mark.parametrize("image", PACKAGES)
def test_an_image_is_labelled_with_its_version_and_licence(image: str) -> None:
    label = STAGES[image].split("ARG VERSION\n")[1]
    assert "org.opencontainers.image.version=$VERSION" in label
    assert "org.opencontainers.image.licenses=Apache-2.0" in label
