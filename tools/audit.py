"""Lists dependencies with known holes: `python -m tools.audit`.

Versions are those of constraints.txt, and of the Maven coordinates inside every jar that the job image is built from,
also of libraries that another jar carries. One request asks OSV, the advisory database of pip-audit and osv-scanner.

Exit codes: 0 nothing is known, 1 there are advisories, 2 nothing was audited: the advisory database did not answer.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

from featx_cli.java_build import jars
from featx_job.environment import Environment
from featx_job.spark import class_path

from tools.version import ROOT

DATABASE = "https://api.osv.dev/v1/querybatch"
PATIENCE = 30.0  # seconds
AT_ONCE = 1000  # packages in a request: the database's limit

# Groups of libraries whose jars do not name them.
GROUPS = {
    "com.fasterxml.jackson.module": "jackson-module-scala_2.12",
    "com.github.luben": "zstd-jni",
    "com.google.code.findbugs": "jsr305",
    "com.google.code.gson": "gson",
    "com.google.crypto.tink": "tink",
    "com.twitter": "chill-java chill_2.12",
    "io.delta": "delta-kernel-api delta-kernel-defaults delta-storage",
    "io.opentelemetry": "opentelemetry-api opentelemetry-context",
    "io.opentelemetry.semconv": "opentelemetry-semconv",
    "javax.activation": "activation",
    "javax.jdo": "jdo-api",
    "javax.transaction": "jta transaction-api",
    "net.java.dev.jna": "jna",
    "net.sourceforge.f2j": "arpack_combined_all",
    "org.apache.derby": "derby",
    "org.apache.ivy": "ivy",
    "org.apache.thrift": "libfb303 libthrift",
    "org.codehaus.jackson": "jackson-core-asl jackson-mapper-asl",
    "org.jetbrains": "annotations",
    "org.jodd": "jodd-core",
    "org.json4s": "json4s-ast_2.12 json4s-core_2.12 json4s-jackson_2.12 json4s-scalap_2.12",
    "org.lz4": "lz4-java",
    "org.objenesis": "objenesis",
    "org.reactivestreams": "reactive-streams",
    "org.roaringbitmap": "RoaringBitmap shims",
    "org.rocksdb": "rocksdbjni",
    "org.scala-lang": "scala-library scala-reflect",
    "org.scala-lang.modules": "scala-collection-compat_2.12 scala-parser-combinators_2.12 scala-xml_2.12",
    "org.scalanlp": "breeze-macros_2.12 breeze_2.12",
    "org.tukaani": "xz",
    "org.typelevel": "algebra_2.12 cats-kernel_2.12 spire-macros_2.12 spire-platform_2.12 spire-util_2.12 spire_2.12",
    "org.xerial.snappy": "snappy-java",
    "oro": "oro",
    "software.amazon.awssdk": "third-party-jackson-core",
    "stax": "stax-api",
}
GROUP_OF = {artifact: group for group, artifacts in GROUPS.items() for artifact in artifacts.split()}


class Dependency(NamedTuple):
    """A package in one version."""

    ecosystem: str
    name: str
    version: str


def python_packages() -> list[Dependency]:
    """All pinned Python packages."""
    pins = (line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    return [Dependency("PyPI", name, version) for name, version in pins]


def java_libraries(archives: Iterable[Path]) -> tuple[set[Dependency], list[str]]:
    """The libraries in jars, and the names of jars that do not say what they are.

    Args:
        archives: The jars; each may carry several libraries.
    """
    libraries: set[Dependency] = set()
    nameless = []
    for jar in archives:
        with ZipFile(jar) as archive:
            files = [name for name in archive.namelist() if name.endswith("/pom.properties")]
            carried = {_library(archive.read(name).decode(errors="replace")) for name in files}
        named = re.fullmatch(r"(.+?)-(\d[\w.+-]*)\.jar", jar.name)
        if not carried and named and named[1] in GROUP_OF:
            carried = {Dependency("Maven", f"{GROUP_OF[named[1]]}:{named[1]}", named[2])}
        libraries |= carried
        if not carried:
            nameless.append(jar.name)
    return libraries, nameless


def advisories(
    dependencies: Sequence[Dependency], post: Callable[[str, bytes], bytes]
) -> dict[Dependency, tuple[str, ...]]:
    """The ids of known advisories, by dependency.

    Args:
        dependencies: What to ask about.
        post: Sends a request's body to an address, and returns the answer's.

    Raises:
        OSError: The database can't be reached.
        ValueError: It answers with something else.
    """
    known: dict[Dependency, tuple[str, ...]] = {}
    for start in range(0, len(dependencies), AT_ONCE):
        part = dependencies[start : start + AT_ONCE]
        queries = [
            {"package": {"ecosystem": ecosystem, "name": name}, "version": version} for ecosystem, name, version in part
        ]
        results = json.loads(post(DATABASE, json.dumps({"queries": queries}).encode()))["results"]
        if len(results) != len(part):
            raise ValueError(f"{len(results)} results for {len(part)} packages")
        for dependency, result in zip(part, results, strict=True):
            if ids := sorted(str(advisory["id"]) for advisory in result.get("vulns", [])):
                known[dependency] = (*ids, *(["and more"] if result.get("next_page_token") else []))
    return known


def report(dependencies: Sequence[Dependency], post: Callable[[str, bytes], bytes]) -> int:
    """Print the advisories of dependencies; return the exit code."""
    try:
        known = advisories(dependencies, post)
    except (OSError, ValueError, KeyError) as error:
        print(
            f"NOT AUDITED: no dependency was checked, because {DATABASE} did not answer ({error}). "
            "Run `make audit` where it can be reached."
        )
        return 2
    for dependency, ids in sorted(known.items()):
        print(f"{dependency.name} {dependency.version} ({dependency.ecosystem}): {', '.join(ids)}")
    print(f"{len(known)} of {len(dependencies)} dependencies have known advisories")
    return 1 if known else 0


def _library(properties: str) -> Dependency:
    fields: dict[str, Any] = dict(
        line.strip().split("=", 1) for line in properties.splitlines() if "=" in line and not line.startswith("#")
    )
    return Dependency("Maven", f"{fields.get('groupId')}:{fields.get('artifactId')}", str(fields.get("version")))


def _post(address: str, body: bytes) -> bytes:
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return bytes(answer.read())


def main() -> int:
    """Audit everything; return the exit code."""
    libraries, nameless = java_libraries(class_path.jars(Environment(jars=jars(), work=Path())))
    packages = python_packages()
    print(f"{len(packages)} Python packages, {len(libraries)} Java libraries")
    if nameless:
        print(f"not audited: {', '.join(sorted(nameless))}: these jars name no Maven coordinates; add them to GROUPS")
    return report([*packages, *sorted(libraries)], _post)


if __name__ == "__main__":
    sys.exit(main())
