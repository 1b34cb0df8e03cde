"""constraints.txt pins every Python package, and names no registry."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.version import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONSTRAINTS = (ROOT / "constraints.txt").read_text().splitlines()
PINS = dict(line.split("==") for line in CONSTRAINTS)


def direct() -> list[Requirement]:
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    return [Requirement(text) for group in groups for text in group]


def test_each_line_is_a_name_and_a_version() -> None:
    assert all(re.fullmatch(r"[a-z0-9-]+==[^\s/:]+", line) for line in CONSTRAINTS)


@pytest.mark.parametrize("requirement", direct(), ids=str)
def test_a_direct_dependency_has_the_same_pin_in_both_files(requirement: Requirement) -> None:
    assert str(requirement.specifier) == f"=={PINS[canonicalize_name(requirement.name)]}", "run `make lock`"


@pytest.mark.parametrize("name", PINS)
def test_the_environment_has_the_pinned_version(name: str) -> None:
    assert metadata.version(name) == PINS[name], "run `make ready`"


@pytest.mark.parametrize("pin", PROJECT["tool"]["uv"]["build-constraint-dependencies"])
def test_wheels_are_built_with_the_versions_that_are_installed(pin: str) -> None:
    name, version = pin.split("==")
    assert PINS.get(name, version) == version


def test_the_build_backend_is_the_constrained_one() -> None:
    assert set(PROJECT["build-system"]["requires"]) <= set(PROJECT["tool"]["uv"]["build-constraint-dependencies"])
