"""Writes NOTICE, the third-party software in Featx's images: `python -m tools.notice`.

Names, versions and licences come from what is installed: the metadata of Python packages, and the POMs of the jars
that Maven fetched. Debian's packages come from the Dockerfile.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from featx_cli.java_build import jars
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
MAVEN = Path.home() / ".m2" / "repository"
IMAGES = ("operator", "job")  # an extra of pyproject.toml and a stage of the Dockerfile each
NOT_INSTALLED = {"conda-pack"}  # pyproject.toml says why
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License v2.0": "Apache-2.0",
    "Apache License Version 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "OSI Approved :: Apache Software License": "Apache-2.0",
    "The Apache License, Version 2.0": "Apache-2.0",
    "The Apache Software License, Version 2.0": "Apache-2.0",
}
HEAD = """\
Featx
Copyright the Featx authors

Licensed under the Apache License, Version 2.0 (see LICENSE).

Featx's images contain the third-party software below. `make generate` writes this file; do not edit it.
"""

DEBIAN = "\nDebian packages, besides those of the base image (licence texts are in /usr/share/doc/*/copyright)\n"
DECODERS_HEAD = """
Of these, libvips42 installs the libraries that decode images in executors, and others that it is linked to. Featx calls
them, most through libvips, unchanged and as shared libraries, so that each can be replaced; Debian publishes their
sources.
libheif1 also brings an encoder under the GPL (libx265-199), and libvips42 a Fourier transform (libfftw3-double3) and a
quantizer (libimagequant0), none of which Featx calls, and a decoder of JBIG in TIFF files (libjbig0). Patents on HEVC
may need a licence where you run libde265.
"""
# In Debian 12, the release of the base image.
DECODERS = {
    "libvips42": "LGPL-2.1-or-later",
    "libheif1": "LGPL-3.0-or-later",
    "libde265-0": "LGPL-3.0-or-later",
    "libaom3": "BSD-2-Clause AND ISC",
    "libdav1d6": "BSD-2-Clause",
    "libopenjp2-7": "BSD-2-Clause",
    "libpng16-16": "libpng-2.0",
    "libtiff6": "libtiff",
    "libwebp7": "BSD-3-Clause",
    "libwebpdemux2": "BSD-3-Clause",
    "libjpeg62-turbo": "IJG AND BSD-3-Clause AND Zlib",
    "liblcms2-2": "MIT",
    "libexif12": "LGPL-2.1-or-later",
    "libglib2.0-0": "LGPL-2.1-or-later",
    "librsvg2-2": "LGPL-2.0-or-later",
    "libx265-199": "GPL-2.0-or-later",
    "libfftw3-double3": "GPL-2.0-or-later",
    "libimagequant0": "GPL-3.0-or-later",
    "libjbig0": "GPL-2.0-or-later",
}


class Component(NamedTuple):
    """One line of NOTICE."""

    name: str
    version: str
    licence: str
    images: tuple[str, ...]


def notice() -> str:
    """The text of NOTICE.

    Raises:
        LookupError: The POM of a jar is not in Maven's local repository.
    """
    return "\n".join(
        [
            HEAD,
            "Python packages (/opt/featx/lib; licence texts are in *.dist-info)\n",
            *_table(_python_packages()),
            "\nPySpark also carries the jars of Apache Spark and its dependencies (pyspark/jars), and the two bigdl",
            "packages those of BigDL (bigdl/share); their licences are in the jars' META-INF and in pyspark/licenses.",
            "\nJava archives (/opt/featx/jars)\n",
            *_table(map(_archive, sorted(jars().glob("*-[0-9]*.jar")))),
            DEBIAN,
            *(f"  {name:56} {', '.join(images)}" for name, images in _debian_packages().items()),
            DECODERS_HEAD,
            *(f"  {name:56} {licence:54} job" for name, licence in DECODERS.items()),
            "",
        ]
    )


def _table(components: Iterable[Component]) -> list[str]:
    return [f"  {each.name:56} {each.version:18} {each.licence:36} {', '.join(each.images)}" for each in components]


def _python_packages() -> list[Component]:
    required = {image: _closure(image) for image in IMAGES}
    names = sorted(set().union(*required.values()))
    return [
        Component(name, metadata.version(name), _licence(name), tuple(i for i in IMAGES if name in required[i]))
        for name in names
    ]


def _closure(extra: str) -> set[str]:
    """The names of all packages that featx[extra] requires, directly or not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: set[str] = set()
    pending = [(project["dependencies"] + project["optional-dependencies"][extra], "")]
    while pending:
        requirements, extra = pending.pop()
        for text in requirements:
            requirement = Requirement(text)
            required = canonicalize_name(requirement.name)
            if required in found | NOT_INSTALLED:
                continue
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                found.add(required)
                pending += [(metadata.requires(required) or [], each) for each in requirement.extras or ("",)]
    return found


def _licence(package: str) -> str:
    about = metadata.metadata(package).json
    stated = str(about.get("license_expression") or about.get("license") or "")
    if not stated or "\n" in stated or "://" in stated:  # a whole text, or an address: the classifier is shorter
        kinds = [each for each in about.get("classifier", []) if each.startswith("License ::")]
        stated = " OR ".join(each.rsplit(" :: ", 1)[-1] for each in kinds)
    return SPDX.get(stated, stated)


def _archive(jar: Path) -> Component:
    poms = list(MAVEN.rglob(f"{jar.stem}.pom"))
    if not poms:
        raise LookupError(f"{jar.name}: no POM in {MAVEN}; `mvn -f jobimage/java/pom.xml package` fetches it")
    folder = poms[0].parent
    group = ".".join(folder.relative_to(MAVEN).parts[:-2])
    return Component(f"{group}:{folder.parent.name}", folder.name, _licence_of_pom(poms[0]), ("job",))


def _licence_of_pom(pom: Path) -> str:
    """The licences that a POM states, or else the nearest parent that states any."""
    root = ElementTree.parse(pom).getroot()
    names = [each.text.strip() for each in root.iterfind("{*}licenses/{*}license/{*}name") if each.text]
    if names:
        return " OR ".join(dict.fromkeys(SPDX.get(name, name) for name in names))
    parent = root.find("{*}parent")
    if parent is None:
        return "see META-INF"
    group, artifact, version = (parent.findtext(f"{{*}}{key}", "") for key in ("groupId", "artifactId", "version"))
    return _licence_of_pom(MAVEN / group.replace(".", "/") / artifact / version / f"{artifact}-{version}.pom")


def _debian_packages() -> dict[str, tuple[str, ...]]:
    """The packages that the Dockerfile installs in the stage that both images start from, and in each image's own."""
    stages = re.split(r"(?m)^FROM ", (ROOT / "Dockerfile").read_text().replace("\\\n", ""))
    found: dict[str, tuple[str, ...]] = {}
    for stage in stages:
        name = stage.split("\n", 1)[0].rsplit(" ", 1)[-1]
        images = IMAGES if name == "python" else tuple(image for image in IMAGES if image == name)
        for packages in re.findall(r"apt-get install -y --no-install-recommends ([^&\n]+)", stage) if images else ():
            found |= dict.fromkeys(packages.split(), images)
    return found


if __name__ == "__main__":
    (ROOT / "NOTICE").write_text(notice())
