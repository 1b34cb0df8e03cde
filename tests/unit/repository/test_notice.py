"""NOTICE lists what the images ship."""

from __future__ import annotations

import tomllib
from xml.etree import ElementTree

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.version import ROOT

NOTICE = [line.split() for line in (ROOT / "NOTICE").read_text().splitlines() if line.startswith("  ")]
LISTED = {words[0]: words[1:] for words in NOTICE}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("image", ["operator", "job"])
def test_each_direct_python_dependency_is_listed_with_its_image(image: str) -> None:
    for requirement in map(Requirement, PROJECT["dependencies"] + PROJECT["optional-dependencies"][image]):
        version, *_ = listed = LISTED[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), "run `make generate`"
        assert image in [word.strip(",") for word in listed]


def test_python_versions_are_the_pinned_ones() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    packages = {name: words[0] for name, words in LISTED.items() if name in pins}
    assert packages == {name: pins[name] for name in packages}, "run `make generate`"


def test_each_direct_maven_dependency_is_listed() -> None:
    root = ElementTree.parse(ROOT / "jobimage" / "java" / "pom.xml").getroot()
    properties = {each.tag.split("}")[1]: each.text or "" for each in root.iterfind("{*}properties/*")}
    for dependency in root.iterfind("{*}dependencies/{*}dependency"):
        group, artifact, version, scope = (
            dependency.findtext(f"{{*}}{key}", "") for key in ("groupId", "artifactId", "version", "scope")
        )
        if scope in ("system", "test"):  # carried by a Python package, or not shipped
            continue
        for name, value in properties.items():
            version = version.replace(f"${{{name}}}", value)
        assert LISTED[f"{group}:{artifact}"][0] == version, "run `make generate`"


def test_each_line_states_a_licence() -> None:
    shipped = [words for words in NOTICE if len(words) > 1 and words[1][0].isdigit()]
    assert len(shipped) > 60
    assert all(len(words) > 3 for words in shipped if words[-2:] != ["operator,", "job"])
    assert all(len(words) > 4 for words in shipped if words[-2:] == ["operator,", "job"])
