"""NOTICE lists what the images ship."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import notice
from tools.version import ROOT

NOTICE = [line.split() for line in (ROOT / "NOTICE").read_text().splitlines() if line.startswith("  ")]
PAGE = (ROOT / "NOTICE").read_text()
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


def test_each_debian_package_of_the_images_is_listed() -> None:
    job = (ROOT / "Dockerfile").read_text().partition("FROM python AS job\n")[2]
    (installed,) = [line for line in job.splitlines() if "apt-get install" in line]
    packages = installed.partition("--no-install-recommends ")[2].replace("\\", "").split()
    assert "libvips42" in packages
    assert set(packages) <= LISTED.keys(), "run `make generate`"


def test_the_libraries_that_decode_images_are_listed_with_their_licences() -> None:
    for name, licence in notice.DECODERS.items():
        assert f"  {name:56} {licence:54} job\n" in PAGE, "run `make generate`"
    for library in ("libheif1", "libde265-0", "libvips42"):
        assert notice.DECODERS[library].startswith("LGPL")


def test_what_libvips_loads_to_decode_is_listed() -> None:
    library = Path("/usr/lib/x86_64-linux-gnu")
    binaries = [library / "libvips.so.42", *library.glob("vips-modules-*/vips-heif.so")]
    loaded = subprocess.run(["ldd", *map(str, binaries)], check=True, capture_output=True, text=True).stdout
    decoders = ("heif", "de265", "aom", "dav1d", "x265", "openjp2", "png16", "tiff", "webp", "jpeg", "lcms2", "exif")
    names = {line.split()[0] for line in loaded.splitlines() if line.strip().startswith("lib")}
    used = {name for name in names if any(name.startswith(f"lib{decoder}") for decoder in decoders)}
    assert len(used) >= 9
    for name in used:
        stem = name.partition(".so")[0].removesuffix("mux")
        assert any(package.startswith(stem) for package in notice.DECODERS), name
