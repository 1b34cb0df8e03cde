"""The class path of a run's JVMs, and what lies beside the jars to make JVMs start faster: archive, directives, nets.

A JVM reads, verifies and links some fifteen thousand classes before it computes anything. With class data sharing
(JEP 350) it maps them from an archive instead, which `build_class_archive` builds. An archive fits one class path, jar
by jar, so jars have the same order everywhere; jobimage/executor.sh lists the same.

The optimizing compiler would take a quarter of the CPU time of a run on a few images. Directives keep it to the code
that gains from it (jobimage/java/src/main/jvm/compiler.json).

An engine takes seconds for its first net, however small. A JVM runs a small one while it waits for its run's
(dev.featx.nets.loading.Preparation).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from featx_job.environment import Environment

DIRECTIVES = "compiler.json"


def jars(environment: Environment) -> list[Path]:
    """Return the class path of driver and executors: Featx's jars, then BigDL's and Spark's."""
    site = environment.site
    bigdl = (site / "bigdl" / "share" / part / "lib" for part in ("dllib", "core"))
    folders = [environment.jars, *bigdl, site / "pyspark" / "jars"]
    return [jar for folder in folders for jar in sorted(folder.glob("*.jar"))]


def path(environment: Environment) -> str:
    """Return the class path as Java takes it."""
    return ":".join(map(str, jars(environment)))


def archive(environment: Environment) -> Path:
    """Return the path of the archive of these jars, if it exists. Java identifies jars by path, size and time."""
    facts = [(str(jar), jar.stat().st_size, int(jar.stat().st_mtime)) for jar in jars(environment)]
    return environment.jars / f"classes-{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}.jsa"


def options(environment: Environment) -> tuple[str, ...]:
    """Return a JVM's options: compiler directives, and the archive to write or use; a mismatch logs no warning."""
    if environment.new_archive:
        return (*_directives(environment), f"-XX:ArchiveClassesAtExit={environment.new_archive}")
    known = archive(environment)
    archived = (f"-XX:SharedArchiveFile={known}", "-Xlog:cds=off", "-Xlog:class+path=off") if known.exists() else ()
    return (*_directives(environment), *archived)


def _directives(environment: Environment) -> tuple[str, ...]:
    file = environment.jars / DIRECTIVES
    return ("-XX:+UnlockDiagnosticVMOptions", f"-XX:CompilerDirectivesFile={file}") if file.exists() else ()


def first_net(environment: Environment, engine: str) -> Path:
    """Return the path of an engine's small network file, which may not exist."""
    return archive(environment).with_suffix(f".{engine}")


def preparation(environment: Environment, engine: str, cores: int, streams: int) -> str | None:
    """Return the argument of dev.featx.nets.loading.Preparation, or None without a small net."""
    net = first_net(environment, engine)
    return f"{engine},{cores},{streams},{net}" if net.exists() else None
