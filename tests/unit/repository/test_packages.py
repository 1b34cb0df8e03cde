"""Every package of the product is known to what checks, ships and types it."""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = tomllib.loads(Path("pyproject.toml").read_text())
PACKAGES = {
    path.parent for folder in PROJECT["tool"]["mypy"]["mypy_path"] for path in Path(folder).glob("*/__init__.py")
}


def test_import_contracts_know_every_package() -> None:
    roots = set(PROJECT["tool"]["importlinter"]["root_packages"])
    assert {package.name for package in PACKAGES} == roots - {"examples", "tests", "tools"}


def test_no_package_has_cycles() -> None:
    (contract,) = [
        contract for contract in PROJECT["tool"]["importlinter"]["contracts"] if contract["type"] == "acyclic_siblings"
    ]
    assert set(contract["ancestors"]) == {package.name for package in PACKAGES}


def test_the_wheel_contains_every_package() -> None:
    assert {Path(package) for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]} == PACKAGES
